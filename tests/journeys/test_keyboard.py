"""People who use the keyboard alone, on each kind of page on which something is decided, changed or stopped."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, expect
from questions import add_person
from serving import Served
from typing_alone import log_in, tab_to
from upstream.composites import restock
from world import PASSWORD, World

from hub.budgets import stops_now
from hub.identity.accounts import NewUser, create_user, set_roles
from hub.identity.clients import NewAgent, create_agent
from hub.identity.principals import Role
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import Declaration, declare

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def put(world: World, number: int) -> Invocation:
    asked = await world.call("item_put", {"id": number, "name": "ruler", "quantity": 600_000})
    assert asked.state is State.AWAITING_APPROVAL
    return asked


async def go_to(page: Page, words: str) -> None:
    """Follow the link that begins with `words`."""
    await tab_to(page, words)
    await page.keyboard.press("Enter")


async def operator(world: World) -> None:
    new = NewUser(name="omar", display_name="Omar", password=PASSWORD, roles=frozenset({Role.OPERATOR, Role.MEMBER}))
    async with world.runtime.database.transaction() as tx:
        await create_user(tx, new, world.runtime.authority)


async def test_a_batch_is_decided_but_for_one_item(served: Served, page: Page) -> None:
    asked = [await put(served.world, number) for number in (40, 41, 42)]
    await log_in(page, "ann")
    await page.goto("/approvals")

    await go_to(page, "Decide 3 of the same shape together")
    await expect(page.get_by_role("heading", level=1)).to_have_text("3 questions of the same shape")
    await tab_to(page, "Create")
    await page.keyboard.press("Space")  # not this one
    await tab_to(page, "Approve")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("2 of 2 votes are on record.")).to_be_visible()

    states = [(await current(served.world.runtime, one.id)).state for one in asked]
    assert states.count(State.AWAITING_APPROVAL) == 1


async def test_calls_are_allowed_in_advance_and_that_is_taken_back(served: Served, page: Page) -> None:
    asked = await put(served.world, 40)
    await log_in(page, "ann")
    await page.goto(f"/approvals/{asked.id}/standing-grant")

    await tab_to(page, "How many calls")
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("2")
    await tab_to(page, "Why such calls")
    await page.keyboard.type("Rulers are routine.")
    await tab_to(page, "Allow them")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("2 of 2 uses left")).to_be_visible()
    await tab_to(page, "Take it back, because")
    await page.keyboard.type("Counted again.")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("it was revoked")).to_be_visible()


async def test_the_glass_is_broken_and_reviewed(served: Served, page: Page) -> None:
    await operator(served.world)
    asked = await put(served.world, 40)
    await log_in(page, "omar")
    await page.goto(f"/approvals/{asked.id}/broken-glass")
    await tab_to(page, "Why it cannot wait")
    await page.keyboard.type("The shop opens.")
    await tab_to(page, "Let it go without approval")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/invocations/{asked.id}")
    await go_to(page, "Sign out")
    await page.wait_for_url("**/login")
    await page.context.clear_cookies()

    await log_in(page, "ann")
    await page.goto("/reviews")
    await tab_to(page, "Reason")
    await page.keyboard.type("I was in the office.")
    await tab_to(page, "Dispute")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("Your dispute is on record.")).to_be_visible()


async def test_somebody_who_leaves_names_a_deputy(served: Served, page: Page) -> None:
    await add_person(served.world, "dora")
    await log_in(page, "ann")
    await page.goto("/deputies")
    year = datetime.now(UTC).year

    await tab_to(page, "Who votes for me")
    await page.keyboard.type("dora")
    for words, day in (("From", "0101"), ("Until", "0201")):
        await tab_to(page, words)
        await page.keyboard.type(f"{day}{year + 1}")
        await page.keyboard.press("Tab")
        await page.keyboard.type("0900AM")
    await tab_to(page, "Name my deputy")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("Dora votes for you")).to_be_visible()


async def test_a_runner_is_registered_and_revoked(served: Served, page: Page) -> None:
    world = served.world
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({Role.ADMINISTRATOR, Role.MEMBER}), world.runtime.authority)
    await log_in(page, "ann")
    await page.goto("/servers")

    await go_to(page, "runners")
    await page.wait_for_url("**/runners")
    await tab_to(page, "Name")
    await page.keyboard.type("acme-ci")
    await tab_to(page, "Public key")
    await page.keyboard.type(b64encode(bytes(range(32))).decode())
    await tab_to(page, "Register it")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("What acme-ci signs about upstream counts from now on.")).to_be_visible()
    await tab_to(page, "Revoke")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("It is revoked.")).to_be_visible()


async def test_the_hub_is_stopped_and_a_connection_is_looked_at(served: Served, page: Page) -> None:
    world = served.world
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({Role.OPERATOR, Role.MEMBER}), world.runtime.authority)
    await log_in(page, "ann")
    await page.goto("/limits")

    await tab_to(page, "Choose what to stop")
    await page.keyboard.type("hub")
    await tab_to(page, "Reason")
    await page.keyboard.type("We look into it.")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("It is stopped.")).to_be_visible()
    await page.goto(f"/connections/{world.connection_id}")
    await tab_to(page, "Try it")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("It works:")).to_be_visible()

    async with world.runtime.database.reading() as tx:
        assert [one.reason for one in await stops_now(tx)] == ["We look into it."]


async def test_an_agent_that_came_by_itself_is_accepted(served: Served, page: Page) -> None:
    world = served.world
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({Role.ADMINISTRATOR, Role.MEMBER}), world.runtime.authority)
        new = NewAgent(name="traveller", display_name="Traveller", owner_id=world.ann.id, is_newcomer=True)
        await create_agent(tx, new, world.runtime.authority)
    await log_in(page, "ann")
    await page.goto("/people")

    await go_to(page, "Newcomers")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Newcomers")
    await tab_to(page, "Accept")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("traveller is accepted.")).to_be_visible()
    await expect(page.get_by_text("No agent has come by itself.")).to_be_visible()


async def test_a_composite_tool_is_asked_for_and_what_is_missing_is_told(served: Served, page: Page) -> None:
    world = served.world
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({Role.ADMINISTRATOR, Role.MEMBER}), world.runtime.authority)
        await declare(tx, Declaration.model_validate(restock()), world.runtime.authority)
    await log_in(page, "ann")
    await page.goto("/promotions")

    await tab_to(page, "restock (dev)")
    await tab_to(page, "staging")
    await page.keyboard.type("staging")
    await tab_to(page, "Connections")
    await page.keyboard.type("put = upstream")
    await tab_to(page, "Reason")
    await page.keyboard.type("Tried.")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("cannot be promoted to staging yet")
    await expect(page.get_by_label("Connections")).to_have_value("put = upstream")
