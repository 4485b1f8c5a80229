"""A governed write whose server answers with no result of its tool: approved, sent once, and IN_DOUBT for good."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from doors.agents import hub
from doors.federated import connect_federated
from doors.working_hub import ALL_SCOPES, WorkingHub, settle
from scripted_servers import Asked, Scripted, result, said, usual
from settled import settled_by
from sqlalchemy import update

from connectors.mcp_upstream import Owner
from connectors.sdk.declaration import OPERATION
from hub.invocations.invoke import invoke
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Call, Invocation
from hub.storage import now

__all__ = ["hub"]

Json = Any

pytestmark = pytest.mark.anyio

sqlite_template, postgresql_template = settled_by(settle)

OBJECT: Final = {"type": "object", "properties": {"text": {"type": "string"}}}
DECLARED: Final = {
    "effect": "update",
    "tier": "high",
    "upstream_class": "C",
    "quarantine_seconds": 1,
    "phases": {"lookup": "pay_lookup"},
}
TOOLS: Final[list[dict[str, Json]]] = [
    {"name": "post", "description": "Posts.", "inputSchema": OBJECT},
    {"name": "pay_lookup", "description": "Looks.", "inputSchema": OBJECT},
    {"name": "pay", "description": "Pays.", "inputSchema": OBJECT, "outputSchema": OBJECT}
    | {"_meta": {OPERATION: DECLARED}},
]
REFUSES: Final = "no such method"
ANSWERS: Final[dict[str, Json]] = {
    "it asks": {"resultType": "input_required", "inputRequests": {}, "requestState": "half-way"},
    "a task": {"resultType": "task", "task": {"taskId": "t1", "status": "working"}},
    "nothing": {},
    "done": {"content": [], "structuredContent": {"text": "done"}},
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture(params=["newer", "older"])
async def payer(hub: WorkingHub, request: pytest.FixtureRequest) -> AsyncGenerator[Scripted]:
    """A connected server of either protocol that answers every call with what its argument names."""

    async def answer(asked: Asked) -> bytes:
        match asked.method:
            case "tools/list":
                return said(result(asked, {"tools": TOOLS}))
            case "tools/call":
                given = asked.message["params"]["arguments"]
                text = given.get("input", given)["text"]
                return refused(asked) if text == REFUSES else said(result(asked, ANSWERS[text]))
            case _:
                return usual(asked, session="one" if request.param == "older" else "")

    server = Scripted(answer)
    async with server.running() as url:
        await connect_federated(hub.runtime, Owner(name="payer", vouches=True), url)
        yield server


async def written(hub: WorkingHub, tool: str, text: str) -> Invocation:
    """Return what became of a write, approved by everybody it takes."""
    caller = replace(hub.caller, scopes=ALL_SCOPES | {"payer:read", "payer:write"})
    asked = await invoke(
        Call(caller=caller, server="everything", tool=tool, arguments={"text": text}, trace_id="trace"), hub.runtime
    )
    for voter in ("approver", "controller"):
        asked = await current(hub.runtime, asked.id)
        if asked.state is State.AWAITING_APPROVAL:
            await hub.vote(asked.id, voter)
    return await resume(asked.id, hub.runtime)


async def looked_for(hub: WorkingHub, doubtful: Invocation) -> Invocation:
    """Return it after the hub has looked for its effect, long after it was sent."""
    async with hub.database.transaction() as tx:
        at = await now(tx)
        past = {"not_before": at - timedelta(seconds=1), "lease_until": None, "sent_at": at - timedelta(hours=1)}
        await tx.execute(update(InvocationRow).where(InvocationRow.id == doubtful.id).values(past))
    return await resume(doubtful.id, hub.runtime)


def refused(asked: Asked) -> bytes:
    """Return the error of a tool that has done its work, under a code that says that there is no such tool."""
    error = {"code": -32601, "message": "booked, and not confirmed"}
    return said(json.dumps({"jsonrpc": "2.0", "id": asked.message["id"], "error": error}).encode())


def calls(server: Scripted, tool: str) -> int:
    """Return how often a tool was called."""
    asked = [one.message["params"] for one in server.seen if one.method == "tools/call"]
    return sum(one["name"] == tool for one in asked)


@pytest.mark.parametrize(("tool", "answer"), [("post", "nothing"), ("pay", "it asks"), ("pay", "a task")])
async def test_an_approved_write_ends_in_doubt_and_stays_there(
    hub: WorkingHub, payer: Scripted, tool: str, answer: str
) -> None:
    left = await written(hub, tool, answer)
    later = await looked_for(hub, left)

    assert (left.state, later.state) == (State.IN_DOUBT, State.IN_DOUBT), left.error_message
    assert left.output is None
    assert "gave no result" in str(left.error_message)
    assert calls(payer, tool) == 1


@pytest.mark.parametrize("tool", ["post", "pay"])
async def test_a_write_that_says_what_it_did_is_done(hub: WorkingHub, payer: Scripted, tool: str) -> None:
    """Neither tool offers a preview, and of the first nothing is known but that it may destroy."""
    done = await written(hub, tool, "done")

    assert done.state is State.UNVERIFIABLE, done.error_message
    assert calls(payer, tool) == 1


@pytest.mark.parametrize("tool", ["post", "pay"])
async def test_a_write_that_was_answered_with_an_error_is_not_done_again(
    hub: WorkingHub, payer: Scripted, tool: str
) -> None:
    left = await written(hub, tool, REFUSES)
    again = await written(hub, tool, REFUSES)

    assert left.state is State.IN_DOUBT, left.error_message
    assert again.id == left.id
    assert calls(payer, tool) == 1
