"""Asking a client to show the page of confirmation, and holding it by sealed state until its person has decided."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from doors.agents import BOTH_ENGINES, Connect, open_door, opened
from doors.second_server import also_at_sales
from doors.tasking import confirm_first
from doors.working_hub import PUBLIC_URL, WorkingHub
from mcp import Client, MCPError
from mcp.client.context import ClientRequestContext
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    ElicitRequestParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
    InputResponses,
)
from upstream.connector import connector
from world import MASTER_KEY

from hub.approvals import Choice
from hub.identity.resources import EVERYTHING
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.keys import Keyring
from hub.mcp.confirming import MOST_ROUNDS, STATE_SECONDS

pytestmark = pytest.mark.anyio

TICKET: dict[str, Any] = {"title": "The pencil broke"}
ACCEPT: InputResponses = {"confirm": ElicitResult(action="accept")}
Shown = Callable[[ClientRequestContext, ElicitRequestParams], Awaitable[ElicitResult]]


async def shrugs(_context: ClientRequestContext, _params: ElicitRequestParams) -> ElicitResult:
    """Stand for a client that can show pages; what comes of it is none of its business."""
    return ElicitResult(action="accept")


async def begin(client: Client) -> InputRequiredResult:
    """Call a tool that its person must confirm, and return what the client is asked for."""
    asked = await client.session.call_tool("ticket_create", TICKET, allow_input_required=True)
    assert isinstance(asked, InputRequiredResult)
    return asked


async def go_on(
    client: Client,
    state: str | None,
    answers: InputResponses | None = None,
    *,
    arguments: dict[str, Any] = TICKET,
    tool: str = "ticket_create",
) -> CallToolResult | InputRequiredResult:
    """Make the call again with what the hub gave to take along."""
    return await client.session.call_tool(
        tool, arguments, input_responses=answers, request_state=state, allow_input_required=True
    )


def invocation_in(asked: InputRequiredResult) -> str:
    """Return the invocation whose page is to be shown."""
    assert asked.input_requests is not None
    params = asked.input_requests["confirm"].params
    assert isinstance(params, ElicitRequestURLParams)
    return params.url.rpartition("/")[2]


def status_of(result: CallToolResult | InputRequiredResult) -> str:
    assert isinstance(result, CallToolResult)
    assert result.structured_content is not None
    status: str = result.structured_content.get("status", "")
    return status


def impatient(hub: WorkingHub) -> WorkingHub:
    """Return the hub as a replica that holds nobody for long."""
    return replace(hub, runtime=replace(hub.runtime, answer_seconds=0.01))


async def test_the_client_shows_the_page_and_gets_the_result_of_what_its_person_confirmed(
    hub: WorkingHub, connect: Connect
) -> None:
    await confirm_first(hub)
    pages = list[str]()

    async def confirms(_context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        pages.append(params.url)
        await hub.vote(params.url.rpartition("/")[2], "requester")
        await hub.let_the_worker_work()
        return ElicitResult(action="accept")

    async with connect(elicitation_callback=confirms) as client:
        result = await client.call_tool("ticket_create", TICKET)

    assert len(pages) == 1
    assert pages[0].startswith(f"{PUBLIC_URL}/approvals/inv_")
    assert not result.is_error
    assert result.structured_content is not None
    assert result.structured_content["title"] == "The pencil broke"
    assert len(hub.upstream.store.effects()) == 1


async def test_what_its_person_declined_is_an_error_result_with_the_reason(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)

    async def declines(_context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        await hub.vote(params.url.rpartition("/")[2], "requester", Choice.REJECT)
        return ElicitResult(action="accept")

    async with connect(elicitation_callback=declines) as client:
        result = await client.call_tool("ticket_create", TICKET)

    assert result.is_error
    assert status_of(result) == "rejected"


async def test_an_accept_alone_lets_nothing_happen_and_the_page_is_asked_for_once(
    hub: WorkingHub, connect: Connect
) -> None:
    await confirm_first(hub)
    async with connect(elicitation_callback=shrugs) as client:
        asked = await begin(client)
    async with open_door(impatient(hub).runtime) as door, opened(door, await hub.token()) as client:
        again = await go_on(client, asked.request_state, ACCEPT)
    await hub.let_the_worker_work()

    assert isinstance(again, InputRequiredResult)
    assert again.input_requests is None
    assert again.request_state is not None
    assert (await current(hub.runtime, invocation_in(asked))).state is State.AWAITING_APPROVAL
    assert hub.upstream.store.effects() == []


async def test_after_eight_rounds_the_pending_envelope_says_how_to_ask_later(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    async with connect(elicitation_callback=shrugs) as client:
        asked = await begin(client)
    answers = list[CallToolResult | InputRequiredResult]()
    state = asked.request_state
    async with open_door(impatient(hub).runtime) as door, opened(door, await hub.token()) as client:
        while state is not None:
            answers.append(await go_on(client, state))
            state = answers[-1].request_state if isinstance(answers[-1], InputRequiredResult) else None

    assert len(answers) == MOST_ROUNDS  # and the first, which asked for the page
    assert status_of(answers[-1]) == "pending_approval"
    assert not answers[-1].is_error  # type: ignore[union-attr]  # the last is a result


async def test_a_client_that_is_dismissed_gets_the_pending_envelope_at_once(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)

    async def dismissed(_context: ClientRequestContext, _params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="cancel")

    async with connect(elicitation_callback=dismissed) as client:
        result = await client.call_tool("ticket_create", TICKET)

    assert status_of(result) == "pending_approval"


async def test_a_decline_of_the_client_calls_it_off(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)

    async def declined(_context: ClientRequestContext, _params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="decline")

    async with connect(elicitation_callback=declined) as client:
        result = await client.call_tool("ticket_create", TICKET)

    assert result.is_error
    assert status_of(result) == "cancelled"


async def test_what_others_decide_after_the_requester_is_told_as_pending(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub, also='@require("approvers:1")')
    async with connect(elicitation_callback=shrugs) as client:
        asked = await begin(client)
        await hub.vote(invocation_in(asked), "requester")
        result = await go_on(client, asked.request_state, ACCEPT)

    assert status_of(result) == "pending_approval"


async def test_a_client_that_opens_pages_is_asked_only_where_its_person_must_confirm(
    connect: Connect,
) -> None:
    async with connect(elicitation_callback=shrugs) as client:
        result = await client.call_tool("ticket_create", TICKET)

    assert status_of(result) == "pending_approval"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_everybody_else_gets_the_pending_envelope_with_the_link(
    hub: WorkingHub, connect: Connect, mode: str
) -> None:
    await confirm_first(hub)
    can = {"elicitation_callback": shrugs} if mode == "legacy" else {}
    async with connect(mode=mode, **can) as client:
        result = await client.call_tool("ticket_create", TICKET)

    assert status_of(result) == "pending_approval"
    assert result.structured_content is not None
    assert result.structured_content["status_url"].startswith(f"{PUBLIC_URL}/approvals/")
    assert result.structured_content["status_url"] in "".join(one.text for one in result.content if one.type == "text")


@BOTH_ENGINES
async def test_the_state_opens_at_another_replica_after_a_restart_and_a_new_key(
    hub: WorkingHub, connect: Connect
) -> None:
    await confirm_first(hub)
    async with connect(elicitation_callback=shrugs) as client:
        asked = await begin(client)
    async with hub.database.transaction() as tx:
        await hub.runtime.keys.rotate(tx, "data")
    restarted = replace(impatient(hub).runtime, keys=await reopened(hub))
    async with open_door(restarted) as door, opened(door, await hub.token()) as client:
        again = await go_on(client, asked.request_state)

    assert isinstance(again, InputRequiredResult)


async def reopened(hub: WorkingHub, *, seconds_later: int = 0) -> Keyring:
    """Return the keys as another process has them, by its own clock."""
    return await Keyring.open(hub.database, MASTER_KEY, clock=lambda: time.time() + seconds_later)


async def test_a_state_that_comes_again_changes_nothing(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    async with connect(elicitation_callback=shrugs) as client:
        asked = await begin(client)
        await hub.vote(invocation_in(asked), "requester")
        await hub.let_the_worker_work()
        first = await go_on(client, asked.request_state, ACCEPT)
        second = await go_on(client, asked.request_state, ACCEPT)

    assert isinstance(first, CallToolResult)
    assert isinstance(second, CallToolResult)
    assert first.structured_content == second.structured_content
    assert len(hub.upstream.store.effects()) == 1


async def test_a_state_serves_nothing_but_the_call_it_was_made_for(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    async with connect(elicitation_callback=shrugs) as client:
        state = (await begin(client)).request_state
        assert state is not None
        refusals = [await refused(client, f"{state[:-4]}AAAA"), await refused(client, "made up")]
        refusals.append(await refused(client, state, {"title": "Something else"}))
        refusals.append(await refused(client, state, tool="note_post"))
    async with connect(token=await hub.token(for_user=hub.people["owner"]), elicitation_callback=shrugs) as client:
        refusals.append(await refused(client, state))
    late = replace(hub.runtime, keys=await reopened(hub, seconds_later=STATE_SECONDS + 1))
    async with open_door(late) as door, opened(door, await hub.token()) as client:
        refusals.append(await refused(client, state))

    assert refusals == [(INVALID_PARAMS, {"reason": "invalid_request_state"})] * 6


async def test_a_state_serves_at_no_other_server_that_has_the_same_tool(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    await also_at_sales(hub, connector.spec.name, "ticket_create", hub.connection.id)
    agent = await hub.make_agent("seller", servers=frozenset({EVERYTHING, "sales"}))
    async with connect(token=await hub.token(of=agent), elicitation_callback=shrugs) as client:
        state = (await begin(client)).request_state
        assert state is not None
    there = await hub.token(of=agent, server="sales")
    async with connect(token=there, path="/servers/sales/mcp", elicitation_callback=shrugs) as client:
        refusal = await refused(client, state)

    assert refusal == (INVALID_PARAMS, {"reason": "invalid_request_state"})


async def refused(
    client: Client, state: str, arguments: dict[str, Any] = TICKET, *, tool: str = "ticket_create"
) -> tuple[int, Any]:
    with pytest.raises(MCPError, match="Make the call without it") as error:
        await go_on(client, state, arguments=arguments, tool=tool)
    return error.value.error.code, error.value.error.data
