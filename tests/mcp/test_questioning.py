"""A server's questions to a client of the older protocol: asked in the stream of its call, answered at any process."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from doors.agents import open_door
from doors.askers import GREETS, OWNER, ROUNDS, WRITES, token_for
from doors.older_clients import OlderClient
from doors.second_server import over_another_connection
from doors.working_hub import WorkingHub
from sqlalchemy import select
from starlette.applications import Starlette

from hub.identity.accounts import suspend
from hub.identity.tables import PrincipalRow
from hub.invocations.tables import InvocationRow
from hub.mcp import questioning
from hub.mcp.sessions import ClientSession
from hub.mcp.streams import Streams
from hub.mcp.tables import McpQuestionRow

Json = Any

pytestmark = pytest.mark.anyio

ANN = {"action": "accept", "content": {"name": "Ann"}}


@pytest.fixture
async def client(hub: WorkingHub, app: Starlette, asker: str) -> OlderClient:
    """A client that can be asked to have a form filled in, in a session."""
    client = OlderClient(app=app, token=await token_for(hub, asker, "reader", connect=True))
    await client.open({"elicitation": {}})
    return client


@pytest.fixture
async def elsewhere(hub: WorkingHub, client: OlderClient) -> AsyncGenerator[OlderClient]:
    """The same client at another process of the hub."""
    async with open_door(hub.runtime) as door:
        yield OlderClient(app=door, token=client.token, session=client.session)


async def records(hub: WorkingHub) -> list[tuple[str, str | None]]:
    async with hub.database.reading() as tx:
        rows = await tx.scalars(select(InvocationRow).order_by(InvocationRow.created_at))
        return [(one.state, one.error_code) for one in rows]


async def open_questions(hub: WorkingHub) -> list[str]:
    async with hub.database.reading() as tx:
        return list(await tx.scalars(select(McpQuestionRow.id)))


async def test_an_answer_that_comes_in_elsewhere_reaches_the_call(
    hub: WorkingHub, client: OlderClient, elsewhere: OlderClient
) -> None:
    async with client.sending(client.call(GREETS)) as answer:
        asked = await answer.told()
        status = await elsewhere.reply(asked["id"], ANN)
        result = await answer.told()

    assert (asked["method"], status) == ("elicitation/create", 202)
    assert (result["id"], result["result"]["content"][0]["text"]) == (7, "Hello, Ann!")
    assert await records(hub) == [("FAILED", "input_required"), ("SUCCEEDED", None)]
    assert await open_questions(hub) == []


async def test_a_question_says_who_asks_it(client: OlderClient) -> None:
    async with client.sending(client.call(GREETS)) as answer:
        asked = await answer.told()
        await client.reply(asked["id"], ANN)

    assert asked["params"]["message"] == f"asker asks, through the tool {GREETS}: What is your name?"
    assert asked["params"]["_meta"]["dev.toolhub/asked_by"] == {"tool": GREETS, "connection": "asker"}


async def test_a_server_may_ask_again(client: OlderClient) -> None:
    async with client.sending(client.call(ROUNDS)) as answer:
        await client.reply((await answer.told())["id"], ANN)
        await client.reply((await answer.told())["id"], {"action": "accept", "content": {"color": "blue"}})
        result = await answer.told()

    assert result["result"]["content"][0]["text"] == "Ann likes blue."


async def test_what_one_system_was_told_is_for_no_other_that_has_its_name_by_now(
    hub: WorkingHub, client: OlderClient, asker: str
) -> None:
    async with client.sending(client.call(GREETS)) as answer:
        asked = await answer.told()
        await over_another_connection(hub, OWNER.name, GREETS, asker)
        await client.reply(asked["id"], ANN)
        result = await answer.told()

    assert "published under this name no more" in result["result"]["content"][0]["text"]
    assert await records(hub) == [("FAILED", "input_required")]


async def test_what_nobody_asked_or_somebody_else_was_asked_is_refused(
    hub: WorkingHub, app: Starlette, asker: str, client: OlderClient
) -> None:
    other = OlderClient(app=app, token=await token_for(hub, asker, "other"))
    await other.open({"elicitation": {}})
    sibling = OlderClient(app=app, token=client.token)
    await sibling.open({"elicitation": {}})
    async with client.sending(client.call(GREETS)) as answer:
        number = (await answer.told())["id"]
        refused = [
            await other.reply(number, ANN),
            await sibling.reply(number, ANN),
            await client.reply("ask_" + "A" * 32, ANN),
            await client.reply("\x00", ANN),
            await client.reply(7, ANN),
        ]
        taken = await client.reply(number, ANN)
        result = await answer.told()

    assert (refused, taken) == ([400] * 5, 202)
    assert result["result"]["content"][0]["text"] == "Hello, Ann!"


async def test_the_first_answer_counts_and_what_comes_late_is_refused(client: OlderClient) -> None:
    async with client.sending(client.call(GREETS)) as answer:
        number = (await answer.told())["id"]
        await client.reply(number, ANN)
        again = await client.reply(number, {"action": "accept", "content": {"name": "Eve"}})
        result = await answer.told()
    late = await client.reply(number, ANN)

    assert (again, late) == (400, 400)
    assert result["result"]["content"][0]["text"] == "Hello, Ann!"


async def test_a_client_that_does_not_answer_gets_its_call_ended(
    hub: WorkingHub, client: OlderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questioning, "QUESTION_SECONDS", 0.1)
    async with open_door(hub.runtime) as door:
        hasty = OlderClient(app=door, token=client.token, session=client.session)
        async with hasty.sending(hasty.call(GREETS)) as answer:
            asked = await answer.told()
            result = await answer.told()
        late = await hasty.reply(asked["id"], ANN)

    assert result["result"]["structuredContent"]["reason_code"] == "input_required"
    assert (late, await open_questions(hub)) == (400, [])


async def test_a_client_that_leaves_is_waited_for_no_longer(hub: WorkingHub, client: OlderClient) -> None:
    async with client.sending(client.call(GREETS)) as answer:
        await answer.told()
        answer.left.set()

    with anyio.fail_after(60):
        while await open_questions(hub):
            await anyio.lowlevel.checkpoint()


async def test_an_answer_of_another_kind_ends_the_call(client: OlderClient) -> None:
    async with client.sending(client.call(GREETS)) as answer:
        await client.reply((await answer.told())["id"], {"action": "whatever"})
        result = await answer.told()

    assert result["result"]["isError"]


async def test_who_may_no_longer_call_gets_no_further_round(hub: WorkingHub, client: OlderClient) -> None:
    async with client.sending(client.call(GREETS)) as answer:
        number = (await answer.told())["id"]
        async with hub.database.transaction() as tx:
            session = await tx.scalar(select(McpQuestionRow.session_id))
            agent = await tx.scalar(select(PrincipalRow.id).where(PrincipalRow.name == "reader"))
            assert session is not None
            assert agent is not None
            await suspend(tx, agent, "strange behaviour", hub.authority)
        questions = questioning.Questions(hub.runtime, Streams())
        await questions.take(ClientSession(id=session, can={}), {"id": number, "result": ANN})
        result = await answer.told()

    assert result["result"]["isError"]
    assert await records(hub) == [("FAILED", "input_required")]


async def test_a_write_asks_nobody_anything(hub: WorkingHub, client: OlderClient) -> None:
    async with client.sending(client.call(WRITES)) as answer:
        first = await answer.told()

    assert "result" in first
    assert await open_questions(hub) == []


async def test_who_declares_nothing_is_asked_nothing(client: OlderClient) -> None:
    await client.open({"roots": {}})
    async with client.sending(client.call(GREETS)) as answer:
        result = await answer.told()

    assert result["result"]["structuredContent"]["reason_code"] == "input_required"
