"""Sessions of clients of the older protocol: what such a client can be asked, and which lines of log it wants.

The id of a session is that knowledge itself, sealed for one pair of principals at one server: any process reads it, and
nothing is kept of a session in which nothing was said. Only its end and the level of log are on record; other processes
than the one they came in at heed them within `KNOWN_SECONDS`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any, Final, cast

from sqlalchemy import delete, select

from hub.core.errors import Malformed, NotFound
from hub.identity.principals import Caller
from hub.keys import Keyring
from hub.mcp.abilities import without_pages
from hub.mcp.tables import McpQuestionRow, McpSessionRow
from hub.storage import Database, Tx, insert_into, now

Json = Any
"""Any JSON value."""

HEADER: Final = "mcp-session-id"
LASTS: Final = timedelta(days=30)
"""Longer than a client runs as a rule: most of them do not open another session when the hub has forgotten theirs."""
KNOWN_SECONDS: Final = 2.0
_MOST_KNOWN: Final = 10_000
_LONGEST_ID: Final = 1000
_MEANS_OVER: Final = "There is no such session here, or not any more; open another with `initialize`."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSession:
    """One session: what its client can be asked while a call of it is under way."""

    id: str
    can: Mapping[str, Json]
    log_level: str | None = None
    """From which level on it wants lines of log; None: it has not said, and gets none."""


@dataclass(frozen=True, slots=True)
class _Said:
    log_level: str | None = None
    is_over: bool = False


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, database: Database, keys: Keyring) -> None:
        self._database = database
        self._keys = keys
        self._known: dict[str, tuple[float, _Said]] = {}

    def opened(self, caller: Caller, server: str, capabilities: Mapping[str, Json]) -> str | None:
        """Return the id of a new session of a client with these capabilities, or None: it can be asked nothing.

        Others have nothing of a session but its end, for which some clients wait until every answer has come: the
        lock in which they prove who they are is held by the call that they have given up.
        """
        can = _askable(capabilities)
        if not can:
            return None
        said = {"id": f"ses_{token_urlsafe(18)}", "can": can}
        return self._keys.seal(said, purpose=_purpose(caller, server), seconds=int(LASTS.total_seconds()))

    async def found(self, caller: Caller, server: str, given: str) -> ClientSession:
        """Return the session with the id that a client gives.

        Raises:
            NotFound: it is forged, of somebody else, of another server, ended, or too old.
        """
        try:
            if len(given) > _LONGEST_ID:
                raise NotFound(_MEANS_OVER)
            said = self._keys.unseal(given, purpose=_purpose(caller, server))
        except Malformed as error:
            raise NotFound(_MEANS_OVER) from error
        since = await self._said_in(said["id"])
        if since.is_over:
            raise NotFound(_MEANS_OVER)
        return ClientSession(id=said["id"], can=said["can"], log_level=since.log_level)

    async def end(self, session: ClientSession) -> None:
        """End a session: what its client is asked is asked no more."""
        await self._say(session, _Said(log_level=session.log_level, is_over=True))

    async def set_level(self, session: ClientSession, level: str) -> None:
        """Keep from which level on the client of a session wants lines of log."""
        await self._say(session, _Said(log_level=level))

    async def _said_in(self, session_id: str) -> _Said:
        at, said = self._known.get(session_id, (0.0, _Said()))
        if at and time.monotonic() - at < KNOWN_SECONDS:
            return said
        async with self._database.reading() as tx:
            row = await tx.scalar(select(McpSessionRow).where(McpSessionRow.id == session_id))
            said = _Said(row.log_level, row.is_over) if row else _Said()
        self._know(session_id, said)
        return said

    async def _say(self, session: ClientSession, said: _Said) -> None:
        async with self._database.transaction() as tx:
            values = {"log_level": said.log_level, "is_over": said.is_over, "until": await now(tx) + LASTS}
            new = insert_into(tx, McpSessionRow).values(id=session.id, **values)
            await tx.execute(new.on_conflict_do_update(index_elements=["id"], set_=values))
            if said.is_over:
                await tx.execute(delete(McpQuestionRow).where(McpQuestionRow.session_id == session.id))
        self._know(session.id, said)

    def _know(self, session_id: str, said: _Said) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[session_id] = (time.monotonic(), said)


async def forget_sessions(tx: Tx) -> None:
    """Delete what was said in sessions that are too old to be used, and questions that nobody waits for."""
    await tx.execute(delete(McpSessionRow).where(McpSessionRow.until <= await now(tx)))
    await tx.execute(delete(McpQuestionRow).where(McpQuestionRow.until <= await now(tx)))


def _askable(capabilities: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a server behind the hub may ask a client: forms, its model's words, its roots."""
    forms = without_pages(capabilities.get("elicitation"))
    can: dict[str, Json] = {} if forms is None else {"elicitation": forms}
    for name in ("sampling", "roots"):
        if isinstance(capabilities.get(name), dict):
            can[name] = cast("dict[str, Json]", {})
    return can


def _purpose(caller: Caller, server: str) -> str:
    return f"mcp-session:{server}:{caller.visible_key}"
