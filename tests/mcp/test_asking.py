"""What a federated server asks the client of a read: passed on to who can be asked, good for that very call alone."""

from dataclasses import replace
from typing import Any, Final

import httpx2
import pytest
from doors.askers import GREETS, OWNER, ROUNDS, SCOPES, token_for
from doors.federated import connect_federated
from doors.second_server import also_at_sales, over_another_connection
from doors.working_hub import WorkingHub
from sqlalchemy import select

from hub.identity.resources import EVERYTHING
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Asks
from hub.mcp.abilities import without_pages
from hub.mcp.asking import LONGEST_QUESTION, MOST_AT_ONCE, questions_put

Json = Any

pytestmark = pytest.mark.anyio

CAN_FILL_IN: Final = {"elicitation": {}}
FORMS: Final = {"elicitation": {"form": {}}}
PROMPT: Final = "test_input_required_result_prompt"


@pytest.fixture
async def token(hub: WorkingHub, asker: str) -> str:
    """A token for an agent that may read from the server that asks."""
    return await token_for(hub, asker, "reader", connect=True)


async def call(
    http: httpx2.AsyncClient, token: str, tool: str, can: Json, *, method: str = "tools/call", **more: Json
) -> Json:
    """Return what a client of the newer protocol that can be asked `can` gets."""
    about = "io.modelcontextprotocol"
    meta = {f"{about}/protocolVersion": "2026-07-28", f"{about}/clientCapabilities": can}
    params = {"name": tool, "arguments": {}, **more, "_meta": meta}
    headers = {
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {token}",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": method,
        "Mcp-Name": tool,
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
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


async def test_a_state_is_good_at_no_other_server_that_has_the_same_tool(
    hub: WorkingHub, http: httpx2.AsyncClient, asker: str
) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, asker)
    await also_at_sales(hub, OWNER.name, ROUNDS, connection_id)
    agent = await hub.make_agent("reader", allowed=SCOPES, servers=frozenset({EVERYTHING, "sales"}))
    here = await hub.token(of=agent, granted=SCOPES)
    there = await hub.token(of=agent, granted=SCOPES, server="sales")
    state = (await call(http, here, ROUNDS, CAN_FILL_IN))["result"]["requestState"]

    http.base_url = http.base_url.join("/servers/sales/")
    asked = await call(http, there, ROUNDS, CAN_FILL_IN)
    with_state = await call(http, there, ROUNDS, CAN_FILL_IN, requestState=state)

    assert asked["result"]["resultType"] == "input_required"
    assert with_state["error"]["code"] == -32602


async def test_what_one_system_was_told_is_for_no_other_that_has_its_name_by_now(
    hub: WorkingHub, http: httpx2.AsyncClient, asker: str, token: str
) -> None:
    state = (await call(http, token, ROUNDS, CAN_FILL_IN))["result"]["requestState"]
    await over_another_connection(hub, OWNER.name, ROUNDS, asker)
    more = {"inputResponses": {"step1": filled(name="Ann")}, "requestState": state}

    told = (await call(http, token, ROUNDS, CAN_FILL_IN, **more))["result"]
    anew = (await call(http, token, ROUNDS, CAN_FILL_IN))["result"]

    assert "published under this name no more" in told["content"][0]["text"]
    assert anew["resultType"] == "input_required"


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


def asks(requests: Json) -> Asks:
    return Asks(requests=requests, state=None, needs={}, connection="house")


def form(**more: Json) -> Json:
    params = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}, **more}
    return {"method": "elicitation/create", "params": params}


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param({}, id="nothing"),
        pytest.param({str(number): form() for number in range(MOST_AT_ONCE + 1)}, id="too many"),
        pytest.param({"a": form(message="x" * LONGEST_QUESTION)}, id="too long"),
        pytest.param({"a": form(), "b": {"method": "roots/list"}}, id="one that it cannot answer"),
        pytest.param({"a": {"method": "tools/call", "params": {"name": "x"}}}, id="no question"),
        pytest.param({"a": {"method": "elicitation/create", "params": {"message": 7}}}, id="none of the schema"),
        pytest.param(
            {
                "a": {
                    "method": "elicitation/create",
                    "params": {"mode": "url", "message": "m", "url": "https://a.example", "elicitationId": "1"},
                }
            },
            id="a page to open",
        ),
    ],
)
def test_what_may_not_be_put_to_a_client_is_not(requests: Json) -> None:
    assert not questions_put(asks(requests), FORMS)


@pytest.mark.parametrize(
    ("tool", "said"), [("ask", "house asks, through the tool ask: Who?"), (None, "house asks: Who?")]
)
def test_a_question_is_signed_with_who_asks_it(tool: str | None, said: str) -> None:
    put = questions_put(replace(asks({"a": form(_meta={"dev.toolhub/asked_by": "the hub"})}), tool=tool), FORMS)

    assert put is not None
    assert put["a"]["params"]["message"] == said
    by = {"connection": "house"} if tool is None else {"connection": "house", "tool": tool}
    assert put["a"]["params"]["_meta"]["dev.toolhub/asked_by"] == by


def put(method: str, **params: Json) -> Json:
    """Return what of a question reaches a client that fills in forms and lends its model's words; None: nothing."""
    can = {"elicitation": {"form": {}}, "sampling": {}}
    return (questions_put(asks({"a": {"method": method, "params": params}}), can) or {}).get("a")


def test_a_server_says_nothing_in_the_names_of_the_hub_or_the_protocol() -> None:
    said = {
        "dev.toolhub/approved_by": "ann",
        "progressToken": 7,
        "io.modelcontextprotocol/related-task": {"taskId": "x"},
    }
    schema = {"type": "object", "properties": {}}

    asked = put("elicitation/create", message="Who?", requestedSchema=schema, _meta=said)

    assert asked["params"]["_meta"].keys() == {"dev.toolhub/asked_by"}


@pytest.mark.parametrize("context", ["thisServer", "allServers", "none"])
def test_a_server_gets_nothing_of_what_others_behind_the_hub_have_said(context: str) -> None:
    asked = put("sampling/createMessage", messages=[], maxTokens=10, includeContext=context)

    assert asked["params"]["includeContext"] == "none"


@pytest.mark.parametrize("more", [{"tools": [{"name": "x", "inputSchema": {"type": "object"}}]}, {"toolChoice": {}}])
def test_a_client_is_asked_for_tools_only_if_it_declares_them(more: Json) -> None:
    asked = {"a": {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 10, **more}}}

    assert put("sampling/createMessage", messages=[], maxTokens=10, **more) is None
    assert questions_put(asks(asked), {"sampling": {"tools": {}}}) is not None


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({}, {"form": {}}),
        ({"form": {}, "url": {}}, {"form": {}}),
        ({"url": {}}, None),
        (None, None),
        ([], None),
    ],
)
def test_servers_are_told_of_forms_and_never_of_pages(declared: Json, told: Json) -> None:
    assert without_pages(declared) == told


async def test_who_asks_stands_in_the_question_of_a_tool_and_of_a_prompt(http: httpx2.AsyncClient, token: str) -> None:
    both = {"elicitation": {"form": {}, "url": {}}}
    tool = (await call(http, token, GREETS, both))["result"]["inputRequests"]["user_name"]["params"]
    prompt = await call(http, token, PROMPT, both, method="prompts/get")

    assert tool["message"] == f"asker asks, through the tool {GREETS}: What is your name?"
    asked = prompt["result"]["inputRequests"]["user_context"]["params"]
    assert asked["message"] == "asker asks: What context should the prompt use?"
