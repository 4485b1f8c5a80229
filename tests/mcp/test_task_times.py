"""How long tasks last, and since when they are as they say."""

from datetime import timedelta
from typing import Any

import pytest
from doors.agents import BOTH_ENGINES, Connect
from doors.tasking import WITH_TASKS, answer, call_off, confirm_first, invocation_of, look, start
from doors.working_hub import WorkingHub
from mcp.client.context import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult
from questions import rules
from sqlalchemy import select, update

from hub.approvals import Ballot, Choice
from hub.bundles import Publication, publish_bundle
from hub.identity.directory import get
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.handles import AFTER_THE_END
from hub.invocations.queries import current
from hub.invocations.tables import TaskHandleRow
from hub.storage import now

pytestmark = pytest.mark.anyio

TICKET: dict[str, Any] = {"title": "The pencil broke"}


async def opens_urls(_context: ClientRequestContext, _params: ElicitRequestParams) -> ElicitResult:
    """Stand for a person who is shown a page."""
    return ElicitResult(action="accept")


async def days_later(hub: WorkingHub, days: int) -> None:
    """Let so many days of the only task be over."""
    async with hub.database.transaction() as tx:
        row = (await tx.scalars(select(TaskHandleRow))).one()
        row.created_at -= timedelta(days=days)
        row.ends_at -= timedelta(days=days)


@BOTH_ENGINES
async def test_a_call_that_comes_again_after_its_task_is_over_is_another_task(
    hub: WorkingHub, connect: Connect
) -> None:
    await confirm_first(hub)
    async with connect(**WITH_TASKS, elicitation_callback=opens_urls) as client:
        first = await start(client, "ticket_create", TICKET)
        await answer(client, first.task_id, "confirm-1", "accept")
        async with hub.database.transaction() as tx:  # what is over has not been swept away yet
            await tx.execute(update(TaskHandleRow).values(ends_at=await now(tx) - timedelta(seconds=1)))
        again = await start(client, "ticket_create", TICKET)
        told = await look(client, again.task_id)

    assert again.task_id != first.task_id
    assert (told.status, told.ttl_ms) == ("input_required", first.ttl_ms)


async def test_a_task_lasts_longer_than_people_may_take_for_what_an_approver_wants_instead(
    hub: WorkingHub, connect: Connect
) -> None:
    text = rules('@require("approvers:1") @ttl("P19D")')
    async with hub.database.transaction() as tx:
        await publish_bundle(tx, hub.database, hub.runtime.keys, Publication(environment="dev", text=text, by=None))
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await days_later(hub, 18)
        standing = await current(hub.runtime, await invocation_of(hub, task.task_id))
        assert standing.question is not None
        async with hub.database.reading() as tx:
            ballot = Ballot(
                invocation_id=standing.id,
                digest=standing.question.digest,
                choice=Choice.APPROVE,
                reason="say which",
                voter=await get(tx, hub.people["approver"].id),
                authenticated_at=await now(tx),
            )
        revised = await counter(
            CounterProposal(ballot=ballot, arguments={"title": "The red pencil broke"}), hub.runtime
        )
        told = await look(client, task.task_id)

    async with hub.database.reading() as tx:
        handle = (await tx.scalars(select(TaskHandleRow))).one()
    assert revised.expires_at is not None
    assert handle.ends_at == revised.expires_at + AFTER_THE_END
    assert told.ttl_ms == (handle.ends_at - handle.created_at) // timedelta(milliseconds=1)


async def test_a_task_says_since_when_its_client_has_answered(hub: WorkingHub, connect: Connect) -> None:
    await confirm_first(hub)
    async with connect(**WITH_TASKS, elicitation_callback=opens_urls) as client:
        task = await start(client, "ticket_create", TICKET)
        asked = await look(client, task.task_id)
        await answer(client, task.task_id, "confirm-1", "accept")
        answered = await look(client, task.task_id)
        await answer(client, task.task_id, "confirm-1", "accept")
        still = await look(client, task.task_id)

    assert (asked.status, answered.status) == ("input_required", "working")
    assert asked.last_updated_at < answered.last_updated_at
    assert still == answered


async def test_a_task_says_since_when_it_was_too_late_to_cancel_it(hub: WorkingHub, connect: Connect) -> None:
    async with connect(**WITH_TASKS) as client:
        task = await start(client, "ticket_create", TICKET)
        await hub.vote(await invocation_of(hub, task.task_id), "approver")
        await hub.let_the_worker_work()
        done = await look(client, task.task_id)
        await call_off(client, task.task_id)
        cancelled = await look(client, task.task_id)

    assert (done.status, cancelled.status) == ("completed", "completed")
    assert done.last_updated_at < cancelled.last_updated_at
