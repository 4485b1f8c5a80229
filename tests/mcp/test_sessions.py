"""Sessions of the older protocol: sealed, nobody else's, over once they are ended; none is needed to be served."""

import pytest
from doors.agents import BOTH_ENGINES
from doors.askers import TALKS, token_for
from doors.holding_back import READ, holding_back
from doors.older_clients import OlderClient
from doors.replicas import another_door, replica
from doors.working_hub import WorkingHub
from starlette.applications import Starlette

from hub.core.errors import NotFound
from hub.identity.resources import EVERYTHING
from hub.mcp.sessions import HEADER, LASTS, Sessions, forget_sessions
from hub.mcp.tables import McpSessionRow
from hub.storage import now

pytestmark = pytest.mark.anyio

ASKABLE = {"roots": {}}


@pytest.fixture
async def client(hub: WorkingHub, app: Starlette) -> OlderClient:
    return OlderClient(app=app, token=await hub.token())


async def test_a_session_is_over_once_it_is_ended(client: OlderClient) -> None:
    await client.open(ASKABLE)
    before = (await client.send("ping", {})).status

    ended, again = await client.delete(), await client.delete()
    after = await client.send("ping", {})

    assert (before, ended, again, after.status) == (200, 204, 404, 404)
    assert (await after.told())["error"]["data"] == {"error": "no_such_session"}


@BOTH_ENGINES
async def test_a_session_is_the_same_in_every_process_and_over_in_all_of_them(
    hub: WorkingHub, client: OlderClient
) -> None:
    given = await client.open(ASKABLE)
    async with another_door(hub) as door, replica(hub) as third:
        there = OlderClient(app=door, token=client.token, session=given)
        before = (await there.send("ping", {})).status
        ended, after = await there.delete(), (await there.send("ping", {})).status

        with pytest.raises(NotFound):
            await Sessions(third.database, third.keys).found(hub.caller, "everything", given)

    assert (before, ended, after) == (200, 204, 404)


async def test_a_session_is_good_for_nobody_else_at_no_other_server_and_only_whole(
    hub: WorkingHub, app: Starlette, client: OlderClient
) -> None:
    given = await client.open(ASKABLE)
    sessions = Sessions(hub.database, hub.runtime.keys)
    agent = await hub.make_agent("other", servers=frozenset({EVERYTHING}))
    other = OlderClient(app=app, token=await hub.token(of=agent), session=given)
    changed = OlderClient(app=app, token=client.token, session=given[:-2])
    long = OlderClient(app=app, token=client.token, session="x" * 5000)

    assert [(await one.send("ping", {})).status for one in (other, changed, long)] == [404, 404, 404]
    with pytest.raises(NotFound):
        await sessions.found(hub.caller, "elsewhere", given)


async def test_who_names_no_session_is_served_all_the_same(client: OlderClient) -> None:
    assert (await client.send("ping", {})).status == 200


async def test_nothing_is_kept_of_a_session_in_which_nothing_is_said(hub: WorkingHub, client: OlderClient) -> None:
    given = await client.open({"elicitation": {}})
    await client.send("ping", {})

    async with hub.database.reading() as tx:
        assert await tx.get(McpSessionRow, given) is None


@BOTH_ENGINES
async def test_what_was_said_in_sessions_is_forgotten_when_they_are_too_old(
    hub: WorkingHub, client: OlderClient
) -> None:
    await client.open(ASKABLE)
    await client.delete()
    async with hub.database.transaction() as tx:
        said = {"log_level": None, "is_over": True, "news": None}
        kept = McpSessionRow(id="ses_kept", until=await now(tx) + LASTS, **said)
        tx.add_all([kept, McpSessionRow(id="ses_old", until=await now(tx), **said)])

    async with hub.database.transaction() as tx:
        await forget_sessions(tx)

    async with hub.database.reading() as tx:
        assert [await tx.get(McpSessionRow, one) is None for one in ("ses_kept", "ses_old")] == [False, True]


async def test_every_client_is_given_a_session_whatever_it_can_be_asked(client: OlderClient) -> None:
    for capabilities in ({}, {"elicitation": {"url": {}}}, {"sampling": {}}):
        client.session = None
        await client.open(capabilities)

        assert await client.delete() == 204


async def test_the_answer_of_a_call_in_a_session_begins_before_anything_is_carried_out(
    hub: WorkingHub, client: OlderClient
) -> None:
    """Until then clients of the older SDK send nothing else with their token, not even the end of their session."""
    await client.open({})
    async with holding_back(hub) as system, client.sending(client.call(READ, id=1)) as answer:
        await system.asked.wait()
        begun, ended = answer.status, await client.delete()
        system.may_answer.set()

    assert (begun, answer.is_stream, ended) == (200, True, 204)


async def test_the_id_of_a_session_can_be_seen_and_says_nothing(client: OlderClient) -> None:
    answer = await client.send("initialize", {"protocolVersion": "2025-11-25", "capabilities": {"sampling": {}}})

    given = answer.headers.get(HEADER, "")
    assert given.isascii()
    assert given.isprintable()
    assert "sampling" not in given


async def test_lines_of_log_come_from_the_level_on_that_the_session_asks_for(
    hub: WorkingHub, app: Starlette, asker: str
) -> None:
    client = OlderClient(app=app, token=await token_for(hub, asker, "reader", connect=True))
    await client.open(ASKABLE)
    heard = dict[str, list[str]]()
    for level in ("info", "error"):
        assert (await (await client.send("logging/setLevel", {"level": level})).told())["result"] == {}
        async with client.sending(client.call(TALKS)) as answer:
            pass
        messages = [answer.messages.get_nowait() for _ in range(answer.messages.qsize())]
        heard[level] = [one["params"]["logger"] for one in messages if one.get("method") == "notifications/message"]

    assert heard == {"info": [f"asker/{TALKS}"] * 3, "error": []}


async def test_a_level_of_log_needs_a_session(client: OlderClient) -> None:
    said = await (await client.send("logging/setLevel", {"level": "info"})).told()

    assert "session" in said["error"]["message"]
