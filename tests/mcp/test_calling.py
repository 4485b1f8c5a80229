"""`tools/call` through the whole governed path, with clients of both eras."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from doors.agents import BOTH_ENGINES, ERAS, Connect
from doors.working_hub import ALL_SCOPES, WorkingHub
from mcp_types import CallToolResult
from sqlalchemy import text, update
from upstream.composites import PUT, TELL, changed, over, restock
from upstream.connector import connector

from hub.approvals import Choice
from hub.identity.accounts import set_groups
from hub.identity.resources import EVERYTHING
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.registry import Declaration, declare, disable_connection, find_tool, quarantine, register_connector
from hub.storage import now

pytestmark = pytest.mark.anyio
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


def structured(result: CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@ERAS
async def test_a_read_answers_with_the_tools_own_result_as_text_too(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("item_get", {"id": 1})

    assert not result.is_error
    assert result.structured_content == {"id": 1, "name": "pencil", "quantity": 10, "version": 1}
    assert json.loads(text_of(result)) == result.structured_content


async def test_a_secret_in_an_answer_reaches_the_agent_that_asked(hub: WorkingHub, connect: Connect) -> None:
    spec = connector.spec.model_copy(deep=True)
    spec.operation("item_get").output_schema["properties"]["name"]["x-secret"] = True
    async with hub.database.transaction() as tx:
        await register_connector(tx, spec, hub.authority)

    async with connect() as client:
        result = await client.call_tool("item_get", {"id": 1})

    assert structured(result)["name"] == "pencil"
    async with hub.database.reading() as tx:
        kept = repr((await tx.execute(text("SELECT output FROM invocations"))).all())
    assert "[redacted]" in kept
    assert "pencil" not in kept


async def test_a_medium_write_commits_by_itself_and_names_its_invocation(hub: WorkingHub, connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("item_update", {"id": 1, "quantity": 9})

    assert not result.is_error
    assert structured(result)["quantity"] == 9
    assert re.search(r"on record as invocation inv_\w+", text_of(result))
    assert len(hub.upstream.store.effects()) == 1


@ERAS
async def test_a_high_write_is_answered_with_the_pending_envelope(hub: WorkingHub, connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("ticket_create", {"title": "The pencil broke"})

    told = structured(result)
    assert not result.is_error
    assert set(told) == {"status", "message", "invocation_id", "poll_after_seconds", "expires_at", "status_url"}
    assert told["message"] == text_of(result)
    assert told["status"] == "pending_approval"
    assert told["status_url"].endswith(f"/approvals/{told['invocation_id']}")
    assert f"A person can decide at {told['status_url']}." in told["message"]
    said = text_of(result)
    for fact in (
        "Nothing has been changed yet",
        "approvers",
        told["invocation_id"],
        "hub_invocation_get",
        "do not make",
    ):
        assert fact in said
    assert hub.upstream.store.effects() == []


@BOTH_ENGINES
@ERAS
async def test_the_result_is_fetched_after_the_approval(hub: WorkingHub, connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        asked = structured(await client.call_tool("ticket_create", {"title": "The pencil broke"}))
        await hub.vote(asked["invocation_id"], "approver")
        await hub.let_the_worker_work()
        found = await client.call_tool("hub_invocation_get", {"id": asked["invocation_id"], "wait_seconds": 1})
        again = await client.call_tool("ticket_create", {"title": "The pencil broke"})

    assert structured(found)["status"] == "done"
    assert structured(found)["result"]["title"] == "The pencil broke"
    assert structured(again) == structured(found)["result"]
    assert "repeats an earlier one" in text_of(again)
    assert len(hub.upstream.store.effects()) == 1


@ERAS
async def test_a_plan_of_which_a_part_stands_is_answered_with_what_stands(
    hub: WorkingHub, connect: Connect, mode: str
) -> None:
    taken = {**changed(PUT, id={"$from": "/input/old"}), "name": "again"}  # its system refuses it when it is sent
    async with hub.database.transaction() as tx:
        declared = restock(over(hub.connection.name, [PUT, TELL, taken]))
        await declare(tx, Declaration.model_validate(declared), hub.authority)
    scopes = ALL_SCOPES | {"composite_dev:write"}
    agent = await hub.make_agent("planner", allowed=scopes, servers=frozenset({EVERYTHING}))
    async with connect(mode=mode, token=await hub.token(of=agent, granted=scopes)) as client:
        asked = structured(await client.call_tool("restock", {"id": 40, "name": "ruler"}))
        await hub.vote(asked["invocation_id"], "approver")
        await hub.let_the_worker_work()
        found = await client.call_tool("hub_invocation_get", {"id": asked["invocation_id"]})
        again = await client.call_tool("restock", {"id": 40, "name": "ruler"})

    assert again.is_error
    for answer in (found, again):
        told = structured(answer)
        assert (told["status"], told["retryable"]) == ("partial", False)
        assert [step["status"] for step in told["steps"]] == ["stands", "stands", "not_done"]
        assert "a part of it stands" in text_of(answer)
        assert "Step 2, tell, stands. Step 1, put, stands." in text_of(answer)


async def test_the_same_call_again_in_one_run_is_the_same_invocation(hub: WorkingHub, connect: Connect) -> None:
    meta: Any = {"dev.toolhub/run": "run-1"}
    async with connect() as client:
        first = structured(await client.call_tool("ticket_create", {"title": "x"}, meta=meta))
        second = structured(await client.call_tool("ticket_create", {"title": "x"}, meta=meta))
        elsewhere = await client.call_tool("ticket_create", {"title": "x"}, meta={"dev.toolhub/run": "run-2"})

    assert first["invocation_id"] == second["invocation_id"]
    assert structured(elsewhere)["invocation_id"] != first["invocation_id"]
    assert hub.upstream.store.effects() == []


@BOTH_ENGINES
async def test_what_an_agent_says_of_itself_is_kept_as_a_claim(hub: WorkingHub, connect: Connect) -> None:
    meta: Any = {
        "dev.toolhub/run": "run-1",
        "dev.toolhub/case": "case-7",
        "dev.toolhub/purpose": "clean up",
        "dev.toolhub/rationale": "r" * 5000,
        "dev.toolhub/confidence": 0.8,
        "dev.toolhub/agent-version": "2.1",
        "traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01",
    }
    async with connect() as client:
        asked = structured(await client.call_tool("ticket_create", {"title": "x"}, meta=meta))

    invocation = await current(hub.runtime, asked["invocation_id"])
    said = invocation.claims
    assert (said.run, said.case, said.purpose) == ("run-1", "case-7", "clean up")
    assert (said.confidence, said.agent_version) == ("0.8", "2.1")
    assert len(said.rationale or "") == 4000
    assert invocation.trace_id == TRACE_ID


async def test_a_run_that_is_too_long_to_be_kept_whole_is_refused(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("item_get", {"id": 1}, meta={"dev.toolhub/run": "r" * 201})

    assert result.is_error
    assert structured(result)["reason_code"] == "input_invalid"


@BOTH_ENGINES
async def test_an_idempotency_key_stands_for_one_request(connect: Connect) -> None:
    meta: Any = {"dev.toolhub/idempotency-key": "key-1"}
    async with connect() as client:
        first = structured(await client.call_tool("ticket_create", {"title": "x"}, meta=meta))
        same = structured(await client.call_tool("ticket_create", {"title": "x"}, meta=meta))
        other = await client.call_tool("ticket_create", {"title": "y"}, meta=meta)

    assert first["invocation_id"] == same["invocation_id"]
    assert other.is_error
    assert structured(other)["reason_code"] == "idempotency_mismatch"


@ERAS
async def test_broken_arguments_are_a_result_that_names_every_violation(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("item_put", {"id": 0, "name": "", "quantity": "many", "colour": "red"})

    told = structured(result)
    assert result.is_error
    assert (told["status"], told["reason_code"], told["retryable"]) == ("refused", "arguments_invalid", False)
    assert {one["pointer"] for one in told["violations"]} >= {"/id", "/name", "/quantity"}
    assert "/quantity" in text_of(result)


async def test_an_unknown_tool_and_an_invisible_one_get_the_same_refusal(hub: WorkingHub, connect: Connect) -> None:
    stranger = await hub.make_agent("stranger", servers=frozenset({"elsewhere"}))
    async with connect() as client:
        unknown = await client.call_tool("no_such_tool", {})
    async with connect(token=await hub.token(of=stranger)) as client:
        invisible = await client.call_tool("item_get", {"id": 1})

    for result, name in ((unknown, "no_such_tool"), (invisible, "item_get")):
        assert result.is_error
        assert structured(result) == {
            "status": "refused",
            "reason_code": "not_found",
            "reason": f"There is no tool '{name}' here; list the tools to see which there are.",
            "retryable": False,
        }


async def test_a_rejection_reaches_the_agent_as_a_result_with_its_reason(hub: WorkingHub, connect: Connect) -> None:
    async with connect() as client:
        asked = structured(await client.call_tool("ticket_create", {"title": "x"}))
        await hub.vote(asked["invocation_id"], "approver", Choice.REJECT)
        found = await client.call_tool("hub_invocation_get", {"id": asked["invocation_id"]})

    told = structured(found)
    assert not found.is_error  # asking was no error
    assert (told["status"], told["reason"], told["retryable"]) == ("rejected", "too much", False)
    assert "too much" in text_of(found)


async def test_an_upstream_failure_is_a_result(hub: WorkingHub, connect: Connect) -> None:
    async with connect() as client:
        missing = await client.call_tool("item_get", {"id": 4711})
        hub.upstream.kill()
        gone = await client.call_tool("item_get", {"id": 1})

    for result in (missing, gone):
        assert result.is_error
        assert structured(result)["status"] == "failed"


async def test_a_tool_that_is_held_back_is_refused_with_the_reason(hub: WorkingHub, connect: Connect) -> None:
    async with hub.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        await quarantine(tx, tool.id, "it looked odd", hub.authority)

    async with connect() as client:
        result = await client.call_tool("item_get", {"id": 1})

    assert result.is_error
    assert "it looked odd" in text_of(result)


async def test_a_disabled_connection_is_told_as_a_result_that_may_be_tried_again(
    hub: WorkingHub, connect: Connect
) -> None:
    async with hub.database.transaction() as tx:
        await disable_connection(tx, hub.connection.id, hub.authority, reason="maintenance")

    async with connect() as client:
        result = await client.call_tool("item_get", {"id": 1})

    assert result.is_error
    assert (structured(result)["reason_code"], structured(result)["retryable"]) == ("unavailable", True)


@BOTH_ENGINES
async def test_nobody_sees_or_cancels_anothers_invocation(hub: WorkingHub, connect: Connect) -> None:
    other = await hub.token(for_user=hub.people["owner"])
    async with connect() as client:
        asked = structured(await client.call_tool("ticket_create", {"title": "x"}))
    async with connect(token=other) as client:
        looked = await client.call_tool("hub_invocation_get", {"id": asked["invocation_id"]})
        cancelled = await client.call_tool("hub_invocation_cancel", {"id": asked["invocation_id"], "reason": "mine"})
        mine = await client.call_tool("hub_invocations_mine", {})

    for result in (looked, cancelled):
        assert result.is_error
        assert structured(result)["reason_code"] == "not_found"
    assert structured(mine)["invocations"] == []


async def test_a_pending_write_can_be_called_off_once(hub: WorkingHub, connect: Connect) -> None:
    async with connect() as client:
        asked = structured(await client.call_tool("ticket_create", {"title": "x"}))
        called_off = await client.call_tool(
            "hub_invocation_cancel", {"id": asked["invocation_id"], "reason": "not needed"}
        )
        await hub.let_the_worker_work()
        done = structured(await client.call_tool("item_update", {"id": 1, "quantity": 3}))
        mine = structured(await client.call_tool("hub_invocations_mine", {"status": "done"}))
        too_late = await client.call_tool(
            "hub_invocation_cancel", {"id": mine["invocations"][0]["invocation_id"], "reason": "too late"}
        )

    assert structured(called_off)["status"] == "cancelled"
    assert done["quantity"] == 3
    assert too_late.is_error
    assert structured(too_late)["reason_code"] == "conflict"


@BOTH_ENGINES
async def test_ones_own_invocations_are_listed_newest_first_and_by_status(connect: Connect) -> None:
    async with connect() as client:
        await client.call_tool("item_get", {"id": 1})
        asked = structured(await client.call_tool("ticket_create", {"title": "x"}))
        everything = structured(await client.call_tool("hub_invocations_mine", {}))
        pending = structured(await client.call_tool("hub_invocations_mine", {"status": "pending_approval"}))

    assert [one["tool"] for one in everything["invocations"]] == ["ticket_create", "item_get"]
    assert [one["invocation_id"] for one in pending["invocations"]] == [asked["invocation_id"]]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("hub_invocation_get", {}),
        ("hub_invocation_get", {"id": "inv_06dvh3x5m8qk2v7c1n4pz9tbwr", "wait_seconds": 5}),
        ("hub_invocation_get", {"id": "inv_06dvh3x5m8qk2v7c1n4pz9tbwr", "extra": 1}),
        ("hub_invocation_cancel", {"id": "inv_06dvh3x5m8qk2v7c1n4pz9tbwr", "reason": ""}),
        ("hub_invocations_mine", {"status": "odd"}),
        ("hub_invocations_mine", {"cursor": 7}),
    ],
)
async def test_the_hubs_own_tools_take_nothing_but_their_arguments(
    connect: Connect, tool: str, arguments: dict[str, Any]
) -> None:
    async with connect() as client:
        result = await client.call_tool(tool, arguments)

    assert result.is_error
    assert structured(result)["reason_code"] == "arguments_invalid"


async def test_waiting_for_news_ends_when_there_is_some(hub: WorkingHub, connect: Connect) -> None:
    async with connect() as client:
        asked = structured(await client.call_tool("ticket_create", {"title": "x"}))
        await hub.vote(asked["invocation_id"], "approver")
        found = structured(
            await client.call_tool("hub_invocation_get", {"id": asked["invocation_id"], "wait_seconds": 0})
        )

    assert found["status"] == "running"
    assert found["state"] == State.APPROVED.value


async def test_what_has_expired_is_told_as_expired_though_no_timer_ran(hub: WorkingHub, connect: Connect) -> None:
    async with connect() as client:
        asked = structured(await client.call_tool("ticket_create", {"title": "x"}))
        async with hub.database.transaction() as tx:
            past = await now(tx) - timedelta(seconds=1)
            await tx.execute(
                update(InvocationRow).where(InvocationRow.id == asked["invocation_id"]).values(deadline=past)
            )
        found = structured(await client.call_tool("hub_invocation_get", {"id": asked["invocation_id"]}))

    assert (found["status"], found["retryable"]) == ("expired", True)


async def test_a_hub_failure_is_a_result_without_internals_that_claims_nothing(
    hub: WorkingHub, connect: Connect
) -> None:
    async with hub.database.transaction() as tx:
        await tx.execute(text("ALTER TABLE repeat_keys RENAME TO lost"))

    async with connect() as client:
        result = await client.call_tool("item_update", {"id": 1, "quantity": 9})

    told = structured(result)
    assert result.is_error
    assert (told["reason_code"], told["retryable"]) == ("internal_error", False)
    assert "repeat_keys" not in text_of(result)
    assert "hub_invocations_mine" in told["reason"]
    assert hub.upstream.store.effects() == []


async def test_groups_changed_since_the_token_was_issued_count_at_once(hub: WorkingHub, connect: Connect) -> None:
    async with hub.database.transaction() as tx:
        await set_groups(tx, hub.people["requester"].id, frozenset({"approvers"}), hub.authority)

    async with connect() as client:
        asked = structured(await client.call_tool("ticket_create", {"title": "x"}))

    assert asked["status"] == "pending_approval"
