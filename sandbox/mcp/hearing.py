"""What a server says while it works on a call: passed on to whoever listens, bounded, and answered where it asks."""

import asyncio
import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, cast

from sandbox.line import TooLarge
from sandbox.upstream import Hear

Json = Any
"""Any JSON value."""

MOST_VALUES: Final = 300_000
"""Of one message: an answer of four megabytes that somebody reads has fewer."""
MOST_DIGITS: Final = 400
"""Of one number, in a long message: reading many that are longer takes much longer than anything else in it."""
_MANY_DIGITS: Final = 65_536
_LONG: Final = re.compile(rf"[\[,:]\s*-?\d{{{MOST_DIGITS}}}")
_TEXT: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
MOST_HEARD: Final = 1000
"""Messages of one call that are passed on; what comes after them is dropped."""
MOST_WAITING: Final = 100
"""Messages of one call that wait for a listener who is slow; what comes while so many wait is dropped."""
MOST_ANSWERED: Final = 20
"""Questions of the server that are answered during one call; the others are left alone."""
LISTENER_SECONDS: Final = 5.0
"""How long an answer waits for its listener to have heard what came before it."""
_ASKS: Final = frozenset({"elicitation/create", "sampling/createMessage", "roots/list"})
_NO_SUCH_METHOD: Final = -32601


@dataclass(slots=True)
class Hearing:
    """Who listens to one call, and how much has been heard; a listener who is slow or fails holds up nobody who reads.

    Use it as a context around the call: whatever a listener still has to hear ends with it.
    """

    hear: Hear | None
    _heard: int = field(default=0)
    _answered: int = field(default=0)
    _waiting: deque[Mapping[str, Json]] = field(default_factory=deque[Mapping[str, Json]])
    _passing: asyncio.Task[None] | None = field(default=None)
    _asking: set[asyncio.Task[Json]] = field(default_factory=set[asyncio.Task[Json]])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = {task for task in (*self._asking, self._passing) if task is not None}
        if not tasks:
            self.hear = None
            return
        try:
            if kind is None:
                await asyncio.wait(tasks, timeout=LISTENER_SECONDS)
        finally:
            self.hear = None
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def note(self, message: Mapping[str, Json]) -> None:
        """Have a notification passed on, if anybody listens and it is not too many."""
        if self.hear is None or self._heard >= MOST_HEARD or len(self._waiting) >= MOST_WAITING:
            return
        self._heard += 1
        self._waiting.append(message)
        if self._passing is None or self._passing.done():
            self._passing = asyncio.create_task(self._pass_on())

    async def answer(self, message: Mapping[str, Json]) -> dict[str, Json] | None:
        """Return the answer to a request of the server: that there is nobody to ask, unless somebody answers.

        None: it has asked so often that it gets none.
        """
        self._answered += 1
        if self._answered > MOST_ANSWERED:
            return None
        method, answer = message.get("method"), {"jsonrpc": "2.0", "id": message.get("id")}
        if method == "ping":
            return {**answer, "result": {}}
        if method in _ASKS and (said := await self._said(message)) is not None:
            return {**answer, "result": said}
        return {**answer, "error": {"code": _NO_SUCH_METHOD, "message": "This client cannot be asked that."}}

    async def _pass_on(self) -> None:
        while self._waiting:
            await _heard_by(self.hear, self._waiting.popleft())

    async def _said(self, message: Mapping[str, Json]) -> Json | None:
        asking = asyncio.create_task(_heard_by(self.hear, message))
        self._asking.add(asking)
        try:
            await asyncio.wait({asking})
        finally:
            asking.cancel()
            self._asking.discard(asking)
        return None if asking.cancelled() else asking.result()


async def _heard_by(hear: Hear | None, message: Mapping[str, Json]) -> Json | None:
    """Return what a listener answers; one who fails answers nothing, and that ends no call."""
    try:
        return None if hear is None else await hear(message)
    except Exception:  # noqa: BLE001  # a client that has gone, or whatever a message of a server breaks
        return None


def tells_of_change(message: Mapping[str, Json]) -> bool:
    """Return whether the server says that one of its lists is not what it was."""
    return str(message.get("method", "")).endswith("/list_changed")


def parsed(text: str) -> dict[str, Json]:
    """Return the message that `text` is, one without members if it is none.

    Raises:
        TooLarge: it holds too many values.
    """
    refuse_many(text)
    try:
        return members(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def refuse_many(text: str) -> None:
    """Let a text pass that reading makes no more values of than may stand in memory for each call.

    Empty lists take two bytes on their way here, and fifty times as many as values. They are counted before anything
    is read, by the signs that stand before each: some that stand in texts are counted, too.

    Raises:
        TooLarge: there are more, or one is a number that takes as long to read as all others.
    """
    if len(text) > MOST_VALUES and sum(map(text.count, "[{,")) > MOST_VALUES:
        raise TooLarge(f"The answer holds more than {MOST_VALUES:,} values.")
    if len(text) > _MANY_DIGITS and _LONG.search(text) and _LONG.search(_TEXT.sub('""', text)):
        raise TooLarge(f"The answer holds a number of more than {MOST_DIGITS} digits.")


def unheard() -> None:
    """Do nothing: nobody wants to know."""


def is_request(message: Mapping[str, Json]) -> bool:
    """Return whether a message of the server wants an answer."""
    return "method" in message and "id" in message


def is_answer(message: Mapping[str, Json]) -> bool:
    """Return whether a message answers something."""
    return "method" not in message and ("result" in message or "error" in message)


def numbered(message: Mapping[str, Json], number: int) -> dict[str, Json]:
    """Return a request under an id of its own, which is the token of its progress, too."""
    under = {**message, "id": number}
    params = members(message.get("params"))
    meta = members(params.get("_meta"))
    if "progressToken" in meta:
        under["params"] = {**params, "_meta": {**meta, "progressToken": number}}
    return under


def members(value: Json) -> dict[str, Json]:
    """Return the members of a JSON object, none of anything else: a server may say anything."""
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}
