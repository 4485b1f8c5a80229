"""What operators and owners do on pages: look at all that waits, break the glass, settle trust, vouch for results."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit import EventKind, events_of
from hub.audit.tables import EventRow
from hub.identity.accounts import NewUser, create_user
from hub.identity.principals import Principal, Role
from hub.invocations.looking import ONE_LOOK
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry import find_tool, set_tool_owner
from hub.storage import now

pytestmark = pytest.mark.anyio


async def add(world: World, name: str, *roles: Role) -> Principal:
    """Let there be somebody with roles and no groups."""
    new = NewUser(name=name, display_name=name.title(), password=PASSWORD, roles=frozenset(roles))
    async with world.runtime.database.transaction() as tx:
        return await create_user(tx, new, world.runtime.authority)


async def asked(world: World) -> Invocation:
    waiting = await world.call("ticket_create", {"title": "The roof leaks"})
    assert waiting.state is State.AWAITING_APPROVAL
    return waiting


async def owned_by_ann(world: World, name: str) -> str:
    """Let ann answer for a tool; return its id."""
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", name)
        assert tool is not None
        await set_tool_owner(tx, tool.id, world.ann.id, world.runtime.authority)
    return tool.id


async def test_an_operator_sees_all_that_waits_and_has_no_vote(world: World, visitor: Visitor) -> None:
    await add(world, "omar", Role.OPERATOR)
    waiting = await asked(world)
    await visitor.log_in("omar", PASSWORD)

    await visitor.get("/waiting")
    assert f'href="/approvals/{waiting.id}"' in visitor.html
    await visitor.get(f"/approvals/{waiting.id}")
    assert "Only approvers may decide this" in visitor.text
    assert 'name="decision"' not in visitor.html
    await visitor.get("/approvals")
    assert "Nothing waits for you" in visitor.text


async def looks(world: World, subject: str) -> list[str | None]:
    async with world.runtime.database.reading() as tx:
        return [one.actor for one in await events_of(tx, subject) if one.kind is EventKind.BODIES_READ]


async def test_an_operator_who_is_not_asked_leaves_one_event_of_a_look_and_whoever_is_asked_leaves_none(
    world: World, visitor: Visitor
) -> None:
    omar = await add(world, "omar", Role.OPERATOR)
    waiting = await asked(world)
    await visitor.log_in("omar", PASSWORD)

    async with browser_of(world.runtime) as ann:
        await ann.log_in("ann", PASSWORD)
        assert (await ann.get(f"/approvals/{waiting.id}")).status_code == 200
    assert await looks(world, waiting.id) == []
    for page in ("/waiting", f"/approvals/{waiting.id}", f"/approvals/{waiting.id}/broken-glass"):
        await visitor.get(page)
    assert await looks(world, waiting.id) == [omar.id]
    async with world.runtime.database.transaction() as tx:  # ten minutes later
        long_ago = await now(tx) - ONE_LOOK - timedelta(seconds=1)
        await tx.execute(update(EventRow).where(EventRow.kind == EventKind.BODIES_READ.value).values(at=long_ago))
    await visitor.get(f"/invocations/{waiting.id}")

    assert await looks(world, waiting.id) == [omar.id, omar.id]


async def test_whoever_settles_a_call_or_owns_the_agent_that_asks_for_nobody_is_no_outsider(
    world: World, visitor: Visitor
) -> None:
    await add(world, "omar", Role.OPERATOR)
    waiting = await world.call("ticket_create", {"title": "x"}, caller=replace(world.caller, on_behalf_of=None))
    assert waiting.question is not None
    async with browser_of(world.runtime) as rita:  # she owns the agent
        await rita.log_in("rita", PASSWORD)
        assert (await rita.get(f"/invocations/{waiting.id}")).status_code == 200
    assert await looks(world, waiting.id) == []

    await visitor.log_in("omar", PASSWORD)
    await visitor.get(f"/approvals/{waiting.id}/broken-glass")
    before = await looks(world, waiting.id)
    await visitor.submit(f"/approvals/{waiting.id}/broken-glass", reason="It is raining in.")
    await visitor.follow()
    assert visitor.page.status_code == 200
    assert await looks(world, waiting.id) == before


async def test_whoever_is_no_operator_sees_nothing_of_what_waits_for_others(world: World, visitor: Visitor) -> None:
    await add(world, "mary", Role.MEMBER, Role.ADMINISTRATOR)
    waiting = await asked(world)
    await visitor.log_in("mary", PASSWORD)

    assert (await visitor.get("/waiting")).status_code == 403
    assert (await visitor.get(f"/approvals/{waiting.id}")).status_code == 404
    assert (await visitor.get(f"/approvals/{waiting.id}/broken-glass")).status_code == 403


async def test_an_operator_looks_no_longer_once_the_question_is_over(world: World, visitor: Visitor) -> None:
    await add(world, "omar", Role.OPERATOR)
    waiting = await asked(world)
    await visitor.log_in("omar", PASSWORD)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(state=State.CANCELLED.value))

    assert (await visitor.get(f"/approvals/{waiting.id}")).status_code == 404


async def test_an_operator_breaks_the_glass_and_somebody_who_was_asked_reviews_it(
    world: World, visitor: Visitor, ann: Visitor
) -> None:
    await add(world, "omar", Role.OPERATOR)
    waiting = await asked(world)
    page = f"/approvals/{waiting.id}/broken-glass"
    await visitor.log_in("omar", PASSWORD)
    await visitor.get(f"/approvals/{waiting.id}")
    assert f'href="{page}"' in visitor.html

    await visitor.get(page)
    assert "The roof leaks" in visitor.text
    await visitor.submit(page, reason=" ")
    assert visitor.page.status_code == 400
    await visitor.submit(page, reason="It is raining in.")
    assert visitor.page.headers["location"] == f"/invocations/{waiting.id}"
    await visitor.follow()
    assert "It goes without its approval" in visitor.text
    assert (await current(world.runtime, waiting.id)).state is not State.AWAITING_APPROVAL

    again = await world.call("ticket_create", {"title": "Another leak"})
    await visitor.get(f"/approvals/{again.id}/broken-glass")
    assert "that nobody has reviewed yet" in visitor.text
    assert "<textarea" not in visitor.html
    await ann.log_in("ann", PASSWORD)
    await ann.get("/reviews")
    assert "It is raining in." in ann.text


async def test_a_digest_that_is_not_the_one_on_the_page_breaks_nothing(world: World, visitor: Visitor) -> None:
    await add(world, "omar", Role.OPERATOR)
    waiting = await asked(world)
    page = f"/approvals/{waiting.id}/broken-glass"
    await visitor.log_in("omar", PASSWORD)
    await visitor.get(page)

    await visitor.submit(page, reason="It is raining in.", approval_digest="0" * 64)

    assert visitor.page.status_code == 409
    assert "This has changed since you looked." in visitor.text
    assert (await current(world.runtime, waiting.id)).state is State.AWAITING_APPROVAL


async def test_an_owner_sees_what_took_trust_away_and_says_what_was_found(world: World, ann: Visitor) -> None:
    tool_id = await owned_by_ann(world, "item_update")
    done = await world.call("item_update", {"id": 1, "quantity": 11})
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(state=State.DIVERGED.value))

    await ann.get(f"/tools/{tool_id}/trust")
    assert "trust lost" in ann.text
    assert f'href="/invocations/{done.id}"' in ann.html
    look = f"/tools/{tool_id}/trust/{world.bot.id}"
    await ann.submit(look, reason=" ")
    assert ann.page.status_code == 400
    await ann.get(f"/tools/{tool_id}/trust")
    await ann.submit(look, reason="The unit was wrong, and is mended.")
    await ann.follow()

    assert "trust lost" not in ann.text
    assert "level 0 of 2" in ann.text


async def test_an_owner_vouches_for_what_a_tool_brings_back_and_takes_that_back(world: World, ann: Visitor) -> None:
    tool_id = await owned_by_ann(world, "item_get")
    page = f"/tools/{tool_id}/trust"
    await ann.get(page)
    assert "not trusted" in ann.text

    await ann.submit(page, vouch="yes")
    await ann.follow()
    assert "Trust its results no longer" in ann.text
    await ann.submit(page, vouch="no")
    await ann.follow()

    assert "not trusted" in ann.text


async def test_trust_is_shown_to_owners_alone(world: World, ann: Visitor) -> None:
    async with world.runtime.database.reading() as tx:
        tool = await find_tool(tx, "upstream", "item_get")
    assert tool is not None

    assert (await ann.get(f"/tools/{tool.id}/trust")).status_code == 404
    assert (await ann.get(f"/agents/{world.bot.id}/trust")).status_code == 404
    await ann.post(f"/tools/{tool.id}/trust", [("vouch", "yes")])
    assert ann.page.status_code == 403  # no form of ours


async def test_the_owner_of_an_agent_sees_how_far_it_is_trusted(world: World, visitor: Visitor) -> None:
    await world.call("item_update", {"id": 1, "quantity": 11})
    await visitor.log_in("rita", PASSWORD)

    await visitor.get(f"/agents/{world.bot.id}/trust")

    assert "item_update" in visitor.text
    assert "agent version 1" in visitor.text
    assert "1 writes with these versions came out as previewed" in visitor.text
