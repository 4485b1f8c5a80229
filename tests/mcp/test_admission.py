"""What is decided about a request before any message of it is served."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from doors.agents import BOTH_ENGINES
from doors.working_hub import PUBLIC_URL, WorkingHub
from sqlalchemy import text

from hub.identity.accounts import suspend
from hub.identity.clients import limit_client
from hub.mcp.messages import LONGEST_BODY
from hub.registry import Environment, NewServer, create_server
from hub.storage import Database

pytestmark = pytest.mark.anyio

METADATA = f"{PUBLIC_URL}/.well-known/oauth-protected-resource/mcp"
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
MODERN = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "item_update"}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def call(tool: str, arguments: dict[str, Any], *, modern: bool = False) -> dict[str, Any]:
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if modern:
        params["_meta"] = ENVELOPE
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


async def post(
    http: httpx2.AsyncClient, token: str | None, body: dict[str, Any] | bytes, path: str = "/mcp", **more: str
) -> httpx2.Response:
    headers = {**HEADERS, **({"Authorization": f"Bearer {token}"} if token else {}), **more}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await http.post(path, content=content, headers=headers)


@contextmanager
def taken_away(database: Database) -> Iterator[None]:
    """Put something that is no database where the file was."""
    file = Path(str(database.url.database))
    file.rename(file.with_suffix(".away"))
    file.mkdir()
    try:
        yield
    finally:
        file.rmdir()
        file.with_suffix(".away").rename(file)


async def test_without_a_token_the_challenge_says_where_to_get_one(http: httpx2.AsyncClient) -> None:
    response = await post(http, None, call("item_get", {"id": 1}))

    assert response.status_code == 401
    challenge = response.headers["www-authenticate"]
    bearer, held = challenge.split(", DPoP ")  # the scheme that every client knows comes first
    assert bearer == f'Bearer resource_metadata="{METADATA}", scope="upstream:read"'
    assert held == f'resource_metadata="{METADATA}", algs="ES256 Ed25519 EdDSA PS256 RS256"'
    assert "error" not in challenge  # RFC 6750 section 3.1: nothing was wrong with what was not sent
    assert response.json()["error"]["message"]


@pytest.mark.parametrize("token", ["garbage", "", "a.b.c"])
async def test_a_token_that_is_none_is_refused_as_invalid(http: httpx2.AsyncClient, token: str) -> None:
    response = await http.post("/mcp", json=call("item_get", {"id": 1}), headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 401
    assert "resource_metadata=" in response.headers["www-authenticate"]


async def test_a_token_for_another_server_is_refused(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    async with hub.database.transaction() as tx:
        new = NewServer(name="sales", environment=Environment.DEV, title="Sales")
        await create_server(tx, new, hub.authority)

    response = await post(http, await hub.token(), call("item_get", {"id": 1}), "/servers/sales/mcp")

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert "/servers/sales/mcp" in response.headers["www-authenticate"]


@BOTH_ENGINES
async def test_a_suspended_agent_is_stopped_at_its_next_request(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    token = await hub.token()
    before = await post(http, token, call("item_get", {"id": 1}))
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "odd behaviour", hub.authority)

    after = await post(http, token, call("item_get", {"id": 1}))

    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_missing_scope_is_403_naming_every_scope_and_readable(
    hub: WorkingHub, http: httpx2.AsyncClient, era: str
) -> None:
    modern = era == "2026-07-28"
    token = await hub.token(granted=frozenset({"upstream:read"}))

    response = await post(
        http, token, call("item_update", {"id": 1, "quantity": 9}, modern=modern), **(MODERN if modern else {})
    )

    assert response.status_code == 403
    challenge = response.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="upstream:write"' in challenge
    assert f'resource_metadata="{METADATA}"' in challenge
    error = response.json()
    assert error["id"] == 7
    assert "upstream:write" in error["error"]["message"]
    assert hub.upstream.store.requests() == []


async def test_an_agent_that_may_hold_one_tool_only_is_told_that_tools_scope(
    hub: WorkingHub, http: httpx2.AsyncClient
) -> None:
    narrow = frozenset({"tool:item_update", "upstream:read"})
    async with hub.database.transaction() as tx:
        servers = frozenset({"everything"})
        await limit_client(tx, hub.agent.id, scopes=narrow, servers=servers, authority=hub.authority)

    token = await hub.token(granted=frozenset({"upstream:read"}))
    response = await post(http, token, call("item_update", {"id": 1, "quantity": 9}))
    allowed = await post(http, await hub.token(granted=narrow), call("item_update", {"id": 1, "quantity": 9}))

    assert 'scope="tool:item_update"' in response.headers["www-authenticate"]
    assert allowed.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"item_get","name":"item_delete"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"item_get","arguments":{"id":1,"id":2}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"id":NaN}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"id":90071992547409930}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"id":1e400}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"\\u0000"}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"\\ud800"}}}',
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + b'{"a":' * 500 + b"1" + b"}" * 501,
    ],
)
async def test_json_that_two_readers_could_read_differently_is_a_parse_error(
    hub: WorkingHub, http: httpx2.AsyncClient, body: bytes
) -> None:
    response = await post(http, await hub.token(), body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32700


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"7",
        b'"x"',
        b"{}",
        b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": 7}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}',
        b'{"jsonrpc": "2.0", "id": 1, "result": []}',
        b'{"jsonrpc": "2.0", "result": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "error": {}}',
    ],
)
async def test_json_that_is_no_message_is_refused_without_telling_who_reads_it(
    hub: WorkingHub, http: httpx2.AsyncClient, body: bytes
) -> None:
    response = await post(http, await hub.token(), body)

    assert response.status_code == 400
    assert "error" in response.json()
    assert "pydantic" not in response.text


async def test_what_is_left_out_by_null_is_left_out(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": null}'

    assert (await post(http, await hub.token(), body)).status_code == 200


@pytest.mark.parametrize("request_id", [True, 1.5, None, [1], {"a": 1}])
async def test_a_request_whose_id_is_neither_a_text_nor_an_integer_is_refused(
    hub: WorkingHub, http: httpx2.AsyncClient, request_id: object
) -> None:
    body = json.dumps({**call("item_get", {"id": 1}), "id": request_id}).encode()

    response = await post(http, await hub.token(), body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32600
    assert response.json()["id"] is None


@pytest.mark.parametrize("arguments", [[1], [], "x", "", 7, 0, True])
async def test_arguments_that_are_no_object_are_a_protocol_error_that_says_so(
    hub: WorkingHub, http: httpx2.AsyncClient, arguments: object
) -> None:
    """MCP lists requests that fail the schema of CallToolRequest under protocol errors; no tool has been looked at."""
    params = {"name": "item_get", "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}

    response = await post(http, await hub.token(), body)

    assert response.status_code == 400
    assert response.json()["id"] == 7
    assert response.json()["error"]["code"] == -32602
    assert "one JSON object" in response.json()["error"]["message"]


async def test_what_a_client_sends_is_not_sent_back_in_full(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    token, longest = await hub.token(), 20_000
    name = await post(http, token, call("n" * 500_000, {}))
    member = await post(http, token, call("item_get", {"id": 1, "m" * 500_000: 1}))
    members = await post(http, token, call("item_get", {"id": 1, **{f"m{n}": 1 for n in range(50_000)}}))

    assert "There is no tool" in name.text
    assert "is not known here" in member.text
    assert len(name.text) < longest
    assert len(member.text) < longest
    assert len(members.text) < longest * 4


async def test_a_body_that_is_too_long_is_413_whether_it_says_so_or_not(
    hub: WorkingHub, http: httpx2.AsyncClient
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LONGEST_BODY // 65_536 + 1):
            yield b" " * 65_536

    token = await hub.token()
    said = await post(http, token, b" " * (LONGEST_BODY + 1))
    unsaid = await http.post("/mcp", content=chunks(), headers={**HEADERS, "Authorization": f"Bearer {token}"})

    assert (said.status_code, unsaid.status_code) == (413, 413)
    assert said.json()["error"]["data"] == {"error": "too_large"}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_only_post_is_served(hub: WorkingHub, http: httpx2.AsyncClient, method: str) -> None:
    response = await http.request(method, "/mcp", headers={"Authorization": f"Bearer {await hub.token()}"})

    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, POST"


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example", 421),
        ("Host", "127.0.0.1:9999", 421),
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Content-Type", "text/plain", 400),
    ],
)
async def test_requests_through_a_rebound_name_or_from_another_site_are_refused(
    hub: WorkingHub, http: httpx2.AsyncClient, header: str, value: str, status: int
) -> None:
    response = await post(http, await hub.token(), call("item_get", {"id": 1}), **{header: value})

    assert response.status_code == status


@pytest.mark.parametrize("origin", [PUBLIC_URL, "http://localhost:8420"])
async def test_the_hubs_own_origin_is_let_in(hub: WorkingHub, http: httpx2.AsyncClient, origin: str) -> None:
    response = await post(http, await hub.token(), call("item_get", {"id": 1}), Origin=origin)

    assert response.status_code == 200


async def test_a_server_that_is_not_published_is_not_found(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    response = await post(http, await hub.token(), call("item_get", {"id": 1}), "/servers/nowhere/mcp")
    again = await post(http, None, call("item_get", {"id": 1}), "/servers/everything/mcp")

    assert response.status_code == 404
    assert again.status_code == 404  # one address for one server: the built-in one is at /mcp


async def test_a_database_that_is_gone_is_503_and_nobody_is_let_in(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    known, other = await hub.token(), await hub.token()
    await post(http, known, call("item_get", {"id": 1}))
    await hub.database.close()

    with taken_away(hub.database):
        response = await post(http, other, call("item_get", {"id": 1}))

    assert response.status_code == 503
    assert response.headers["retry-after"]


async def test_a_failure_inside_the_hub_is_500_without_internals(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    token = await hub.token()
    async with hub.database.transaction() as tx:
        await tx.execute(text("ALTER TABLE oauth_grants RENAME TO lost"))

    response = await post(http, token, call("item_get", {"id": 1}))

    assert response.status_code == 500
    assert "oauth_grants" not in response.text
    assert response.json()["error"]["data"]["trace_id"]


async def test_the_metadata_describes_each_server_as_a_resource(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    async with hub.database.transaction() as tx:
        new = NewServer(name="sales", environment=Environment.DEV, title="Sales")
        await create_server(tx, new, hub.authority)

    built_in = await http.get("/.well-known/oauth-protected-resource/mcp")
    sales = await http.get("/.well-known/oauth-protected-resource/servers/sales/mcp")
    nowhere = await http.get("/.well-known/oauth-protected-resource/servers/nowhere/mcp")

    assert built_in.json() == {
        "resource": f"{PUBLIC_URL}/mcp",
        "resource_name": "Everything in dev",
        "authorization_servers": [PUBLIC_URL],
        "scopes_supported": ["upstream:read", "upstream:write"],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "Ed25519", "EdDSA", "PS256", "RS256"],
    }
    assert built_in.headers["access-control-allow-origin"] == "*"
    assert sales.json()["resource"] == f"{PUBLIC_URL}/servers/sales/mcp"
    assert sales.json()["scopes_supported"] == []
    assert nowhere.status_code == 404
