"""Posting customer invoices: what it changes, the entry it makes in the books, and the sales it moves on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import (
    Blast,
    Change,
    Context,
    Effect,
    Fidelity,
    Preview,
    Receipt,
    Refused,
    SideEffect,
    Tier,
    UpstreamClass,
)
from connectors.tryton.documents import Currency, LineRow, lines_of
from connectors.tryton.holding import Parts, checked_parts, parts_guard
from connectors.tryton.invoices import INVOICE, KIND, LINE, InvoiceRow, Shown, check_customer, invoice_get, shown
from connectors.tryton.records import Id, Invoice
from connectors.tryton.rows import Clause, Named, Row, row, rows, strong, target
from connectors.tryton.sales import SALE
from connectors.tryton.system import connector
from connectors.tryton.trials import Asked, Trial, Untried, pressing, simulated_only, tried
from connectors.tryton.values import minor_units
from connectors.tryton.writing import press, read_back

Json = Any
"""Any JSON value."""

MOVE = "account.move"
_TAX = "account.invoice.tax"

_POSTABLE = ("draft", "validated")
_OF_THE_MOMENT = ("number", "date")
"""What the entry has of the moment in which it is made."""


class _Tax(Row):
    tax: int | None
    base: Decimal
    manual: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What an invoice is made of."""

    lines: Sequence[LineRow]
    taxes: Sequence[_Tax]

    @property
    def parts(self) -> tuple[Parts, ...]:
        """Return all of it as what must not change between the preview and the posting."""
        return (
            Parts(model=LINE, field=KIND.parent, rows=self.lines),
            Parts(model=_TAX, field=KIND.parent, rows=self.taxes),
        )

    @property
    def are_taxes_current(self) -> bool:
        """Return whether the taxes belong to the lines as they are; if not, posting computes them anew."""
        bases: dict[int | None, Decimal] = defaultdict(Decimal)
        for line in self.lines:
            for tax in line.taxes:
                bases[tax] += line.amount or Decimal(0)
        for booked in self.taxes:
            if not booked.manual:
                bases[booked.tax] -= booked.base
        return not any(bases.values())


class _Company(BaseModel):
    currency: Currency = Field(alias="currency.")


class _Move(Row):
    company: _Company = Field(alias="company.")
    number: str | None
    date: date
    state: str
    journal: Named = Field(alias="journal.")


class _Booked(Row):
    account: Named = Field(alias="account.")
    party: Named | None = Field(alias="party.")
    debit: Decimal
    credit: Decimal


class _Sale(Row):
    state: str
    invoice_state: str


class _BookedFace(BaseModel):
    model_config = ConfigDict(frozen=True)

    account: str
    party: str
    debit_minor: int
    credit_minor: int


class _Entry(BaseModel):
    """An entry in the books as previews show it; amounts are in the company's currency."""

    model_config = ConfigDict(frozen=True)

    number: str
    date: date
    journal: str
    state: str
    lines: list[_BookedFace]


class _SaleFace(BaseModel):
    model_config = ConfigDict(frozen=True)

    state: str
    invoice_state: str


@connector.write(
    "invoice_post",
    title="Post a customer invoice",
    effect=Effect.UPDATE,
    tier=Tier.CRITICAL,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    timeout_seconds=60,
    examples=[{"invoice_id": 4}],
)
async def invoice_post(context: Context, invoice_id: Id) -> Invoice:
    """Post a customer invoice: it gets its number and its entry in the books. It cannot be undone, only credited."""
    held = checked_parts(context, _named(invoice_id), (await _found(context, invoice_id)).parts)
    await press(context, (INVOICE, invoice_id), "post", held)
    return await read_back(invoice_get, context, invoice_id)


@invoice_post.preview
async def _(context: Context, invoice_id: int) -> Preview:
    found = await _found(context, invoice_id)  # first: see the preview of a sale's buttons
    invoice = await row(context, INVOICE, InvoiceRow, invoice_id, called="customer invoice")
    check_customer(invoice)
    if invoice.state not in _POSTABLE:
        raise Refused(f"Invoice {invoice_id} is in state {invoice.state}; only a draft or validated one can be posted.")
    if not any(line.type == "line" for line in found.lines):
        raise Refused(f"Invoice {invoice_id} has no lines, so there is nothing to post.")
    are_taxes_current = found.are_taxes_current
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
    guards = (strong(INVOICE, invoice), await parts_guard(context, _named(invoice_id), found.parts))
    return await _executed(context, preview.model_copy(update={"preconditions": guards}), invoice)


