"""What Tryton makes of a confirmed sale: its invoices and its shipments."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import Change, Context, Effect
from connectors.tryton.documents import Currency
from connectors.tryton.rows import Named, Row, rows
from connectors.tryton.sales import SALE
from connectors.tryton.trials import Asked, Trial
from connectors.tryton.values import minor_units

Json = Any
"""Any JSON value."""


class _Invoice(Row):
    state: str
    party: Named = Field(alias="party.")
    currency: Currency = Field(alias="currency.")
    untaxed_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal


class _Shipment(Row):
    state: str
    customer: Named = Field(alias="customer.")
    planned_date: date | None
    outgoing_moves: list[int]


class _InvoiceFace(BaseModel):
    model_config = ConfigDict(frozen=True)

    party: str
    state: str
    untaxed_minor: int
    tax_minor: int
    total_minor: int
    currency: str


class _ShipmentFace(BaseModel):
    model_config = ConfigDict(frozen=True)

    party: str
    state: str
    goods: int
    """How many lines of goods it holds."""


def asked(sale_id: int) -> list[Asked]:
    """Return what to read in a trial: the invoices and the shipments of a sale."""
    return [
        Asked(model="account.invoice", clauses=[("sales", "=", sale_id)], kind=_Invoice),
        Asked(model="stock.shipment.out", clauses=_shipped(sale_id), kind=_Shipment),
    ]


def foreseen(sale_id: int, trial: Trial, first: int) -> tuple[Change, ...]:
    """Return what a trial made, read from its place `first` on."""
    records = _faces(sale_id, trial.rows(first, _Invoice), trial.rows(first + 1, _Shipment))
    return tuple(
        Change(target=name, effect=Effect.CREATE, after=face.model_dump(mode="json"), unknown=("id", "number"))
        for name, face in records.items()
    )


async def observed(context: Context, sale_id: int) -> Mapping[str, BaseModel]:
    """Return the invoices and shipments of a sale as they are, under the targets of `foreseen`."""
    invoices = await rows(context, "account.invoice", _Invoice, [("sales", "=", sale_id)])
    shipments = await rows(context, "stock.shipment.out", _Shipment, _shipped(sale_id))
    return _faces(sale_id, invoices, shipments)


def _shipped(sale_id: int) -> list[Sequence[Json]]:
    return [("moves.origin.sale.id", "=", sale_id, "sale.line")]


def _faces(sale_id: int, invoices: Sequence[_Invoice], shipments: Sequence[_Shipment]) -> dict[str, BaseModel]:
    billed = {f"{SALE}/{sale_id}/invoice {place}": _bill(found) for place, found in enumerate(invoices, start=1)}
    sent = {
        f"{SALE}/{sale_id}/shipment {place}": _ShipmentFace(
            party=found.customer.rec_name, state=found.state, goods=len(found.outgoing_moves)
        )
        for place, found in enumerate(shipments, start=1)
    }
    return {**billed, **sent}


def _bill(found: _Invoice) -> _InvoiceFace:
    digits = found.currency.digits
    return _InvoiceFace(
        party=found.party.rec_name,
        state=found.state,
        untaxed_minor=minor_units(found.untaxed_amount, digits),
        tax_minor=minor_units(found.tax_amount, digits),
        total_minor=minor_units(found.total_amount, digits),
        currency=found.currency.code,
    )
