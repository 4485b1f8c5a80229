"""A batch: questions of the same shape on one page, and one decision about those that are chosen."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from hub import approvals
from hub.approvals import Ballot, Choice, Limit, Question
from hub.core.canonical import digest
from hub.core.errors import FreshLoginNeeded, InputError, Malformed, NotFound
from hub.core.money import minor_units
from hub.identity.principals import Principal
from hub.invocations.batch import Decided, Item, vote_on_batch, waiting_together
from hub.invocations.runtime import Runtime
from hub.web.approval_views import inbox_card
from hub.web.dossier import Dossier, open_dossiers
from hub.web.forms import Form
from hub.web.grounds import grounds_of
from hub.web.inert import is_disguised
from hub.web.views.approval import BatchLine, InboxCard
from hub.web.views.grounds import Grounds
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show

_TOLD = 5
"""How many items that were not counted are named in the notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One question of a batch: what it rests on, and what is posted when it is chosen."""

    value: str
    card: InboxCard
    grounds: Grounds
    targets: frozenset[str]
    """The records that it changes and that are there already."""
    same_as: InboxCard | None = None
    """The first item above it that changes one of these records, too."""
    why_not: str = ""
    """Why it is for the viewer to choose, in a sentence; empty: nothing speaks against it by itself."""
    is_chosen: bool = False
    """Whether it is ticked as the page opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """Every question of a batch that waits for the viewer."""

    action: str
    items: tuple[BatchItem, ...]
    currency: str
    rows: str = ""
    money: str = ""
    reason: str = ""
    problem: str = ""
    """What stood against the decision; what was typed and ticked for it is kept."""


async def batch_lines(visit: Visit) -> tuple[BatchLine, ...]:
    """Return the batches that wait for the visitor."""
    async with visit.runtime.database.reading() as tx:
        batches = await waiting_together(tx, visit.person)
    lines: list[BatchLine] = []
    for batch in batches:
        dossiers = await open_dossiers(visit, [batch[0].invocation_id])
        cards = [card for one in dossiers if (card := inbox_card(one)) is not None]
        lines += [BatchLine(url=_url(batch[0]), count=len(batch), card=card) for card in cards]
    return tuple(lines)


async def show_batch(visit: Visit) -> Response:
    """Show the questions of one batch; looking decides nothing."""
    return _shown(visit, await _page(visit))


async def submit_batch(visit: Visit) -> Response:
    """Count the visitor's vote on each item that was chosen, and tell what came of them."""
    try:
        decided = await _voted(visit)
    except FreshLoginNeeded:
        return redirect(f"/fresh-login?next={visit.request.url.path}")
    except InputError as error:
        return _shown(visit, _kept(await _page(visit), visit.form, problem=error.message), status=400)
    refused = [one for one in decided if one.state is None]
    return redirect_telling(visit, "/approvals", _told(decided), tone="warn" if refused else "good")


async def _voted(visit: Visit) -> list[Decided]:
    form = visit.form
    ballot = Ballot(
        invocation_id="",  # each item brings its own, with its own digest
        digest="",
        choice=_choice(form.one("decision")),
        reason=form.one("reason"),
        voter=visit.person,
        authenticated_at=visit.session.authenticated_at,
    )
    items = [_chosen(value) for value in form.all("item")]
    return await vote_on_batch(ballot, items, _limit(visit), visit.runtime)


async def _page(visit: Visit) -> BatchPage:
    batch = await _batch(visit.runtime, visit.person, visit.request.path_params["shape"])
    dossiers = {one.invocation.id: one for one in await open_dossiers(visit, [one.invocation_id for one in batch])}
    asked = [(one, dossiers[one.invocation_id]) for one in batch if one.invocation_id in dossiers]
    items = [item for one, dossier in asked if (item := _item(one, dossier))]
    return BatchPage(
        action=_url(batch[0]),
        items=tuple(_compared(items, batch)),
        currency=next((str(found) for one in batch if (found := one.summary["blast"]["currency"])), ""),
    )


def _kept(page: BatchPage, form: Form, *, problem: str) -> BatchPage:
    """Return the page with what was typed and ticked, and what stood against it."""
    ticked = frozenset(form.all("item"))
    return replace(
        page,
        items=tuple(replace(item, is_chosen=item.value in ticked) for item in page.items),
        rows=form.one("rows"),
        money=form.one("money"),
        reason=form.one("reason"),
        problem=problem,
    )


