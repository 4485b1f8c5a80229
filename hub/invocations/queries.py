"""Asking how invocations stand, and calling one off: for those who answer for them, unknown to everybody else."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select

from connectors.sdk.vocabulary import Effect
from hub import approvals, reviews
from hub.audit import EventKind
from hub.core.errors import Conflict, NotFound, Unavailable
from hub.core.ids import earliest_id
from hub.identity.directory import agents_of
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Caller, PrincipalKind
from hub.invocations.aftermath import with_aftermath
from hub.invocations.envelope import Status, looks_like
from hub.invocations.journal import Step, channel_of, load, move, snapshot, whole_of
from hub.invocations.overtaking import overtake, why_overtaken
from hub.invocations.plan_progress import with_progress
from hub.invocations.plan_steps import is_plan
from hub.invocations.plan_stop import stop_plan
from hub.invocations.runtime import Runtime
from hub.invocations.states import CANCELLABLE, State
from hub.invocations.tables import IS_WRITE, InvocationRow
from hub.invocations.values import ApprovedBy, Invocation
from hub.storage import Tx, now

CHECK_SECONDS: float = 4
"""For how long at most a caller that calls off waits for the last check before sending."""
LOOK_AGAIN_SECONDS = 0.5
"""How often a waiter looks without having been told to: another process may have written to SQLite."""
_OPEN: Final = frozenset(state.value for state in State if not state.is_terminal)


async def current(runtime: Runtime, invocation_id: str) -> Invocation:
    """Return how the invocation stands now, however late any timer is: what has passed its deadline has expired, and a
    question that can take effect no more is overtaken.
    """
    async with runtime.database.reading() as tx:
        standing = await with_aftermath(tx, await with_progress(tx, await load(tx, invocation_id)))
        is_overdue = standing.expires_at is not None and standing.expires_at <= await now(tx)
        is_overtaken = not is_overdue and bool(await why_overtaken(tx, standing, public_url=runtime.public_url))
    if is_overtaken:
        return await overtake(invocation_id, runtime)
    if not is_overdue or standing.state not in {State.AWAITING_APPROVAL, State.APPROVED}:
        return standing
    changes = {"error_code": "expired", "error_message": "Nobody decided in time.", "lease_until": None}
    if standing.state is State.APPROVED:
        changes["error_message"] = "It was approved, and its time ran out before it could be carried out."
    step = Step(to=State.EXPIRED, event=EventKind.INVOCATION_EXPIRED, changes=changes)
    try:
        async with runtime.database.transaction() as tx:
            return await move(tx, runtime, standing, step)
    except Conflict:
        async with runtime.database.reading() as tx:
            return await load(tx, invocation_id)


async def get_invocation(
    runtime: Runtime, caller: Caller, invocation_id: str, *, wait_seconds: float = 0
) -> Invocation:
    """Return one of the caller's invocations; wait up to `wait_seconds` for it to move on if it has not ended.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    seen = (await _mine(runtime, caller, invocation_id)).last_event_id
    return await wait_while(lambda one: one.last_event_id == seen, runtime, caller, invocation_id, seconds=wait_seconds)


async def wait_while(
    is_waiting: Callable[[Invocation], bool], runtime: Runtime, caller: Caller, invocation_id: str, *, seconds: float
) -> Invocation:
    """Return one of the caller's invocations, once it has ended or `is_waiting` no more, or `seconds` are over.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    async with runtime.database.listening(channel_of(invocation_id)) as moved:
        standing = await _mine(runtime, caller, invocation_id)
        deadline = asyncio.get_running_loop().time() + min(seconds, runtime.answer_seconds)
        while not standing.state.is_terminal and is_waiting(standing):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_AGAIN_SECONDS)):
                    await moved.wait()
            moved.clear()
            standing = await current(runtime, invocation_id)
    return standing


async def look_at(runtime: Runtime, caller: Caller, invocation_id: str) -> Invocation:
    """Return an invocation that is the caller's business, or that operators, auditors or its reviewers may look at.

    Raises:
        NotFound: there is none, or the caller may not look at it.
    """
    standing = await current(runtime, invocation_id)
    if may(caller.actor, Permission.SEE_AUDIT) or await is_known_by(_may_look, runtime, caller, standing):
        return standing
    raise NotFound("There is no such invocation.")


async def concerned(runtime: Runtime, caller: Caller, invocation_id: str) -> Invocation:
    """Return an invocation that the caller takes part in or is asked about, or a step of such a one, or its undo.

    Who may only look, at it or at what it belongs to, is not concerned: this gives a right to write.

    Raises:
        NotFound: there is none, or it is none of the caller's business.
    """
    standing = await current(runtime, invocation_id)
    if await is_known_by(_is_business, runtime, caller, standing):
        return standing
    raise NotFound("There is no such invocation.")


Known = Callable[[Tx, Caller, Invocation], Awaitable[bool]]
"""Whether a caller knows one call, by what stands at that call alone."""


async def is_known_by(is_known: Known, runtime: Runtime, caller: Caller, standing: Invocation) -> bool:
    """Return whether the caller knows a call, or what it takes back or is a step of, however far up."""
    async with runtime.database.reading() as tx:
        one: Invocation | None = standing
        while one is not None:
            if await is_known(tx, caller, one):
                return True
            one = await whole_of(tx, one)
    return False


async def _is_business(tx: Tx, caller: Caller, standing: Invocation) -> bool:
    """Return whether the caller takes part in a call, looks after its agent, or is asked about it."""
    if await answers_for(tx, caller, standing):
        return True
    return standing.question is not None and await approvals.is_asked(tx, caller.actor, standing.question)


async def _may_look(tx: Tx, caller: Caller, standing: Invocation) -> bool:
    """Return whether a call is the caller's business, was told to it, waits for its review or is watched by it."""
    if _is_watched(caller, standing) or await answers_for(tx, caller, standing):
        return True
    if standing.question is not None and await approvals.may_look(tx, caller.actor, standing.question):
        return True
    return await reviews.is_reviewer(tx, standing.id, caller.actor)


