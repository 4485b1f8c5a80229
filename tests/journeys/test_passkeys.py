"""A person with a passkey at a real browser, whose authenticator is the browser's own virtual one."""

from collections.abc import AsyncGenerator

import pytest
from browsing import violations_beside_a_hub
from playwright.async_api import Browser, Page, expect
from serving import Served, serve
from typing_alone import log_in, tab_to
from upstream.fixtures import Upstream
from world import open_world

from connectors.sdk.vocabulary import Tier
from hub.invocations.queries import current
from hub.keys import Keyring
from hub.registry import find_tool, set_owner_tier
from hub.storage import Database

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
async def served(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[Served]:
    """A hub that is reached by a name, since browsers tie passkeys to one."""
    async with open_world(database, keys, upstream) as world, serve(world, name="localhost") as running:
        yield running


@pytest.fixture
async def page(browser: Browser, served: Served) -> AsyncGenerator[Page]:
    """An empty tab of a browser on a machine that verifies its user."""
    context = await browser.new_context(base_url=served.address, viewport={"width": 1280, "height": 900})
    opened = await context.new_page()
    session = await context.new_cdp_session(opened)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield opened
    await context.close()


async def enrol(page: Page, name: str) -> None:
    await page.goto("/password")
    await tab_to(page, "Passkeys")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/passkeys")
    await tab_to(page, "What you call it")
    await page.keyboard.type(name)
    await tab_to(page, "Enrol")
    await page.keyboard.press("Enter")


async def test_a_critical_write_is_approved_by_passkey_with_the_keyboard_alone(served: Served, page: Page) -> None:
    world = served.world
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_delete")
        assert tool is not None
        await set_owner_tier(tx, tool.id, Tier.CRITICAL, world.runtime.authority)
    asked = await world.call("item_delete", {"id": 1})
    await log_in(page, "ann")
    await enrol(page, "Ann's laptop")
    await expect(page.get_by_text("The passkey is enrolled.")).to_be_visible()
    assert await violations_beside_a_hub(page) == ""

    await page.goto(f"/approvals/{asked.id}")
    await expect(page.get_by_text("You will be asked for your passkey first")).to_be_visible()
    await tab_to(page, "Reason")
    await page.keyboard.type("Counted.")
    await tab_to(page, "Approve")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your passkey")
    assert await violations_beside_a_hub(page) == ""
    assert await page.get_by_label("Password").count() == 0
    assert (await current(world.runtime, asked.id)).question.votes == ()
    await tab_to(page, "Continue")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/approvals/{asked.id}*")
    await tab_to(page, "Approve")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("You have voted.")).to_be_visible()

    (vote,) = (await current(world.runtime, asked.id)).question.votes
    assert (vote.voter_id, vote.reason) == (world.ann.id, "Counted.")


async def test_a_passkey_that_is_not_here_is_told_and_the_form_can_be_sent_again(page: Page, served: Served) -> None:
    await log_in(page, "ann")
    await enrol(page, "Ann's laptop")
    await expect(page.get_by_role("heading", name="Ann's laptop")).to_be_visible()
    elsewhere = await page.context.browser.new_context(base_url=served.address)
    other = await elsewhere.new_page()
    session = await elsewhere.new_cdp_session(other)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    await log_in(other, "ann")

    await other.goto("/fresh-login?next=/passkeys")
    await other.get_by_role("button", name="Continue").click()

    await expect(other.get_by_role("alert")).to_contain_text("No passkey answered")
    await expect(other.get_by_role("button", name="Continue")).to_be_enabled()
    await elsewhere.close()


async def test_the_same_device_is_not_enrolled_twice_and_can_be_removed(page: Page) -> None:
    await log_in(page, "ann")
    await enrol(page, "Ann's laptop")
    await expect(page.get_by_text("The passkey is enrolled.")).to_be_visible()
    await enrol(page, "once more")
    await expect(page.get_by_role("alert")).to_contain_text("This passkey is enrolled already.")

    await page.get_by_role("button", name="Remove Ann's laptop").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your passkey")
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url("**/passkeys")
    await page.get_by_role("button", name="Remove Ann's laptop").click()

    await expect(page.get_by_text("You have no passkey")).to_be_visible()
