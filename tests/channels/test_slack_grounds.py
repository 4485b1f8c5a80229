"""What a decision rests on, in Slack: all that the page shows stands there, or the page is where it is decided."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import cast

import pytest
from doors.mailing import asked_to_send, connect_mailing
from upstream.mailing import PRIVATE, UNRECORDED
from web.web_gallery_grounds import BLIND, HOSTILE_GROUNDS, NOW, ORDINARY, UNUSUAL
from world import World

from channels.posting import post
from channels.slack_double import Slack, buttons, text_of, tie
from hub.web.inert import Inert
from hub.web.moments import At, at
from hub.web.slack_words import in_words
from hub.web.views.grounds import Earlier, Grounds, Reach
from hub.web.views.plan import PlanBox
from hub.web.wording import Word

pytestmark = pytest.mark.anyio

LEFT_OUT = {"unchanged", "raw", "lines", "state", "effect", "rule_id", "rank", "track_word"}
"""What pages fold away, or tell of the same in another way."""
EARLIER = Earlier(asked=at(NOW, now=NOW), state=Word(label="Done", meaning=""))


def told_by(grounds: object) -> Iterator[str]:
    """Yield every text that a page shows of grounds, or of a part of them."""
    if isinstance(grounds, tuple):
        for one in cast("tuple[object, ...]", grounds):
            yield from told_by(one)
    elif is_dataclass(grounds) and not isinstance(grounds, Inert | Word | At):
        for one in fields(grounds):
            if one.name not in LEFT_OUT:
                yield from told_by(getattr(grounds, one.name))
    elif grounds is not None and not isinstance(grounds, bool):
        yield from pieces_of(grounds)


def pieces_of(leaf: object) -> Iterator[str]:
    match leaf:
        case Inert():
            yield from (piece.text.replace("\n", " \N{RETURN SYMBOL} ") for piece in (*leaf.head, *leaf.rest))
        case Word():
            yield leaf.label
        case At():
            yield leaf.clock
        case int():
            yield f"{leaf:,}"
        case _:
            yield str(leaf)


@pytest.mark.parametrize(
    "grounds",
    [
        ORDINARY,
        replace(ORDINARY, changes=(), reach=Reach(rows=0, money="", parties=1234)),
        replace(ORDINARY, sureness=replace(ORDINARY.sureness, copied=at(NOW, now=NOW), guards=())),
        replace(UNUSUAL, alarms=()),
        replace(HOSTILE_GROUNDS, alarms=()),
    ],
    ids=("ordinary", "without changes", "in a copy", "with much beside it", "hostile"),
)
def test_what_may_be_decided_there_is_told_there_to_the_last_word(grounds: Grounds) -> None:
    told = in_words(grounds, grounds.argument_fields)

    assert told.is_whole
    words = "\n".join((*(text for fact in told.facts for text in fact), *told.changes)).lower()
    for text in told_by(grounds):
        assert text.lower() in words, text


@pytest.mark.parametrize(
    "grounds",
    [
        UNUSUAL,
        replace(ORDINARY, **BLIND),
        replace(ORDINARY, is_suspended=True),
        replace(ORDINARY, earlier=EARLIER),
        replace(ORDINARY, plan=PlanBox(steps=(), if_it_fails="")),
    ],
    ids=("unusual", "without a preview", "suspended", "made before", "a plan"),
)
def test_what_speaks_against_it_or_takes_more_to_read_is_decided_on_the_page(grounds: Grounds) -> None:
    told = in_words(grounds, grounds.argument_fields)

    assert not told.is_whole
    assert not any("shows no change" in one for one in told.changes), "it says nothing of what nobody knows"


async def test_a_write_without_changes_is_told_by_what_it_is_given_and_whom_it_reaches(
    world: World, slack: Slack
) -> None:
    await tie(world, world.ann, "UANN")
    await connect_mailing(world)
    await asked_to_send(world, f"You are fired, {UNRECORDED}", "bob@example.org")

    await post(world.runtime.database, slack.channel(world))

    (message,) = slack.told("chat.postMessage")
    text = text_of(message)
    for words in ("The preview shows no change", "You are fired", "letter to bob@example.org", "3 parties concerned"):
        assert words in text
    assert "Approve" in buttons(message)


async def test_what_pages_hide_of_a_record_does_not_leave_as_an_argument(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    await connect_mailing(world)
    await asked_to_send(world, f"You are fired, {PRIVATE}", "bob@example.org")

    await post(world.runtime.database, slack.channel(world))

    (message,) = slack.told("chat.postMessage")
    assert "You are fired" not in f"{message}"
    assert "hidden: sensitive" in text_of(message)
    assert list(buttons(message)) == ["Open the page"]
