"""What passes between a client and its call under way: progress to it, and its word that it wants no answer any more.

A request is known by the id that its client gave it, which is unique for that client alone. So a cancellation reaches
only a call that was made with the same token at the same server, in whichever process it is. Two sessions of one token
may give the same id: while a process has two calls under way that one cancellation would mean, it heeds none.
"""

import math
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

from mcp.server.context import ServerRequestContext

from hub.core.bells import Bell
from hub.core.canonical import digest
from hub.invocations.masking import hidden_from, look_at
from hub.invocations.runtime import Runtime
from hub.mcp.admission import CALLED, Admitted

Json = Any
"""Any JSON value."""

LONGEST_MESSAGE = 500
LONGEST_LINE = 4000
LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""The levels of lines of log, the least first (RFC 5424)."""
_LINE_OF_LOG: Final = "notifications/message"


class Relay:
    """Passes the progress of one read on to its client, in the client's own terms and growing only."""

    def __init__(self, runtime: Runtime, known: Admitted, context: ServerRequestContext[Any, Any]) -> None:
        self._runtime = runtime
        self._known = known
        self._context = context
        self._token = (context.meta or {}).get("progress_token")
        self._last: float | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether the client asked for progress, or for lines of log."""
        return self._token is not None or self._level is not None

    @property
    def _level(self) -> str | None:
        session = self._known.session
        return None if session is None or self._known.line is None else session.log_level

    async def hear(self, message: Mapping[str, Json]) -> None:
        """Pass a message of the system on, if it tells of progress; whatever it asks, nobody answers here."""
        given = message.get("params")
        if message.get("method") == _LINE_OF_LOG and isinstance(given, Mapping):
            await self._pass_line(cast("Mapping[str, Json]", given))
            return
        if message.get("method") != "notifications/progress" or not isinstance(given, Mapping) or self._token is None:
            return
        params = cast("Mapping[str, Json]", given)
        progress, total, said = _number(params.get("progress")), _number(params.get("total")), params.get("message")
        if progress is None or (self._last is not None and progress <= self._last):
            return
        self._last = progress
        await self._context.session.send_progress_notification(
            self._token,
            progress,
            total=total,
            message=said[:LONGEST_MESSAGE] if isinstance(said, str) and await self._sees_all() else None,
            related_request_id=str(self._context.request_id),
        )

    async def _pass_line(self, given: Mapping[str, Json]) -> None:
        """Pass a line of log on, from the level on that the client wants, and signed with who says it."""
        level, least, tool = given.get("level"), self._level, CALLED.get()
        if level not in LEVELS or least not in LEVELS or LEVELS.index(level) < LEVELS.index(least):
            return
        if self._known.line is None or tool is None or len(str(given.get("data"))) > LONGEST_LINE:
            return
        if await self._sees_all():
            params = {"level": level, "logger": f"{tool.connection.name}/{tool.name}", "data": given.get("data")}
            await self._known.line.say({"jsonrpc": "2.0", "method": _LINE_OF_LOG, "params": params})

    async def _sees_all(self) -> bool:
        """Return whether policy hides nothing of this tool from the caller: else no free text of it is passed on."""
        tool = CALLED.get()
        return tool is not None and not await hidden_from(self._known.caller, look_at(tool), self._runtime)


def cancelled_channel(known: Admitted, request_id: str | int) -> str:
    """Return the channel on which a client says that it wants no answer to one of its requests any more."""
    request = f"{type(request_id).__name__}:{request_id}"  # 7 and "7" are two requests
    return f"cancelled:{digest({'token': known.token_digest, 'server': known.server, 'request': request})}"


class Cancellations:
    """Hears for the calls under way in one process that their clients want no answer any more."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._under_way = Counter[str]()

    @contextmanager
    def heard(self, known: Admitted, request_id: str | int) -> Generator[Bell]:
        """Yield a bell that rings once the client cancels this request, and no other could be meant."""
        channel, called_off = cancelled_channel(known, request_id), Bell()

        def cancelled() -> None:
            if self._under_way[channel] == 1:
                called_off.set()

        self._under_way[channel] += 1
        try:
            with self._runtime.database.telling(channel, cancelled):
                yield called_off
        finally:
            self._under_way[channel] -= 1
            if not self._under_way[channel]:
                del self._under_way[channel]


def _number(value: Json) -> float | None:
    """Return a number as a client can read it, None for anything else: a server may say anything."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
