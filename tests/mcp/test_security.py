"""What the protocol's pages on authorization and security demand of servers, where no other test shows it."""

import httpx2
import pytest
from doors.agents import Connect
from doors.working_hub import WorkingHub

pytestmark = pytest.mark.anyio

LISTING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


async def test_a_token_in_the_address_lets_nobody_in(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    query = {"access_token": await hub.token()}

    assert (await http.post("/mcp", json=LISTING, headers=HEADERS, params=query)).status_code == 401


async def test_a_session_lets_nobody_in(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    bearer = {"Authorization": f"Bearer {await hub.token()}"}
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}

    met = await http.post("/mcp", json=hello, headers={**HEADERS, **bearer})
    session = {**HEADERS, "Mcp-Session-Id": met.headers["mcp-session-id"]}
    alone = [
        await http.post("/mcp", json=LISTING, headers=session),
        await http.get("/mcp", headers=session),
        await http.get("/mcp", headers={**session, "Last-Event-ID": "1"}),
        await http.delete("/mcp", headers=session),
    ]

    assert [one.status_code for one in (met, *alone)] == [200, 401, 401, 401, 401]


async def test_no_token_of_a_client_ever_reaches_a_system(hub: WorkingHub, connect: Connect) -> None:
    token = await hub.token()

    async with connect(token=token) as client:
        await client.call_tool("item_get", {"id": 1})

    arrived = hub.upstream.store.requests()
    assert arrived
    assert not [one for one in arrived if token in str(one.headers) or token in str(one.body) or token in one.path]
