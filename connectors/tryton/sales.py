"""Sales: finding and reading them."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from connectors.sdk import Context
from connectors.tryton.drafts import ShownLine, Unit, price_text, quantity_text
from connectors.tryton.records import After, Id, Sale, SaleLine, Sales, SaleSummary, Stage, Text
from connectors.tryton.rows import Named, Page, Row, row, rows
from connectors.tryton.system import connector
from connectors.tryton.values import minor_units

Json = Any
"""Any JSON value."""

SALE = "sale.sale"
LINE = "sale.line"
AnyStage = Annotated[
    Literal["any", "draft", "quotation", "confirmed", "cancelled"],
    Field(description="confirmed covers confirmed, processing and done."),
]
AnyParty = Annotated[int, Field(ge=0, le=2**31 - 1, description="0 for sales to anybody.")]

_STAGES: dict[str, Stage] = {
    "draft": "draft",
    "quotation": "quotation",
    "confirmed": "confirmed",
    "processing": "confirmed",
    "done": "confirmed",
    "cancelled": "cancelled",
}


class Currency(BaseModel):
    """What money needs to be told in minor units."""

    code: str
    digits: int


class SaleRow(Row):
    """A sale in Tryton, without its lines."""

    number: str | None
    reference: str | None
    state: str
    party: Named = Field(alias="party.")
    currency: Currency = Field(alias="currency.")
    untaxed_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal
    quotation_date: date | None
    sale_date: date | None
    invoice_method: str
    shipment_method: str
    company: int
    currency_id: int = Field(alias="currency")
    invoice_party: int | None

    @property
    def stage(self) -> Stage:
        """Return how far it has come."""
        return _STAGES[self.state]

    def minor(self, amount: Decimal) -> int:
        """Return an amount of this sale in minor units."""
        return minor_units(amount, self.currency.digits)


class _WholeSale(SaleRow):
    invoice_state: str
    shipment_state: str
    invoices: list[int]
    shipments: list[int]


class LineRow(Row):
    """A line of a sale in Tryton."""

    type: str
    quantity: float | None
    unit_price: Decimal | None
    amount: Decimal | None
    taxes: list[int]
    unit: Unit | None = Field(alias="unit.")
    product: Named | None = Field(alias="product.")
    rec_name: str

    def shown(self, minor: Callable[[Decimal], int]) -> ShownLine:
        """Return the line as previews show it."""
        return ShownLine(
            product_id=self.product.id if self.product else None,
            product=self.product.rec_name if self.product else self.rec_name,
            quantity=quantity_text(self.quantity),
            unit_price=price_text(self.unit_price),
            amount_minor=minor(self.amount or Decimal(0)),
        )


@connector.read("sale_find", title="Find sales", examples=[{"stage": "quotation"}, {"party_id": 6, "stage": "any"}])
async def sale_find(
    context: Context, stage: AnyStage = "any", party_id: AnyParty = 0, number: Text = "", after: After = 0
) -> Sales:
    """Find sales by stage, customer or number, 20 at a time.

    For the next page give `after`: the id of the last sale you have.
    """
    wanted: list[Sequence[Json]] = [("id", ">", after)]
    if stage != "any":
        wanted.append(("state", "in", [state for state, its_stage in _STAGES.items() if its_stage == stage]))
    if party_id:
        wanted.append(("party", "=", party_id))
    if number:
        wanted.append(("number", "=", number))
    found = await rows(context, SALE, SaleRow, wanted, Page(limit=_PAGE + 1))
    return Sales(sales=[SaleSummary(**_summary(sale)) for sale in found[:_PAGE]], has_more=len(found) > _PAGE)


@connector.read("sale_get", title="Read a sale", examples=[{"sale_id": 5}])
async def sale_get(context: Context, sale_id: Id) -> Sale:
    """Read one sale with its lines, amounts, invoices and shipments."""
    sale = await row(context, SALE, _WholeSale, sale_id, called="sale")
    lines = await lines_of(context, sale_id)
    return Sale(
        **_summary(sale),
        untaxed_minor=sale.minor(sale.untaxed_amount),
        tax_minor=sale.minor(sale.tax_amount),
        quotation_date=sale.quotation_date,
        sale_date=sale.sale_date,
        invoice_state=sale.invoice_state,
        shipment_state=sale.shipment_state,
        invoice_ids=sale.invoices,
        shipment_ids=sale.shipments,
        lines=[_line(sale, line) for line in lines if line.type == "line"],
    )


async def lines_of(context: Context, sale_id: int) -> list[LineRow]:
    """Return all lines of a sale, comments and subtotals among them."""
    return await rows(context, LINE, LineRow, [("sale", "=", sale_id)])


_PAGE = 20


def _summary(sale: SaleRow) -> dict[str, Json]:
    return {
        "id": sale.id,
        "number": sale.number or "",
        "reference": sale.reference or "",
        "stage": sale.stage,
        "state": sale.state,
        "party_id": sale.party.id,
        "party": sale.party.rec_name,
        "total_minor": sale.minor(sale.total_amount),
        "currency": sale.currency.code,
    }


def _line(sale: SaleRow, line: LineRow) -> SaleLine:
    return SaleLine(
        id=line.id,
        product_id=line.product.id if line.product else None,
        product=line.product.rec_name if line.product else line.rec_name,
        quantity=quantity_text(line.quantity),
        unit_price=format(line.unit_price or Decimal(0), "f"),
        amount_minor=sale.minor(line.amount or Decimal(0)),
    )
