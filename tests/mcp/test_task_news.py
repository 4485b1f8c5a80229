"""Tasks told on streams: to whom they belong, whenever they move."""

import asyncio
from typing import Any

import pytest
from doors.agents import BOTH_ENGINES
from doors.outside import entered
from doors.tasking import WITH_TASKS, Hearing, invocation_of, listen_to, start
from doors.working_hub import WorkingHub
from mcp import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
)

from hub.approvals import Choice
from hub.identity.accounts import set_groups
from hub.identity.principals import Principal
from hub.invocations.handles import Handle
from hub.mcp.abilities import Abilities
from hub.mcp.admission import Admitted
from hub.mcp.tasks import TaskDoor

pytestmark = pytest.mark.anyio


@BOTH_ENGINES
async def test_a_task_is_told_as_it_stands_and_whenever_it_moves(hub: WorkingHub, address: str) -> None:
    hearing = Hearing()
    async with entered(address, await hub.token(), extensions=[hearing]) as client:
        task = await start(client, "ticket_create", {"title": "The pencil broke"})
        stream = asyncio.create_task(listen_to(client, task.task_id))
        await hearing.until("working")
        await hub.vote(await invocation_of(hub, task.task_id), "approver")
        await hub.let_the_worker_work()
        await hearing.until("completed")
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)

    assert {one for one, _ in hearing.told} == {task.task_id}


async def test_a_task_is_told_for_the_caller_as_it_is_now(
    hub: WorkingHub, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_for = dict[str, frozenset[str]]()
    real = TaskDoor.detailed

    async def noted(door: TaskDoor, known: Admitted, client: Abilities, handle: Handle) -> dict[str, Any]:
        told = await real(door, known, client, handle)
        told_for.setdefault(told["status"], known.caller.subject.groups)
        return told

    monkeypatch.setattr(TaskDoor, "detailed", noted)
    person, hearing = hub.people["requester"], Hearing()
    await put_into(hub, person, person.groups | {"approvers"})
    async with entered(address, await hub.token(for_user=person), extensions=[hearing]) as client:
        task = await start(client, "ticket_create", {"title": "The pencil broke"})
        stream = asyncio.create_task(listen_to(client, task.task_id))
        await hearing.until("working")
        await put_into(hub, person, person.groups)
        await hub.vote(await invocation_of(hub, task.task_id), "approver")
        await hub.let_the_worker_work()
        await hearing.until("completed")
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)

    assert "approvers" in told_for["working"]
    assert "approvers" not in told_for["completed"]


async def put_into(hub: WorkingHub, person: Principal, groups: frozenset[str]) -> None:
    """Let a person be in these groups and in no other."""
    async with hub.database.transaction() as tx:
        await set_groups(tx, person.id, groups, hub.authority)


async def test_tasks_of_others_are_told_to_nobody_else(hub: WorkingHub, address: str) -> None:
    async with entered(address, await hub.token(), **WITH_TASKS) as client:
        theirs = await start(client, "ticket_create", {"title": "The pencil broke"})
    hearing = Hearing()
    other = await hub.token(for_user=hub.people["owner"])
    async with entered(address, other, extensions=[hearing]) as client:
        own = await start(client, "ticket_create", {"title": "The ruler broke"})
        stream = asyncio.create_task(listen_to(client, theirs.task_id, own.task_id))
        await hearing.until("working")
        await hub.vote(await invocation_of(hub, theirs.task_id), "approver", Choice.REJECT)
        await hub.vote(await invocation_of(hub, own.task_id), "approver", Choice.REJECT)
        await hearing.until("completed")
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)

    assert {one for one, _ in hearing.told} == {own.task_id}


async def test_tasks_are_told_to_clients_that_declare_them(hub: WorkingHub, address: str) -> None:
    async with entered(address, await hub.token()) as client:
        with pytest.raises(MCPError) as refused_one:
            await listen_to(client, "task_1")

    assert refused_one.value.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY
