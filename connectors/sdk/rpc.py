"""Which operations an RPC request carries out, read from the request itself and never from what is said of it."""

import json
import re
from functools import lru_cache
from typing import Any, Final, Literal, cast

from connectors.sdk import graphql, xml_rpc
from connectors.sdk.wire import WireRequest

Json = Any
"""Any JSON value."""

Rpc = Literal["none", "json_rpc", "mcp", "xml_rpc", "graphql"]
"""`json_rpc` and `xml_rpc` are named by their method; `mcp` too, and a call of a tool by `tools/call/` and the tool's
name; `graphql` by each field at the top of its document, as `query/deal` or `mutation/dealUpdate`."""

_WITHOUT_CALL: Final = frozenset({"GET", "HEAD"})
_PLAIN: Final = re.compile(r"[!-~]{1,200}")
"""A method as every reader reads it: where one cuts blanks off or folds letters together, it has none of either."""


def operations_of(rpc: Rpc, request: WireRequest) -> tuple[str, ...] | None:
    """Return the names of the operations that `request` asks for, none of them where it is no call.

    None says that no two readers must agree on one: a batch, a call of many calls, a key that stands twice, or what
    is not of the protocol has no name, and so matches no safe rule.
    """
    if rpc == "none":
        return ()
    if rpc == "graphql":
        return graphql.operations_in(request)
    if request.method in _WITHOUT_CALL:
        return ()
    if request.body is None:
        return None
    name = xml_rpc.method_of(request.body) if rpc == "xml_rpc" else _named(request.body, is_mcp=rpc == "mcp")
    return None if name is None else (name,)


def operation_of(rpc: Rpc, request: WireRequest) -> str | None:
    """Return what people call that which `request` asks for, if it can be read."""
    return " + ".join(operations_of(rpc, request) or ()) or None


def tool_call(name: str) -> str:
    """Return the operation's name of a call of the MCP tool `name`."""
    return f"tools/call/{name}"


@lru_cache(maxsize=1)
def _named(body: str, *, is_mcp: bool) -> str | None:
    try:
        call = json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return _name(call, is_mcp=is_mcp)


def _name(call: Json, *, is_mcp: bool) -> str | None:
    method = _member(call, "method")
    if not isinstance(method, str) or not _PLAIN.fullmatch(method) or xml_rpc.is_of_many(method):
        return None
    if not is_mcp or method != "tools/call":
        return method
    name = _member(_member(call, "params"), "name")
    return tool_call(name) if isinstance(name, str) else None


def _member(value: Json, name: str) -> Json:
    return cast("dict[str, Json]", value).get(name) if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key stands twice")
    return members
