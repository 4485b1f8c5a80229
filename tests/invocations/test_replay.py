"""Decisions made again from the record: they come out the same, a forged one does not, and another bundle's differ."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from questions import add_person
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs
from world import World

from connectors.sdk.vocabulary import Tier
from hub.approvals import Choice
from hub.audit import EventKind, events_of
from hub.audit.tables import ValueRow
from hub.bundles import Publication, default_bundle_text, publish_bundle
from hub.bundles.tables import BundleRow
from hub.core.errors import Forbidden
from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.invocations.break_glass import Breaking, break_glass
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.replay import Candidate, Change, Replay, Verdict, change_between, replay, what_if
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.policy import Bundle, decide
from hub.registry import find_tool, set_owner_tier
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


async def enact(world: World, rules: str) -> None:
    """Publish further rules, without the examples that they would break."""
    text = "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith("//?"))
    publication = Publication(environment="dev", text=f"{text}\n{rules}", by=None)
    async with world.runtime.database.transaction() as tx:
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


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

    # a read is proposed; a write is proposed and decided on, and what is sent is decided on twice more; a vote is one
    assert (found.decisions, found.same) == (10, 10)
    assert (found.erased, found.unreadable, found.differences) == (0, 0, [])


async def decided_in(world: World, invocation: Invocation, kind: EventKind) -> list[tuple[object, ...]]:
    """Return what the events of a kind say was decided, on facts that they keep."""
    async with world.runtime.database.reading() as tx:
        events = [one for one in await events_of(tx, invocation.id) if one.kind is kind]
    assert all("decided_on" in one.commitments for one in events)
    said = [each for one in events for each in (one.facts, *one.facts.get("also", ()))]
    return [(one["action"], one["outcome"], one["rule_ids"]) for one in said]


async def test_what_policy_says_right_before_sending_is_on_record_and_made_again(world: World) -> None:
    sent = await world.call("item_update", {"id": 1, "quantity": 12})
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    await enact(world, '@id("stop") forbid (principal, action == Action::"commit", resource);')

    stale = await resume(asked.id, world.runtime)

    assert stale.state is State.STALE
    assert [one[:2] for one in await decided_in(world, sent, EventKind.COMMIT_SENT)] == [
        ("commit", "allowed"),
        ("autocommit", "allowed"),
    ]
    [first, second] = await decided_in(world, asked, EventKind.INVOCATION_STALE)
    assert first == ("commit", "denied", ["stop"])
    assert second[:2] == ("autocommit", "obliged")
    found = await again(world)
    assert (found.decisions, found.same) == (9, 9)  # two proposed, two decided on, a vote, two before each sending


async def test_what_made_the_record_stale_is_not_laid_on_policy(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    world.edit_by_hand(1, quantity=99)

    assert (await resume(asked.id, world.runtime)).state is State.STALE

    async with world.runtime.database.reading() as tx:
        event = (await events_of(tx, asked.id))[-1]
    assert (event.kind, "outcome" in event.facts) == (EventKind.INVOCATION_STALE, False)


REFUSALS = """
@id("not-ann") forbid (principal == User::"{ann}", action == Action::"approve", resource);
@id("no-puts") forbid (principal, action == Action::"propose", resource) when {{ context.effect == "create" }};
@id("no-glass") forbid (principal, action == Action::"break_glass", resource);"""


async def test_a_refusal_by_policy_says_by_which_rules_and_is_made_again(world: World) -> None:
    bob, olga = await add_person(world, "bob", "approvers"), await add_person(world, "olga")
    async with world.runtime.database.transaction() as tx:
        olga = await set_roles(tx, olga.id, frozenset({Role.OPERATOR}), world.runtime.authority)
    asked = await world.call("ticket_create", {"title": "The roof leaks"})
    assert asked.question is not None
    await enact(world, REFUSALS.format(ann=world.ann.id))
    other = CounterProposal(ballot=world.ballot(asked, bob, Choice.REJECT), arguments={"title": "Rain"})
    breaking = Breaking(
        invocation_id=asked.id,
        digest=asked.question.digest,
        breaker=olga,
        authenticated_at=datetime.now(UTC),
        reason="It is raining in.",
    )

    for attempt in (world.vote(asked, world.ann), counter(other, world.runtime), break_glass(breaking, world.runtime)):
        with pytest.raises(Forbidden):
            await attempt

    assert await decided_in(world, asked, EventKind.VOTE_REFUSED) == [
        ("approve", "denied", ["not-ann"]),
        ("propose", "denied", ["no-puts"]),
    ]
    assert await decided_in(world, asked, EventKind.GLASS_REFUSED) == [("break_glass", "denied", ["no-glass"])]
    found = await again(world)
    assert (found.decisions, found.same) == (5, 5)  # proposed, decided on, and three refusals


async def test_a_bundle_whose_text_was_changed_on_record_is_not_taken_for_the_one_that_decided(world: World) -> None:
    await story(world)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(BundleRow).values(text=MILDER))

    found = await again(world)

    assert (found.decisions, found.unreadable) == (0, 9)


async def test_decisions_whose_facts_were_erased_are_counted(world: World) -> None:
    happened = await story(world)
    async with world.runtime.database.transaction() as tx:
        one = await tx.scalar(select(ValueRow.event_id).where(ValueRow.event_id == happened["read"].last_event_id))
        await tx.execute(delete(ValueRow).where(ValueRow.field == "decided_on", ValueRow.event_id == one))

    found = await again(world)

    assert (found.decisions, found.same, found.erased) == ((8, 8, 1) if one else (9, 9, 0))


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


def with_default(old: str, new: str) -> str:
    """Return the default policy, without its examples, with something in it exchanged."""
    text = "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith("//?"))
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "was", "is_now"),
    [
        ('@fresh("PT10M")\n', "", "login of the last 600 seconds", None),
        ('@ttl("PT24H")', '@ttl("P30D")', "within 86400 seconds", "within 2592000 seconds"),
        ('@id("critical")', '@id("critical") @carry("same-changes")', None, "votes carried over to the same changes"),
        ('@id("critical")', '@id("critical") @escalate("heads")', None, "escalated to heads"),
        ('@review("approvers:2%")', "", "reviewed by approvers: 20 of 1000", None),
    ],
)
async def test_other_terms_for_the_same_people_are_no_agreement(
    world: World, old: str, new: str, was: str | None, is_now: str | None
) -> None:
    """A policy that drops the fresh login, or lets a question wait for a month, has not decided the same."""
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "note_post")
        assert tool is not None
        await set_owner_tier(tx, tool.id, Tier.CRITICAL, world.runtime.authority)
    await story(world)

    found = await otherwise(world, with_default(old, new))

    assert found.changed[Change.TERMS] >= 1
    assert found.decisions == found.same + found.changed[Change.TERMS]
    told = [(one.recorded.verdict.terms or (), one.now.terms or ()) for one in found.differences]
    assert any((was is None or was in before) and (is_now is None or is_now in after) for before, after in told)
    assert all(before != after for before, after in told)


async def test_what_the_requester_confirms_is_compared_too(world: World) -> None:
    rule = 'forbid (principal, action == Action::"autocommit", resource == Tool::"upstream.note_post");'
    await enact(world, f'@id("confirm") @confirm("requester") @why("It is theirs.") {rule}')
    await world.call("note_post", {"text": "Back at noon"})

    found = await otherwise(world, default_bundle_text())

    assert found.changed[Change.RELIEVED] == 1
    assert (await again(world)).differences == []


def test_a_record_that_tells_no_terms_is_compared_without_them() -> None:
    assert change_between(replace(ONE, terms=None), replace(ONE, terms=("within 5 seconds",))) is None


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
IN_TWO_STAGES = Verdict(outcome="obliged", rule_ids=("o",), asks=("finance:1 (o)", "finance:1 in stage 2 (o)"))
CONFIRMED = Verdict(outcome="obliged", rule_ids=("o",), asks=("confirmed by requester (o)",))
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
        (IN_TWO_STAGES, ONE, Change.RELIEVED),
        (ONE, IN_TWO_STAGES, Change.ASKED),
        (TWO, IN_TWO_STAGES, Change.TERMS),
        (CONFIRMED, ONE, Change.ASKED),
        (CONFIRMED, ALLOWED, Change.RELIEVED),
        (replace(ONE, terms=("within 5 seconds",)), replace(ONE, terms=("within 9 seconds",)), Change.TERMS),
        (replace(ONE, terms=("within 5 seconds",)), replace(TWO, terms=("within 9 seconds",)), Change.ASKED),
    ],
)
def test_a_change_is_named_after_what_it_means_for_whoever_asked(
    before: Verdict, after: Verdict, change: Change | None
) -> None:
    assert change_between(before, after) is change
