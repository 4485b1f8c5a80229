"""Questions of a federated server to the client of a task: told by the task, and replied to with `tasks/update`.

They are put as every question of a server is (`hub.mcp.asking`): signed, none of them a page, and to nobody from whom
policy hides something of the tool. Each has another name in every round, so that a reply that comes twice cannot answer
what is asked next. Once the last reply is there, the next round is made: a governed read of its own, by whoever
replied. If the process that makes it dies, the next look at the task makes it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from hub.core.errors import HubError, Unavailable
from hub.identity.principals import Caller
from hub.invocations.handles import CALLED_OFF, Ended, Handle, find_handle, note_replies
from hub.invocations.invoke import invoke
from hub.invocations.journal import channel_of
from hub.invocations.late_questions import (
    Late,
    call_off_late,
    claim_round,
    end_round,
    find_late,
    follow,
    is_whole,
    keep_questions,
    let_go,
    take_replies,
    was_asked,
)
from hub.invocations.masking import answer_for
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.mcp.abilities import Abilities
from hub.mcp.admission import Admitted
from hub.mcp.asking import questions_put, reply_to
from hub.registry import PublishedTool

Json = Any
"""Any JSON value."""

LEASE_SECONDS: Final = 30.0
"""For how long, beyond what a call takes to be answered, the next round is left to the process that makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a task stands whose read was asked late: what is asked, and what was replied so far."""

    late: Late
    put: Mapping[str, Mapping[str, Json]]
    """The questions by their names in this task, signed; those that were replied to, too."""

    @property
    def is_replied(self) -> bool:
        """Return whether it waits for nobody's reply any more."""
        return self.late.is_replied

    def requests_for(self, client: Abilities) -> dict[str, Json] | None:
        """Return what is still to be replied to; None: the request at hand says that its client cannot be asked so."""
        if questions_put(self.late.asks, client.can) is None:
            return None
        return {key: dict(one) for key, one in self.put.items() if self.name_of(key) not in self.late.replies}

    def name_of(self, key: str) -> str:
        """Return what the server calls the question that is `key` in this task."""
        return key.removesuffix(_suffix(self.late))

    def message_for(self, client: Abilities) -> str:
        """Return in a line what it waits for."""
        who = self.late.asks.connection
        if self.is_replied:
            return f"What {who} asked was replied to; it goes on."
        if self.requests_for(client) is None:
            return f"{who} asks what this client says it cannot be asked; one that can may reply."
        return f"{who} asks; reply until {self.late.until:%Y-%m-%d %H:%M}Z."


class AskingLater:
    """Tells what tasks ask, takes the replies in, and goes on with the tasks."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def asking(self, known: Admitted, found: Invocation) -> Asking | None:
        """Return what the read asks that a task stands for; None: nothing, or nothing that its caller may be asked."""
        if not was_asked(found):
            return None
        async with self._runtime.database.reading() as tx:
            late = await find_late(tx, found.id, self._runtime.keys)
        if late is None:
            return None
        seen = await answer_for(known.caller, replace(found, asks=late.asks), self._runtime)
        put = None if seen.asks is None else questions_put(seen.asks, late.can)
        if put is None:
            return None
        return Asking(late=late, put={f"{name}{_suffix(late)}": one for name, one in put.items()})

    async def take(self, known: Admitted, handle: Handle, asking: Asking, given: Mapping[str, Json]) -> None:
        """Keep the replies to what is still asked, and go on once all are there; of other names nothing is kept.

        Raises:
            MCPError: one of them is no reply to its question; none is kept then.
        """
        put = {key: one for key, one in asking.put.items() if key in given}
        replies = {asking.name_of(key): reply_to(key, one, given[key]) for key, one in put.items()}
        async with self._runtime.database.transaction() as tx:
            replied = await take_replies(tx, asking.late, replies, self._runtime.keys)
            claimed = replied and await claim_round(tx, replied, self._lease, self._runtime.keys)
            if replies.keys() - asking.late.replies.keys():
                await note_replies(tx, handle)
            await self._runtime.database.signal(tx, channel_of(asking.late.invocation_id))
        if claimed:
            await self._runtime.tasks.within(0, self._make(known, handle, claimed))

    async def see_to(self, known: Admitted, handle: Handle, asking: Asking) -> None:
        """Go on with a task that was replied to, if whoever was to make its next round has not been heard of since."""
        if not asking.late.is_left:
            return
        async with self._runtime.database.transaction() as tx:
            if await is_whole(tx, asking.late) and await follow(tx, handle, asking.late):
                await self._runtime.database.signal(tx, channel_of(asking.late.invocation_id))
                return
            claimed = await claim_round(tx, asking.late, self._lease, self._runtime.keys)
        if claimed:
            await self._runtime.tasks.within(0, self._make(known, handle, claimed))

    async def call_off(self, handle: Handle, asking: Asking, reason: str) -> bool:
        """End a task while it asks or its next round is made; return False if it has gone on meanwhile."""
        async with self._runtime.database.transaction() as tx:
            has_ended = await call_off_late(tx, handle, asking.late, Ended(code=CALLED_OFF, message=reason))
            await self._runtime.database.signal(tx, channel_of(asking.late.invocation_id))
        return has_ended

    @property
    def _lease(self) -> timedelta:
        return timedelta(seconds=self._runtime.answer_seconds + LEASE_SECONDS)

    async def _make(self, known: Admitted, handle: Handle, late: Late) -> None:
        """Make the next round, and let the task go on with it."""
        try:
            call = late.next_call(known.caller, known.trace_id)
            made = await invoke(call, self._runtime)
        except Unavailable:
            async with self._runtime.database.transaction() as tx:
                await let_go(tx, late)  # it is made again by whoever looks next
            return
        except HubError as error:
            async with self._runtime.database.transaction() as tx:
                await end_round(tx, handle, late, Ended(code=error.code, message=error.message))
                await self._runtime.database.signal(tx, channel_of(late.invocation_id))
            return
        async with self._runtime.database.transaction() as tx:
            if await follow(tx, handle, late):
                await keep_questions(tx, made, call, self._runtime.keys)
            await self._runtime.database.signal(tx, channel_of(late.invocation_id))


async def goes_on_with(task_id: str, *, server: str, caller: Caller, runtime: Runtime) -> list[PublishedTool]:
    """Return the tool that a task goes on with once it is replied to; none, if it asks nothing.

    Raises:
        NotFound: the caller has no such task, or there is no such tool any more.
    """
    async with runtime.database.reading() as tx:
        handle = await find_handle(tx, caller, server, task_id)
        late = await find_late(tx, handle.invocation_id, runtime.keys)
    if late is None:
        return []
    return [await runtime.catalog.resolve(late.call["tool"], server=late.call["server"], caller=caller)]


def _suffix(late: Late) -> str:
    return f"-{late.round}"
