"""Which operation an RPC request carries out, read from the request's own body and never from what is said of it."""

import json
from typing import Any, Literal, cast

Json = Any
"""Any JSON value."""

Rpc = Literal["none", "json_rpc", "mcp"]
"""`json_rpc` is named by the member `method`; `mcp` too, and a call of a tool by `tools/call/` and the tool's name."""


def operation_of(rpc: Rpc, body: str | None) -> str | None:
    """Return the name of the operation that `body` asks for, or None where no two readers must agree on one.

    A batch, a key that stands twice, or anything that is not JSON has no name, and so matches no safe rule.
    """
    if rpc == "none" or body is None:
        return None
    try:
        call = json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return _name(call, is_mcp=rpc == "mcp")


def tool_call(name: str) -> str:
    """Return the operation's name of a call of the MCP tool `name`."""
    return f"tools/call/{name}"


def _name(call: Json, *, is_mcp: bool) -> str | None:
    method = _member(call, "method")
    if not isinstance(method, str):
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
