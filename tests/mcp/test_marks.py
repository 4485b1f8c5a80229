"""Calls whose stream has ended: their answer is there for who brings the mark, the session and the token, once made."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from doors.agents import BOTH_ENGINES, open_door
from doors.askers import GREETS, token_for
from doors.holding_back import READ, holding_back
from doors.older_clients import Answer, OlderClient
from doors.replicas import another_door
from doors.working_hub import WorkingHub
from sqlalchemy import func, select
from starlette.applications import Starlette
from world import MASTER_KEY

from hub.core.errors import Malformed
from hub.identity.accounts import suspend
from hub.identity.resources import EVERYTHING
from hub.invocations.tables import InvocationRow
from hub.keys import Keyring
from hub.mcp import marks
from hub.mcp.marks import Marks
from hub.mcp.sessions import ClientSession, Sessions
from hub.storage import Database

Json = Any

pytestmark = pytest.mark.anyio

QUIET = 0.05
TICKET = ("ticket_create", {"title": "The pencil broke"})


@pytest.fixture
async def client(hub: WorkingHub, app: Starlette) -> OlderClient:
    client = OlderClient(app=app, token=await hub.token())
    await client.open({})
    return client


@asynccontextmanager
async def impatient(hub: WorkingHub, **settings: float) -> AsyncGenerator[OlderClient]:
    """Yield a client of a hub that ends streams soon in which nothing is said."""
    runtime = replace(hub.runtime, quiet_seconds=QUIET, **settings)
    async with open_door(runtime) as door:
        client = OlderClient(app=door, token=await hub.token())
        await client.open({})
        yield client


async def session_of(hub: WorkingHub, client: OlderClient) -> ClientSession:
    assert client.session is not None
    return await Sessions(hub.database, hub.runtime.keys).found(hub.caller, EVERYTHING, client.session)


def mark_of(said: Marks) -> str:
    return said.event().decode().split("id: ")[1].split("\r\n")[0]


async def whole(client: OlderClient, mark: str) -> Json:
    """Return the answer to the call of a mark, asked for until it is there."""
    while True:
        async with client.listening(last_event_id=mark) as answer:
            await ended(answer)
        if not answer.messages.empty():
            return answer.messages.get_nowait()


async def status(client: OlderClient, mark: str) -> int:
    async with client.listening(last_event_id=mark) as answer:
        await answer.has_ended.wait()
    return answer.status


async def ended(answer: Answer) -> None:
    await answer.has_ended.wait()


async def invocations(hub: WorkingHub) -> int:
    async with hub.database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(InvocationRow)) or 0


def read(told: Json) -> Json:
    """Return an answer with its text read: a record need not keep the order in which a value's members came."""
    content = [{**one, "text": json.loads(one["text"])} for one in told["result"]["content"]]
    return {**told, "result": {**told["result"], "content": content}}


@BOTH_ENGINES
async def test_who_lost_the_stream_of_a_call_gets_its_answer_at_whichever_process_and_nothing_is_called_twice(
    hub: WorkingHub, client: OlderClient
) -> None:
    async with (
        holding_back(hub) as system,
        another_door(hub) as door,
        client.sending(client.call(READ, id=1)) as answer,
    ):
        mark = await answer.mark()
        await system.asked.wait()
        answer.left.set()
        elsewhere = OlderClient(app=door, token=client.token, session=client.session)
        async with elsewhere.listening(last_event_id=mark) as resumed:
            again = await resumed.mark()
            system.may_answer.set()
            told = await resumed.told()

    assert answer.messages.empty()
    assert (told["id"], told["result"]["structuredContent"]["name"]) == (7, "pencil")
    assert (again, system.requests, await invocations(hub)) == (mark, 1, 1)


@BOTH_ENGINES
async def test_the_answer_by_its_mark_is_the_one_that_the_call_gave_and_as_often_as_it_is_asked_for(
    client: OlderClient,
) -> None:
    async with client.sending(client.call("item_find", name="")) as answer:
        told = await answer.told()

    again = [await whole(client, answer.marks[0]) for _ in range(2)]
    assert [read(one) for one in again] == [read(told)] * 2
    assert told["result"]["isError"] is False


@BOTH_ENGINES
async def test_a_write_that_waits_is_answered_by_its_mark_with_what_it_waits_for(
    hub: WorkingHub, client: OlderClient
) -> None:
    async with client.sending(client.call(TICKET[0], **TICKET[1])) as answer:
        told = await answer.told()
    resumed = await whole(client, answer.marks[0])

    assert resumed["result"]["structuredContent"] == told["result"]["structuredContent"]
    assert resumed["result"]["structuredContent"]["status"] == "pending_approval"
    assert (await invocations(hub), len(hub.upstream.store.effects())) == (1, 0)


@BOTH_ENGINES
async def test_a_stream_in_which_nothing_is_said_ends_and_the_answer_is_asked_for(hub: WorkingHub) -> None:
    async with (
        holding_back(hub) as system,
        impatient(hub) as client,
        client.sending(client.call(READ, id=1)) as answer,
    ):
        await ended(answer)
        async with client.listening(last_event_id=answer.marks[0]) as quiet:
            await ended(quiet)
        system.may_answer.set()
        told = await whole(client, quiet.marks[0])

    assert (answer.messages.empty(), quiet.messages.empty()) == (True, True)
    assert (told["id"], told["result"]["structuredContent"]["name"], system.requests) == (7, "pencil", 1)


