"""Reading a request's body once, bounded and strictly, and what of it is needed before it is served."""

from dataclasses import dataclass
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.types import Message, Receive

from hub.core.canonical import parse_json

Json = Any
"""Any JSON value."""

LONGEST_BODY: Final = 1024 * 1024
"""A megabyte of arguments is more than any tool takes; files go elsewhere."""
MOST_DIGITS: Final = 10


class TooLarge(Exception):
    """The body is longer than `LONGEST_BODY`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peeked:
    """The bytes of a body that has been read strictly, and the tool call in it, if it is one."""

    body: bytes
    request_id: str | int | None = None
    tool: str | None = None
    traceparent: str | None = None

    def replay(self, receive: Receive) -> Receive:
        """Return a `receive` that yields the body again, then whatever comes after it."""
        waiting: list[Message] = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        return again


async def peek(request: Request) -> Peeked:
    """Return what the request's body says.

    Raises:
        TooLarge: it is too long; the rest of it is not read.
        Malformed: it is not the JSON that every reader would read alike.
        ClientDisconnect: the client hung up half way.
    """
    body = await _bounded(request)
    message = parse_json(body)
    if not isinstance(message, dict):
        return Peeked(body=body)  # the SDK refuses it
    envelope = cast("dict[str, Json]", message)
    params = _member(envelope, "params")
    name = params.get("name") if envelope.get("method") == "tools/call" else None
    request_id, traceparent = envelope.get("id"), _member(params, "_meta").get("traceparent")
    return Peeked(
        body=body,
        request_id=request_id if isinstance(request_id, str | int) else None,
        tool=name if isinstance(name, str) else None,
        traceparent=traceparent if isinstance(traceparent, str) else None,
    )


def _member(message: dict[str, Json], name: str) -> dict[str, Json]:
    value = message.get(name)
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


async def _bounded(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > MOST_DIGITS or int(declared) > LONGEST_BODY):
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise TooLarge
    return bytes(body)
