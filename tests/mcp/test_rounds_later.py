"""The next round of a task that was replied to: made once, by whoever lives, and told to nobody who cancelled it."""

import pytest
from doors.agents import BOTH_ENGINES
from doors.asked_later import (
    ANN,
    Desk,
    claimed_by_who_died,
    desk,
    desk_at,
    enable,
    goes_on,
    kept,
    left,
    let_pass,
    reader,
    reads,
)
from doors.askers import GREETS, WORKS, token_for
from doors.mortal import mortal
from doors.working_hub import WorkingHub

from hub.invocations.invoke import invoke
from hub.registry import find_tool, quarantine, release

pytestmark = pytest.mark.anyio


@pytest.fixture
async def token(hub: WorkingHub, asker: str) -> str:
    """A token for an agent that may read from the server that asks."""
    return await token_for(hub, asker, "reader", connect=True)


async def test_a_task_that_is_cancelled_while_its_next_round_is_made_stays_so(hub: WorkingHub, token: str) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        claimed = await claimed_by_who_died(hub, task)
        going_on = await client.look(task)
        await client.cancel(task)
        await invoke(claimed.next_call(await reader(hub), "trace"), hub.runtime)
        told = await client.look(task)

    assert (going_on["status"], going_on["statusMessage"]) == (
        "working",
        "What asker asked was replied to; it goes on.",
    )
    assert told["status"] == "cancelled"
    assert not await goes_on(hub, task, claimed)


async def test_a_round_whose_process_died_is_left_to_it_for_a_while_and_then_made_by_who_looks_next(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        await claimed_by_who_died(hub, task)
        await client.look(task)
        before = await reads(hub)
        await let_pass(hub, "lease_until")
        done = await client.until(task, "completed")

    assert len(before) == 1
    assert done["result"]["content"][0]["text"] == "Hello, Ann!"


async def test_a_round_that_is_on_record_is_not_made_again_where_the_task_was_not_told_of_it(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        claimed = await claimed_by_who_died(hub, task)
        await invoke(claimed.next_call(await reader(hub), "trace"), hub.runtime)
        await let_pass(hub, "lease_until")
        await client.until(task, "completed")

    assert len(await reads(hub)) == 2


async def test_who_was_slow_can_tell_the_task_of_its_round_no_more_once_another_has_claimed_it(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        slow = await claimed_by_who_died(hub, task)
        await let_pass(hub, "lease_until")
        quicker = await claimed_by_who_died(hub, task)
        for one in (slow, quicker):
            await invoke(one.next_call(await reader(hub), "trace"), hub.runtime)

        assert not await goes_on(hub, task, slow)
        assert await goes_on(hub, task, quicker)


@BOTH_ENGINES
async def test_the_process_that_was_asked_and_the_one_that_was_replied_to_may_be_killed(
    hub: WorkingHub, token: str
) -> None:
    with mortal(hub.database, answer_seconds=0) as first, mortal(hub.database, answer_seconds=60) as second:
        async with desk_at(first.address, token) as client:
            task = await client.start(GREETS)
            await client.until(task, "input_required")
        first.kill()
        async with desk_at(second.address, token) as client:
            await client.update(task, user_name_1={"action": "decline"})
            again = await client.until(task, "input_required")
            while "user_name-2" not in again["inputRequests"]:
                again = await client.until(task, "input_required")
            works = await Desk(client.http, token).call(WORKS)
        second.kill()
    async with desk(hub, token) as client:
        await client.update(task, user_name_2=ANN)
        done = await client.until(task, "completed")

    assert works["result"]["resultType"] == "input_required"  # it answered in time, so it asked at once
    assert done["result"]["content"][0]["text"] == "Hello, Ann!"


@BOTH_ENGINES
async def test_a_process_that_is_killed_while_it_makes_the_next_round_loses_nothing(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as here:
        task = await here.start(WORKS)
        await here.until(task, "input_required")
        with mortal(hub.database, answer_seconds=60) as other:
            async with desk_at(other.address, token) as there:
                await there.update(task, user_name_1=ANN)  # its tool takes a second from here
            other.kill()
        left_behind = await kept(hub, task)
        await let_pass(hub, "lease_until")
        done = await here.until(task, "completed")

    assert left_behind.is_replied
    assert done["result"]["content"][0]["text"] == "It took a while, Ann."


async def test_what_stands_against_the_next_round_before_it_is_on_record_ends_the_task_for_good(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        async with hub.database.transaction() as tx:
            tool = await find_tool(tx, "asker", GREETS)
            assert tool is not None
            await quarantine(tx, tool.id, "it looked odd", hub.authority)
        await client.update(task, user_name_1=ANN)
        told = await client.until(task, "completed")
        async with hub.database.transaction() as tx:
            await release(tx, tool.id, hub.authority)
        still = await client.look(task)

    assert told["result"]["isError"]
    assert told["result"]["structuredContent"]["reason_code"] == "tool_quarantined"
    assert still == told
    assert await left(hub) == 0


async def test_a_round_that_cannot_be_made_at_the_moment_is_made_by_who_looks_later(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        await enable(hub, is_enabled=False)
        await client.update(task, user_name_1=ANN)
        while not (await kept(hub, task)).is_left:
            told = await client.look(task)
            assert told["status"] == "working"
        await enable(hub, is_enabled=True)
        done = await client.until(task, "completed")

    assert done["result"]["content"][0]["text"] == "Hello, Ann!"
