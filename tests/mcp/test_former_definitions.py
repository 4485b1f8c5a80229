"""What serves a server ends with the definition it was made for, once it serves nothing any more."""

import asyncio

import httpx2
import pytest
from doors.working_hub import ALL_SCOPES, WorkingHub
from starlette.types import Message

from hub.mcp.servers import Servers
from hub.mcp.streams import Streams
from hub.registry import Environment, ServerDefinition, define_server

pytestmark = pytest.mark.anyio


async def _define(hub: WorkingHub, title: str) -> None:
    async with hub.database.transaction() as tx:
        desk = ServerDefinition(name="desk", environment=Environment.DEV, title=title)
        await define_server(tx, desk, hub.authority)


async def test_a_definition_that_is_changed_often_leaves_nothing_running(
    hub: WorkingHub, http: httpx2.AsyncClient
) -> None:
    await _define(hub, "Desk")
    agent = await hub.make_agent("clerk", allowed=ALL_SCOPES, servers=frozenset({"desk"}))
    token = await hub.token(of=agent, granted=ALL_SCOPES, server="desk")
    headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {token}"}
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    running = list[int]()

    for number in range(12):
        await _define(hub, f"Desk {number}")
        answer = await http.post("/servers/desk/mcp", json=listing, headers=headers)
        assert answer.status_code == 200, answer.text
        running.append(len(asyncio.all_tasks()))

    assert running[-1] < running[0] + 6


async def test_what_is_served_under_a_former_definition_is_served_to_its_end(hub: WorkingHub) -> None:
    reads, may_read = asyncio.Event(), asyncio.Event()
    sent = list[Message]()
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream")],
    }

    async def receive() -> Message:
        reads.set()
        await may_read.wait()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await _define(hub, "Desk")
    servers = Servers(hub.runtime, Streams())
    async with servers.running():
        former = await servers.application("desk")
        under_way = asyncio.create_task(former(scope, receive, send))  # type: ignore[arg-type]  # a coroutine
        await reads.wait()
        await _define(hub, "Another desk")
        assert await servers.application("desk") is not former
        may_read.set()
        await under_way

    assert sent[0]["status"] == 200, sent
