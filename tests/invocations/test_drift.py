"""Drift: what changed before a commit is shown and decided again; what a tool did otherwise than it said raises it."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from sqlalchemy import delete, update
from upstream.careless import connector as careless
from upstream.fixtures import Upstream
from world import World, open_world

from connectors.sdk.vocabulary import Tier
from hub.audit import EventKind, events_of
from hub.bundles import Publication, default_bundle_text, publish_bundle
from hub.core.errors import Forbidden, Quarantined
from hub.identity.accounts import set_groups
from hub.identity.authority import Authority
from hub.identity.principals import Principal
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.registry import (
    Environment,
    NewConnection,
    Tool,
    create_connection,
    find_tool,
    register_connector,
    release,
    set_tool_owner,
    settle_tier,
)
from hub.registry.tables import BadgeRow
from hub.storage import Database

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

ASKS = '@id("medium-without-proof")'
CARRIES = f'{ASKS} @carry("same-changes")'


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """Nobody is told to come back later here, however slow the machine is."""
    async with open_world(database, keys, upstream) as opened:
        yield opened


async def asked_under(world: World, rule: str) -> Invocation:
    """Return a change of the pencil's quantity that ann has approved, under a policy that says `rule` of it."""
    rules = "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith("//?"))
    publication = Publication(environment="dev", text=rules.replace(ASKS, rule), by=None)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(delete(BadgeRow))
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)
    asked = await world.call("item_update", {"id": 1, "quantity": 9})
    assert asked.state is State.AWAITING_APPROVAL
    await world.vote(asked, world.ann)
    return asked


async def ask_nobody(world: World) -> None:
    """Let policy permit what it asked about, as where a badge proves the undo by now."""
    text = default_bundle_text()
    rules = "\n".join(line for line in text.splitlines() if not line.startswith("//?"))
    publication = Publication(environment="dev", text=without_rule(rules, ASKS), by=None)
    async with world.runtime.database.transaction() as tx:
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


def without_rule(rules: str, rule: str) -> str:
    before, _, behind = rules.partition(rule)
    return before + behind.partition(";")[2]


def rename_by_hand(world: World) -> None:
    world.upstream.store.rows("UPDATE item SET name = 'crayon', version = version + 1 WHERE id = 1")


async def taken_on(world: World, asked: Invocation) -> Invocation:
    """Let the worker find that it is stale, and preview it again."""
    stale = await resume(asked.id, world.runtime)
    assert stale.state is State.STALE
    return await resume(asked.id, world.runtime)


async def test_votes_on_an_earlier_preview_are_void_where_policy_says_nothing(world: World) -> None:
    asked = await asked_under(world, ASKS)
    rename_by_hand(world)

    again = await taken_on(world, asked)

    assert again.state is State.AWAITING_APPROVAL
    assert again.question is not None
    assert again.question.votes == ()


async def test_where_policy_permits_votes_count_for_a_preview_that_would_change_the_same(world: World) -> None:
    asked = await asked_under(world, CARRIES)
    rename_by_hand(world)

    again = await taken_on(world, asked)
    done = await resume(asked.id, world.runtime)

    assert again.state is State.APPROVED
    assert again.revision == 2
    assert done.state is State.VERIFIED
    assert done.output["name"] == "crayon"
    assert done.question is not None
    (vote,) = done.question.votes
    assert vote.carried_from == asked.question.digest if asked.question else None
    async with world.runtime.database.reading() as tx:
        requests = [
            event.facts["carried_votes"]
            for event in await events_of(tx, asked.id)
            if event.kind is EventKind.INVOCATION_APPROVAL_REQUESTED
        ]
    assert requests == [[], [world.ann.id]]


async def test_votes_are_void_where_the_very_value_has_changed_that_is_written_over(world: World) -> None:
    asked = await asked_under(world, CARRIES)
    world.edit_by_hand(1, quantity=7)

    again = await taken_on(world, asked)

    assert again.state is State.AWAITING_APPROVAL
    assert again.question is not None
    assert again.question.votes == ()


@pytest.mark.parametrize("rule", [ASKS, CARRIES])
async def test_whoever_was_asked_is_asked_again_where_policy_by_now_asks_nobody(world: World, rule: str) -> None:
    asked = await asked_under(world, rule)
    world.edit_by_hand(1, quantity=7)
    await ask_nobody(world)

    again = await taken_on(world, asked)

    assert again.state is State.AWAITING_APPROVAL
    assert again.question is not None
    assert asked.question is not None
    assert again.question.obligations == asked.question.obligations
    assert again.question.votes == ()
    assert len(world.upstream.store.effects()) == 0


