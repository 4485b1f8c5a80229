"""Questions of a federated server to a client of the older protocol: put in the stream of its call, and waited for.

The answer comes in by a POST of its own, at whichever process. It finds the question in the database, by an id that
nobody can guess and in the session that was asked; the first answer counts, while somebody waits for it. Then the read
is made again with it, as clients of the newer protocol do themselves: each round is a governed read of its own.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any, Final

import anyio
from pydantic import ValidationError
from sqlalchemy import delete, select, update

from connectors.sdk.run import Replies
from hub.core.bells import Bell
from hub.core.errors import Malformed, Unavailable
from hub.invocations.invoke import invoke
from hub.invocations.masking import answer_for
from hub.invocations.runtime import Runtime
from hub.invocations.values import Asks, Call, Invocation
from hub.mcp.admission import Admitted
from hub.mcp.asking import GIVEN, questions_put
from hub.mcp.event_streams import first_of
from hub.mcp.sessions import ClientSession
from hub.mcp.streams import Streams
from hub.mcp.tables import McpQuestionRow
from hub.storage import now

Json = Any
"""Any JSON value."""

MOST_ROUNDS: Final = 8
QUESTION_SECONDS: Final = 120.0
"""How long a client may take to answer; then the call ends without."""
LOOK_SECONDS: Final = 1.0
"""How often a call that waits looks by itself: news may get lost."""
_OURS: Final = re.compile(r"ask_[A-Za-z0-9_-]{32}")
_NOBODY_WAITS: Final = "Nobody waits for this answer here: it was not asked for, came twice or came too late."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One question, as it is put."""

    id: str
    name: str
    method: str
    params: Mapping[str, Json]

    @property
    def message(self) -> dict[str, Json]:
        return {"jsonrpc": "2.0", "id": self.id, "method": self.method, "params": dict(self.params)}


class Questions:
    """Puts the questions of reads to their clients, and takes the answers in."""

    def __init__(self, runtime: Runtime, streams: Streams) -> None:
        self._runtime = runtime
        self._database = runtime.database
        self._streams = streams
        self._seconds = QUESTION_SECONDS

    async def carried_out(self, known: Admitted, call: Call) -> Invocation:
        """Make a call; while it is a read that asks its client, and the client answers, make it again."""
        invocation = await invoke(call, self._runtime)
        line, session = known.line, known.session
        for _ in range(MOST_ROUNDS):
            if invocation.asks is None or line is None or session is None:
                break
            asks = (await answer_for(known.caller, invocation, self._runtime)).asks
            given = None if asks is None else await self._answered(known, asks, call.called_off)
            if asks is None or given is None:
                break
            caller, _ = await known.again()  # much may have happened while somebody filled a form in
            replies = _with(call.client.replies, given, asks.state)
            client = replace(call.client, replies=replies, asked_by=invocation.connection_id)
            await line.mark_next()  # the round before is on record as it ended
            call = replace(call, caller=caller, known_as=line.call_id, client=client)
            invocation = await invoke(call, self._runtime)
        return invocation

    async def take(self, session: ClientSession, message: Mapping[str, Json]) -> None:
        """Take in what a client answers.

        Raises:
            Malformed: it was not asked that in this session, has answered already, or nobody waits any more.
        """
        number, answer = (
            str(message.get("id")),
            {name: message[name] for name in ("result", "error") if name in message},
        )
        if _OURS.fullmatch(number) is None:
            raise Malformed(_NOBODY_WAITS)
        sealed = self._runtime.keys.seal(answer, purpose=_purpose(number), seconds=int(self._seconds) + 60)
        async with self._database.transaction() as tx:
            open_still = (
                McpQuestionRow.id == number,
                McpQuestionRow.session_id == session.id,
                McpQuestionRow.answer.is_(None),
                McpQuestionRow.until > await now(tx),
            )
            taken = await tx.execute(
                update(McpQuestionRow).where(*open_still).values(answer=sealed).returning(McpQuestionRow.id)
            )
            if taken.scalar_one_or_none() is None:
                raise Malformed(_NOBODY_WAITS)
            await self._database.signal(tx, _channel(session))

    async def _answered(self, known: Admitted, asks: Asks, called_off: Bell | None) -> Mapping[str, Json] | None:
        """Return what the client replies, by the names of the questions; None: not to all of them, or not so."""
        session, line = known.session, known.line
        if session is None or line is None:
            return None
        questions = _questions(asks, session)
        if not questions:
            return None
        try:
            async with self._open(session, questions), self._database.listening(_channel(session)) as said:
                with self._streams.place(known.caller.visible_key) as ending, line.awaiting():
                    for one in questions:
                        await line.say(one.message)
                    ends = [event for event in (line.has_ended, ending, called_off) if event is not None]
                    found = await self._waited(questions, said, ends)
        except Unavailable:
            return None
        return _replies(questions, found)

    async def _waited(
        self, questions: list[_Question], said: asyncio.Event, ends: list[asyncio.Event]
    ) -> Mapping[str, Json]:
        """Return the answers once all are there; fewer: the wait has ended, or they took too long."""
        until = time.monotonic() + self._seconds
        while not any(event.is_set() for event in ends):
            said.clear()
            found, left = await self._found(questions), until - time.monotonic()
            if len(found) == len(questions) or left <= 0:
                return found
            await first_of([said, *ends], seconds=min(left, LOOK_SECONDS))
        return {}

    async def _found(self, questions: list[_Question]) -> dict[str, Json]:
        async with self._database.reading() as tx:
            mine = McpQuestionRow.id.in_([one.id for one in questions])
            rows = await tx.execute(
                select(McpQuestionRow.id, McpQuestionRow.answer).where(mine, McpQuestionRow.answer.is_not(None))
            )
            sealed = {str(number): str(answer) for number, answer in rows}
        return {
            number: self._runtime.keys.unseal(answer, purpose=_purpose(number)) for number, answer in sealed.items()
        }

    @asynccontextmanager
    async def _open(self, session: ClientSession, questions: list[_Question]) -> AsyncGenerator[None]:
        """Let these questions be answered as long as the block lasts."""
        async with self._database.transaction() as tx:
            until = await now(tx) + timedelta(seconds=self._seconds)
            tx.add_all(McpQuestionRow(id=one.id, session_id=session.id, answer=None, until=until) for one in questions)
        try:
            yield
        finally:
            # also when the call is given up: an answer that comes after that is told so
            with anyio.CancelScope(shield=True):
                async with self._database.transaction() as tx:
                    await tx.execute(delete(McpQuestionRow).where(McpQuestionRow.id.in_([one.id for one in questions])))


def _with(before: Replies, given: Mapping[str, Json], state: str | None) -> Replies:
    """Return what a read is made again with."""
    return before.model_copy(update={"given": given, "state": state})


def _questions(asks: Asks, session: ClientSession) -> list[_Question]:
    """Return a server's questions as they are put; none if one of them may not be put to this client."""
    return [
        _Question(id=f"ask_{token_urlsafe(24)}", name=name, method=one["method"], params=one["params"])
        for name, one in (questions_put(asks, session.can) or {}).items()
    ]


def _replies(questions: list[_Question], found: Mapping[str, Json]) -> Mapping[str, Json] | None:
    replies = dict[str, Json]()
    for one in questions:
        result = found.get(one.id, {}).get("result")
        try:
            read = GIVEN[one.method].validate_python(result)
        except ValidationError:
            return None
        replies[one.name] = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    return replies


def _channel(session: ClientSession) -> str:
    return f"mcp-answers:{session.id}"


def _purpose(number: str) -> str:
    return f"mcp-answer:{number}"
