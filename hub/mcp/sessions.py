"""Sessions of clients of the older protocol: what such a client can be asked, and which lines of log it wants.

The id of a session is that knowledge itself, sealed for one pair of principals at one server: any process reads it, and
nothing is kept of a session in which nothing was said. Only its end, the level of log and which stream of news is its
newest are on record; other processes than the one they came in at heed them within `KNOWN_SECONDS`.
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
from hub.mcp.tables import McpQuestionRow, McpSessionRow, McpSubscriptionRow
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
    news: str | None = None


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, database: Database, keys: Keyring) -> None:
        self._database = database
        self._keys = keys
        self._known: dict[str, tuple[float, _Said]] = {}

    def opened(self, caller: Caller, server: str, capabilities: Mapping[str, Json]) -> str:
        """Return the id of a new session of a client with these capabilities."""
        said = {"id": f"ses_{token_urlsafe(18)}", "can": _askable(capabilities)}
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
        """End a session: its client is asked no more, and told no more."""
        await self._say(session, is_over=True)

    async def set_level(self, session: ClientSession, level: str) -> None:
        """Keep from which level on the client of a session wants lines of log."""
        await self._say(session, log_level=level)

    async def tell_news_on(self, session: ClientSession, stream: str) -> None:
        """Let `stream` be the one on which the news of a session is told: the one before it ends."""
        await self._say(session, news=stream)

    async def is_told_on(self, session: ClientSession, stream: str) -> bool:
        """Return whether `stream` is still the one on which the news of a session is told."""
        said = await self._read(session.id)
        return said.news == stream and not said.is_over

    async def _said_in(self, session_id: str) -> _Said:
        at, said = self._known.get(session_id, (0.0, _Said()))
        if at and time.monotonic() - at < KNOWN_SECONDS:
            return said
        return await self._read(session_id)

    async def _read(self, session_id: str) -> _Said:
        async with self._database.reading() as tx:
            row = await tx.scalar(select(McpSessionRow).where(McpSessionRow.id == session_id))
            said = _said(row) if row else _Said()
        self._know(session_id, said)
        return said

    async def _say(self, session: ClientSession, **changes: str | bool) -> None:
        async with self._database.transaction() as tx:
            values: dict[str, Any] = {"until": await now(tx) + LASTS, **changes}
            first = {"id": session.id, "log_level": None, "is_over": False, "news": None, **values}
            said = insert_into(tx, McpSessionRow).values(**first)
            kept = said.on_conflict_do_update(index_elements=["id"], set_=values).returning(McpSessionRow)
            row = (await tx.scalars(kept, execution_options={"populate_existing": True})).one()
            if row.is_over:
                for told in (McpQuestionRow, McpSubscriptionRow):
                    await tx.execute(delete(told).where(told.session_id == session.id))
            await self._database.signal(tx, channel_of(session))
            now_said = _said(row)
        self._know(session.id, now_said)

    def _know(self, session_id: str, said: _Said) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[session_id] = (time.monotonic(), said)


async def forget_sessions(tx: Tx) -> None:
    """Delete what was said in sessions that are too old to be used, and questions that nobody waits for."""
    for row in (McpSessionRow, McpQuestionRow, McpSubscriptionRow):
        await tx.execute(delete(row).where(row.until <= await now(tx)))


def channel_of(session: ClientSession) -> str:
    """Return where it is signalled that something was said in a session."""
    return f"mcp-session:{session.id}"


def _said(row: McpSessionRow) -> _Said:
    return _Said(log_level=row.log_level, is_over=row.is_over, news=row.news)


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
