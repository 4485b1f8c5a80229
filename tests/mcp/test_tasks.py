"""Calls that wait, as tasks: for clients that declare them with the request, theirs alone, and told truthfully."""

import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from doors.agents import BOTH_ENGINES, ERAS, Connect, open_door, opened
from doors.second_server import also_at_sales
from doors.tasking import WITH_TASKS, TaskTold, answer, call_off, confirm_first, invocation_of, look, start
from doors.working_hub import PUBLIC_URL, WorkingHub
from mcp import Client, MCPError
from mcp.client.context import ClientRequestContext
from mcp_types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ElicitRequestParams,
    ElicitResult,
)
from sqlalchemy import select, update
from upstream.connector import connector

from hub.approvals import Choice
from hub.identity.resources import EVERYTHING
from hub.invocations.handles import forget_handles
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow, TaskHandleRow
from hub.mcp.abilities import TASKS
from hub.storage import now

pytestmark = pytest.mark.anyio

TICKET: dict[str, Any] = {"title": "The pencil broke"}


async def opens_urls(_context: ClientRequestContext, _params: ElicitRequestParams) -> ElicitResult:
    """Stand for a person who is shown a page."""
    return ElicitResult(action="accept")


WITH_PAGES: dict[str, Any] = {**WITH_TASKS, "elicitation_callback": opens_urls}


def result_in(told: TaskTold) -> dict[str, Any]:
    assert told.result is not None
    return told.result


