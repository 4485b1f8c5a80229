"""Reading a request's body once, bounded and strictly, and what of it is needed before it is served."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from mcp_types import INVALID_PARAMS, INVALID_REQUEST
from starlette.requests import Request
from starlette.types import Message, Receive

from hub.core.canonical import parse_json
from hub.mcp.search_tool_descriptions import CALL_TOOL

Json = Any
"""Any JSON value."""

LONGEST_BODY: Final = 1024 * 1024
"""A megabyte of arguments is more than any tool takes; files go elsewhere."""
MOST_DIGITS: Final = 10
_BESIDE_TOOLS: Final = frozenset(
    {"resources/read", "resources/subscribe", "subscriptions/listen", "prompts/get", "completion/complete"}
)
_NO_MESSAGE: Final = "Invalid request: send one JSON-RPC message, which is a request, a notification or an answer."


class TooLarge(Exception):
    """The body is longer than `LONGEST_BODY`."""


class NotARequest(Exception):
    """The body is JSON, and means to be a request, but no client may send it like this; says what to change."""

    def __init__(self, message: str, *, code: int, request_id: str | int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.request_id = request_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Peeked:
    """The bytes of a body that has been read strictly, and the tool call in it, if it is one."""

    body: bytes
    request_id: str | int | None = None
    tool: str | None = None
    traceparent: str | None = None
    cancels: str | int | None = None
    """Of a notification that its client wants no answer any more: to which request."""
    wants_progress: bool = False
    opens: Mapping[str, Json] | None = None
    """The capabilities of a client that opens a session."""
    beside: tuple[str, Mapping[str, Json]] | None = None
    """The method and the parameters of a request that reads something beside tools, or listens to it."""
    replies_to: str | None = None
    """The task whose questions a request replies to."""
    answers: Mapping[str, Json] | None = None
    """The whole message, if it answers a question of ours."""

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
        NotARequest: it is no message of JSON-RPC, its id is none, or the arguments of its tool call are no object.
        ClientDisconnect: the client hung up half way.
    """
    body = await _bounded(request)
    message = parse_json(body)
    if not isinstance(message, dict):
        raise NotARequest(_NO_MESSAGE, code=INVALID_REQUEST)
    envelope = cast("dict[str, Json]", message)
    params = _member(envelope, "params")
    request_id = _request_id(envelope)
    _check_shape(envelope, request_id)
    if envelope.get("method") == "notifications/cancelled" and request_id is None:
        given = params.get("requestId")
        return Peeked(body=body, cancels=given if isinstance(given, str | int) else None)
    if "method" not in envelope:
        return Peeked(body=body, answers=envelope)
    if envelope["method"] == "initialize":
        return Peeked(body=body, request_id=request_id, opens=_member(params, "capabilities"))
    if envelope["method"] in _BESIDE_TOOLS:
        return Peeked(body=body, request_id=request_id, beside=(envelope["method"], params))
    is_call = envelope["method"] == "tools/call"
    if is_call and not isinstance(params.get("arguments"), dict | None):
        # MCP 2025-11-25, tools, error handling: what fails the schema of CallToolRequest is a protocol error
        message = "Invalid params: the arguments of a tool call have to be one JSON object."
        raise NotARequest(message, code=INVALID_PARAMS, request_id=request_id)
    task = params.get("taskId") if envelope["method"] == "tasks/update" else None
    name, traceparent = called_in(params) if is_call else None, _member(params, "_meta").get("traceparent")
    return Peeked(
        body=body,
        request_id=request_id,
        tool=name if isinstance(name, str) else None,
        traceparent=traceparent if isinstance(traceparent, str) else None,
        wants_progress=is_call and "progressToken" in _member(params, "_meta"),
        replies_to=task if isinstance(task, str) else None,
    )


def called_in(params: Mapping[str, Json]) -> Json:
    """Return the name of the tool that a call is for: through `hub_call_tool`, the one that is to be called."""
    name = params.get("name")
    return _member(params, "arguments").get("name") if name == CALL_TOOL else name


def _request_id(envelope: dict[str, Json]) -> str | int | None:
    """Return the id of a request, None for a notification.

    The SDK takes a request whose id it cannot read for a notification, which nobody answers.
    """
    if "id" not in envelope:
        return None
    given = envelope["id"]
    if isinstance(given, bool) or not isinstance(given, str | int):
        message = "Invalid request: its id has to be a text or an integer; leave it out of a notification."
        raise NotARequest(message, code=INVALID_REQUEST)
    return given


def _check_shape(envelope: Mapping[str, Json], request_id: str | int | None) -> None:
    """Let a message of JSON-RPC pass: what the SDK says of anything else tells how it reads messages."""
    if envelope.get("jsonrpc") != "2.0":
        raise NotARequest('Invalid request: it has to say jsonrpc: "2.0".', code=INVALID_REQUEST, request_id=request_id)
    if isinstance(envelope.get("method"), str):
        if not isinstance(envelope.get("params"), dict | None):
            raise NotARequest(
                "Invalid params: they have to be one JSON object.", code=INVALID_PARAMS, request_id=request_id
            )
        return
    error = _member(envelope, "error")
    is_error = type(error.get("code")) is int and isinstance(error.get("message"), str)
    if "method" in envelope or request_id is None or not (isinstance(envelope.get("result"), dict) or is_error):
        raise NotARequest(_NO_MESSAGE, code=INVALID_REQUEST, request_id=request_id)


def _member(message: Mapping[str, Json], name: str) -> dict[str, Json]:
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
