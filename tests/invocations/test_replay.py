"""Decisions made again from the record: they come out the same, a forged one does not, and another bundle's differ."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs
from world import World

from hub.audit import events_of
from hub.audit.tables import ValueRow
from hub.bundles import default_bundle_text
from hub.bundles.tables import BundleRow
from hub.invocations.replay import Candidate, Change, Replay, Verdict, change_between, replay, what_if
from hub.invocations.values import Invocation
from hub.policy import Bundle, decide
from hub.storage import now
from hub.worker import check_decisions

pytestmark = pytest.mark.anyio

STRICTER = f"""{default_bundle_text()}
@id("two-for-notes") @require("approvers:2") @ttl("PT1H") @why("Notes are read by everybody.")
forbid (principal, action == Action::"autocommit", resource == Tool::"upstream.note_post");
@id("no-deleting") @why("Nothing is deleted in winter.")
forbid (principal, action == Action::"propose", resource) when {{ context.effect == "delete" }};
@id("ask-for-updates") @require("approvers:1") @ttl("PT1H") @why("Stock counts are audited this week.")
forbid (principal, action == Action::"autocommit", resource) when {{ context.effect == "update" }};"""
CLOSED = Bundle.parse('@id("nothing") forbid (principal, action, resource);')
MILDER = '@id("anything") permit (principal, action, resource);'


async def story(world: World) -> dict[str, Invocation]:
    """Let a read, a write that commits by itself, and two that people are asked about happen."""
    return {
        "read": await world.call("item_get", {"id": 1}),
        "update": await world.call("item_update", {"id": 1, "quantity": 12}),
        "note": await world.call("note_post", {"text": "Back at noon"}),
        "delete": await world.call("item_delete", {"id": 1}),
    }


async def again(world: World) -> Replay:
    async with world.runtime.database.reading() as tx:
        since = await now(tx) - timedelta(hours=1)
    return await replay(world.runtime.database, world.runtime.keys, since)


async def otherwise(world: World, text: str, environment: str = "dev") -> Replay:
    async with world.runtime.database.reading() as tx:
        since = await now(tx) - timedelta(hours=1)
    candidate = Candidate(environment=environment, bundle=Bundle.parse(text))
    return await what_if(candidate, world.runtime.database, world.runtime.keys, since)


async def test_every_decision_comes_out_the_same_again(world: World) -> None:
    happened = await story(world)
    await world.vote(happened["note"], world.ann)

    found = await again(world)

    # a read is proposed; a write is proposed and decided on; a vote is one more
    assert (found.decisions, found.same) == (8, 8)
    assert (found.erased, found.unreadable, found.differences) == (0, 0, [])


async def test_a_bundle_whose_text_was_changed_on_record_is_not_taken_for_the_one_that_decided(world: World) -> None:
    await story(world)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(BundleRow).values(text=MILDER))

    found = await again(world)

    assert (found.decisions, found.unreadable) == (0, 7)


async def test_decisions_whose_facts_were_erased_are_counted(world: World) -> None:
    happened = await story(world)
    async with world.runtime.database.transaction() as tx:
        one = await tx.scalar(select(ValueRow.event_id).where(ValueRow.event_id == happened["read"].last_event_id))
        await tx.execute(delete(ValueRow).where(ValueRow.field == "decided_on", ValueRow.event_id == one))

    found = await again(world)

    assert (found.decisions, found.same, found.erased) == ((6, 6, 1) if one else (7, 7, 0))


async def test_what_a_stricter_bundle_would_change_is_told_call_by_call(world: World) -> None:
    happened = await story(world)

    found = await otherwise(world, STRICTER)

    told = {(one.recorded.invocation_id, one.recorded.action.value): one for one in found.differences}
    assert found.decisions == 7
    assert found.changed[Change.REFUSED] == 1
    assert found.changed[Change.ASKED] == 2
    asked = told[happened["update"].id, "autocommit"]
    assert (asked.change, asked.recorded.verdict.outcome, asked.now.outcome) == (Change.ASKED, "allowed", "obliged")
    assert asked.now.asks == ("approvers:1 (ask-for-updates)",)
    refused = told[happened["delete"].id, "propose"]
    assert (refused.change, refused.now.reasons) == (Change.REFUSED, ("Nothing is deleted in winter.",))
    more = told[happened["note"].id, "autocommit"]
    assert more.change is Change.ASKED
    assert "approvers:2 (two-for-notes)" in more.now.asks
    assert (happened["read"].id, "propose") not in told


async def test_what_a_milder_bundle_would_no_longer_ask_is_told_too(world: World) -> None:
    await story(world)

    found = await otherwise(world, MILDER)

    assert found.changed[Change.RELIEVED] == 2
    assert found.changed[Change.REFUSED] == found.changed[Change.ASKED] == 0


async def test_what_was_decided_elsewhere_is_no_business_of_this_environment(world: World) -> None:
    await story(world)

    assert (await otherwise(world, STRICTER, environment="prod")).decisions == 0


async def test_every_day_the_decisions_are_made_again_and_the_log_says_what_does_not_agree(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = await world.call("item_get", {"id": 1})

    with capture_logs() as quiet:
        await check_decisions(world.runtime)
    monkeypatch.setattr("hub.invocations.replay.decide", lambda action, facts, _: decide(action, facts, CLOSED))
    with capture_logs() as loud:
        await check_decisions(world.runtime)

    assert quiet == []
    assert [(one["log_level"], one["decisions"], one["same"]) for one in loud] == [("error", 1, 0)]
    async with world.runtime.database.reading() as tx:
        assert loud[0]["events"] == [one.id for one in await events_of(tx, read.id)]


ALLOWED, DENIED = Verdict(outcome="allowed", rule_ids=("a",)), Verdict(outcome="denied", rule_ids=("d",))
ONE = Verdict(outcome="obliged", rule_ids=("o",), asks=("finance:1 (o)",))
TWO = Verdict(outcome="obliged", rule_ids=("o",), asks=("finance:2 (o)",))
OTHERS = Verdict(outcome="obliged", rule_ids=("p",), asks=("legal:1 (p)",))
BY_ANOTHER = Verdict(outcome="obliged", rule_ids=("p",), asks=("finance:1 (p)",))


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (ALLOWED, ALLOWED, None),
        (ALLOWED, DENIED, Change.REFUSED),
        (ONE, DENIED, Change.REFUSED),
        (DENIED, ALLOWED, Change.LET_THROUGH),
        (DENIED, ONE, Change.LET_THROUGH),
        (ALLOWED, ONE, Change.ASKED),
        (ONE, TWO, Change.ASKED),
        (ONE, OTHERS, Change.ASKED),
        (TWO, ONE, Change.RELIEVED),
        (ONE, ALLOWED, Change.RELIEVED),
        (ONE, BY_ANOTHER, Change.REASONED),
    ],
)
def test_a_change_is_named_after_what_it_means_for_whoever_asked(
    before: Verdict, after: Verdict, change: Change | None
) -> None:
    assert change_between(before, after) is change
