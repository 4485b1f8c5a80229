"""Slack and data classes: a message shows a person no more than the page would, and is not decided on less."""

from collections.abc import AsyncGenerator

import pytest
from personal import ASK, MARKER, NOT_APPROVERS, open_personal
from plans.errand import offer, proposed
from upstream.fixtures import Upstream
from world import World

from channels.posting import post
from channels.slack_double import Slack, buttons, text_of, tie
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

ODD = '@id("odd") @raise("high") @why("Nobody does this.") forbid (principal, action == Action::"alarm", resource);'


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """The names of items are personal."""
    async with open_personal(database, keys, upstream) as opened:
        yield opened


async def test_a_message_masks_for_whoever_gets_it_and_says_so(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    await world.decide_by(NOT_APPROVERS, ASK)
    await world.call("item_put", {"id": 7, "name": "Ada Lovelace", "quantity": 1})

    await post(world.runtime.database, slack.channel(world))

    (message,) = slack.told("chat.postMessage")
    text = text_of(message)
    assert MARKER in text
    assert "Masked for you\npersonal" in text
    assert "Ada Lovelace" not in f"{message}"


async def test_a_call_found_unusual_is_told_with_its_alarms_and_decided_on_its_page(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    await world.decide_by(ASK, ODD)
    asked = await world.call("item_update", {"id": 1, "quantity": 9})
    assert asked.alarms

    await post(world.runtime.database, slack.channel(world))

    (message,) = slack.told("chat.postMessage")
    assert "Nobody does this." in text_of(message)
    assert "on its page only" in text_of(message)
    assert list(buttons(message)) == ["Open the page"]


async def test_a_plan_is_decided_on_the_page_that_shows_its_steps(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    await offer(world)
    await proposed(world)

    await post(world.runtime.database, slack.channel(world))

    (message,) = slack.told("chat.postMessage")
    assert "on its page only" in text_of(message)
    assert list(buttons(message)) == ["Open the page"]


async def test_a_message_says_that_a_masked_field_changes(world: World, slack: Slack) -> None:
    await tie(world, world.ann, "UANN")
    await world.decide_by(NOT_APPROVERS, ASK)
    await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})

    await post(world.runtime.database, slack.channel(world))

    (message,) = slack.told("chat.postMessage")
    assert "name" in text_of(message).partition("\n")[0]
    assert "[masked: personal, another value]" in text_of(message)
    assert "pencil" not in f"{message}"
