"""Writes in doubt on pages: which there are, and the form on which an operator says what became of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from hub.core.errors import Conflict, InputError, NotFound
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand
from hub.identity.principals import Principal
from hub.invocations.reconcile import looks_again_at
from hub.invocations.resolve import (
    Finding,
    Resolution,
    doubtful,
    findings_on,
    may_settle,
    operators_needed,
    resolve,
)
from hub.invocations.states import State
from hub.web.dossier import Dossier, open_dossier, open_dossiers
from hub.web.grounds import grounds_of
from hub.web.inert import Inert, inert, inert_name
from hub.web.moments import At, at
from hub.web.views.grounds import Grounds
from hub.web.visits import Shown, Visit, redirect_telling, show
from hub.web.wording import TIERS, UPSTREAM_CLASSES, Word

PATH: Final = "/doubts"
_MOST: Final = 100
_DONE: Final = Word(label="it was done", meaning="", tone="good")
_NOT_DONE: Final = Word(label="it was not done", meaning="", tone="neutral")
_ANSWERS: Final = {"done": True, "not done": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtCard:
    """One write in doubt, as the list has it."""

    url: str
    headline: Inert
    agent: Inert
    on_behalf_of: str
    tool: str
    system: Inert
    tier: Word
    sent: At
    why: Inert | None
    upstream_class: Word
    """What the system does for finding out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtsPage:
    """The writes whose outcome nobody knows, the oldest first."""

    cards: tuple[DoubtCard, ...]
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLine:
    """What an operator has put on record."""

    who: str
    what: Word
    reason: Inert
    at: At


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtPage:
    """One write in doubt: what it was to do, where to look, and the form, for those who may settle it."""

    id: str
    card: DoubtCard
    invocation_url: str
    reference: str
    grounds: Grounds
    found: tuple[FoundLine, ...]
    needed: int
    looks_again: At | None = None
    """When the hub looks again itself; None: it cannot find out."""
    action: str = ""
    """Where the form goes; empty for those who take part themselves."""
    reason: str = ""
    problem: str = ""


async def show_doubts(visit: Visit) -> Response:
    """Show what nobody knows the outcome of, to those who settle it."""
    demand(visit.person, Permission.RESOLVE_DOUBTS)
    waiting = await doubtful(visit.runtime, limit=_MOST + 1)
    dossiers = await open_dossiers(visit, [one.id for one in waiting[:_MOST]])
    page = DoubtsPage(cards=tuple(map(_card, dossiers)), is_cut=len(waiting) > _MOST)
    return show(visit, Shown(template="doubts.html", title="Writes in doubt", page=page, here="health"))


async def show_doubt(visit: Visit) -> Response:
    """Show one of them, with what an operator needs to look for it in the system."""
    demand(visit.person, Permission.RESOLVE_DOUBTS)
    return await _shown(visit)


async def settle_doubt(visit: Visit) -> Response:
    """Put on record what the visitor found in the system itself."""
    demand(visit.person, Permission.RESOLVE_DOUBTS)
    try:
        settled = await resolve(_resolution(visit), visit.runtime)
    except InputError as error:
        return await _shown(visit, problem=error.message, status=400)
    except Conflict as error:
        return await _contradicted(visit, error.message)
    told = "It is settled. The agent is told, and what you found is on record."
    if settled.state is State.IN_DOUBT:
        told = "What you found is on record. Its tier is critical: another operator must find the same."
    return redirect_telling(visit, PATH, told)


def _resolution(visit: Visit) -> Resolution:
    answer = visit.form.one("has_happened")
    if answer not in _ANSWERS:
        raise InputError("Say whether it was done or not.")
    return Resolution(
        invocation_id=visit.request.path_params["invocation_id"],
        operator=visit.person,
        has_happened=_ANSWERS[answer],
        reason=visit.form.one("reason"),
    )


async def _contradicted(visit: Visit, why: str) -> Response:
    """Tell what stands against it beside the form, or on the list if there is nothing left to settle."""
    try:
        return await _shown(visit, problem=why, status=409)
    except NotFound:  # settled meanwhile, and so no longer what an operator may look at
        return redirect_telling(visit, PATH, why, tone="warn")


async def _shown(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    dossier = await open_dossier(visit, visit.request.path_params["invocation_id"])
    invocation, record = dossier.invocation, dossier.invocation.preview
    if invocation.state is not State.IN_DOUBT or record is None:
        raise NotFound("It is not in doubt, or not any more.")
    async with visit.runtime.database.reading() as tx:
        found = await findings_on(tx, invocation.id)
        people = await get_many(tx, [one.operator_id for one in found])
        is_open = await may_settle(tx, visit.person, invocation)
    again = looks_again_at(invocation, dossier.operation, dossier.connection)
    page = DoubtPage(
        id=invocation.id,
        card=_card(dossier),
        invocation_url=f"/invocations/{invocation.id}",
        reference=invocation.upstream_key,
        grounds=grounds_of(dossier, record),
        found=tuple(_found_line(one, people, dossier) for one in found),
        needed=operators_needed(invocation),
        looks_again=None if again is None else at(again, now=dossier.at),
        action=f"{PATH}/{invocation.id}" if is_open else "",
        reason=visit.form.one("reason"),
        problem=problem,
    )
    shown = Shown(template="doubt.html", title="What became of it?", page=page, here="health", status=status)
    return show(visit, shown)


def _card(dossier: Dossier) -> DoubtCard:
    invocation = dossier.invocation
    return DoubtCard(
        url=f"{PATH}/{invocation.id}",
        headline=inert_name(dossier.headline),
        agent=inert_name(dossier.name_of(invocation.agent_id)),
        on_behalf_of=dossier.requester,
        tool=invocation.tool_name,
        system=inert_name(dossier.connection.name),
        tier=TIERS[invocation.tier],
        sent=at(invocation.sent_at or invocation.updated_at, now=dossier.at),
        why=inert(invocation.error_message) if invocation.error_message else None,
        upstream_class=UPSTREAM_CLASSES[dossier.operation.upstream_class],
    )


def _found_line(found: Finding, people: Mapping[str, Principal], dossier: Dossier) -> FoundLine:
    operator = people.get(found.operator_id)
    return FoundLine(
        who=operator.display_name if operator else found.operator_id,
        what=_DONE if found.has_happened else _NOT_DONE,
        reason=inert(found.reason),
        at=at(found.at, now=dossier.at),
    )
