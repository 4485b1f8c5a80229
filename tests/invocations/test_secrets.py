"""A secret argument reaches the system, once, and nothing else: no table, page, answer, export or log holds it."""

import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from sqlalchemy import MetaData, select, text, update
from starlette.applications import Starlette
from upstream.connector import connector
from upstream.fixtures import Upstream
from web.web_visitor import Visitor
from world import MASTER_KEY, PASSWORD, World, open_world

from hub import audit
from hub.api.invocations import view, view_for
from hub.approvals import Choice
from hub.audit import ExportOrder, rotate_key
from hub.core.canonical import digest
from hub.core.errors import IdempotencyMismatch, InputError, Malformed
from hub.core.redaction import REDACTED
from hub.identity.principals import Caller, PrincipalKind
from hub.identity.resources import EVERYTHING
from hub.invocations.commit import commit
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.envelope import envelope
from hub.invocations.queries import current
from hub.invocations.secrecy import with_answer, with_secrets
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.mcp.hub_tools import HUB_TOOLS, Asker
from hub.storage import Database
from hub.web import web_routes

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

PIN = "PIN-4711-quince"
"""With letters that no random digest, identifier or key contains by chance."""


@pytest.fixture
async def secretive(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """The test connector, published with the title of a ticket marked as secret."""
    spec = connector.spec.model_copy(deep=True)
    (operation,) = (one for one in spec.operations if one.name == "ticket_create")
    operation.input_schema["properties"]["title"]["x-secret"] = True
    (reading,) = (one for one in spec.operations if one.name == "item_get")
    reading.output_schema["properties"]["name"]["x-secret"] = True
    async with open_world(database, keys, upstream, spec=spec) as world:
        yield world


async def everything_stored(database: Database) -> str:
    """Return all that any table holds, as text; what is sealed is unreadable there."""
    async with database.reading() as tx:
        tables = MetaData()
        await (await tx.connection()).run_sync(tables.reflect)
        rows = [(await tx.execute(select(table))).all() for table in tables.sorted_tables]
    return repr(rows)


async def exports(world: World) -> str:
    orders = [ExportOrder(by=None, with_values=values) for values in (False, True)]
    made = [audit.export_lines(world.runtime.database, world.runtime.keys, order) for order in orders]
    return "".join([line.decode() for lines in made async for line in lines])


async def pages(world: World, invocation: Invocation) -> str:
    app = Starlette(routes=web_routes(world.runtime))
    seen: list[str] = []
    for who in ("ann", "rita"):
        async with Visitor(app, base_url=world.runtime.public_url) as visitor:
            await visitor.log_in(who, PASSWORD)
            for path in (f"/invocations/{invocation.id}", f"/approvals/{invocation.id}", "/approvals"):
                await visitor.get(path)
                seen.append(visitor.html)
    return "".join(seen)


async def everything_told(world: World, invocation: Invocation) -> str:
    standing = await current(world.runtime, invocation.id)
    told = envelope(standing, public_url=world.runtime.public_url)
    return f"{view(standing, world.runtime)!r} {told!r} {standing!r} {await pages(world, standing)}"


async def test_a_secret_reaches_the_system_once_and_nothing_else_at_all(
    secretive: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = await secretive.call("ticket_create", {"title": PIN})
    while_waiting = await everything_stored(secretive.runtime.database) + await everything_told(secretive, asked)

    done = await commit(await secretive.vote(asked, secretive.ann), secretive.runtime)

    assert done.state is State.VERIFIED
    store = secretive.upstream.store
    assert [row["title"] for row in store.rows("SELECT title FROM ticket")] == [PIN]
    assert [row["method"] for row in store.rows("SELECT * FROM request") if PIN in str(row)] == ["POST"]
    afterwards = await everything_stored(secretive.runtime.database) + await everything_told(secretive, asked)
    for seen in (while_waiting, afterwards, await exports(secretive), caplog.text):
        assert "quince" not in seen
    assert "[redacted" in while_waiting
    assert done.sealed_arguments is None


async def test_the_secret_cannot_be_guessed_from_the_digests(secretive: World) -> None:
    asked = await secretive.call("ticket_create", {"title": PIN})

    guess = {
        "environment": asked.environment,
        "tool": asked.tool_id,
        "tool_version_digest": asked.tool_version_digest,
        "connection": asked.connection_id,
        "connection_generation": asked.connection_generation,
        "agent": asked.agent_id,
        "on_behalf_of": asked.on_behalf_of_id,
        "arguments": {"title": PIN},
    }

    assert digest(guess) != asked.intent_digest
    assert digest(guess | {"arguments": {"title": "[redacted]"}}) != asked.intent_digest


async def test_the_same_secret_is_a_repeat_and_another_one_is_another_call(secretive: World) -> None:
    first = await secretive.call("ticket_create", {"title": PIN}, run="r")
    async with secretive.runtime.database.transaction() as tx:
        await rotate_key(tx, secretive.runtime.keys, "data")
    await secretive.runtime.keys.reload()

    again = await secretive.call("ticket_create", {"title": PIN}, run="r")
    other = await secretive.call("ticket_create", {"title": "PIN-4712"}, run="r")

    assert (again.id, again.repeats) == (first.id, True)
    assert other.id != first.id
    await secretive.call("ticket_create", {"title": PIN}, key="mine")
    with pytest.raises(IdempotencyMismatch):
        await secretive.call("ticket_create", {"title": "PIN-4712"}, key="mine")


async def test_what_was_sealed_before_a_rotation_is_committed_after_it(secretive: World) -> None:
    asked = await secretive.call("ticket_create", {"title": PIN})
    async with secretive.runtime.database.transaction() as tx:
        await rotate_key(tx, secretive.runtime.keys, "data")
    await secretive.runtime.keys.reload()

    done = await commit(await secretive.vote(asked, secretive.ann), secretive.runtime)

    assert done.state is State.VERIFIED


@pytest.mark.parametrize("swapped", ["another", "nothing"])
async def test_a_secret_exchanged_after_the_approval_is_noticed(secretive: World, swapped: str) -> None:
    asked = await secretive.call("ticket_create", {"title": PIN})
    approved = await secretive.vote(asked, secretive.ann)
    sealed = secretive.runtime.keys.encrypt(
        json.dumps({"title": "PIN-4712"}).encode(), context=f"invocation:{asked.id}:arguments"
    )
    async with secretive.runtime.database.transaction() as tx:
        mine = update(InvocationRow).where(InvocationRow.id == asked.id)
        await tx.execute(mine.values(sealed_arguments=sealed if swapped == "another" else None))

    stale = await commit(approved, secretive.runtime)

    assert (stale.state, stale.error_message) == (
        State.STALE,
        "the arguments on record are not the ones that were approved",
    )
    assert secretive.upstream.store.rows("SELECT title FROM ticket") == []


async def test_a_secret_answer_is_the_callers_and_not_the_pages(secretive: World) -> None:
    answered = await secretive.call("item_get", {"id": 1})

    app = Starlette(routes=web_routes(secretive.runtime))
    async with Visitor(app, base_url=secretive.runtime.public_url) as visitor:
        await visitor.log_in("rita", PASSWORD)
        await visitor.get(f"/invocations/{answered.id}")
        shown = visitor.html

    whole = with_answer(answered, secretive.runtime.keys)
    assert (answered.output["name"], whole.output["name"]) == ("[redacted]", "pencil")
    assert "quantity" in shown
    assert "pencil" not in shown
    assert "pencil" not in await everything_stored(secretive.runtime.database)


async def test_the_agent_that_asked_gets_a_secret_answer_whole_and_its_user_without_secrets(secretive: World) -> None:
    answered = await secretive.call("item_get", {"id": 1})
    agent = secretive.caller
    user = Caller(actor=secretive.rita, scopes=frozenset())

    asker = Asker(caller=agent, server=EVERYTHING)
    told = await HUB_TOOLS["hub_invocation_get"].answer(secretive.runtime, asker, {"id": answered.id})

    assert (told.structured_content or {})["result"]["name"] == "pencil"
    views = {who.actor.kind: await view_for(who, answered, secretive.runtime) for who in (agent, user)}
    seen = {kind: shown.result["name"] for kind, shown in views.items()}
    assert seen == {PrincipalKind.AGENT: "pencil", PrincipalKind.USER: "[redacted]"}
    assert "pencil" not in repr(view(answered, secretive.runtime))


async def test_an_answer_exchanged_for_another_invocations_is_noticed(secretive: World) -> None:
    one, other = await secretive.call("item_get", {"id": 1}), await secretive.call("item_get", {"id": 1})

    with pytest.raises(Malformed):
        with_answer(replace(one, sealed_output=other.sealed_output), secretive.runtime.keys)


async def test_an_approval_waits_for_a_key_that_this_process_has_not_read_yet(secretive: World) -> None:
    old = await Keyring.open(secretive.runtime.database, MASTER_KEY)
    async with secretive.runtime.database.transaction() as tx:
        await rotate_key(tx, secretive.runtime.keys, "data")
    await secretive.runtime.keys.reload()
    asked = await secretive.call("ticket_create", {"title": PIN})
    approved = await secretive.vote(asked, secretive.ann)

    waiting = await commit(approved, replace(secretive.runtime, keys=old))
    await old.reload()
    async with secretive.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(not_before=None))
    done = await commit(waiting, replace(secretive.runtime, keys=old))

    assert (waiting.state, done.state) == (State.APPROVED, State.VERIFIED)


async def test_a_call_that_ended_without_a_commit_keeps_no_secret_either(secretive: World) -> None:
    asked = await secretive.call("ticket_create", {"title": PIN})
    async with secretive.runtime.database.reading() as tx:
        assert await tx.scalar(text("SELECT sealed_arguments FROM invocations")) is not None
    rejected = await secretive.vote(asked, secretive.ann, Choice.REJECT)

    assert (rejected.state, rejected.sealed_arguments) == (State.REJECTED, None)


async def test_who_proposes_other_arguments_keeps_a_secret_without_seeing_it(secretive: World) -> None:
    asked, keys = await secretive.call("ticket_create", {"title": PIN}), secretive.runtime.keys

    assert with_secrets({"title": REDACTED, "more": ["a"]}, asked, keys) == {"title": PIN, "more": ["a"]}
    assert with_secrets({"title": "another"}, asked, keys) == {"title": "another"}
    for elsewhere in ({"more": REDACTED}, {"title": [REDACTED]}, {"more": {"title": REDACTED}}):
        with pytest.raises(InputError, match="stands for a secret"):
            with_secrets(elsewhere, asked, keys)


async def test_a_secret_that_an_approver_proposes_is_nowhere_either(secretive: World) -> None:
    asked = await secretive.call("ticket_create", {"title": "harmless"})
    ballot = secretive.ballot(asked, secretive.ann, Choice.REJECT)

    revised = await counter(CounterProposal(ballot=ballot, arguments={"title": PIN}), secretive.runtime)

    assert revised.revision == 2
    assert PIN not in await everything_stored(secretive.runtime.database)
    assert PIN not in repr(envelope(revised, public_url="http://hub"))