@invoice_post.observe
async def _(context: Context, receipt: Receipt[Invoice]) -> Mapping[str, BaseModel]:
    invoice = await row(context, INVOICE, InvoiceRow, receipt.input["invoice_id"], called="customer invoice")
    _, of_move, of_lines, of_sales = _asked(invoice)
    moves = await rows(context, of_move.model, _Move, of_move.clauses)
    booked = await rows(context, of_lines.model, _Booked, of_lines.clauses)
    sales = await rows(context, of_sales.model, _Sale, of_sales.clauses)
    follows = _entries(invoice, moves, booked)
    return {target(INVOICE, invoice.id): shown(invoice), **follows, **_sales(sales)}


def _unknown(before: Shown, *, are_taxes_current: bool) -> tuple[str, ...]:
    amounts = () if are_taxes_current else ("tax_minor", "total_minor")
    return amounts + tuple(name for name in ("number", "invoice_date") if not getattr(before, name))


async def _found(context: Context, invoice_id: int) -> _Found:
    lines = await lines_of(context, KIND, invoice_id)
    return _Found(lines=lines, taxes=await rows(context, _TAX, _Tax, [("invoice", "=", invoice_id)]))


async def _executed(context: Context, simulated: Preview, invoice: InvoiceRow) -> Preview:
    """Return what a trial inside Tryton shows, or what was simulated where Tryton cannot try."""
    sales_before = _sales(await rows(context, SALE, _Sale, _asked(invoice)[3].clauses))
    of_this = [("invoice", "=", invoice.id)]
    parts = [Asked(model=part, clauses=of_this, kind=Row) for part in (LINE, _TAX)]
    call = pressing(simulated.preconditions[0], invoice.company, "post", *parts)
    trial = await tried(context, call, _asked(invoice))
    if isinstance(trial, Untried):
        return simulated_only(simulated, trial)
    (change,) = simulated.changes
    unknown = _unknown(shown(invoice), are_taxes_current=True)
    (posted,) = trial.rows(0, InvoiceRow)
    after = {name: value for name, value in shown(posted).model_dump(mode="json").items() if name not in unknown}
    entry = [
        Change(
            target=name,
            effect=Effect.CREATE,
            after=made.model_dump(mode="json", exclude={*_OF_THE_MOMENT}),
            unknown=_OF_THE_MOMENT,
        )
        for name, made in _entries(invoice, trial.rows(1, _Move), trial.rows(2, _Booked)).items()
    ]
    itself = change.model_copy(update={"after": after, "unknown": unknown})
    moved = _moved(sales_before, trial) if trial.is_settled else ()
    late = () if trial.is_settled else ("what posting changes in the sale it comes from",)
    done = {"changes": (itself, *entry, *moved), "not_covered": late, **trial.sureness}
    return simulated.model_copy(update=done)


def _asked(invoice: InvoiceRow) -> list[Asked]:
    """Return what posting touches: the invoice, its entry, the lines of that, and the sales it comes from."""
    origin: Clause = ("origin", "=", target(INVOICE, invoice.id).replace("/", ","))
    return [
        Asked(model=INVOICE, clauses=[("id", "=", invoice.id)], kind=InvoiceRow),
        Asked(model=MOVE, clauses=[origin], kind=_Move),
        Asked(model=f"{MOVE}.line", clauses=[(f"move.{origin[0]}", *origin[1:])], kind=_Booked),
        Asked(model=SALE, clauses=[("id", "in", invoice.sales)], kind=_Sale),
    ]


def _entries(invoice: InvoiceRow, moves: Sequence[_Move], booked: Sequence[_Booked]) -> dict[str, _Entry]:
    return {f"{target(INVOICE, invoice.id)}/entry": _entry(move, booked) for move in moves}


def _entry(move: _Move, booked: Sequence[_Booked]) -> _Entry:
    digits = move.company.currency.digits
    lines = [
        _BookedFace(
            account=line.account.rec_name,
            party=line.party.rec_name if line.party else "",
            debit_minor=minor_units(line.debit, digits),
            credit_minor=minor_units(line.credit, digits),
        )
        for line in booked
    ]
    return _Entry(
        number=move.number or "", date=move.date, journal=move.journal.rec_name, state=move.state, lines=lines
    )


def _sales(found: Sequence[_Sale]) -> dict[str, _SaleFace]:
    return {target(SALE, sale.id): _SaleFace(state=sale.state, invoice_state=sale.invoice_state) for sale in found}


def _moved(before: Mapping[str, _SaleFace], trial: Trial) -> tuple[Change, ...]:
    return tuple(
        Change(
            target=name,
            effect=Effect.UPDATE,
            before=before[name].model_dump(mode="json"),
            after=sale.model_dump(mode="json"),
        )
        for name, sale in _sales(trial.rows(3, _Sale)).items()
        if sale != before[name]
    )


def _not_covered(*, are_taxes_current: bool) -> tuple[str, ...]:
    always = ("the lines of the entry in the books", "what posting changes in the sale it comes from")
    return always if are_taxes_current else (*always, "the taxes, which Tryton will compute anew from changed lines")


def _named(invoice_id: int) -> str:
    return f"{INVOICE}/{invoice_id}/lines"
