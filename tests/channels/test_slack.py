"""Messages in Slack: to the right people, told from the effect, kept up to date, and never in the way of others."""

from dataclasses import replace
from typing import Any

import pytest
from questions import add_person, ask_by, wish
from sqlalchemy import update
from world import World

from channels.posting import Pigeons, forget_that_it_was_spread, make_due, post, states
from channels.slack_double import SITE, Slack, buttons, text_of, tie
from hub.approvals import Choice, Question
from hub.audit import EventKind, events_of
from hub.channels.slack_blocks import Told
from hub.channels.tables import SlackMessageRow
from hub.identity.accounts import set_password, suspend
from hub.identity.principals import Principal
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.values import Invocation
from hub.outbox import given_up
from hub.storage import Tx
from hub.web.slack_words import telling

pytestmark = pytest.mark.anyio

TOPIC = "notice.slack"
MARK = "This is sent again, because Slack did not say whether the first one arrived. Both ask for the same."
BUSY = ("429 Too Many Requests", {"ok": False, "error": "ratelimited"})


async def test_each_linked_person_who_may_vote_is_asked_in_the_words_of_the_effect(world: World, slack: Slack) -> None:
    await add_person(world, "silent", "approvers")
    for person, account in ((world.ann, "UANN"), (world.carl, "UCARL"), (world.rita, "URITA")):
        await tie(world, person, account)
    asked = await wish(world)

    await post(world.runtime.database, slack.channel(world))

    (message,) = slack.told("chat.postMessage")
    assert message["channel"] == "UANN"
    text = text_of(message)
    assert "Delete items/1 in upstream" in text
    assert "item_delete in upstream (dev)" in text
    assert "Bot for Rita" in text
    assert "before: " in text
    assert asked.claims.purpose is not None
    assert asked.claims.purpose not in text
    pressable = buttons(message)
    assert list(pressable) == ["Reject…", "Approve", "Open the page"]
    assert pressable["Open the page"]["url"] == f"{SITE}/approvals/{asked.id}"
    assert "style" not in pressable["Approve"]


