"""What a server says while it works on a call: passed on to whoever listens, bounded, and answered where it asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from sandbox.upstream import Hear

Json = Any
"""Any JSON value."""

MOST_HEARD: Final = 1000
"""Messages of one call that are passed on; what comes after them is dropped."""
_ASKS: Final = frozenset({"elicitation/create", "sampling/createMessage", "roots/list"})
_NO_SUCH_METHOD: Final = -32601


@dataclass(slots=True)
class Hearing:
    """Who listens to one call, and how much has been heard."""

    hear: Hear | None
    _heard: int = field(default=0)

    async def note(self, message: Mapping[str, Json]) -> None:
        """Pass a notification on, if anybody listens and it is not too many."""
        if self.hear is not None and self._heard < MOST_HEARD:
            self._heard += 1
            await self.hear(message)

    async def answer(self, message: Mapping[str, Json]) -> dict[str, Json]:
        """Return the answer to a request of the server: that there is nobody to ask, unless somebody answers."""
        method, answer = message.get("method"), {"jsonrpc": "2.0", "id": message.get("id")}
        if method == "ping":
            return {**answer, "result": {}}
        if method in _ASKS and self.hear is not None and self._heard < MOST_HEARD:
            self._heard += 1
            if (said := await self.hear(message)) is not None:
                return {**answer, "result": said}
        return {**answer, "error": {"code": _NO_SUCH_METHOD, "message": "This client cannot be asked that."}}


def tells_of_change(message: Mapping[str, Json]) -> bool:
    """Return whether the server says that one of its lists is not what it was."""
    return str(message.get("method", "")).endswith("/list_changed")


def unheard() -> None:
    """Do nothing: nobody wants to know."""


def is_request(message: Mapping[str, Json]) -> bool:
    """Return whether a message of the server wants an answer."""
    return "method" in message and "id" in message


def is_answer(message: Mapping[str, Json]) -> bool:
    """Return whether a message answers something."""
    return "method" not in message and ("result" in message or "error" in message)


def members(value: Json) -> dict[str, Json]:
    """Return the members of a JSON object, none of anything else: a server may say anything."""
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}