def _is_watched(caller: Caller, standing: Invocation) -> bool:
    """Return whether operators may look: at what waits, is or was in doubt, is under way or went without approval."""
    if not may(caller.actor, Permission.SEE_WAITING) or standing.effect is Effect.READ:
        return False
    is_open = standing.question is not None and not standing.state.is_terminal
    was_in_doubt = standing.state in {State.IN_DOUBT, State.RESOLVED_BY_HUMAN}
    return is_open or was_in_doubt or standing.approved_by is ApprovedBy.NOBODY


async def asked_for(tx: Tx, person_id: str) -> dict[str, datetime]:
    """Return which agents have asked for a write in a person's name that has not ended, and when each last did."""
    is_open = (IS_WRITE, InvocationRow.state.in_(sorted(_OPEN)), InvocationRow.part_of.is_(None))
    last = func.max(InvocationRow.created_at).label("last")
    query = select(InvocationRow.agent_id, last).where(InvocationRow.on_behalf_of_id == person_id, *is_open)
    return {row.agent_id: row.last for row in await tx.execute(query.group_by(InvocationRow.agent_id))}


async def cancel(runtime: Runtime, caller: Caller, invocation_id: str, *, reason: str) -> Invocation:
    """Call off one of the caller's invocations, and return it; of a plan under way, what was done is taken back.

    While it is checked once more before it is sent, nobody knows whether it will be: that is waited for.

    Raises:
        Conflict: it has been sent, or it has ended.
        NotFound: there is none, or it is somebody else's.
        Unavailable: it is still being checked; nothing has been sent, and nothing was called off.
    """
    standing = await _checked(runtime, caller, invocation_id)
    while standing.state in CANCELLABLE:
        with contextlib.suppress(Conflict):  # it has just moved on: look again whether it is too late
            return await call_off(runtime, standing, reason=reason, by=caller.subject.id)
        standing = await _checked(runtime, caller, invocation_id)
    if standing.state is State.CANCELLED:
        return standing
    if standing.state is State.COMMITTING:
        raise Unavailable("It was not called off: it is being checked once more. Nothing has been sent; ask again.")
    if is_plan(standing) and standing.state is State.SENT:
        why = f"it was called off: {reason}" if reason else "it was called off"
        async with runtime.database.transaction() as tx:
            return await stop_plan(tx, standing.id, why, runtime, by=caller.subject.id)
    raise Conflict(f"It is too late to cancel: the invocation is {standing.state.value}.")


async def _checked(runtime: Runtime, caller: Caller, invocation_id: str) -> Invocation:
    """Return one of the caller's invocations once it is no longer being checked, or after `CHECK_SECONDS`."""
    return await wait_while(
        lambda one: one.state is State.COMMITTING, runtime, caller, invocation_id, seconds=CHECK_SECONDS
    )


async def call_off_quietly(runtime: Runtime, caller: Caller, invocation_id: str, *, reason: str) -> bool:
    """Call off one of the caller's invocations unless it was sent or has ended; return whether it could be.

    Raises:
        NotFound: there is none, or it is somebody else's.
        Unavailable: it is still being checked; nothing has been sent, and nothing was called off.
    """
    try:
        await cancel(runtime, caller, invocation_id, reason=reason)
    except Conflict:
        return False
    return True