async def test_that_contents_go_to_slack_is_on_record_once_for_each_person(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    asked = await wish(world)
    await post(world.runtime.database, slack.channel(world))
    await world.vote(asked, world.ann)
    await post(world.runtime.database, slack.channel(world))

    assert await sent_to(world, asked) == [world.ann.id]


async def sent_to(world: World, asked: Invocation) -> list[str]:
    """Return to whom contents have gone, by the record."""
    async with world.runtime.database.reading() as tx:
        return [one.facts["to"] for one in await events_of(tx, asked.id) if one.kind is EventKind.BODIES_SENT]


@pytest.mark.parametrize(
    "answer", [BUSY, ("200 OK", {"ok": False, "error": "user_not_found"})], ids=["busy", "refused"]
)
async def test_what_slack_has_certainly_not_taken_is_not_on_record_as_sent(
    world: World, slack: Slack, answer: tuple[str, dict[str, Any]]
) -> None:
    await tie(world, world.ann, "UANN")
    asked = await wish(world)

    for _ in range(3):
        slack.answers = [answer]
        await post(world.runtime.database, slack.channel(world))
        await make_due(world.runtime.database)
        slack.seconds += 3600

    assert slack.told("chat.postMessage")
    assert await sent_to(world, asked) == []


async def test_what_slack_may_have_taken_is_on_record_once_when_it_is_sent_again(world: World, slack: Slack) -> None:
    unknown = ("502 Bad Gateway", dict[str, Any]())
    slack.answers = [unknown, unknown]
    await tie(world, world.ann, "UANN")
    asked = await wish(world)

    recorded = list[list[str]]()
    for _ in range(3):
        await post(world.runtime.database, slack.channel(world))
        recorded.append(await sent_to(world, asked))
        await make_due(world.runtime.database)

    assert recorded == [[], [world.ann.id], [world.ann.id]]
    assert await states(world.runtime.database, TOPIC) == ["delivered"]


async def test_a_question_that_asks_for_a_fresh_login_has_a_link_and_no_buttons(world: World, slack: Slack) -> None:
    await ask_by(world, '@require("approvers:1") @fresh("PT10M") @ttl("PT4H")')
    await tie(world, world.ann, "UANN")
    await wish(world)

    await post(world.runtime.database, slack.channel(world))

    (message,) = slack.told("chat.postMessage")
    assert list(buttons(message)) == ["Open the page"]
    assert "on its page only" in text_of(message)


async def test_what_does_not_fit_into_a_message_is_not_decided_in_one(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    await wish(world)

    tell = telling(world.runtime)

    async def tell_much(tx: Tx, person: Principal, invocation: Invocation, question: Question) -> Told:
        return replace(await tell(tx, person, invocation, question), changes=("x" * 3001,))

    await post(world.runtime.database, slack.channel(world, tell_much))

    (message,) = slack.told("chat.postMessage")
    assert list(buttons(message)) == ["Open the page"]
    assert "too long to be shown whole" in text_of(message)


async def test_a_message_says_what_became_of_the_question(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    asked = await wish(world)
    await post(world.runtime.database, slack.channel(world))

    await world.vote(asked, world.ann)
    await resume(asked.id, world.runtime)
    await post(world.runtime.database, slack.channel(world))

    assert len(slack.told("chat.postMessage")) == 1
    last = slack.told("chat.update")[-1]
    assert (last["channel"], last["ts"]) == ("DUANN", "1700000000.000001")
    assert "Done and verified" in text_of(last)
    assert "Ann approved it." in text_of(last)
    assert list(buttons(last)) == ["Open the page"]


async def test_nobody_is_told_why_somebody_rejected(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    asked = await wish(world)
    await post(world.runtime.database, slack.channel(world))

    await world.vote(asked, world.ann, Choice.REJECT)
    await post(world.runtime.database, slack.channel(world))

    last = slack.told("chat.update")[-1]
    assert "Ann rejected it." in text_of(last)
    assert "too much" not in text_of(last)


async def test_a_message_about_an_older_preview_says_so_and_asks_nothing(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    asked = await wish(world)
    await post(world.runtime.database, slack.channel(world))
    world.edit_by_hand(1, quantity=3)
    await world.vote(asked, world.ann)
    while (await current(world.runtime, asked.id)).revision == 1:
        await resume(asked.id, world.runtime)  # stale: a new preview, a new question

    await post(world.runtime.database, slack.channel(world))

    first = slack.told("chat.postMessage")
    assert len(first) == 2
    outdated = [one for one in slack.told("chat.update") if one["ts"] == "1700000000.000001"][-1]
    assert "newer preview" in text_of(outdated)
    assert list(buttons(outdated)) == ["Open the page"]


async def test_a_message_that_somebody_deleted_is_left_alone(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    asked = await wish(world)
    await post(world.runtime.database, slack.channel(world))
    slack.answers = [("200 OK", {"ok": False, "error": "message_not_found"})]

    await world.vote(asked, world.ann, Choice.REJECT)
    await post(world.runtime.database, slack.channel(world))

    assert len(slack.told("chat.update")) == 1
    assert set(await states(world.runtime.database, TOPIC)) == {"delivered"}


async def test_nobody_is_asked_who_was_unlinked_before_the_message_left(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    slack.answers = [("503 Service Unavailable", {})]
    await wish(world)
    await post(world.runtime.database, slack.channel(world))
    async with world.runtime.database.transaction() as tx:
        await set_password(tx, world.ann.id, "another horse battery", world.runtime.authority)

    await make_due(world.runtime.database)
    await post(world.runtime.database, slack.channel(world))

    assert len(slack.calls) == 1
    assert await states(world.runtime.database, TOPIC) == ["delivered"]


async def test_whoever_is_suspended_is_asked_no_more(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.ann.id, "left", world.runtime.authority)
    await wish(world)

    await post(world.runtime.database, slack.channel(world))

    assert slack.calls == []


async def test_while_slack_asks_to_wait_it_is_not_asked_and_nothing_is_given_up(world: World, slack: Slack) -> None:
    slack.answers = [("429 Too Many Requests\r\nRetry-After: 40", {"ok": False, "error": "ratelimited"})]
    await tie(world, world.ann, "UANN")
    await wish(world)
    channel = slack.channel(world)
    await post(world.runtime.database, channel)

    for _ in range(12):  # more often than a message is tried
        await make_due(world.runtime.database)
        await post(world.runtime.database, channel)
    assert len(slack.calls) == 1
    assert await states(world.runtime.database, TOPIC) == ["waiting"]
    slack.seconds = 40.5
    await make_due(world.runtime.database)
    await post(world.runtime.database, channel)

    assert len(slack.calls) == 2
    assert await states(world.runtime.database, TOPIC) == ["delivered"]


@pytest.mark.parametrize("pause", ["9" * 5000, "9" * 15, "soon"], ids=["digits", "centuries", "words"])
async def test_a_pause_that_is_none_is_half_a_minute(world: World, slack: Slack, pause: str) -> None:
    slack.answers = [(f"429 Too Many Requests\r\nRetry-After: {pause}", {"ok": False, "error": "ratelimited"})]
    await tie(world, world.ann, "UANN")
    await wish(world)
    channel = slack.channel(world)
    await post(world.runtime.database, channel)
    slack.seconds = 30.5
    await make_due(world.runtime.database)
    await post(world.runtime.database, channel)

    assert await states(world.runtime.database, TOPIC) == ["delivered"]


async def test_a_message_that_may_have_arrived_is_sent_again_and_says_so(world: World, slack: Slack) -> None:
    slack.answers = [("502 Bad Gateway", {})]
    await tie(world, world.ann, "UANN")
    await wish(world)
    await post(world.runtime.database, slack.channel(world))

    await make_due(world.runtime.database)
    await post(world.runtime.database, slack.channel(world))

    first, second = map(text_of, slack.told("chat.postMessage"))
    assert second == f"{first}\n{MARK}"
    assert list(buttons(slack.told("chat.postMessage")[1])) == ["Reject…", "Approve", "Open the page"]


async def test_a_message_that_has_certainly_not_arrived_is_sent_without_a_mark(world: World, slack: Slack) -> None:
    slack.answers = [BUSY, ("200 OK", {"ok": False, "error": "invalid_auth"})]
    channel = slack.channel(world)
    await tie(world, world.ann, "UANN")
    await wish(world)

    for _ in range(3):
        await post(world.runtime.database, channel)
        await make_due(world.runtime.database)
        slack.seconds += 3600

    assert [MARK in text_of(one) for one in slack.told("chat.postMessage")] == [False, False, False]


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_process_that_died_around_the_answer_of_slack_leaves_at_most_a_marked_second_message(
    world: World, slack: Slack, *, is_kept: bool
) -> None:
    await tie(world, world.ann, "UANN")
    asked = await wish(world)
    await post(world.runtime.database, slack.channel(world))
    await forget_that_it_was_spread(world.runtime.database, [TOPIC])  # it died before the outbox knew
    if not is_kept:  # and before the name of the message was on record
        async with world.runtime.database.transaction() as tx:
            await tx.execute(update(SlackMessageRow).values(timestamp="", conversation=""))

    await post(world.runtime.database, slack.channel(world))
    await world.vote(asked, world.ann)
    await post(world.runtime.database, slack.channel(world))

    sent = slack.told("chat.postMessage")
    assert [MARK in text_of(one) for one in sent] == ([False] if is_kept else [False, True])
    assert {one["ts"] for one in slack.told("chat.update")} == {f"1700000000.{len(sent):06}"}


async def test_a_slack_that_is_down_keeps_nobody_else_from_hearing(world: World, slack: Slack) -> None:
    slack.answers = [("502 Bad Gateway", {})]
    loft = Pigeons()
    await tie(world, world.ann, "UANN")
    await wish(world)

    await post(world.runtime.database, slack.channel(world), loft)

    assert [who for _, who in loft.told] == ["ann"]
    assert await states(world.runtime.database, TOPIC) == ["waiting"]


async def test_what_slack_refuses_for_good_is_given_up_without_the_token(world: World, slack: Slack) -> None:
    slack.answers = [("200 OK", {"ok": False, "error": "user_not_found"})]
    await tie(world, world.ann, "UANN")
    await wish(world)

    await post(world.runtime.database, slack.channel(world))

    async with world.runtime.database.reading() as tx:
        ((_, error),) = await given_up(tx)
    assert "user_not_found" in error
    assert slack.app.token not in error


async def test_a_token_that_slack_does_not_know_is_tried_again_when_it_may_have_been_mended(
    world: World, slack: Slack
) -> None:
    slack.answers = [("200 OK", {"ok": False, "error": "invalid_auth"})]
    await tie(world, world.ann, "UANN")
    await wish(world)
    await post(world.runtime.database, slack.channel(world))
    assert await states(world.runtime.database, TOPIC) == ["waiting"]

    await make_due(world.runtime.database)
    await post(world.runtime.database, slack.channel(world))

    assert await states(world.runtime.database, TOPIC) == ["delivered"]
