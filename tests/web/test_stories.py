"""Whole stories on pages: people away, stale items, samples, grants that burn down, trust, releases, broken glass."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from promotions.stage import LATER, open_stage
from questions import add_person, rules
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit import EventKind, events_of
from hub.bundles import Publication, publish_bundle
from hub.identity.accounts import NewUser, create_user
from hub.identity.principals import Role
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import DONE, State
from hub.invocations.trust import STEPS
from hub.invocations.values import Invocation
from hub.invocations.watching import watch
from hub.registry import Environment, find_tool, set_tool_owner

pytestmark = pytest.mark.anyio

SECRET = "correct-horse-battery"
TRUSTED_ONLY = """@id("new-here") @require("approvers:1") @why("It is new here.")
forbid (principal, action == Action::"autocommit", resource) when { context.trust_level < 1 };"""
ADDS_ONE = "CREATE TRIGGER also AFTER UPDATE OF quantity ON item WHEN new.quantity < 1000 BEGIN"
"""What makes a system keep another quantity than it was told to."""


async def decide_by(world: World, *more: str) -> None:
    """Let policy review everything that goes by itself, and have these rules too."""
    text = "\n".join((rules('@require("approvers:1")\n@ttl("PT24H")').replace("approvers:2%", "approvers:100%"), *more))
    async with world.runtime.database.transaction() as tx:
        publication = Publication(environment="dev", text=text, by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def settled(world: World, invocation: Invocation) -> Invocation:
    """Return how a call stands once a worker has taken it on as far as it may go."""
    standing = await current(world.runtime, invocation.id)
    while not standing.state.is_terminal and standing.state is not State.AWAITING_APPROVAL:
        standing = await resume(standing.id, world.runtime)
    return standing


async def put(world: World, number: int) -> Invocation:
    return await world.call("item_put", {"id": number, "name": "ruler", "quantity": 600_000})


def form_of(visitor: Visitor, beginning: str) -> str:
    """Return the address of the one form on the page whose address begins so."""
    (action,) = {one for one in re.findall(r'action="([^"]+)"', visitor.html) if one.startswith(beginning)}
    return action


async def test_somebody_who_is_away_is_stood_in_for_until_the_day_of_return(world: World, ann: Visitor) -> None:
    await add_person(world, "dora")
    day = timedelta(days=1)
    starts, ends = (f"{datetime.now(UTC) + one:%Y-%m-%dT%H:%M}" for one in (-day, day))
    await ann.get("/deputies")
    await ann.submit("/deputies", deputy="nobody-here", starts=starts, ends=ends)
    assert ann.page.status_code == 400
    await ann.submit("/deputies", deputy="dora", starts=starts, ends=ends)
    await ann.follow()
    assert "Dora votes for you" in ann.text
    asked = await put(world, 40)

    async with browser_of(world.runtime) as dora:
        await dora.log_in("dora", SECRET)
        await dora.get("/approvals")
        assert f'href="/approvals/{asked.id}"' in dora.html
        await dora.get(f"/approvals/{asked.id}")
        assert "in the place of Ann , who is away" in dora.text
        await dora.submit(f"/approvals/{asked.id}", decision="approve")
        assert dora.page.status_code == 303
        later = await put(world, 41)
        await ann.get("/deputies")
        await ann.submit(form_of(ann, "/deputies/"))
        assert (await dora.get(f"/approvals/{later.id}")).status_code == 404

    assert (await settled(world, asked)).state is State.VERIFIED
    await ann.get(f"/approvals/{later.id}")
    await ann.submit(f"/approvals/{later.id}", decision="approve")
    assert (await settled(world, later)).state is State.VERIFIED


async def test_of_a_batch_the_item_that_somebody_changed_is_asked_about_again_and_the_others_go(
    world: World, ann: Visitor
) -> None:
    for number in (2, 3):
        await world.call("item_put", {"id": number, "name": f"pen {number}", "quantity": 5})
    effects = len(world.upstream.store.effects())
    asked = [await world.call("item_delete", {"id": number}) for number in (1, 2, 3)]
    await ann.get("/approvals")
    (page,) = set(re.findall(r'href="(/approval-batches/[0-9a-f]{64})"', ann.html))
    await ann.get(page)
    items = re.findall(r'name="item" value="(inv_[^"]+)"', ann.html)
    await ann.submit(page, item=items, decision="approve", reason="Sold out.")
    await ann.follow()
    assert "3 of 3 votes are on record." in ann.text

    world.edit_by_hand(2, quantity=9)  # between the decision and the commit
    ended = [await settled(world, one) for one in asked]

    assert [one.state for one in ended] == [State.VERIFIED, State.AWAITING_APPROVAL, State.VERIFIED]
    assert len(world.upstream.store.effects()) == effects + 2
    await ann.get(f"/approvals/{asked[1].id}")
    assert "9" in ann.text
    await ann.submit(f"/approvals/{asked[1].id}", decision="reject", reason="They came back.")
    assert (await settled(world, asked[1])).state is State.REJECTED


async def test_a_grant_burns_down_to_its_last_use_and_then_people_are_asked(world: World, ann: Visitor) -> None:
    asked = await put(world, 40)
    form = f"/approvals/{asked.id}/standing-grant"
    await ann.get(form)
    await ann.submit(form, uses="2", reason="Rulers are routine.")
    await ann.follow()

    states = [(await put(world, number)).state for number in (41, 42, 43)]

    assert [one in DONE for one in states] == [True, True, False]
    assert states[2] is State.AWAITING_APPROVAL
    await ann.get("/standing-grants")
    assert "0 of 2 uses left" in ann.text
    assert "it has been used up" in ann.text


async def test_trust_that_was_earned_is_lost_by_one_dispute_and_comes_back_when_the_owner_has_looked(
    world: World, ann: Visitor
) -> None:
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_update")
        assert tool is not None
        await set_tool_owner(tx, tool.id, world.rita.id, world.runtime.authority)
    await decide_by(world)
    for quantity in range(11, 11 + STEPS[0]):  # each comes out as it was previewed
        assert (await world.call("item_update", {"id": 1, "quantity": quantity})).state is State.VERIFIED
    await decide_by(world, TRUSTED_ONLY)
    assert (await world.call("item_update", {"id": 1, "quantity": 91})).state is State.VERIFIED

    await ann.get("/reviews")
    disputed = re.findall(r'action="(/reviews/[^"]+)"', ann.html)[0]
    await ann.submit(disputed, verdict="disputed", reason="Nobody counted those.")
    await ann.follow()
    assert "The agent has lost its trust with this tool." in ann.text
    asked = await world.call("item_update", {"id": 1, "quantity": 92})
    assert asked.state is State.AWAITING_APPROVAL

    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get(f"/tools/{tool.id}/trust")
        assert "trust lost" in rita.text
        await rita.submit(form_of(rita, f"/tools/{tool.id}/trust/"), reason="They were counted since.")
        await rita.follow()
        assert "trust lost" not in rita.text
        assert "level 0 of 2" in rita.text  # it begins again


async def test_a_release_that_writes_otherwise_than_it_showed_is_taken_back_and_the_page_says_why(
    world: World, ann: Visitor
) -> None:
    stage = await open_stage(world)
    await stage.release(LATER)
    await stage.badge(LATER)
    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get("/promotions")
        await rita.submit("/promotions", connector="upstream", environment="prod", reason="Counts in dozens.")
        await rita.follow()
        page = rita.page.url.path
        await rita.submit(f"{page}/explanation", reason="Nothing was recorded there yet.")
    await ann.get(page)
    await ann.submit(f"{page}/decision", choice="use", reason="Looked at it.")
    await ann.follow()
    assert await stage.version_in(Environment.PROD) == 2
    assert await watch(world.runtime) == []

    change = "UPDATE item SET quantity = new.quantity + 1 WHERE id = new.id;"
    world.upstream.store.rows(f"{ADDS_ONE} {change} END")
    asked = await stage.call("item_update", {"id": 1, "quantity": 5})
    await ann.get(f"/approvals/{asked.id}")
    await ann.submit(f"/approvals/{asked.id}", decision="approve")
    assert (await settled(world, asked)).state is State.DIVERGED
    (reverted,) = await watch(world.runtime)

    assert page.endswith(reverted.id)
    assert await stage.version_in(Environment.PROD) == 1
    await ann.get(page)
    assert "1 of its latest 1 judged writes came out otherwise than previewed" in ann.text


async def test_who_broke_the_glass_breaks_none_again_until_somebody_else_has_looked(world: World, ann: Visitor) -> None:
    async with world.runtime.database.transaction() as tx:
        new = NewUser(name="omar", display_name="Omar", password=SECRET, roles=frozenset({Role.OPERATOR}))
        omar_id = (await create_user(tx, new, world.runtime.authority)).id
    first, second = await put(world, 40), await put(world, 41)

    async with browser_of(world.runtime) as omar:
        await omar.log_in("omar", SECRET)
        glass = [f"/approvals/{one.id}/broken-glass" for one in (first, second)]
        await omar.get(glass[0])
        await omar.submit(glass[0], reason="The shop opens in a minute.")
        assert (await settled(world, first)).state is State.VERIFIED
        await omar.get(glass[1])
        assert "<textarea" not in omar.html
        await ann.get("/reviews")
        assert "The shop opens in a minute." in ann.text
        await ann.submit(form_of(ann, "/reviews/"), verdict="disputed", reason="I was in the office.")
        await omar.get(glass[1])
        await omar.submit(glass[1], reason="Now nobody is.")
        assert omar.page.headers["location"] == f"/invocations/{second.id}"

    async with world.runtime.database.reading() as tx:
        events = {one.kind: one.actor for one in await events_of(tx, first.id)}
    assert events[EventKind.GLASS_BROKEN] == omar_id
    assert events[EventKind.REVIEW_DISPUTED] == world.ann.id
