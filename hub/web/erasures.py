"""Erasures and legal holds: the page on which an erasure is seen beforehand, asked for, granted or refused."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from hub import erasures
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.erasures import Erasure, Extent, Hold, HoldKind, NewErasure, NewHold, Scope, ScopeKind, Stage
from hub.identity.directory import find, get_many
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Principal
from hub.storage import Tx, now
from hub.web.inert import inert
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.erasures import ErasureLine, ErasuresPage, Foreseen, HoldLine
from hub.web.visits import Shown, Visit, redirect_telling, show
from hub.web.wording import Word

_KINDS: Final = {
    ScopeKind.INVOCATION: "one invocation, by its id",
    ScopeKind.PERSON: "everything done for a person, by account name or id",
    ScopeKind.RECORD: "the writes whose previews name a record",
}
_HOLDS: Final = {
    HoldKind.INVOCATION: "one invocation, by its id",
    HoldKind.PERSON: "everything about a person, by account name or id",
    HoldKind.RECORD: "the writes whose previews name a record",
    HoldKind.SINCE: "everything since a day",
}
_STAGES: Final = {
    Stage.ASKED: Word(label="Waits for an auditor", meaning="", tone="warn"),
    Stage.DONE: Word(label="Erased", meaning="", tone="good"),
    Stage.REFUSED: Word(label="Refused", meaning="", tone="bad"),
}


async def show_erasures(visit: Visit) -> Response:
    """Show what was asked for and what must be kept."""
    demand(visit.person, Permission.ASK_ERASURE)
    return await _page(visit)


async def foresee_erasure(visit: Visit) -> Response:
    """Show how much an erasure would delete now; nothing is changed."""
    demand(visit.person, Permission.ASK_ERASURE)
    try:
        async with visit.runtime.database.reading() as tx:
            scope = await _scope(tx, visit)
            extent = await erasures.survey(tx, scope)
    except (InputError, NotFound) as error:
        return await _page(visit, problem=error.message)
    return await _page(visit, foreseen=_foreseen(scope, extent))


async def ask_erasure(visit: Visit) -> Response:
    """Ask for an erasure."""
    demand(visit.person, Permission.ASK_ERASURE)

    async def change(tx: Tx) -> None:
        new = NewErasure(scope=await _scope(tx, visit), reason=visit.form.one("reason"))
        await erasures.ask(tx, new, visit.person, visit.own_authority)

    return await _change(visit, change, "It was asked for. Nothing is deleted before an auditor grants it.")


async def grant_erasure(visit: Visit) -> Response:
    """Carry out an erasure that somebody else has asked for."""
    demand(visit.person, Permission.GRANT_ERASURE)

    async def change(tx: Tx) -> None:
        await erasures.grant(tx, visit.request.path_params["erasure_id"], visit.person, visit.own_authority)

    return await _change(visit, change, "It is erased. Every proof still verifies.")


async def refuse_erasure(visit: Visit) -> Response:
    """Say no to an erasure."""
    demand(visit.person, Permission.GRANT_ERASURE)

    async def change(tx: Tx) -> None:
        erasure_id, reason = visit.request.path_params["erasure_id"], visit.form.one("reason")
        await erasures.refuse(tx, erasure_id, reason, visit.person, visit.own_authority)

    return await _change(visit, change, "It was refused. Nothing is deleted.")


async def set_hold(visit: Visit) -> Response:
    """Set a legal hold."""
    demand(visit.person, Permission.GRANT_ERASURE)
    form = visit.form

    async def change(tx: Tx) -> None:
        kind = _hold_kind(form.one("kind"))
        new = NewHold(
            kind=kind,
            subject="" if kind is HoldKind.SINCE else await _subject(tx, visit, kind),
            connection_id=form.one("connection").strip() or None,
            since=_day(form.one("since")) if kind is HoldKind.SINCE else None,
            reason=form.one("reason"),
        )
        await erasures.set_hold(tx, new, visit.own_authority)

    return await _change(visit, change, "It is held: neither an erasure nor retention deletes what it covers.")


async def lift_hold(visit: Visit) -> Response:
    """Lift a legal hold."""
    demand(visit.person, Permission.GRANT_ERASURE)

    async def change(tx: Tx) -> None:
        hold_id, reason = visit.request.path_params["hold_id"], visit.form.one("reason")
        await erasures.lift_hold(tx, hold_id, reason, visit.own_authority)

    return await _change(visit, change, "The hold is lifted.")


async def _change(visit: Visit, change: Callable[[Tx], Awaitable[None]], done: str) -> Response:
    try:
        async with visit.runtime.database.transaction() as tx:
            await change(tx)
    except (InputError, Conflict, NotFound, Forbidden) as error:
        return await _page(visit, problem=error.message)
    return redirect_telling(visit, "/erasures", done)


async def _scope(tx: Tx, visit: Visit) -> Scope:
    form = visit.form
    try:
        kind = ScopeKind(form.one("kind"))
    except ValueError as error:
        raise InputError("Choose one of what the form offers.") from error
    connection = form.one("connection").strip() or None
    return Scope(kind=kind, subject=await _subject(tx, visit, kind), connection_id=connection)


async def _subject(tx: Tx, visit: Visit, kind: ScopeKind | HoldKind) -> str:
    """Return what was typed; for the account name of a person, the id that is kept on record."""
    typed = visit.form.one("subject").strip()
    if kind.value != ScopeKind.PERSON.value:
        return typed
    person = await find(tx, typed)
    return typed if person is None else person.id


def _hold_kind(chosen: str) -> HoldKind:
    try:
        return HoldKind(chosen)
    except ValueError as error:
        raise InputError("Choose one of what the form offers.") from error


def _day(typed: str) -> datetime:
    try:
        return datetime.strptime(typed, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise InputError("Say since which day, such as 2026-03-01.") from error


async def _page(visit: Visit, *, problem: str = "", foreseen: Foreseen | None = None) -> Response:
    may_grant = may(visit.person, Permission.GRANT_ERASURE)
    async with visit.runtime.database.reading() as tx:
        asked = await erasures.erasures(tx, asked_by=None if may_grant else visit.person.id)
        holds = await erasures.holds_now(tx) if may_grant else []
        moment = await now(tx)
        acting = [who for one in asked for who in (one.asked_by, one.decided_by) if who]
        people = await get_many(tx, [*acting, *(one.set_by for one in holds)])
    page = ErasuresPage(
        erasures=tuple(_erasure_line(one, visit.person, people, moment) for one in asked),
        holds=tuple(_hold_line(one, people, moment) for one in holds),
        kinds=tuple(Choice(value=kind.value, label=words) for kind, words in _KINDS.items()),
        hold_kinds=tuple(Choice(value=kind.value, label=words) for kind, words in _HOLDS.items()),
        may_grant=may_grant,
        foreseen=foreseen,
        problem=problem,
    )
    status = 400 if problem else 200
    return show(visit, Shown(template="erasures.html", title="Erasures", page=page, here="erasures", status=status))


def _foreseen(scope: Scope, extent: Extent) -> Foreseen:
    words = (
        f"{extent.invocations} invocations, {extent.previews} previews and {extent.values} private values of "
        f"{extent.events} events"
    )
    return Foreseen(
        words="nothing" if extent.is_nothing else words,
        kind=scope.kind.value,
        subject=scope.subject,
        connection_id=scope.connection_id or "",
    )


def _erasure_line(one: Erasure, viewer: Principal, people: Mapping[str, Principal], moment: datetime) -> ErasureLine:
    return ErasureLine(
        id=one.id,
        what=inert(str(one.scope)),
        reason=inert(one.reason),
        asked_by=_name(one.asked_by, people),
        asked=at(one.asked_at, now=moment),
        stage=_STAGES[one.stage],
        decided=_decided(one, people),
        answer=inert(one.answer) if one.answer else None,
        is_open=one.stage is Stage.ASKED,
        why_not=_why_not(one, viewer),
    )


def _decided(one: Erasure, people: Mapping[str, Principal]) -> str:
    if one.decided_by is None:
        return ""
    counts = ", ".join(f"{count} {what}" for what, count in one.counts.items())
    return f"by {_name(one.decided_by, people)}" + (f": {counts}" if counts else "")


def _why_not(one: Erasure, viewer: Principal) -> str:
    if not may(viewer, Permission.GRANT_ERASURE):
        return "An auditor decides."
    if viewer.id == one.asked_by:
        return "You asked for it; another auditor decides."
    return "It is about yourself; another auditor decides." if viewer.id == one.scope.subject else ""


def _hold_line(one: Hold, people: Mapping[str, Principal], moment: datetime) -> HoldLine:
    return HoldLine(
        id=one.id,
        what=inert(one.what),
        reason=inert(one.reason),
        set_by=_name(one.set_by, people),
        since=at(one.set_at, now=moment),
    )


def _name(principal_id: str, people: Mapping[str, Principal]) -> str:
    return people[principal_id].display_name if principal_id in people else principal_id
