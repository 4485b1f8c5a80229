"""The buttons of a sale: quote, confirm, cancel, back to draft."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from connectors.sdk import (
    Blast,
    Compensation,
    Context,
    Effect,
    Fidelity,
    Precondition,
    Preview,
    Receipt,
    Refused,
    Reversal,
    SideEffect,
    Tier,
    UpstreamClass,
)
from connectors.tryton.documents import LineRow, lines_of
from connectors.tryton.holding import Parts, checked_parts, parts_guard
from connectors.tryton.records import Id, Sale, Stage
from connectors.tryton.rows import row, strong, target
from connectors.tryton.sales import KIND, LINE, SALE, SaleRow, sale_get
from connectors.tryton.sales_follow import asked, foreseen, observed
from connectors.tryton.system import connector
from connectors.tryton.trials import Asked, Untried, pressing, simulated_only, tried
from connectors.tryton.writing import press, read_back

Json = Any
"""Any JSON value."""

_BACK_TO_DRAFT = Compensation(tool="sale_draft", arguments={"sale_id": "/input/sale_id"}, kind=Reversal.PARTIAL)


class _Sale(BaseModel):
    """What pressing a button changes of a sale, and what an approver should know of it."""

    model_config = ConfigDict(frozen=True)

    party: str
    number: str
    stage: Stage
    state: str
    untaxed_minor: int
    tax_minor: int
    total_minor: int
    currency: str
    quotation_date: date | None
    sale_date: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Button:
    """A button as Tryton's workflow has it: where it may be pressed, where it leads, what it fills in on the way."""

    name: str
    allowed_in: tuple[str, ...]
    stage: Stage
    fills: tuple[str, ...] = ()


_QUOTE = _Button(name="quote", allowed_in=("draft",), stage="quotation", fills=("number", "quotation_date"))
_CONFIRM = _Button(name="confirm", allowed_in=("quotation",), stage="confirmed", fills=("sale_date",))
_CANCEL = _Button(name="cancel", allowed_in=("draft", "quotation"), stage="cancelled")
_DRAFT = _Button(name="draft", allowed_in=("quotation", "cancelled"), stage="draft")


@connector.write(
    "sale_quote",
    title="Quote a sale",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    reversal=Reversal.PARTIAL,
    residue=("number", "quotation_date", "ir.sequence"),  # no other sale gets that number
    compensation=_BACK_TO_DRAFT,
    examples=[{"sale_id": 1}],
)
async def sale_quote(context: Context, sale_id: Id) -> Sale:
    """Make a quotation of a draft sale: Tryton gives it a number and fixes its lines and prices."""
    return await _press(context, sale_id, _QUOTE)


@sale_quote.preview
async def _(context: Context, sale_id: int) -> Preview:
    return await _preview(context, sale_id, _QUOTE)


@sale_quote.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel]:
    return await _observed(context, receipt)


@connector.write(
    "sale_confirm",
    title="Confirm a sale",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    examples=[{"sale_id": 5}],
)
async def sale_confirm(context: Context, sale_id: Id) -> Sale:
    """Confirm a quotation: Tryton then processes it, that is, makes its invoice and shipments. It cannot be undone."""
    return await _press(context, sale_id, _CONFIRM)


@sale_confirm.preview
async def _(context: Context, sale_id: int) -> Preview:
    return await _preview(context, sale_id, _CONFIRM)


@sale_confirm.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel]:
    return {**await _observed(context, receipt), **await observed(context, receipt.input["sale_id"])}


@connector.write(
    "sale_cancel",
    title="Cancel a sale",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    reversal=Reversal.PARTIAL,
    residue=("state",),  # what was a quotation comes back as a draft
    compensation=_BACK_TO_DRAFT,
    examples=[{"sale_id": 1}],
)
async def sale_cancel(context: Context, sale_id: Id) -> Sale:
    """Cancel a draft sale or a quotation."""
    return await _press(context, sale_id, _CANCEL)


@sale_cancel.preview
async def _(context: Context, sale_id: int) -> Preview:
    return await _preview(context, sale_id, _CANCEL)


@sale_cancel.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel]:
    return await _observed(context, receipt)


@connector.write(
    "sale_draft",
    title="Bring a sale back to draft",
    effect=Effect.UPDATE,
    tier=Tier.HIGH,
    upstream_class=UpstreamClass.B,
    fidelity=Fidelity.EXECUTED,
    examples=[{"sale_id": 5}],
)
async def sale_draft(context: Context, sale_id: Id) -> Sale:
    """Bring a quotation or a cancelled sale back to draft, so that it can be changed again."""
    return await _press(context, sale_id, _DRAFT)


@sale_draft.preview
async def _(context: Context, sale_id: int) -> Preview:
    return await _preview(context, sale_id, _DRAFT)


@sale_draft.observe
async def _(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel]:
    return await _observed(context, receipt)