def _shown(visit: Visit, page: BatchPage, *, status: int = 200) -> Response:
    shown = Shown(template="batch.html", title="Decide together", page=page, here="approvals", status=status)
    return show(visit, shown)


async def _batch(runtime: Runtime, person: Principal, shape: str) -> list[Question]:
    async with runtime.database.reading() as tx:
        waiting = [await approvals.latest(tx, one) for one in await approvals.waiting_for(tx, person, shape=shape)]
    batch = [one for one in waiting if one is not None and one.shape == shape]
    if not batch:
        raise NotFound("Nothing of this batch waits for you.")
    return batch


def _url(question: Question) -> str:
    return f"/approval-batches/{question.shape}"


def _item(question: Question, dossier: Dossier) -> BatchItem | None:
    card, record = inbox_card(dossier), dossier.invocation.preview
    shown = dossier.invocation.question  # as its viewer may see it: what tells questions apart is the digest
    if card is None or record is None or shown is None or shown.digest != question.digest:
        return None
    return BatchItem(
        value=f"{question.invocation_id} {question.digest}",
        card=card,
        grounds=grounds_of(dossier, record),
        targets=frozenset(change.target for change in record.preview.changes if change.before is not None),
    )


def _compared(items: Sequence[BatchItem], batch: Sequence[Question]) -> Iterator[BatchItem]:
    """Yield the items; each that changes a record after another one says so, since it may find it changed by then.

    Such a one is for its voter to choose, and so is one that anything speaks against, or that does beside its changes
    what others of the batch do not.
    """
    are_alike = len({digest(one.summary["side_effects"]) for one in batch}) == 1  # as they are: markers look all alike
    for number, item in enumerate(items):
        same = next((one.card for one in items[:number] if one.targets & item.targets), None)
        against = [*_against(item.grounds), *_unlike(item.grounds, items, are_alike=are_alike)]
        why_not = f"{' and '.join(against).capitalize()}, so it is for you to tick." if against else ""
        yield replace(item, same_as=same, why_not=why_not, is_chosen=same is None and not why_not)


def _against(grounds: Grounds) -> Iterator[str]:
    if grounds.is_suspended:
        yield "its agent is suspended"
    if is_disguised(grounds):
        yield "some of its text is hidden, or made to look like another"
    if grounds.earlier:
        yield "the same call was made before"
    if grounds.alarms:
        yield "a rule found it unusual"
    if grounds.is_blind:
        yield "nobody knows what it would change"
    blind = [str(step.number) for step in grounds.plan.steps if step.is_blind] if grounds.plan else []
    if blind:
        yield f"nobody knows what step {', '.join(blind)} of it would change"


def _unlike(grounds: Grounds, items: Sequence[BatchItem], *, are_alike: bool) -> Iterator[str]:
    if grounds.side_effects and not are_alike:
        yield "what happens beside its changes is not the same in all of these"
    if grounds.sureness.not_covered and len({one.grounds.sureness.not_covered for one in items}) > 1:
        yield "what cannot be previewed of it is not the same in all of these"


def _choice(pressed: str) -> Choice:
    try:
        return Choice(pressed)
    except ValueError as error:
        raise Malformed("Press Approve or Reject. Nothing was decided.") from error


def _chosen(value: str) -> Item:
    invocation_id, _, digest = value.partition(" ")
    return Item(invocation_id=invocation_id, digest=digest)


def _limit(visit: Visit) -> Limit:
    rows, money = visit.form.one("rows").strip(), visit.form.one("money").strip()
    currency = visit.form.one("currency")
    if rows and not re.fullmatch("[0-9]{1,15}", rows):
        raise InputError("Write how many records as a whole number. Nothing was decided.")
    return Limit(
        rows=int(rows) if rows else None,
        money_minor=minor_units(money, currency) if money else None,
        currency=currency or None,
    )


def _told(decided: list[Decided]) -> str:
    refused = [one for one in decided if one.state is None]
    counted = f"{len(decided) - len(refused)} of {len(decided)} votes are on record."
    return " ".join((counted, *(f"{one.invocation_id}: {one.why_not}" for one in refused[:_TOLD])))
