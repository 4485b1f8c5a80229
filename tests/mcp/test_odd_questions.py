"""What a server asks may be anything: whoever called is answered, and the read that was made is on record."""

import asyncio
import json
from typing import Any, Final

import httpx2
import pytest
from doors.asked_later import desk
from doors.federated import connect_federated
from doors.older_clients import OlderClient
from doors.working_hub import ALL_SCOPES, WorkingHub
from federation.scripted_servers import OWNER, Asked, Scripted, said, usual
from sqlalchemy import select
from starlette.applications import Starlette

from hub.execution import conclude
from hub.identity.resources import EVERYTHING
from hub.invocations.tables import InvocationRow

Json = Any

pytestmark = pytest.mark.anyio

ABOUT: Final = "io.modelcontextprotocol"
HEADERS: Final = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "find",
}
TOO_DEEP: Final = "nesting deeper than 64"


def form(properties: str, *, name: str = "a") -> str:
    """Return the result of a call that asks to have a form filled in."""
    schema = f'{{"type": "object", "properties": {properties}}}'
    asked = f'{{"method": "elicitation/create", "params": {{"message": "Who?", "requestedSchema": {schema}}}}}'
    return f'{{"resultType": "input_required", "inputRequests": {{"{name}": {asked}}}}}'


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


ODD: Final = {
    "deep": (form(nested(100)), TOO_DEEP),
    "deeper than a serializer goes": (form(nested(300)), TOO_DEEP),
    "as deep as a reader goes": (form(nested(900)), TOO_DEEP),
    "half a character": (form('{"a": {"type": "string", "title": "\\ud800"}}'), "a character that cannot be kept"),
    "a name that cannot be kept": (form("{}", name="\\u0000"), "a character that cannot be kept"),
    "at great length": (form(json.dumps({"a": {"enum": ["x" * 100] * 11_000}})), "at greater length than anybody"),
}


def asking(result: str, *, after: float = 0) -> Scripted:
    """Return a server that answers each call with this result, byte for byte."""

    async def answer(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return usual(asked)
        await asyncio.sleep(after)
        return said(f'{{"jsonrpc": "2.0", "id": {json.dumps(asked.message["id"])}, "result": {result}}}'.encode())

    return Scripted(answer)


async def token_for(hub: WorkingHub, url: str) -> str:
    """Connect the server at `url`, and return a token for an agent that may read there."""
    await connect_federated(hub.runtime, OWNER, url)
    scopes = ALL_SCOPES | {"scripted:read"}
    return await hub.token(
        of=await hub.make_agent("reader", allowed=scopes, servers=frozenset({EVERYTHING})), granted=scopes
    )


async def call(http: httpx2.AsyncClient, token: str) -> Json:
    meta = {f"{ABOUT}/protocolVersion": "2026-07-28", f"{ABOUT}/clientCapabilities": {"elicitation": {}}}
    params = {"name": "find", "arguments": {"text": "x"}, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return (await http.post("/mcp", json=message, headers={**HEADERS, "Authorization": f"Bearer {token}"})).json()


async def records(hub: WorkingHub) -> list[tuple[str, str | None]]:
    async with hub.database.reading() as tx:
        rows = await tx.scalars(select(InvocationRow))
        return [(one.state, one.error_code) for one in rows]


@pytest.mark.parametrize(("result", "why"), ODD.values(), ids=ODD)
async def test_what_cannot_be_asked_is_no_answer_and_that_is_on_record(
    hub: WorkingHub, http: httpx2.AsyncClient, result: str, why: str
) -> None:
    async with asking(result).running() as url:
        told = await call(http, await token_for(hub, url))

    assert why in told["result"]["content"][0]["text"]
    assert await records(hub) == [("FAILED", "output_invalid")]


@pytest.mark.parametrize(("result", "why"), ODD.values(), ids=ODD)
async def test_a_client_of_the_older_protocol_is_told_the_same(
    hub: WorkingHub, app: Starlette, result: str, why: str
) -> None:
    async with asking(result).running() as url:
        client = OlderClient(app=app, token=await token_for(hub, url))
        await client.open({"elicitation": {}})
        async with client.sending(client.call("find", text="x")) as answer:
            told = await answer.told()

    assert why in told["result"]["content"][0]["text"]
    assert await records(hub) == [("FAILED", "output_invalid")]


async def test_a_task_ends_with_it(hub: WorkingHub) -> None:
    async with asking(form(nested(300)), after=0.3).running() as url, desk(hub, await token_for(hub, url)) as client:
        made = (await client.call("find", text="x"))["result"]
        told = await client.until(made["taskId"], "completed")

    assert TOO_DEEP in told["result"]["content"][0]["text"]


async def test_a_read_whose_answer_the_hub_cannot_handle_is_on_record_all_the_same(
    hub: WorkingHub, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_evidence: object) -> None:
        raise RuntimeError("nobody has thought of this")

    async with asking('{"content": [{"type": "text", "text": "found"}]}').running() as url:
        token = await token_for(hub, url)
        monkeypatch.setattr(conclude, "read", breaks)
        told = await call(http, token)

    assert "Something went wrong inside the hub" in told["result"]["content"][0]["text"]
    assert "nobody has thought of this" not in json.dumps(told)
    assert await records(hub) == [("FAILED", "internal_error")]
