"""What a call must keep to beside policy: conditions on its tier, its owner's rules, the connector's own check."""

import pytest
from sqlalchemy import select
from upstream.connector import connector
from world import World

from connectors.sdk.rules import Rule
from connectors.sdk.vocabulary import Tier
from hub.audit import events_of, open_values
from hub.bundles import Publication, default_bundle_text, publish_bundle
from hub.bundles.tables import BundleRow
from hub.core.errors import Forbidden
from hub.identity.directory import get
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.policy import Action, Bundle, Facts, decide
from hub.registry import find_tool, register_connector, set_rules

pytestmark = pytest.mark.anyio

FEW = Rule(condition="input.quantity <= 1000", message="At most 1,000 pieces at once.")
SMALL_STEPS = Rule(
    condition="preview.changes[0].after.quantity - preview.changes[0].before.quantity <= 5",
    message="At most five more at a time.",
)


async def demand(world: World, name: str, *rules: Rule) -> None:
    """Let the owner of a tool set its rules."""
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", name)
        assert tool is not None
        await set_rules(tx, tool.id, rules, world.runtime.authority)


async def decisions(world: World, invocation: Invocation) -> list[tuple[dict[str, object], dict[str, object]]]:
    """What each event of `invocation` says of a decision: its open facts, and its private values."""
    async with world.runtime.database.reading() as tx:
        events = await events_of(tx, invocation.id)
        values = [await open_values(tx, event.id, world.runtime.keys) for event in events]
    return [(event.facts, value) for event, value in zip(events, values, strict=True) if "decided_on" in value]


async def test_a_condition_raises_the_tier_of_a_call(world: World) -> None:
    few = await world.call("item_put", {"id": 50, "name": "nail", "quantity": 500_000})
    many = await world.call("item_put", {"id": 51, "name": "nail", "quantity": 500_001})

    assert (few.tier, few.state) == (Tier.MEDIUM, State.VERIFIED)
    assert (many.tier, many.state) == (Tier.HIGH, State.AWAITING_APPROVAL)
    assert many.question is not None
    assert many.question.summary["tier"] == "high"


async def test_a_write_waits_for_people_once_its_badge_is_about_another_declaration(world: World) -> None:
    by_itself = await world.call("item_put", {"id": 52, "name": "nail", "quantity": 1})
    removal = connector.spec.operation("item_delete")
    others = [one for one in connector.spec.operations if one is not removal]
    changed = removal.model_copy(update={"description": "What undoes it is another one now."})
    async with world.runtime.database.transaction() as tx:
        release = connector.spec.model_copy(update={"operations": (*others, changed)})
        await register_connector(tx, release, world.runtime.authority)

    asked = await world.call("item_put", {"id": 53, "name": "nail", "quantity": 1})

    assert by_itself.state is State.VERIFIED
    assert asked.state is State.AWAITING_APPROVAL


async def test_a_call_that_breaks_its_owners_rule_is_not_even_previewed(world: World) -> None:
    await demand(world, "item_put", FEW)

    refused = await world.call("item_put", {"id": 50, "name": "nail", "quantity": 1001})

    assert (refused.state, refused.error_code) == (State.DENIED, "breaks_business_rule")
    assert refused.error_message == "At most 1,000 pieces at once."
    assert refused.preview is None


async def test_a_rule_binds_reads_too(world: World) -> None:
    await demand(world, "item_find", Rule(condition="size(input.name) >= 3", message="Name three letters at least."))

    assert (await world.call("item_find", {"name": "pe"})).state is State.DENIED
    assert (await world.call("item_find", {"name": "pen"})).state is State.SUCCEEDED


async def test_a_rule_about_the_preview_is_asked_once_there_is_one(world: World) -> None:
    await demand(world, "item_update", SMALL_STEPS)
    before = (await world.call("item_get", {"id": 1})).output["quantity"]

    refused = await world.call("item_update", {"id": 1, "quantity": before + 6})
    done = await world.call("item_update", {"id": 1, "quantity": before + 5})

    assert (refused.state, refused.error_message) == (State.DENIED, "At most five more at a time.")
    assert refused.preview is not None
    assert done.state is State.VERIFIED