async def test_votes_that_policy_carries_count_where_it_asks_nobody_by_now(world: World) -> None:
    asked = await asked_under(world, CARRIES)
    rename_by_hand(world)
    await ask_nobody(world)

    again = await taken_on(world, asked)

    assert again.state is State.APPROVED
    assert again.question is not None
    assert [vote.voter_id for vote in again.question.votes] == [world.ann.id]


async def test_votes_that_need_a_fresh_login_are_never_carried(world: World) -> None:
    asked = await asked_under(world, f'{CARRIES} @fresh("PT10M")')
    rename_by_hand(world)

    again = await taken_on(world, asked)

    assert again.state is State.AWAITING_APPROVAL


async def test_a_carried_vote_does_not_outlive_the_voters_right_to_it(world: World) -> None:
    asked = await asked_under(world, CARRIES)
    rename_by_hand(world)
    await taken_on(world, asked)
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset(), world.runtime.authority)

    refused = await resume(asked.id, world.runtime)

    assert refused.state is State.STALE
    assert len(world.upstream.store.effects()) == 0


def acting(world: World, person: Principal) -> Authority:
    return Authority(database=world.runtime.database, keys=world.runtime.keys, by=person.id)


async def tool_of(world: World, connector: str, name: str) -> Tool:
    async with world.runtime.database.reading() as tx:
        found = await find_tool(tx, connector, name)
    assert found is not None
    return found


async def test_a_divergence_raises_the_tier_until_the_owner_has_looked(world: World) -> None:
    tool = await tool_of(world, "upstream", "item_update")
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    async with world.runtime.database.transaction() as tx:
        await set_tool_owner(tx, tool.id, world.carl.id, world.runtime.authority)
        await tx.execute(update(InvocationRow).where(InvocationRow.id == done.id).values(state="COMMITTED"))
    world.edit_by_hand(1, quantity=7)  # as if the system had done something else

    diverged = await resume(done.id, world.runtime)
    raised = await tool_of(world, "upstream", "item_update")
    asked = await world.call("item_update", {"id": 1, "quantity": 8})

    assert diverged.state is State.DIVERGED
    assert raised.raised_tier is Tier.HIGH
    assert done.id in (raised.raised_reason or "")
    assert (asked.state, asked.tier) == (State.AWAITING_APPROVAL, Tier.HIGH)

    with pytest.raises(Forbidden):
        async with world.runtime.database.transaction() as tx:
            await settle_tier(tx, tool.id, acting(world, world.ann))
    async with world.runtime.database.transaction() as tx:
        await settle_tier(tx, tool.id, acting(world, world.carl))
    assert (await world.call("item_update", {"id": 1, "quantity": 6})).state is State.VERIFIED


async def test_a_preview_that_writes_is_stopped_and_its_tool_held_back_until_the_owner_has_looked(world: World) -> None:
    authority = world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, careless.spec, authority)
        new = NewConnection(
            name="careless", connector=careless.name, environment=Environment.DEV, base_url=world.upstream.base_url
        )
        connection = await create_connection(tx, new, authority)
        await world.runtime.vault.put(tx, connection.id, {"token": world.upstream.token}, authority)
    caller = replace(world.caller, scopes=frozenset({f"{careless.name}:write"}))
    tool = await tool_of(world, careless.name, "writes_in_its_preview")

    stopped = await world.call("writes_in_its_preview", {"id": 1}, caller=caller)

    assert stopped.state is State.PREVIEW_FAILED
    assert stopped.error_code == "preview_tried_to_write"
    assert world.upstream.store.effects() == []
    assert len(world.upstream.store.rows("SELECT id FROM item WHERE id = 1")) == 1
    with pytest.raises(Quarantined, match="tried to write"):
        await world.call("writes_in_its_preview", {"id": 1}, caller=caller, run="another")

    async with world.runtime.database.transaction() as tx:
        await set_tool_owner(tx, tool.id, world.carl.id, authority)
    with pytest.raises(Forbidden):
        async with world.runtime.database.transaction() as tx:
            await release(tx, tool.id, acting(world, world.ann))
    async with world.runtime.database.transaction() as tx:
        await release(tx, tool.id, acting(world, world.carl))
    again = await world.call("writes_in_its_preview", {"id": 1}, caller=caller, run="a third")
    assert again.error_code == "preview_tried_to_write"