async def test_a_write_that_waits_for_others_is_a_task_that_says_for_whom(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        told = await look(client, task.task_id)

    assert (task.status, told.status) == ("working", "working")
    assert told.status_message is not None
    assert told.status_message.startswith("Waiting for approvers (0 of 1), expires ")
    assert told.status_message.endswith("Z")
    assert (told.poll_interval_ms, told.ttl_ms) == (30_000, 20 * 24 * 3600 * 1000)
    assert hub.upstream.store.effects() == []


@BOTH_ENGINES
async def test_an_approved_task_is_completed_with_the_result_of_its_call(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await hub.vote(await invocation_of(hub, task.task_id), "approver")
        approved = await look(client, task.task_id)
        await hub.let_the_worker_work()
        done = await look(client, task.task_id)
        at_once = await client.call_tool("ticket_create", TICKET)

    assert (approved.status, approved.poll_interval_ms) == ("working", 3000)
    assert done.status == "completed"
    assert result_in(done)["structuredContent"]["title"] == "The pencil broke"
    assert result_in(done)["isError"] is False
    assert at_once.structured_content == result_in(done)["structuredContent"]
    assert len(hub.upstream.store.effects()) == 1


async def test_a_rejected_task_is_completed_with_an_error_result(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await hub.vote(await invocation_of(hub, task.task_id), "approver", Choice.REJECT)
        told = await look(client, task.task_id)

    assert told.status == "completed"
    assert result_in(told)["isError"] is True
    assert result_in(told)["structuredContent"]["status"] == "rejected"
    assert told.status_message == "too much"


async def test_what_has_nothing_to_wait_for_is_answered_at_once(connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        read = await client.session.call_tool("item_get", {"id": 1}, allow_claimed=True)
        write = await client.session.call_tool("item_update", {"id": 1, "quantity": 3}, allow_claimed=True)
        refused = await client.session.call_tool("item_get", {"id": "one"}, allow_claimed=True)

    assert [one.result_type for one in (read, write, refused)] == ["complete"] * 3
    assert (read.is_error, write.is_error, refused.is_error) == (False, False, True)


@ERAS
async def test_a_client_that_declares_no_tasks_gets_the_pending_envelope(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("ticket_create", TICKET)

    assert result.structured_content is not None
    assert result.structured_content["status"] == "pending_approval"


async def test_a_client_of_before_tasks_gets_the_pending_envelope_whatever_it_declares(connect: Connect) -> None:
    async with connect(mode="legacy", **WITH_PAGES) as client:
        result = await client.call_tool("ticket_create", TICKET)
        with pytest.raises(MCPError) as unknown:
            await look(client, "task_1")

    assert result.structured_content is not None
    assert result.structured_content["status"] == "pending_approval"
    assert unknown.value.error.code == METHOD_NOT_FOUND


async def test_the_extension_is_advertised(connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        capabilities = client.server_capabilities

    assert capabilities is not None
    assert capabilities.extensions == {TASKS: {}}


async def test_a_task_is_asked_for_by_clients_that_declare_the_extension_with_that_very_request(
    hub: WorkingHub, connect: Connect
) -> None:
    token = await hub.token()
    async with connect(token=token, **WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
    async with connect(token=token) as client:
        for attempt in (
            look(client, task.task_id),
            call_off(client, task.task_id),
            answer(client, "task", "x", "accept"),
        ):
            with pytest.raises(MCPError) as refused:
                await attempt
            assert refused.value.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY
            assert refused.value.error.data == {"requiredCapabilities": {"extensions": {TASKS: {}}}}

    assert (await current(hub.runtime, await invocation_of(hub, task.task_id))).state is State.AWAITING_APPROVAL


@BOTH_ENGINES
async def test_anothers_task_looks_like_one_that_never_was(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
    refusals = []
    other = await hub.token(for_user=hub.people["owner"])
    async with connect(token=other, **WITH_TASKS) as client:
        for attempt in (
            look(client, task.task_id),
            call_off(client, task.task_id),
            answer(client, task.task_id, "confirm-1", "decline"),
            look(client, "task_never_was"),
        ):
            with pytest.raises(MCPError) as refused:
                await attempt
            refusals.append(refused.value.error)

    assert {one.code for one in refusals} == {INVALID_PARAMS}
    assert len({one.message for one in refusals}) == 1
    assert (await current(hub.runtime, await invocation_of(hub, task.task_id))).state is State.AWAITING_APPROVAL


async def test_a_task_is_found_at_the_server_where_it_was_made_and_nowhere_else(
    hub: WorkingHub, connect: Connect
) -> None:
    await also_at_sales(hub, connector.spec.name, "ticket_create", hub.connection.id)
    agent = await hub.make_agent("seller", servers=frozenset({EVERYTHING, "sales"}))
    async with connect(token=await hub.token(of=agent), **WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
    there = await hub.token(of=agent, server="sales")
    async with connect(token=there, path="/servers/sales/mcp", **WITH_TASKS) as client:
        with pytest.raises(MCPError) as refused:
            await look(client, task.task_id)

    assert refused.value.error.code == INVALID_PARAMS


async def test_a_task_survives_a_restart_and_is_the_same_at_every_replica(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
    async with open_door(hub.runtime) as elsewhere, opened(elsewhere, await hub.token(), **WITH_TASKS) as client:
        told = await look(client, task.task_id)
        again = await start(client, "ticket_create", TICKET)

    assert told.status == "working"
    assert again.task_id == task.task_id


async def test_handles_cannot_be_guessed_from_each_other(connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        made = [await start(client, "ticket_create", {"title": f"{number}"}) for number in range(3)]

    assert len({one.task_id for one in made}) == 3
    assert len({one.task_id[:12] for one in made}) == 3
    assert all(len(one.task_id) == len("task_") + 32 for one in made)


async def test_a_task_whose_time_is_over_is_unknown_and_swept_away(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        async with hub.database.transaction() as tx:
            await tx.execute(update(TaskHandleRow).values(ends_at=await now(tx) - timedelta(seconds=1)))
        with pytest.raises(MCPError) as refused:
            await look(client, task.task_id)
    async with hub.database.transaction() as tx:
        await forget_handles(tx)
        left = (await tx.scalars(select(TaskHandleRow))).all()

    assert refused.value.error.code == INVALID_PARAMS
    assert left == []


async def test_a_task_that_waits_is_cancelled_as_the_invocation_is(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await call_off(client, task.task_id)
        told = await look(client, task.task_id)

    assert (told.status, told.status_message) == ("cancelled", "Its client cancelled the task.")
    assert (await current(hub.runtime, await invocation_of(hub, task.task_id))).state is State.CANCELLED


async def test_a_task_that_was_sent_already_says_that_it_was_too_late_to_cancel_it(
    hub: WorkingHub, connect: Connect
) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        async with hub.database.transaction() as tx:
            await tx.execute(update(InvocationRow).values(state=State.SENT.value))
        await call_off(client, task.task_id)
        told = await look(client, task.task_id)

    assert told.status == "working"
    assert told.status_message == "It was too late to call it off: it has been sent. Sent; the answer is awaited."


async def test_a_task_that_is_done_stays_done_whoever_cancels_it(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await hub.vote(await invocation_of(hub, task.task_id), "approver")
        await hub.let_the_worker_work()
        await call_off(client, task.task_id)
        told = await look(client, task.task_id)

    assert told.status == "completed"
    assert len(hub.upstream.store.effects()) == 1


async def test_a_task_that_its_person_must_confirm_asks_for_the_page(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    async with connect(**WITH_PAGES) as client:
        task = await start(client, "ticket_create", TICKET)
        told = await look(client, task.task_id)
        invocation_id = await invocation_of(hub, task.task_id)

    assert (task.status, told.status) == ("input_required", "input_required")
    assert told.input_requests is not None
    asked = told.input_requests["confirm-1"]
    assert (asked["method"], asked["params"]["mode"]) == ("elicitation/create", "url")
    assert asked["params"]["url"] == f"{PUBLIC_URL}/approvals/{invocation_id}"


async def test_a_client_that_opens_no_pages_is_told_where_it_is_confirmed(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        told = await look(client, task.task_id)

    assert (task.status, told.status) == ("working", "working")
    assert told.status_message is not None
    assert f"confirm it at {PUBLIC_URL}/approvals/inv_" in told.status_message


async def test_an_accept_of_the_client_is_no_confirmation(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    async with connect(**WITH_PAGES) as client:
        task = await start(client, "ticket_create", TICKET)
        await answer(client, task.task_id, "confirm-1", "accept")
        await hub.let_the_worker_work()
        told = await look(client, task.task_id)
        assert told.status == "working"  # the same is not asked twice, and nothing has happened
        assert hub.upstream.store.effects() == []
        await hub.vote(await invocation_of(hub, task.task_id), "requester")
        await hub.let_the_worker_work()
        done = await look(client, task.task_id)

    assert done.status == "completed"
    assert len(hub.upstream.store.effects()) == 1


async def test_a_decline_of_the_client_calls_it_off(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    async with connect(**WITH_PAGES) as client:
        task = await start(client, "ticket_create", TICKET)
        await answer(client, task.task_id, "confirm-0", "decline")
        still = await look(client, task.task_id)
        await answer(client, task.task_id, "confirm-1", "decline")
        told = await look(client, task.task_id)

    assert still.status == "input_required"  # nothing was asked by that name
    assert told.status == "cancelled"


async def test_a_request_that_is_routed_by_another_task_than_it_names_is_refused(
    hub: WorkingHub, http: httpx2.AsyncClient
) -> None:
    headers = {
        "Authorization": f"Bearer {await hub.token()}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tasks/get",
        "Mcp-Name": "task_other",
    }
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": "task_one", "_meta": meta}}

    response = await http.post("/mcp", json=body, headers=headers)

    assert response.status_code == 400
    assert json.loads(response.text)["error"]["code"] == HEADER_MISMATCH


async def test_the_sdks_own_client_gets_the_result_in_one_call_once_people_have_agreed(
    hub: WorkingHub, connect: Connect
) -> None:
    async def agree(client: Client) -> None:
        task = await start(client, "ticket_create", TICKET)
        await hub.vote(await invocation_of(hub, task.task_id), "approver")
        await hub.let_the_worker_work()

    async with connect(**WITH_TASKS) as client:
        await agree(client)
        result = await client.call_tool("ticket_create", TICKET)

    assert result.structured_content is not None
    assert result.structured_content["title"] == "The pencil broke"
