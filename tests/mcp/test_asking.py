"""What a federated server asks the client of a read: passed on to who can be asked, good for that very call alone."""

from typing import Any, Final

import httpx2
import pytest
from doors.askers import GREETS, ROUNDS, token_for
from doors.working_hub import WorkingHub
from sqlalchemy import select

from hub.invocations.tables import InvocationRow

Json = Any

pytestmark = pytest.mark.anyio

CAN_FILL_IN: Final = {"elicitation": {}}


@pytest.fixture
async def token(hub: WorkingHub, asker: str) -> str:
    """A token for an agent that may read from the server that asks."""
    return await token_for(hub, asker, "reader", connect=True)


async def call(http: httpx2.AsyncClient, token: str, tool: str, can: Json, **more: Json) -> Json:
    """Return what a client of the newer protocol that can be asked `can` gets."""
    about = "io.modelcontextprotocol"
    meta = {f"{about}/protocolVersion": "2026-07-28", f"{about}/clientCapabilities": can}
    params = {"name": tool, "arguments": {}, **more, "_meta": meta}
    headers = {
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {token}",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return (await http.post("/mcp", json=message, headers=headers)).json()


def filled(**content: str) -> Json:
    """Return the reply of somebody who has filled a form in."""
    return {"action": "accept", "content": content}


async def test_a_client_is_asked_round_by_round_and_gets_its_answer(http: httpx2.AsyncClient, token: str) -> None:
    first = (await call(http, token, ROUNDS, CAN_FILL_IN))["result"]
    more = {"inputResponses": {"step1": filled(name="Ann")}, "requestState": first["requestState"]}
    second = (await call(http, token, ROUNDS, CAN_FILL_IN, **more))["result"]
    more = {"inputResponses": {"step2": filled(color="blue")}, "requestState": second["requestState"]}
    third = (await call(http, token, ROUNDS, CAN_FILL_IN, **more))["result"]

    assert [one["resultType"] for one in (first, second, third)] == ["input_required", "input_required", "complete"]
    assert first["inputRequests"]["step1"]["method"] == "elicitation/create"
    assert third["content"][0]["text"] == "Ann likes blue."


async def test_a_state_is_good_for_nobody_else_and_for_no_other_call(
    hub: WorkingHub, http: httpx2.AsyncClient, asker: str, token: str
) -> None:
    state = (await call(http, token, ROUNDS, CAN_FILL_IN))["result"]["requestState"]
    other = await token_for(hub, asker, "other")

    answers = [
        await call(http, other, ROUNDS, CAN_FILL_IN, requestState=state),
        await call(http, token, GREETS, CAN_FILL_IN, requestState=state),
        await call(http, token, ROUNDS, CAN_FILL_IN, requestState=state, arguments={"a": 1}),
        await call(http, token, ROUNDS, CAN_FILL_IN, requestState=state + "x"),
    ]

    assert [one.get("error", {}).get("code") for one in answers] == [-32602] * 4


async def test_the_servers_own_state_stays_hidden_from_the_client(http: httpx2.AsyncClient, token: str) -> None:
    first = (await call(http, token, ROUNDS, CAN_FILL_IN))["result"]
    more = {"inputResponses": {"step1": filled(name="Annabella")}, "requestState": first["requestState"]}

    second = (await call(http, token, ROUNDS, CAN_FILL_IN, **more))["result"]

    assert "Annabella" not in second["requestState"]


async def test_who_cannot_be_asked_is_not_and_is_told_so(http: httpx2.AsyncClient, token: str) -> None:
    unasked = (await call(http, token, GREETS, {"sampling": {}}))["result"]
    lacking = (await call(http, token, "test_missing_capability", {}))["error"]

    assert unasked["isError"]
    assert unasked["structuredContent"]["reason_code"] == "input_required"
    assert lacking["code"] == -32021
    assert lacking["data"] == {"requiredCapabilities": {"sampling": {}}}


async def test_each_round_is_a_read_on_record_that_says_why_it_ended(
    hub: WorkingHub, http: httpx2.AsyncClient, token: str
) -> None:
    await call(http, token, GREETS, CAN_FILL_IN)
    await call(http, token, GREETS, CAN_FILL_IN, inputResponses={"user_name": filled(name="Ann")})

    async with hub.database.reading() as tx:
        rows = list(await tx.scalars(select(InvocationRow).order_by(InvocationRow.created_at)))
    assert [(one.state, one.error_code) for one in rows] == [("FAILED", "input_required"), ("SUCCEEDED", None)]