async def _press(context: Context, sale_id: int, button: _Button) -> Sale:
    held: Sequence[Parts] = ()
    if _lines(sale_id) in context.guard:
        held = checked_parts(context, _lines(sale_id), [_parts(await lines_of(context, KIND, sale_id))])
    await press(context, (SALE, sale_id), button.name, held)
    return await read_back(sale_get, context, sale_id)


async def _preview(context: Context, sale_id: int, button: _Button) -> Preview:
    # The lines come first: a line changed between the two reads then makes the guard stale, never the amounts.
    lines = await lines_of(context, KIND, sale_id)
    sale = await row(context, SALE, SaleRow, sale_id, called="sale")
    if sale.state not in button.allowed_in:
        allowed = " or ".join(button.allowed_in)
        raise Refused(f"Sale {sale_id} is in state {sale.state}; to {button.name} it, it must be in {allowed}.")
    if button is _QUOTE and not lines:
        raise Refused(f"Sale {sale_id} has no lines, so there is nothing to quote.")
    before = _shown(sale)
    preview = Preview.update(
        target(SALE, sale_id),
        before,
        {"stage": button.stage, "state": button.stage},
        unknown=_unknown(before, button),
        side_effects=_follows(sale) if button is _CONFIRM else (),
        blast=Blast(rows=1, parties=1, money_minor=abs(sale.minor(sale.total_amount)), currency=sale.currency.code),
        not_covered=("when Tryton makes the invoice and the shipments",) if button is _CONFIRM else (),
    )
    # Changing a line leaves the sale's own version as it is; after the draft Tryton itself lets nobody change lines.
    lines_guard = (await _lines_guard(context, sale_id, lines),) if sale.state == "draft" else ()
    simulated = preview.model_copy(update={"preconditions": (strong(SALE, sale), *lines_guard)})
    return await _executed(context, simulated, sale, button)


async def _executed(context: Context, simulated: Preview, sale: SaleRow, button: _Button) -> Preview:
    """Return what a trial inside Tryton shows, or what was simulated where Tryton cannot try."""
    follows = asked(sale.id) if button is _CONFIRM else []
    itself = Asked(model=SALE, clauses=[("id", "=", sale.id)], kind=SaleRow)
    lines = Asked(model=LINE, clauses=[("sale", "=", sale.id)], kind=SaleRow)
    call = pressing(simulated.preconditions[0], sale.company, button.name, lines)
    trial = await tried(context, call, [itself, *follows])
    if isinstance(trial, Untried):
        return simulated_only(simulated, trial)
    (change,) = simulated.changes
    (found,) = trial.rows(0, SaleRow)
    # Numbers and days are those of the moment, and the commit has another one. The state is known if nothing waits.
    unknown = [name for name in change.unknown if name != "state" or not trial.is_settled]
    after = {name: value for name, value in _shown(found).model_dump(mode="json").items() if name not in unknown}
    changes = (
        change.model_copy(update={"after": after, "unknown": tuple(unknown)}),
        *(foreseen(sale.id, trial, 1) if follows and trial.is_settled else ()),
    )
    late = () if trial.is_settled else simulated.not_covered
    done = {"changes": changes, "not_covered": late, **trial.sureness}
    return simulated.model_copy(update=done)


def _follows(sale: SaleRow) -> tuple[SideEffect, ...]:
    """Return what Tryton makes of a confirmed sale by itself."""
    methods = {"draft invoice": sale.invoice_method, "shipment of the goods": sale.shipment_method}
    return tuple(
        SideEffect(kind=kind, recipient=sale.party.rec_name) for kind, method in methods.items() if method == "order"
    )


def _unknown(before: _Sale, button: _Button) -> tuple[str, ...]:
    # Tryton goes on to process a confirmed sale, at once or from its queue: `stage` covers both, `state` does not.
    by_queue = ("state",) if button is _CONFIRM else ()
    return by_queue + tuple(name for name in button.fills if not getattr(before, name))


async def _observed(context: Context, receipt: Receipt[Sale]) -> Mapping[str, BaseModel]:
    sale = await row(context, SALE, SaleRow, receipt.input["sale_id"], called="sale")
    return {target(SALE, sale.id): _shown(sale)}


def _shown(sale: SaleRow) -> _Sale:
    return _Sale(
        party=sale.party.rec_name,
        number=sale.number or "",
        stage=sale.stage,
        state=sale.state,
        untaxed_minor=sale.minor(sale.untaxed_amount),
        tax_minor=sale.minor(sale.tax_amount),
        total_minor=sale.minor(sale.total_amount),
        currency=sale.currency.code,
        quotation_date=sale.quotation_date,
        sale_date=sale.sale_date,
    )


async def _lines_guard(context: Context, sale_id: int, lines: Sequence[LineRow]) -> Precondition:
    return await parts_guard(context, _lines(sale_id), [_parts(lines)])


def _parts(lines: Sequence[LineRow]) -> Parts:
    return Parts(model=LINE, field=KIND.parent, rows=lines)


def _lines(sale_id: int) -> str:
    return f"{SALE}/{sale_id}/lines"
