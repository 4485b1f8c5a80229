"""Shipments to customers: finding and reading them. Only the warehouse changes them."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.sdk import Context
from connectors.tryton.records import After, Answer, Id
from connectors.tryton.rows import Named, Page, Row, row, rows
from connectors.tryton.system import connector

Json = Any
"""Any JSON value."""

SHIPMENT = "stock.shipment.out"
State = Literal["any", "draft", "waiting", "assigned", "picked", "packed", "shipped", "done", "cancelled"]
AnyParty = Annotated[int, Field(ge=0, le=2**31 - 1, description="0 for shipments to anybody.")]
_PAGE = 20


class _Shipment(Row):
    number: str | None
    reference: str | None
    state: str
    customer: Named = Field(alias="customer.")
    planned_date: date | None
    effective_date: date | None
    origins: str | None


class _WholeShipment(_Shipment):
    delivery_address: Named | None = Field(alias="delivery_address.")


class _Move(Row):
    product: Named = Field(alias="product.")
    quantity: float
    unit: Named = Field(alias="unit.")
    state: str


class ShipmentSummary(Answer):
    """A shipment as it stands in a list; `origins` names the sales it comes from."""

    id: int
    number: str
    state: str
    party_id: int
    party: str
    planned_date: date | None
    effective_date: date | None
    origins: str


class Shipped(Answer):
    """Goods of a shipment."""

    product_id: int
    product: str
    quantity: str
    unit: str
    state: str


class Shipment(ShipmentSummary):
    """A shipment with its goods."""

    delivery_address: str
    goods: list[Shipped]


class Shipments(Answer):
    """A page of shipments."""

    shipments: list[ShipmentSummary]
    has_more: bool


@connector.read("shipment_find", title="Find shipments", examples=[{"state": "waiting"}, {"party_id": 12}])
async def shipment_find(context: Context, state: State = "any", party_id: AnyParty = 0, after: After = 0) -> Shipments:
    """Find shipments to customers by state or customer, 20 at a time.

    For the next page give `after`: the id of the last shipment you have.
    """
    wanted: list[Sequence[Json]] = [("id", ">", after)]
    if state != "any":
        wanted.append(("state", "=", state))
    if party_id:
        wanted.append(("customer", "=", party_id))
    found = await rows(context, SHIPMENT, _Shipment, wanted, Page(limit=_PAGE + 1))
    shown = [ShipmentSummary(**_summary(shipment)) for shipment in found[:_PAGE]]
    return Shipments(shipments=shown, has_more=len(found) > _PAGE)


@connector.read("shipment_get", title="Read a shipment", data_classes=("personal",), examples=[{"shipment_id": 1}])
async def shipment_get(context: Context, shipment_id: Id) -> Shipment:
    """Read one shipment to a customer with its goods and its delivery address; sale_get lists the ids."""
    shipment = await row(context, SHIPMENT, _WholeShipment, shipment_id, called="shipment")
    # Goods move twice, from the store to the gate and from the gate to the customer: the way out is what is told.
    leaving = [("shipment", "=", f"{SHIPMENT},{shipment_id}"), ("to_location.type", "=", "customer")]
    goods = await rows(context, "stock.move", _Move, leaving)
    return Shipment(
        **_summary(shipment),
        delivery_address=shipment.delivery_address.rec_name if shipment.delivery_address else "",
        goods=[_goods(move) for move in goods],
    )


def _summary(shipment: _Shipment) -> dict[str, Json]:
    return {
        "id": shipment.id,
        "number": shipment.number or "",
        "state": shipment.state,
        "party_id": shipment.customer.id,
        "party": shipment.customer.rec_name,
        "planned_date": shipment.planned_date,
        "effective_date": shipment.effective_date,
        "origins": shipment.origins or "",
    }


def _goods(move: _Move) -> Shipped:
    return Shipped(
        product_id=move.product.id,
        product=move.product.rec_name,
        quantity=f"{move.quantity:g}",
        unit=move.unit.rec_name,
        state=move.state,
    )
