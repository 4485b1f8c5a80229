"""Sales: finding and reading them."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from connectors.sdk import Context, Refused
from connectors.tryton.documents import DraftRow, LineRow, Paper, lines_of
from connectors.tryton.drafts import Kind, quantity_text
from connectors.tryton.records import After, Id, Sale, SaleLine, Sales, SaleSummary, Stage, Text
from connectors.tryton.rows import Page, row, rows
from connectors.tryton.system import connector

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


class SaleRow(DraftRow):
    """A sale in Tryton, without its lines."""

    number: str | None
    quotation_date: date | None
    sale_date: date | None
    invoice_method: str
    shipment_method: str
    invoice_party: int | None

    @property
    def stage(self) -> Stage:
        """Return how far it has come."""
        return _STAGES[self.state]


def _require_draft(sale: SaleRow) -> None:
    if sale.state != "draft":
        raise Refused(f"Sale {sale.id} is in state {sale.state}; only the lines of a draft can be changed.")


async def _told(context: Context, sale: SaleRow) -> Mapping[str, Json]:
    del context
    return {"invoice_party": sale.invoice_party}


KIND = Kind(model=SALE, line=LINE, parent="sale")
PAPER = Paper(kind=KIND, row=SaleRow, stage=lambda sale: sale.stage, require_draft=_require_draft, told=_told)


class _WholeSale(SaleRow):
    invoice_state: str
    shipment_state: str
    invoices: list[int]
    shipments: list[int]


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
    lines = await lines_of(context, KIND, sale_id)
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