async def test_a_read_that_is_still_going_on_when_it_should_be_answered_is_answered_so(hub: WorkingHub) -> None:
    async with (
        holding_back(hub) as system,
        impatient(hub, answer_seconds=0.2) as client,
        client.sending(client.call(READ, id=1)) as answer,
    ):
        await ended(answer)
        told = await whole(client, answer.marks[0])
        system.may_answer.set()

    assert told["result"]["structuredContent"]["status"] == "running"


async def test_a_question_keeps_the_stream_of_its_call_open(hub: WorkingHub, asker: str) -> None:
    token = await token_for(hub, asker, "reader", connect=True)
    async with open_door(replace(hub.runtime, quiet_seconds=2.0)) as door:
        client = OlderClient(app=door, token=token)
        await client.open({"elicitation": {}})
        async with client.sending(client.call(GREETS)) as answer:
            asked = await answer.told()
            with pytest.raises(TimeoutError):
                await stays_open(answer, seconds=3.0)
            await client.reply(asked["id"], {"action": "accept", "content": {"name": "Ann"}})
            told = await answer.told()
        resumed = [await whole(client, mark) for mark in answer.marks]

    assert told["result"]["content"][0]["text"] == "Hello, Ann!"
    assert resumed[1] == told  # the second round is a call of its own, and the mark says so
    assert resumed[0]["result"]["structuredContent"]["reason_code"] == "input_required"


async def stays_open(answer: Answer, *, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await answer.has_ended.wait()


@BOTH_ENGINES
async def test_a_mark_is_good_in_its_session_alone_for_its_principals_alone_and_not_for_ever(
    hub: WorkingHub, app: Starlette, client: OlderClient, database: Database, keys: Keyring
) -> None:
    async with client.sending(client.call("item_find", name="")) as answer:
        await answer.told()
    mark = answer.marks[0]
    session = await session_of(hub, client)
    sibling = OlderClient(app=app, token=client.token)
    await sibling.open({})
    agent = await hub.make_agent("other", servers=frozenset({EVERYTHING}))
    other = OlderClient(app=app, token=await hub.token(of=agent), session=client.session)
    alone = OlderClient(app=app, token=client.token)
    unknown = OlderClient(app=app, token="none", session=client.session)
    forged = [mark[:-2], mark + "x", "x" * 5000, "1", client.session or ""]

    assert [await status(client, one) for one in forged] == [400] * 5
    assert (await status(sibling, mark), await status(other, mark)) == (400, 404)
    assert (await status(alone, mark), await status(unknown, mark)) == (405, 401)
    old = mark_of(Marks(session=session, request_id=7, keys=await past(database)))
    with pytest.raises(Malformed, match="too old"):
        marks.opened(old, session, keys)


async def past(database: Database) -> Keyring:
    """Return the keys as they were when a mark was made that is too old now."""
    return await Keyring.open(database, MASTER_KEY, clock=lambda: time.time() - marks.SECONDS - 1)


async def test_a_call_of_which_nothing_is_on_record_is_told_to_be_made_again(
    hub: WorkingHub, client: OlderClient
) -> None:
    """As after its process was killed before it had begun: it can have had no effect."""
    said = Marks(session=await session_of(hub, client), request_id="seven", keys=hub.runtime.keys)
    async with impatient(hub, answer_seconds=-100.0) as late:
        late.session = client.session
        told = await whole(late, mark_of(said))

    assert (told["id"], told["result"]["isError"]) == ("seven", True)
    assert told["result"]["structuredContent"]["reason_code"] == "call_lost"
    assert told["result"]["structuredContent"]["retryable"] is True


@BOTH_ENGINES
async def test_who_may_no_longer_call_is_not_answered_by_a_mark_either(hub: WorkingHub, client: OlderClient) -> None:
    async with holding_back(hub) as system, client.sending(client.call(READ, id=1)) as answer:
        await system.asked.wait()
        async with client.listening(last_event_id=await answer.mark()) as resumed:
            await resumed.mark()
            async with hub.database.transaction() as tx:
                await suspend(tx, hub.agent.id, "it looked odd", hub.authority)
            system.may_answer.set()
            await ended(resumed)

    assert resumed.messages.empty()


@pytest.mark.parametrize(
    ("tool", "headers"),
    [
        pytest.param("hub_invocations_mine", {}, id="a tool of the hub, of which nothing is on record"),
        pytest.param("item_find", {"mcp_protocol_version": "2025-06-18"}, id="a client that cannot read marks"),
    ],
)
async def test_what_cannot_be_gone_on_with_has_no_mark(client: OlderClient, tool: str, headers: dict[str, str]) -> None:
    async with client.sending(client.call(tool), **headers) as answer:
        await answer.told()

    assert (answer.is_stream, answer.marks) == (True, [])


async def test_without_a_session_there_is_no_mark(client: OlderClient) -> None:
    client.session = None
    async with client.sending(client.call("item_find")) as answer:
        await answer.told()

    assert (answer.is_stream, answer.marks) == (False, [])
