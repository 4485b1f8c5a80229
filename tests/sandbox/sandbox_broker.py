"""Channels over which tests send what connector code might."""

import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from connectors.sdk.spec import AuthSpec, ConnectorSpec, SafeRule
from connectors.sdk.wire import WireRequest
from sandbox.broker import Bounds, Channel, ChannelKind
from sandbox.transcript import Fate
from sandbox.upstream import Upstream

Json = Any

JSON: Final = {"content-type": "application/json"}
BEARER: Final = AuthSpec(kind="bearer", secret_fields=("token",))
PLAIN: Final = ConnectorSpec(
    name="plain",
    version="1.0.0",
    title="Plain",
    description="Plain.",
    entry="plain:connector",
    artefact_digest="0" * 64,
    safe=(SafeRule(method="GET"), SafeRule(method="POST", path="/trials", preview_only=True)),
    operations=(),
)
RPC: Final = PLAIN.model_copy(
    update={
        "rpc": "json_rpc",
        "safe": (
            SafeRule(method="POST", path="/rpc/", operation="model.*.read"),
            SafeRule(method="POST", path="/rpc/", operation="model.*.try_out", preview_only=True),
        ),
    }
)
DRAFTS: Final = PLAIN.model_copy(
    update={
        "safe": (
            SafeRule(method="GET"),
            SafeRule(method="POST", path="/drafts", preview_only=True, opens="/id"),
            SafeRule(method="DELETE", template="/drafts/{id}", preview_only=True, opened=True),
        ),
    }
)
MCP: Final = PLAIN.model_copy(
    update={
        "rpc": "mcp",
        "safe": (
            SafeRule(method="POST", path="", operation="tools/list"),
            SafeRule(method="POST", path="", operation="tools/call/read_it"),
        ),
    }
)


async def no_secrets() -> Mapping[str, str]:
    """Return a credential without fields."""
    return {}


async def granted() -> None:
    """Permit it."""


def upstream_at(base_url: str, auth: AuthSpec | None = None, **secret: str) -> Upstream:
    """Return the way to `base_url`."""

    async def secrets() -> Mapping[str, str]:
        return secret

    return Upstream(base_url, auth or AuthSpec(), secrets)


def channel_to(
    way: Upstream,
    kind: ChannelKind = ChannelKind.READ,
    spec: ConnectorSpec = PLAIN,
    *,
    permit: Callable[[], Awaitable[None]] | None = granted,
    bounds: Bounds | None = None,
) -> Channel:
    """Return a channel of `kind`; a write channel carries one unsafe request."""
    unsafe = 1 if kind is ChannelKind.WRITE else 0
    return Channel(upstream=way, spec=spec, kind=kind, bounds=bounds or Bounds(unsafe_requests=unsafe), permit=permit)


def get(path: str = "/items", **headers: str) -> WireRequest:
    """Return a request that reads."""
    return WireRequest(method="GET", path=path, headers=headers)


def post(path: str = "/notes", body: Json = None, **headers: str) -> WireRequest:
    """Return a request that writes."""
    return WireRequest(method="POST", path=path, headers={**JSON, **headers}, body=json.dumps(body or {"text": "a"}))


def rpc(body: str, *, operation: str | None = None, path: str = "/rpc/", **headers: str) -> WireRequest:
    """Return a call by JSON-RPC, its body as it stands."""
    return WireRequest(method="POST", path=path, headers={**JSON, **headers}, body=body, operation=operation)


def call(method: str, params: Json = None) -> str:
    """Return the body of a call."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or []})


def fates(channel: Channel) -> list[Fate]:
    return [entry.fate for entry in channel.transcript.entries]


def refusing_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