async def test_a_rule_that_cannot_be_decided_is_broken(world: World) -> None:
    await demand(world, "item_update", FEW)

    refused = await world.call("item_update", {"id": 1, "name": "crayon"})

    assert refused.state is State.DENIED
    assert "could not be decided" in (refused.error_message or "")


async def test_a_rule_made_meanwhile_stops_what_was_approved(world: World) -> None:
    asked = await world.call("item_put", {"id": 51, "name": "nail", "quantity": 600_000})
    approved = await world.vote(asked, world.ann)
    await demand(world, "item_put", FEW)

    stale = await resume(approved.id, world.runtime)

    assert stale.state is State.STALE
    assert "At most 1,000 pieces at once" in (stale.error_message or "")
    assert world.upstream.store.rows("SELECT id FROM item WHERE id = 51") == []


async def test_the_connectors_own_check_is_asked_before_the_preview(world: World) -> None:
    world.edit_by_hand(1, quantity=0)

    refused = await world.call("note_post", {"text": "Buy a pencil"})

    assert (refused.state, refused.error_code) == (State.PREVIEW_FAILED, "upstream_refused")
    assert refused.error_message == "There are no pencils to speak of."


async def test_the_connectors_own_check_is_asked_again_before_sending(world: World) -> None:
    asked = await world.call("note_post", {"text": "Buy a pencil"})
    approved = await world.vote(asked, world.ann)
    world.edit_by_hand(1, quantity=0)

    stale = await resume(approved.id, world.runtime)

    assert stale.state is State.STALE
    assert "no pencils to speak of" in (stale.error_message or "")
    assert world.upstream.store.rows("SELECT id FROM note") == []


async def test_every_decision_can_be_made_again_from_what_is_on_record(world: World) -> None:
    asked = await world.call("item_put", {"id": 51, "name": "nail", "quantity": 600_000}, run="r1")
    await world.vote(asked, world.ann)
    read = await world.call("item_get", {"id": 1})

    recorded = [*await decisions(world, asked), *await decisions(world, read)]

    async with world.runtime.database.reading() as tx:
        texts = {row.digest: row.text for row in await tx.scalars(select(BundleRow))}
    actions = [Action.PROPOSE, Action.AUTOCOMMIT, Action.APPROVE, Action.PROPOSE]
    assert len(recorded) == len(actions)
    for action, (said, kept) in zip(actions, recorded, strict=True):
        facts = Facts.from_json(kept["decided_on"])  # type: ignore[arg-type]  # JSON
        again = decide(action, facts, Bundle.parse(texts[str(said["policy_digest"])]))
        assert list(again.rule_ids) == said["rule_ids"]
        assert facts.arguments == ({"quantity": 600_000} if facts.tool == "item_put" else {})


async def test_an_exposed_argument_that_is_not_given_is_a_fact_too(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "name": "crayon"})

    [(_, first), *_] = await decisions(world, done)

    assert Facts.from_json(first["decided_on"]).missing == {"quantity"}  # type: ignore[arg-type]  # JSON


NOT_BY_ANN = """@id("not-by-ann") @why("Ann decides nothing today.")
forbid (principal == User::"{ann}", action == Action::"approve", resource);"""


async def tighten(world: World) -> None:
    rule = NOT_BY_ANN.format(ann=world.ann.id)
    async with world.runtime.database.transaction() as tx:
        publication = Publication(environment="dev", text=f"{default_bundle_text()}\n{rule}", by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def test_policy_decides_who_may_approve(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await tighten(world)

    with pytest.raises(Forbidden, match="Ann decides nothing today"):
        await world.vote(asked, world.ann)


async def test_a_voter_whom_policy_no_longer_lets_approve_counts_no_more(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    approved = await world.vote(asked, world.ann)
    await tighten(world)

    stale = await resume(approved.id, world.runtime)

    assert stale.state is State.STALE
    async with world.runtime.database.reading() as tx:
        assert not (await get(tx, world.ann.id)).is_suspended
