"""The processes that connector code runs in: which calls may share one, and when it ends."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import attacker
import pytest
from execution_house import House

from connectors.sdk.spec import ConnectorSpec
from hub.execution import (
    Previewed,
    Succeeded,
)

pytestmark = pytest.mark.anyio

ATTACKER: ConnectorSpec = attacker.connector.spec


async def counted(house: House, on_behalf_of: str | None = None) -> tuple[str, int]:
    target = house.target(ATTACKER, "count", on_behalf_of)
    ran = await house.executor.read(target, {}, deadline_seconds=20)
    assert isinstance(ran.outcome, Succeeded), ran.outcome
    process, calls = ran.outcome.output["text"].split()
    return process, int(calls)


async def test_reads_of_one_kind_share_a_process(house: House) -> None:
    first, second = await counted(house), await counted(house)

    assert first[0] == second[0]
    assert (first[1], second[1]) == (1, 2)


async def test_reads_for_different_people_or_connections_share_none(house: House) -> None:
    seen = [await counted(house), await counted(house, "usr_rita"), await counted(house, "usr_ann")]
    await house.connect()
    seen.append(await counted(house))

    assert len({process for process, _ in seen}) == 4
    assert {calls for _, calls in seen} == {1}


async def test_a_new_generation_gets_a_new_process(house: House) -> None:
    before = await counted(house)
    house.connection = replace(house.connection, generation=house.connection.generation + 1)

    after = await counted(house)

    assert after[0] != before[0]


async def test_two_reads_at_once_share_no_process(house: House) -> None:
    both = await asyncio.gather(counted(house), counted(house))

    assert both[0][0] != both[1][0]


async def test_a_process_is_replaced_after_many_calls(house: House) -> None:
    first = await counted(house)
    (idle,) = (idle for idle in house.executor._hosts._idle if str(idle.host.process.number) == first[0])
    idle.host.calls = 10_000

    last, fresh = await counted(house), await counted(house)

    assert last == (first[0], 2)
    assert fresh[0] != first[0]


async def test_a_process_that_died_while_it_waited_is_not_used(house: House) -> None:
    first = await counted(house)
    (idle,) = (idle for idle in house.executor._hosts._idle if str(idle.host.process.number) == first[0])
    idle.host.process._zygote.kill(idle.host.process._ticket)
    await asyncio.wait_for(idle.host.process.ended, 10)

    second = await counted(house)

    assert second[0] != first[0]


async def test_every_preview_and_commit_has_a_process_that_ran_nothing_before(house: House) -> None:
    seen: list[Mapping[str, int]] = []
    for _ in range(4):
        ran = await house.preview(ATTACKER, "try_out", path="")
        assert isinstance(ran.outcome, Previewed)
        seen.append(ran.outcome.preview.changes[0].after or {})

    assert [one["calls"] for one in seen] == [1, 1, 1, 1]
    assert len({one["pid"] for one in seen}) == 4


async def test_idle_processes_end(house: House) -> None:
    await counted(house)
    waiting = [idle.host.process for idle in house.executor._hosts._idle]

    await house.executor._hosts.end_idle(older_than=0)

    await asyncio.wait_for(asyncio.gather(*(process.ended for process in waiting)), 10)
    assert house.executor._hosts._idle == []
