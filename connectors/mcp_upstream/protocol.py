"""JSON-RPC with an MCP server over the broker's transport: one POST per request, answered as JSON or as SSE."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard, cast

from mcp.shared.inbound import encode_header_value

from connectors.sdk.errors import Refused, Unknown, Unreadable
from connectors.sdk.rpc import tool_call
from connectors.sdk.statuses import raise_for_status
from connectors.sdk.wire import Transport, WireRequest, WireResponse

Json = Any
"""Any JSON value."""

MODERN = "2026-07-28"
LEGACY = "2025-11-25"

NOT_REACHED = frozenset({-32700, -32600, -32601, -32020, -32021, -32022})
"""Errors that servers give before they reach a tool: unreadable, invalid, no method, headers, capability, version.

Tools may raise them, too, at whatever point, and the SDKs answer with the tool's own code. Not -32602 and -32603: with
those the SDKs themselves answer when a tool has done its work and what it gave does not fit its schema.
"""

LACKS_CAPABILITY = -32021
"""The error of a server that would have to ask what the client cannot be asked."""
INTERNAL_ERROR = -32603
LARGEST_CODE = 2**53 - 1
"""Beyond it not every reader of JSON reads the same integer."""

HANDSHAKE = ("initialize", "notifications/initialized", "server/discover", "tools/list")
"""The methods that only meet a server, and so change nothing."""

_CLIENT = {"name": "toolhub", "version": "1"}
_ABOUT = "io.modelcontextprotocol"


class RpcError(Exception):
    """The server answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Json) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """How to speak to one server: its protocol version and, where the handshake opened one, its session."""

    transport: Transport
    version: str
    session_id: str | None = None
    about: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What the server said of itself when it was met."""

    @property
    def capabilities(self) -> Mapping[str, Json]:
        """Return what the server says it can do."""
        said = self.about.get("capabilities")
        return cast("dict[str, Json]", said) if isinstance(said, dict) else {}

    @property
    def is_modern(self) -> bool:
        """Return whether every request stands alone."""
        return self.version >= MODERN

    def after(self, page: Mapping[str, Json]) -> str | None:
        """Return the cursor of the page after `page`, None: it is the last one.

        An empty cursor is one like any other (2026-07-28, server/utilities/pagination). The older protocol says nothing
        of it, and servers that speak it end their lists so.

        Raises:
            Unreadable: it is no text.
        """
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str | None):
            raise Unreadable("The MCP server's list goes on at a cursor that is no text; that is no list.")
        return None if cursor == "" and not self.is_modern else cursor

    async def opened(self) -> "Session":
        """Return the session that the older protocol's handshake opens; without an id the server keeps none."""
        about = {"protocolVersion": self.version, "capabilities": {}, "clientInfo": _CLIENT}
        response = await self.post(Call("initialize", about))
        said = _result(response, is_safe=True)
        version = str(said.get("protocolVersion", self.version))
        session = replace(self, version=version, session_id=response.headers.get("mcp-session-id"), about=said)
        raise_for_status(await session.post(Call("notifications/initialized", {}, is_notification=True)), is_safe=True)
        return session

    async def ask(self, call: "Call") -> dict[str, Json]:
        """Return the result of `call`.

        Raises:
            RpcError: the server answered with an error.
            ConnectorError: there is no answer, or none that can be read.
        """
        return _result(await self.post(call), is_safe=call.is_safe)

    async def post(self, call: "Call") -> WireResponse:
        """Send `call`."""
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            **call.headers,
        }
        if call.method != "initialize":
            headers["mcp-protocol-version"] = self.version
        if self.session_id is not None:
            headers["mcp-session-id"] = self.session_id
        params = {**call.params, "_meta": dict(call.meta)} if call.meta else dict(call.params)
        if self.is_modern:
            headers["mcp-method"] = call.method
            params["_meta"] = {
                **call.meta,
                f"{_ABOUT}/protocolVersion": self.version,
                f"{_ABOUT}/clientInfo": _CLIENT,
                f"{_ABOUT}/clientCapabilities": dict(call.can),
            }
            if (named := call.name or call.about) is not None:
                headers["mcp-name"] = encode_header_value(named)
        message: dict[str, Json] = {"jsonrpc": "2.0", "method": call.method, "params": params}
        if not call.is_notification:
            message["id"] = 1
        return await self.transport.send(
            WireRequest(method="POST", path="", headers=headers, body=json.dumps(message), operation=call.operation)
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One JSON-RPC request. `name` is the tool's, which the newer protocol repeats in a header."""

    method: str
    params: Mapping[str, Json]
    name: str | None = field(default=None, kw_only=True)
    about: str | None = field(default=None, kw_only=True)
    """What is read, if it is no tool that is called: it stands in the same header."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], kw_only=True)
    meta: Mapping[str, Json] = field(default_factory=dict[str, Json], kw_only=True)
    is_safe: bool = field(default=True, kw_only=True)
    is_notification: bool = field(default=False, kw_only=True)
    can: Mapping[str, Json] = field(default_factory=dict[str, Json], kw_only=True)
    """What the client behind the request can be asked."""

    @property
    def operation(self) -> str:
        """Return what the broker reads from the body."""
        return self.method if self.name is None else tool_call(self.name)


def _result(response: WireResponse, *, is_safe: bool) -> dict[str, Json]:
    """Return the result in `response`; a JSON-RPC error counts before a 4xx, which only repeats it, never a 5xx.

    A 4xx refuses a write only where nothing in it speaks JSON-RPC: it comes from somebody before the server's tools.
    """
    if response.status >= 500:  # noqa: PLR2004  # RFC 9110 section 15.6
        raise_for_status(response, is_safe=is_safe)
    messages = list(_messages(response))
    answer = next(filter(_is_answer, messages), dict[str, Json]())
    error, result = answer.get("error"), answer.get("result")
    unclear = Unreadable if is_safe else Unknown
    if result is not None and (error is not None or response.status >= 400):  # noqa: PLR2004  # RFC 9110 section 15.5
        raise unclear("The MCP server answered with a result and with an error at once.")
    if isinstance(error, dict):
        members = cast("dict[str, Json]", error)
        raise RpcError(_code(members.get("code")), str(members.get("message", ""))[:300], members.get("data"))
    if is_safe or not any(map(_speaks_rpc, messages)):
        raise_for_status(response, is_safe=is_safe)
    if error is not None or not isinstance(result, dict):
        raise unclear("The MCP server gave no JSON-RPC answer to the request.")
    return cast("dict[str, Json]", result)


def _code(given: Json) -> int:
    """Return the code of an error; a server may send anything, and what is no code is an internal error of it."""
    is_code = isinstance(given, int) and not isinstance(given, bool) and abs(given) <= LARGEST_CODE
    return given if is_code else INTERNAL_ERROR


def _messages(response: WireResponse) -> Iterator[Json]:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    for text in _events(response.body) if media_type == "text/event-stream" else [response.body]:
        try:
            yield json.loads(text)
        except RecursionError:
            yield []  # a batch of whatever it says
        except ValueError:
            continue


def _is_answer(message: Json) -> TypeGuard[dict[str, Json]]:
    """Return whether a message answers our request; an error about one that could not be read has no id."""
    if not isinstance(message, dict):
        return False
    told = cast("dict[str, Json]", message)
    return bool({"result", "error"} & set(told)) and (
        told.get("id") == 1 or ("error" in told and told.get("id") is None)
    )


def _speaks_rpc(message: Json) -> bool:
    """Return whether what was answered is JSON-RPC, to whatever, or a batch: the server's own words, not a proxy's."""
    told = cast("dict[str, Json]", message) if isinstance(message, dict) else {}
    return isinstance(message, list) or bool({"jsonrpc", "result"} & set(told)) or isinstance(told.get("error"), dict)


def _events(body: str) -> Iterator[str]:
    """Yield the data of each server-sent event in `body`. Source: WHATWG HTML, section 9.2.6."""
    for block in body.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if lines:
            yield "\n".join(lines)


def refusal(error: RpcError, *, is_safe: bool, is_vouched: bool = False) -> Refused | Unknown:
    """Return what `error` proves: of a write nothing, unless its owner vouches that it refuses definitely."""
    said = f"The MCP server answered with error {error.code}: {error.message}"
    return Refused(said) if is_safe or (is_vouched and error.code in NOT_REACHED) else Unknown(said)
