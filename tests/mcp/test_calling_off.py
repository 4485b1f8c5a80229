"""A client that wants no answer any more: a read ends at the system, a write goes no further than it has come."""

import asyncio
from typing import Any

import httpx2
import pytest
from doors.agents import BOTH_ENGINES
from doors.holding_back import silent
from doors.working_hub import WorkingHub
from sqlalchemy import select

from hub.core.canonical import digest
from hub.identity.principals import Caller
from hub.invocations.journal import WORK
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.mcp.admission import Admitted
from hub.mcp.relaying import Cancellations, cancelled_channel

pytestmark = pytest.mark.anyio

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


async def send(http: httpx2.AsyncClient, token: str, message: dict[str, Any]) -> httpx2.Response:
    headers = {**HEADERS, "Authorization": f"Bearer {token}"}
    return await http.post("/mcp", json={"jsonrpc": "2.0", **message}, headers=headers)


def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


CANCEL: dict[str, Any] = {"method": "notifications/cancelled", "params": {"requestId": 7, "reason": "not needed"}}


async def state_of(hub: WorkingHub) -> list[str]:
    async with hub.database.reading() as tx:
        return list(await tx.scalars(select(InvocationRow.state)))


@BOTH_ENGINES
async def test_a_read_that_is_called_off_ends_at_the_system(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    token = await hub.token()
    async with silent(hub) as system:
        calling = asyncio.create_task(send(http, token, call("silent_item_get", {"id": 1})))
        await system.asked.wait()
        accepted = await send(http, token, CANCEL)
        await system.left.wait()
        answer = (await calling).json()["result"]

    assert accepted.status_code == 202
    assert (answer["isError"], answer["structuredContent"]["status"]) == (True, "cancelled")
    assert await state_of(hub) == [State.CANCELLED.value]


@BOTH_ENGINES
async def test_a_cancellation_that_comes_back_by_the_database_ends_a_read_once_and_on_record(
    hub: WorkingHub, http: httpx2.AsyncClient
) -> None:
    token = await hub.token()
    async with hub.database.listening("any") as listens:
        relay = asyncio.create_task(hub.database.relay_signals())
        if not hub.database.is_sqlite:
            await asyncio.wait_for(listens.wait(), 60)
    async with silent(hub) as system:
        for _ in range(5):
            system.asked.clear()
            calling = asyncio.create_task(send(http, token, call("silent_item_get", {"id": 1})))
            await system.asked.wait()
            async with asyncio.TaskGroup() as several:
                for _ in range(2):
                    several.create_task(send(http, token, CANCEL))
            answer = (await calling).json()["result"]
            assert answer["structuredContent"]["status"] == "cancelled"
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)

    assert await state_of(hub) == [State.CANCELLED.value] * 5


async def test_nobody_calls_off_the_request_of_another_by_its_number(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    token = await hub.token()
    async with silent(hub) as system:
        calling = asyncio.create_task(send(http, token, call("silent_item_get", {"id": 1})))
        await system.asked.wait()
        for other in (await hub.token(), await hub.token(for_user=hub.people["owner"])):
            await send(http, other, CANCEL)
        for number in (8, "7"):
            await send(http, token, {**CANCEL, "params": {"requestId": number}})
        still_waits = not system.left.is_set()
        await send(http, token, CANCEL)
        await calling

    assert still_waits


async def test_two_sessions_of_one_token_do_not_call_each_other_off(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    token = await hub.token()
    async with silent(hub) as system:
        first = asyncio.create_task(send(http, token, call("silent_item_get", {"id": 1})))
        await system.asked.wait()
        system.asked.clear()
        with_progress = call("silent_item_get", {"id": 2})  # which another application of the SDK serves
        with_progress["params"]["_meta"] = {"progressToken": 1}
        second = asyncio.create_task(send(http, token, with_progress))
        await system.asked.wait()
        await send(http, token, CANCEL)
        await send(http, token, {**CANCEL, "params": {"requestId": 8}})  # so that the one before has been heard
        ended = await state_of(hub)  # a read comes on record with its end
        for one in (first, second):
            one.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        await hub.runtime.tasks.drain(0)

    assert ended == []


async def test_of_two_calls_that_are_known_by_the_same_the_one_that_is_left_is_called_off(hub: WorkingHub) -> None:
    known, cancellations = await known_as(hub, "one token"), Cancellations(hub.runtime)
    channel = cancelled_channel(known, 7)
    with cancellations.heard(known, 7) as first:
        async with hub.database.listening(channel) as said:
            with cancellations.heard(known, 7) as second:
                async with hub.database.transaction() as tx:
                    await hub.database.signal(tx, channel)
                await said.wait()
                heeded = first.is_set() or second.is_set()
        async with hub.database.transaction() as tx:
            await hub.database.signal(tx, channel)
        await first.wait()

    assert not heeded
    assert cancelled_channel(known, 7) != cancelled_channel(known, "7")
    assert cancelled_channel(known, 7) != cancelled_channel(await known_as(hub, "another token"), 7)


async def known_as(hub: WorkingHub, token: str) -> Admitted:
    """Return what is known of a request with a token that has no id, as some issuers make them."""
    caller = Caller(actor=hub.people["requester"])

    async def again() -> tuple[Caller, float]:
        return caller, 60.0

    return Admitted(
        caller=caller,
        server="everything",
        trace_id="t",
        idempotency_key=None,
        token_digest=digest(token),
        again=again,
        scheme="bearer",
    )


async def test_a_write_that_is_called_off_while_it_is_previewed_goes_no_further(
    hub: WorkingHub, http: httpx2.AsyncClient
) -> None:
    token = await hub.token()
    async with silent(hub) as system:
        calling = asyncio.create_task(send(http, token, call("silent_item_update", {"id": 1, "quantity": 3})))
        await system.asked.wait()
        await send(http, token, CANCEL)
        async with hub.database.listening(WORK) as moved:  # every move of an invocation is announced there
            while await state_of(hub) != [State.CANCELLED.value]:
                await moved.wait()
                moved.clear()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await hub.runtime.tasks.drain(0)

    assert await state_of(hub) == [State.CANCELLED.value]
