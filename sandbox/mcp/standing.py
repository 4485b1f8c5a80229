"""What a server says of its own accord on a stream that stays open: read event by event, each bounded, and no flood."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.line import NoAnswer
from sandbox.mcp.events import Events, is_stream
from sandbox.mcp.hearing import Hearing, is_answer, is_request, members, parsed, tells_of_change
from sandbox.mcp.patience import MESSAGE, REQUEST, Patience
from sandbox.mcp.resuming import turned_away
from sandbox.sign_in import Proof

Json = Any
"""Any JSON value."""

LARGEST_EVENT: Final = 256 * 1024
"""Bytes of one event of news, and of what comes between two of them."""
_METHOD: Final = "subscriptions/listen"
_UPDATED: Final = "notifications/resources/updated"
_UNKNOWN: Final = frozenset({-32601, -32602})
_NOT_ALLOWED, _NOT_ACCEPTABLE, _NOT_IMPLEMENTED, _NOT_FOUND = 405, 406, 501, 404
_SESSION: Final = "mcp-session-id"

Tell = Callable[[Mapping[str, Json]], None]
"""Takes one notification; it must be quick, and is called as often as the server speaks."""


class NotOffered(Exception):
    """The server keeps no such streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be heard of a server: that its lists have changed, and of some resources that they have.

    `opened` is called once the stream is there; `version` is the protocol that the server was met in.
    """

    version: str
    uris: Sequence[str]
    tell: Tell
    opened: Callable[[], None]

    def request(self, about: Mapping[str, Json]) -> dict[str, Json]:
        """Return the newer protocol's request for such a stream; `about` is the `_meta` of its requests."""
        lists = {f"{kind}ListChanged": True for kind in ("tools", "prompts", "resources")}
        named = {"resourceSubscriptions": list(self.uris)} if self.uris else {}
        params = {"notifications": {**lists, **named}, "_meta": dict(about)}
        return {"jsonrpc": "2.0", "id": 1, "method": _METHOD, "params": params}

    def subscriptions(self) -> list[dict[str, Json]]:
        """Return the older protocol's requests, one for each resource."""
        return [
            {"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": uri}} for uri in self.uris
        ]


def is_news(message: Mapping[str, Json]) -> bool:
    """Return whether the server says that a list or a resource is not what it was."""
    return message.get("method") == _UPDATED or tells_of_change(message)


def ended(message: Mapping[str, Json]) -> NoAnswer | NotOffered:
    """Return what the answer to a request for a stream means: it is over, or there is none to be had."""
    if members(message.get("error")).get("code") in _UNKNOWN:
        return NotOffered()
    return NoAnswer("The server ended the stream.")


def refused(request: WireRequest, response: WireResponse) -> NoAnswer | NotOffered:
    """Return what it means that `response` opens no stream: there is none to be had, or not at the moment."""
    answer = parsed(response.body)
    if "error" in answer and isinstance(found := ended(answer), NotOffered):
        return found
    # a session may have ended, and an endpoint of the newer protocol has answered other requests at the same address
    is_nowhere = response.status == _NOT_FOUND and request.method == "GET" and _SESSION not in request.headers
    is_another = response.status < 300 and "error" not in answer  # noqa: PLR2004  # RFC 9110 section 15.3
    if is_nowhere or is_another or response.status in {_NOT_ALLOWED, _NOT_ACCEPTABLE, _NOT_IMPLEMENTED}:
        return NotOffered()
    return turned_away(response)


@dataclass(slots=True)
class Told:
    """Reads the stream while it arrives, for the line that it comes over."""

    wanted: Wanted
    proof: Proof
    reply: Callable[[Mapping[str, Json]], Any]
    events: Events = field(default_factory=lambda: Events(LARGEST_EVENT))
    _patience: Patience = field(default_factory=Patience)

    def reads(self, status: int, headers: Mapping[str, str]) -> bool:
        """Return whether it is the stream that was asked for."""
        has_begun = status < 300 and is_stream(headers)  # noqa: PLR2004  # RFC 9110 section 15.3
        if has_begun:
            self.wanted.opened()
        return has_begun

    async def take(self, chunk: bytes) -> bytes | None:
        """Tell what is news, and return nothing: such a stream has no answer.

        Raises:
            NoAnswer: it has ended, or says more than it may.
            NotOffered: the server says on it that there is none.
        """
        for text in self.events.feed(chunk):
            self.events.renew()
            message = parsed(self.proof.redact(text))
            if not self._patience.bears(REQUEST if is_request(message) else MESSAGE, len(text), at=time.monotonic()):
                raise NoAnswer("The server says more than it may on a stream of news.")
            if is_answer(message):
                raise ended(message)
            if is_request(message):
                await self.reply(await Hearing(None).answer(message) or {})
            elif is_news(message):
                self.wanted.tell(message)
        return None
