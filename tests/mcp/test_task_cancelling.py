"""A cancel of a task that meets something else: it is never lost, and what the task then says is so."""

from typing import Any

import pytest
from doors.agents import Connect
from doors.tasking import WITH_TASKS, call_off, invocation_of, look, start
from doors.working_hub import WorkingHub
from mcp import MCPError
from sqlalchemy import update

from hub.invocations import queries
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation

pytestmark = pytest.mark.anyio

TICKET: dict[str, Any] = {"title": "The pencil broke"}


async def test_a_cancel_that_meets_a_vote_is_not_lost(
    hub: WorkingHub, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = queries.call_off
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        invocation_id = await invocation_of(hub, task.task_id)

        async def meets_a_vote(runtime: Runtime, standing: Invocation, **said: Any) -> Invocation:  # noqa: ANN401  # as it is called
            monkeypatch.setattr(queries, "call_off", real)
            await hub.vote(invocation_id, "approver")
            return await real(runtime, standing, **said)

        monkeypatch.setattr(queries, "call_off", meets_a_vote)
        await call_off(client, task.task_id)
        await hub.let_the_worker_work()
        told = await look(client, task.task_id)

    assert told.status == "cancelled"
    assert hub.upstream.store.effects() == []


async def test_a_cancel_while_it_is_checked_waits_for_the_check_and_is_not_lost(
    hub: WorkingHub, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = queries.current
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await in_state(hub, State.COMMITTING)

        async def held_back_once_seen(runtime: Runtime, invocation_id: str) -> Invocation:
            standing = await real(runtime, invocation_id)
            if standing.state is State.COMMITTING:
                await in_state(hub, State.APPROVED)
            return standing

        monkeypatch.setattr(queries, "current", held_back_once_seen)
        await call_off(client, task.task_id)
        told = await look(client, task.task_id)

    assert told.status == "cancelled"


async def test_a_cancel_that_the_check_outlasts_says_that_nothing_was_sent_and_to_ask_again(
    hub: WorkingHub, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "CHECK_SECONDS", 0)
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await in_state(hub, State.COMMITTING)
        with pytest.raises(MCPError, match=r"not called off.*Nothing has been sent; ask again"):
            await call_off(client, task.task_id)
        await in_state(hub, State.AWAITING_APPROVAL)
        told = await look(client, task.task_id)

    assert "has been sent" not in (told.status_message or "")


async def test_a_task_that_is_asked_about_anew_no_longer_says_that_it_has_been_sent(
    hub: WorkingHub, connect: Connect
) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await in_state(hub, State.SENT)
        await call_off(client, task.task_id)
        await in_state(hub, State.AWAITING_APPROVAL)  # the system refused it, since its record was stale
        told = await look(client, task.task_id)

    assert "has been sent" not in (told.status_message or "")


async def in_state(hub: WorkingHub, state: State) -> None:
    """Let the one invocation there is stand so."""
    async with hub.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(state=state.value))
