"""What may leave as a call by RPC: one call, of which the server finds no other than the broker does."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from connectors.sdk.rpc import Rpc, operations_of
from connectors.sdk.wire import WireRequest

Json = Any
"""Any JSON value."""

WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})
_JSON_TYPES: Final = frozenset({"application/json", "application/json;charset=utf-8"})
_XML_TYPES: Final = frozenset(
    {"text/xml", "text/xml;charset=utf-8", "application/xml", "application/xml;charset=utf-8"}
)
_SPOKEN: Final[Mapping[Rpc, tuple[str, frozenset[str], str]]] = {
    "json_rpc": ("JSON-RPC", _JSON_TYPES, "application/json"),
    "mcp": ("JSON-RPC", _JSON_TYPES, "application/json"),
    "xml_rpc": ("XML-RPC", _XML_TYPES, "text/xml"),
    "graphql": ("GraphQL", _JSON_TYPES, "application/json"),
}
_WRAPPED: Final = re.compile(r"=\?base64\?([A-Za-z0-9+/=]*)\?=")


def call_problem(request: WireRequest, rpc: Rpc) -> str | None:
    """Return how the server could find another call in `request` than the broker does, or None."""
    if rpc == "none" or (rpc != "graphql" and request.method in WITHOUT_BODY):
        return None
    spoken, types, wanted = _SPOKEN[rpc]
    headers = {name.lower(): value for name, value in request.headers.items()}
    said = headers.get("content-type", "").replace(" ", "").lower()
    if request.method not in WITHOUT_BODY and said not in types:
        return f"A call by {spoken} says that it is {wanted}."
    operations = operations_of(rpc, request)
    if not operations:
        return f"It is not exactly one call by {spoken} that every reader reads alike."
    if request.operation not in {None, " + ".join(operations)}:
        return "It is not what it says it is: what it claims and its body differ."
    return _members_problem(request, rpc, headers) if types is _JSON_TYPES and rpc != "graphql" else None


def _members_problem(request: WireRequest, rpc: Rpc, headers: Mapping[str, str]) -> str | None:
    call = cast("dict[str, Json]", json.loads(request.body or ""))
    if not _headers_agree(headers, call):
        return "It is not what it says it is: what it claims and its body differ."
    named = [call, call.get("params")] if rpc == "mcp" else [call]
    return None if all(map(_is_unambiguous, named)) else "Its body names something twice, in different letters."


def _headers_agree(headers: Mapping[str, str], call: Mapping[str, Json]) -> bool:
    """Return whether the headers in which MCP repeats method and name say what the body says."""
    params = call.get("params")
    named = cast("dict[str, Json]", params) if isinstance(params, dict) else {}
    name = named.get("name", named.get("uri"))
    has_method = headers.get("mcp-method") in {None, call["method"]}
    return has_method and ("mcp-name" not in headers or _unwrapped(headers["mcp-name"]) == name)


def _unwrapped(value: str) -> str | None:
    """Return what a header of MCP stands for: itself, or the text it wraps in base64."""
    wrapped = _WRAPPED.fullmatch(value)
    if wrapped is None:
        return value
    try:
        return base64.b64decode(wrapped[1], validate=True).decode()
    except ValueError:
        return None


def _is_unambiguous(value: Json) -> bool:
    """Return whether no two keys differ in case alone: some readers do not tell them apart."""
    keys = [key.casefold() for key in cast("dict[str, Json]", value)] if isinstance(value, dict) else []
    return len(set(keys)) == len(keys)
