"""Customer invoices: finding and reading them, and how previews show them."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import Context, Refused
from connectors.tryton.documents import DraftRow, LineRow, Paper, lines_of
from connectors.tryton.drafts import Kind, quantity_text
from connectors.tryton.records import After, Id, Invoice, InvoiceLine, Invoices, InvoiceSummary
from connectors.tryton.rows import Page, Row, row, rows
from connectors.tryton.system import connector
from connectors.tryton.values import encoded

Json = Any
"""Any JSON value."""

INVOICE = "account.invoice"
LINE = "account.invoice.line"
State = Literal["draft", "validated", "posted", "paid", "cancelled", "any"]
AnyParty = Annotated[int, Field(ge=0, le=2**31 - 1, description="0 for invoices to anybody.")]

_PAGE = 20


class InvoiceRow(DraftRow):
    """An invoice as it is read."""

    type: str
    number: str | None
    invoice_date: date | None
    sales: list[int]


class _ManualTax(Row):
    tax: int | None
    base: Decimal
    amount: Decimal


def _require_draft(invoice: InvoiceRow) -> None:
    check_customer(invoice)
    if invoice.state != "draft":
        raise Refused(f"Invoice {invoice.id} is in state {invoice.state}; only the lines of a draft can be changed.")
    if invoice.sales:
        raise Refused(f"Invoice {invoice.id} comes from a sale, which counts what is invoiced; do it in Tryton.")


async def _told(context: Context, invoice: InvoiceRow) -> Mapping[str, Json]:
    by_hand = [("invoice", "=", invoice.id), ("manual", "=", True)]
    taxes = await rows(context, f"{INVOICE}.tax", _ManualTax, by_hand)
    kept = [
        {"id": tax.id, "manual": True, "tax": tax.tax, "base": encoded(tax.base), "amount": encoded(tax.amount)}
        for tax in taxes
    ]
    return {"type": invoice.type, "taxes": kept}


KIND = Kind(model=INVOICE, line=LINE, parent="invoice")
PAPER = Paper(
    kind=KIND,
    row=InvoiceRow,
    stage=lambda found: found.state,
    require_draft=_require_draft,
    keeps_taxes=True,
    told=_told,
)


class _WholeInvoice(InvoiceRow):
    amount_to_pay: Decimal
    move: int | None


class Shown(BaseModel):
    """What a button changes of an invoice, and what an approver should know of it."""

    model_config = ConfigDict(frozen=True)

    party: str
    number: str
    state: str
    invoice_date: date | None
    untaxed_minor: int
    tax_minor: int
    total_minor: int
    currency: str


@connector.read("invoice_find", title="Find customer invoices", examples=[{"state": "draft"}, {"party_id": 16}])
async def invoice_find(context: Context, state: State = "any", party_id: AnyParty = 0, after: After = 0) -> Invoices:
    """Find customer invoices by state or customer, 20 at a time.

    For the next page give `after`: the id of the last invoice you have.
    """
    wanted: list[Sequence[Json]] = [("id", ">", after), ("type", "=", "out")]
    if state != "any":
        wanted.append(("state", "=", state))
    if party_id:
        wanted.append(("party", "=", party_id))
    found = await rows(context, INVOICE, InvoiceRow, wanted, Page(limit=_PAGE + 1))
    return Invoices(
        invoices=[InvoiceSummary(**_summary(invoice)) for invoice in found[:_PAGE]], has_more=len(found) > _PAGE
    )


@connector.read("invoice_get", title="Read a customer invoice", examples=[{"invoice_id": 4}])
async def invoice_get(context: Context, invoice_id: Id) -> Invoice:
    """Read one customer invoice with its lines and what is still to pay."""
    invoice = await row(context, INVOICE, _WholeInvoice, invoice_id, called="customer invoice")
    check_customer(invoice)
    lines = await lines_of(context, KIND, invoice_id)
    return Invoice(
        **_summary(invoice),
        untaxed_minor=invoice.minor(invoice.untaxed_amount),
        tax_minor=invoice.minor(invoice.tax_amount),
        to_pay_minor=invoice.minor(invoice.amount_to_pay),
        payment_term=invoice.term.rec_name if invoice.term else "",
        has_entry=invoice.move is not None,
        lines=[_line(invoice, line) for line in lines if line.type == "line"],
    )


def check_customer(invoice: InvoiceRow) -> None:
    """Return if it is a customer's.

    Raises:
        Refused: it is a supplier's.
    """
    if invoice.type != "out":
        raise Refused(f"Invoice {invoice.id} is a supplier's; this tool is for customer invoices.")


def _summary(invoice: InvoiceRow) -> dict[str, Json]:
    return {
        "id": invoice.id,
        "number": invoice.number or "",
        "state": invoice.state,
        "party_id": invoice.party.id,
        "party": invoice.party.rec_name,
        "reference": invoice.reference or "",
        "total_minor": invoice.minor(invoice.total_amount),
        "currency": invoice.currency.code,
        "invoice_date": invoice.invoice_date,
    }


def shown(invoice: InvoiceRow) -> Shown:
    """Return an invoice as previews show it."""
    return Shown(
        party=invoice.party.rec_name,
        number=invoice.number or "",
        state=invoice.state,
        invoice_date=invoice.invoice_date,
        untaxed_minor=invoice.minor(invoice.untaxed_amount),
        tax_minor=invoice.minor(invoice.tax_amount),
        total_minor=invoice.minor(invoice.total_amount),
        currency=invoice.currency.code,
    )


def _line(invoice: InvoiceRow, line: LineRow) -> InvoiceLine:
    return InvoiceLine(
        id=line.id,
        product_id=line.product.id if line.product else None,
        description=line.rec_name,
        quantity=quantity_text(line.quantity),
        unit_price=format(line.unit_price or Decimal(0), "f"),
        amount_minor=invoice.minor(line.amount or Decimal(0)),
    )
