"""Notices reach every channel and recipient, each by a message of its own, and tell no contents."""

import asyncio
import json

import pytest
from questions import wish
from world import World

from channels.posting import Pigeons, forget_that_it_was_spread, make_due, post, states
from hub import outbox
from hub.approvals import Choice
from hub.channels import TOPICS
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.outbox import Message
from hub.worker import work

pytestmark = pytest.mark.anyio

ASKED = "approval.requested"


async def test_each_channel_and_recipient_hears_of_a_question_once(world: World) -> None:
    loft, tower = Pigeons(keepers=("ann", "carl")), Pigeons(name="smoke")
    await wish(world)

    await post(world.runtime.database, loft, tower)
    await post(world.runtime.database, loft, tower)

    assert sorted(loft.told) == [(ASKED, "ann"), (ASKED, "carl")]
    assert tower.told == [(ASKED, "ann")]


async def test_a_channel_that_fails_is_tried_again_alone(world: World) -> None:
    loft, tower = Pigeons(), Pigeons(name="smoke", failures=1)
    await wish(world)

    await post(world.runtime.database, loft, tower)
    assert (len(loft.told), len(tower.told)) == (1, 0)
    await make_due(world.runtime.database)
    await post(world.runtime.database, loft, tower)

    assert (len(loft.told), len(tower.told)) == (1, 1)


async def test_a_channel_that_hangs_delays_no_other(world: World) -> None:
    hangs, free, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hang(_message: Message) -> None:
        hangs.set()
        await free.wait()

    async def tell(_message: Message) -> None:
        told.set()

    async def put(topic: str) -> None:
        async with world.runtime.database.transaction() as tx:
            await outbox.put(tx, topic=topic, payload={}, key=topic)

    async with asyncio.timeout(60):
        working = asyncio.create_task(work(world.runtime, {"notice.webhook.dead": hang, "notice.mail": tell}))
        await put("notice.webhook.dead")
        await hangs.wait()
        await put("notice.mail")
        await told.wait()  # while the first still hangs
        free.set()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_a_crash_after_the_spreading_makes_no_second_message(world: World) -> None:
    loft = Pigeons()
    await wish(world)
    await post(world.runtime.database, loft)

    await forget_that_it_was_spread(world.runtime.database, TOPICS)
    await post(world.runtime.database, loft)

    assert loft.told == [(ASKED, "ann")]
    assert await states(world.runtime.database, "notice.pigeons") == ["delivered"]


async def test_what_became_of_a_question_is_told(world: World) -> None:
    loft = Pigeons()
    refused = await world.call("ticket_create", {"title": "a chair"})
    await world.vote(refused, world.ann, Choice.REJECT)
    asked = await wish(world)
    await world.vote(asked, world.ann)
    await resume(asked.id, world.runtime)

    await post(world.runtime.database, loft)

    told = [(notice.about, notice.event) for notice in loft.notices]
    assert [event for about, event in told if about == asked.id] == [
        ASKED,
        "invocation.approved",
        "invocation.committed",
    ]
    assert [event for about, event in told if about == refused.id] == [ASKED, "invocation.rejected"]


async def test_what_nobody_was_asked_about_and_went_well_is_not_told(world: World) -> None:
    loft = Pigeons()
    done = await world.call("item_update", {"id": 1, "quantity": 6})
    assert done.state in {State.COMMITTED, State.VERIFIED}

    await post(world.runtime.database, loft)

    assert loft.told == []


async def test_a_notice_holds_ids_and_digests_and_nothing_that_the_call_is_about(world: World) -> None:
    loft = Pigeons()
    asked = await wish(world)
    await world.vote(asked, world.ann, Choice.REJECT)

    await post(world.runtime.database, loft)

    for notice in loft.notices:
        assert set(notice.facts) <= {
            "invocation_id",
            "approval_digest",
            "groups",
            "stage",
            "state",
            "revision",
            "environment",
            "tool",
            "tool_version_digest",
            "intent_digest",
        }
        assert "too much" not in json.dumps(notice.as_json())  # the reason of the vote