async def call_off(runtime: Runtime, standing: Invocation, *, reason: str, by: str | None) -> Invocation:
    """Move what may still be cancelled to CANCELLED.

    Raises:
        Conflict: it has moved on.
    """
    async with runtime.database.transaction() as tx:
        step = Step(
            to=State.CANCELLED,
            event=EventKind.INVOCATION_CANCELLED,
            private={"reason": reason},
            changes={"error_code": "cancelled", "error_message": reason or "Cancelled.", "lease_until": None},
            by=by,
        )
        return await move(tx, runtime, standing, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationPage:
    """Some invocations, newest first, and where the next page begins (an id), if there is one."""

    items: Sequence[Invocation]
    next_after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which invocations a list shows; None: any. `since` is from when on they were asked for."""

    agent_id: str | None = None
    tool: str | None = None
    """As its server publishes it."""
    states: frozenset[State] | None = None
    status: Status | None = None
    """As callers are told it."""
    since: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield what a call's row has to be like; each is served by an index that ends with the id."""
        if self.agent_id is not None:
            yield InvocationRow.agent_id == self.agent_id
        if self.tool is not None:
            yield InvocationRow.tool_name == self.tool
        if self.states is not None:
            yield InvocationRow.state.in_(sorted(state.value for state in self.states))
        if self.status is not None:
            yield looks_like(self.status)
        if self.since is not None:
            yield InvocationRow.id >= earliest_id("inv", self.since)


ANY: Final = Wanted()


async def my_invocations(
    runtime: Runtime,
    caller: Caller,
    *,
    wanted: Wanted = ANY,
    after: str | None = None,
    limit: int = 50,
) -> InvocationPage:
    """Return what the caller answers for, newest first; `after` is where an earlier page said the next one begins."""
    async with runtime.database.reading() as tx:
        mine = _belongs_to(caller, await _looked_after(tx, caller))
        return await _newest(tx, [mine, *wanted.conditions()], after=after, limit=limit)


async def every_invocation(
    runtime: Runtime, caller: Caller, *, wanted: Wanted = ANY, after: str | None = None, limit: int = 50
) -> InvocationPage:
    """Return what anybody asked for, newest first, to auditors.

    Raises:
        Forbidden: the caller is none.
    """
    demand(caller.actor, Permission.SEE_AUDIT)
    async with runtime.database.reading() as tx:
        return await _newest(tx, list(wanted.conditions()), after=after, limit=limit)


async def _newest(tx: Tx, wanted: Sequence[ColumnElement[bool]], *, after: str | None, limit: int) -> InvocationPage:
    query = select(InvocationRow).where(*wanted).order_by(InvocationRow.id.desc()).limit(limit + 1)
    rows = (await tx.scalars(query if after is None else query.where(InvocationRow.id < after))).all()
    items = [snapshot(row) if Effect(row.effect) is Effect.READ else await load(tx, row.id) for row in rows[:limit]]
    return InvocationPage(items=items, next_after=items[-1].id if len(rows) > limit else None)


async def _mine(runtime: Runtime, caller: Caller, invocation_id: str) -> Invocation:
    standing = await current(runtime, invocation_id)
    if takes_part(caller, standing):
        return standing
    async with runtime.database.reading() as tx:
        if await answers_for(tx, caller, standing):
            return standing
    raise NotFound("There is no such invocation.")


async def answers_for(tx: Tx, caller: Caller, invocation: Invocation) -> bool:
    """Return whether the caller takes part, or looks after the agent that made the invocation for nobody."""
    if takes_part(caller, invocation):
        return True
    return invocation.on_behalf_of_id is None and invocation.agent_id in await _looked_after(tx, caller)


async def _looked_after(tx: Tx, caller: Caller) -> frozenset[str]:
    is_user = caller.actor.kind is PrincipalKind.USER
    return await agents_of(tx, caller.actor.id) if is_user else frozenset()


def takes_part(caller: Caller, invocation: Invocation) -> bool:
    """Return whether the invocation is the caller's: made by this agent for this user, or for this user by any."""
    if caller.actor.kind is PrincipalKind.USER:
        return caller.actor.id in {invocation.agent_id, invocation.on_behalf_of_id}
    user = caller.on_behalf_of.id if caller.on_behalf_of else None
    return caller.actor.id == invocation.agent_id and user == invocation.on_behalf_of_id


def _belongs_to(caller: Caller, looked_after: Collection[str]) -> ColumnElement[bool]:
    if caller.actor.kind is PrincipalKind.USER:
        own = or_(InvocationRow.agent_id == caller.actor.id, InvocationRow.on_behalf_of_id == caller.actor.id)
        for_nobody = and_(InvocationRow.agent_id.in_(looked_after), InvocationRow.on_behalf_of_id.is_(None))
        return or_(own, for_nobody) if looked_after else own
    user = caller.on_behalf_of.id if caller.on_behalf_of else None
    return and_(
        InvocationRow.agent_id == caller.actor.id,
        InvocationRow.on_behalf_of_id.is_(None) if user is None else InvocationRow.on_behalf_of_id == user,
    )
