"""Data classes: what policy does not let somebody see is masked for them, and whole for everybody else."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import select
from upstream.connector import connector
from upstream.fixtures import Upstream
from world import World, open_world

from connectors.sdk.spec import OperationSpec
from hub.identity.principals import Caller, Principal
from hub.invocations.envelope import envelope
from hub.invocations.masking import answer_for, as_seen_by, hidden_from, look_at
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

PERSONAL = frozenset({"item_get", "item_update", "item_put", "item_delete"})
NOT_AGENTS = """@id("no-names-for-agents")
forbid (principal is Agent, action == Action::"see", resource) when { context.data_class == "personal" };
"""
NOT_APPROVERS = """@id("no-names-for-approvers")
forbid (principal in Group::"approvers", action == Action::"see", resource) when { context.data_class == "personal" };
"""


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite: nothing here has to do with the engine."""
    return sqlite_url


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """The test connector, published with the names of items as personal."""
    spec = connector.spec.model_copy(deep=True)
    operations = [_personal(one) if one.name in PERSONAL else one for one in spec.operations]
    spec = spec.model_copy(update={"operations": tuple(operations)})
    async with open_world(database, keys, upstream, spec=spec) as opened:
        yield opened


def _personal(operation: OperationSpec) -> OperationSpec:
    for schema in (operation.input_schema, operation.output_schema):
        if "name" in schema["properties"]:
            schema["properties"]["name"]["x-data-class"] = "personal"
    return operation.model_copy(update={"data_classes": ("personal",)})


def caller_of(person: Principal) -> Caller:
    return Caller(actor=person, on_behalf_of=None, scopes=frozenset(), client_id=person.id)


async def test_by_the_default_policy_nothing_is_masked(world: World) -> None:
    read = await world.call("item_get", {"id": 1})

    seen = await answer_for(world.caller, read, world.runtime)

    assert (seen.output, seen.masked) == (read.output, ())


async def test_what_an_agent_may_not_see_is_masked_and_the_answer_says_so(world: World) -> None:
    await world.decide_by(NOT_AGENTS)
    read = await world.call("item_get", {"id": 1})

    seen = await answer_for(world.caller, read, world.runtime)
    told = envelope(seen, public_url="http://hub.test")

    assert told.structured["name"] == "[masked: personal]"
    assert told.structured["quantity"] == read.output["quantity"]
    assert seen.masked == ("personal",)
    assert "class personal: they are masked" in told.text
    assert "pencil" not in f"{told.text}{told.structured}"


async def test_what_is_kept_stays_whole_for_those_who_may_see_it(world: World) -> None:
    await world.decide_by(NOT_AGENTS)
    read = await world.call("item_get", {"id": 1})

    seen = await as_seen_by(caller_of(world.rita), read, world.runtime)

    assert (seen.output["name"], seen.masked) == ("pencil", ())
    async with world.runtime.database.reading() as tx:
        assert (await tx.scalar(select(InvocationRow.output)))["name"] == "pencil"


async def test_what_has_no_class_is_never_masked(world: World) -> None:
    await world.decide_by(NOT_AGENTS.replace(' when { context.data_class == "personal" }', ""))
    tool = await world.runtime.catalog.resolve("item_get", server="everything", caller=world.caller)
    other = await world.runtime.catalog.resolve("note_post", server="everything", caller=world.caller)

    assert await hidden_from(world.caller, look_at(tool), world.runtime) == {"personal"}
    assert await hidden_from(world.caller, look_at(other), world.runtime) == frozenset()


async def test_previews_questions_and_arguments_shown_to_others_follow_the_same_rule(world: World) -> None:
    await world.decide_by(
        NOT_APPROVERS,
        '@id("ask") @require("approvers:1") @ttl("PT1H") forbid (principal, action == Action::"autocommit", resource);',
    )
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})

    seen = await as_seen_by(caller_of(world.ann), asked, world.runtime)
    own = await as_seen_by(world.caller, asked, world.runtime)

    assert asked.state is State.AWAITING_APPROVAL
    for text in ("Ada Lovelace", "pencil"):
        assert text in f"{asked.preview}{asked.question}"
        assert text not in f"{seen.preview}{seen.question}{seen.arguments}"
    assert seen.preview is not None
    after = seen.preview.preview.changes[0].after
    assert (after or {})["name"] == "[masked: personal]"
    assert seen.masked == ("personal",)
    assert own.arguments["name"] == "Ada Lovelace"


async def test_masked_people_still_vote_on_what_the_record_says(world: World) -> None:
    await world.decide_by(NOT_APPROVERS)
    asked = await world.call("item_delete", {"id": 1})
    seen = await as_seen_by(caller_of(world.ann), asked, world.runtime)

    await world.vote(seen, world.ann)

    assert seen.question is not None
    assert asked.question is not None
    assert seen.question.digest == asked.question.digest


async def test_a_marker_that_is_sent_back_is_refused_and_written_nowhere(world: World) -> None:
    await world.decide_by(NOT_AGENTS)

    refused = await world.call("item_update", {"id": 1, "name": "[masked: personal]"})

    assert (refused.state, refused.error_code) == (State.DENIED, "masked_argument")
    assert world.upstream.store.effects() == []
