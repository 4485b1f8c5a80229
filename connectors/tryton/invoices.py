"""Customer invoices: finding, reading and posting them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import (
    Blast,
    Context,
    Effect,
    Preview,
    Receipt,
    Refused,
    SideEffect,
    Tier,
    UpstreamClass,
)
from connectors.tryton.records import After, Id, Invoice, InvoiceLine, Invoices, InvoiceSummary
from connectors.tryton.rows import Named, Page, Row, check_weak, row, rows, strong, target, weak
from connectors.tryton.sales import Currency
from connectors.tryton.system import connector
from connectors.tryton.values import minor_units
from connectors.tryton.writing import press, read_back

Json = Any
"""Any JSON value."""

INVOICE = "account.invoice"
State = Literal["draft", "validated", "posted", "paid", "cancelled", "any"]
AnyParty = Annotated[int, Field(ge=0, le=2**31 - 1, description="0 for invoices to anybody.")]

_PAGE = 20
_POSTABLE = ("draft", "validated")


class InvoiceRow(Row):
    """An invoice as it is read."""

    type: str
    number: str | None
    state: str
    invoice_date: date | None
    party: Named = Field(alias="party.")
    currency: Currency = Field(alias="currency.")
    untaxed_amount: Decimal
    tax_amount: Decimal
    total_amount: Decimal

    def minor(self, amount: Decimal) -> int:
        """Return an amount of this invoice in minor units."""
        return minor_units(amount, self.currency.digits)


class _WholeInvoice(InvoiceRow):
    amount_to_pay: Decimal
    move: int | None
    payment_term: Named | None = Field(alias="payment_term.")


class _Line(Row):
    type: str
    rec_name: str
    quantity: float | None
    unit_price: Decimal | None
    amount: Decimal | None
    taxes: list[int]


class _Tax(Row):
    tax: int | None
    base: Decimal
    manual: bool | None


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
    lines = await rows(context, f"{INVOICE}.line", _Line, [("invoice", "=", invoice_id), ("type", "=", "line")])
    return Invoice(
        **_summary(invoice),
        untaxed_minor=invoice.minor(invoice.untaxed_amount),
        tax_minor=invoice.minor(invoice.tax_amount),
        to_pay_minor=invoice.minor(invoice.amount_to_pay),
        payment_term=invoice.payment_term.rec_name if invoice.payment_term else "",
        has_entry=invoice.move is not None,
        lines=[_line(invoice, line) for line in lines],
    )


@connector.write(
    "invoice_post",
    title="Post a customer invoice",
    effect=Effect.UPDATE,
    tier=Tier.CRITICAL,
    upstream_class=UpstreamClass.B,
    timeout_seconds=60,
    examples=[{"invoice_id": 4}],
)
async def invoice_post(context: Context, invoice_id: Id) -> Invoice:
    """Post a customer invoice: it gets its number and its entry in the books. It cannot be undone, only credited."""
    check_weak(context, _parts(invoice_id), await _parts_of(context, invoice_id))
    await press(context, INVOICE, invoice_id, "post")
    return await read_back(invoice_get, context, invoice_id)


@invoice_post.preview
async def _(context: Context, invoice_id: int) -> Preview:
    parts = await _parts_of(context, invoice_id)  # first: see the preview of a sale's buttons
    invoice = await row(context, INVOICE, InvoiceRow, invoice_id, called="customer invoice")
    check_customer(invoice)
    if invoice.state not in _POSTABLE:
        raise Refused(f"Invoice {invoice_id} is in state {invoice.state}; only a draft or validated one can be posted.")
    if not any(isinstance(part, _Line) and part.type == "line" for part in parts):
        raise Refused(f"Invoice {invoice_id} has no lines, so there is nothing to post.")
    are_taxes_current = _are_taxes_current(parts)
    before = shown(invoice)
    preview = Preview.update(
        target(INVOICE, invoice_id),
        before,
        {"state": "posted" if invoice.total_amount else "paid"},  # with nothing to pay Tryton goes on by itself
        unknown=_unknown(before, are_taxes_current=are_taxes_current),
        side_effects=[
            SideEffect(kind=kind, recipient=before.party) for kind in ("entry in the books", "invoice document")
        ],
        blast=Blast(rows=1, parties=1, money_minor=abs(before.total_minor), currency=before.currency),
        not_covered=_not_covered(are_taxes_current=are_taxes_current),
    )
    guards = (strong(INVOICE, invoice), weak(_parts(invoice_id), parts))
    return preview.model_copy(update={"preconditions": guards})


@invoice_post.observe
async def _(context: Context, receipt: Receipt[Invoice]) -> Mapping[str, BaseModel]:
    invoice = await row(context, INVOICE, InvoiceRow, receipt.input["invoice_id"], called="customer invoice")
    return {target(INVOICE, invoice.id): shown(invoice)}


def _unknown(before: Shown, *, are_taxes_current: bool) -> tuple[str, ...]:
    amounts = () if are_taxes_current else ("tax_minor", "total_minor")
    return amounts + tuple(name for name in ("number", "invoice_date") if not getattr(before, name))


async def _parts_of(context: Context, invoice_id: int) -> list[_Line | _Tax]:
    of_this = [("invoice", "=", invoice_id)]
    lines = await rows(context, f"{INVOICE}.line", _Line, of_this)
    taxes = await rows(context, f"{INVOICE}.tax", _Tax, of_this)
    return [*lines, *taxes]


def _are_taxes_current(parts: Sequence[_Line | _Tax]) -> bool:
    """Return whether the taxes belong to the lines as they are; if not, posting computes them anew."""
    bases: dict[int | None, Decimal] = defaultdict(Decimal)
    for part in parts:
        if isinstance(part, _Line):
            for tax in part.taxes:
                bases[tax] += part.amount or Decimal(0)
        elif not part.manual:
            bases[part.tax] -= part.base
    return not any(bases.values())


def _not_covered(*, are_taxes_current: bool) -> tuple[str, ...]:
    always = ("the lines of the entry in the books", "what posting changes in the sale it comes from")
    return always if are_taxes_current else (*always, "the taxes, which Tryton will compute anew from changed lines")


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


def _line(invoice: InvoiceRow, line: _Line) -> InvoiceLine:
    return InvoiceLine(
        id=line.id,
        description=line.rec_name,
        quantity=f"{line.quantity or 0:g}",
        unit_price=format(line.unit_price or Decimal(0), "f"),
        amount_minor=invoice.minor(line.amount or Decimal(0)),
    )


def _parts(invoice_id: int) -> str:
    return f"{INVOICE}/{invoice_id}/lines"
