"""People at browsers: with the keyboard alone, without JavaScript, in another site's frame."""

import pytest
from browsing import violations_beside_a_hub
from playwright.async_api import Browser, ConsoleMessage, Page, expect
from serving import Served
from typing_alone import log_in, tab_to
from world import PASSWORD, World

from hub.invocations.queries import get_invocation
from hub.invocations.states import State
from hub.invocations.values import Invocation

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def asked(world: World) -> Invocation:
    """Let the agent ask for something that needs an approval."""
    invocation = await world.call("item_delete", {"id": 1})
    assert invocation.state is State.AWAITING_APPROVAL
    return invocation


async def ended(world: World, invocation: Invocation) -> Invocation:
    """Wait until the hub's own worker has brought the invocation to its end."""
    standing = invocation
    for _ in range(5):
        standing = await get_invocation(world.runtime, world.caller, invocation.id, wait_seconds=4)
        if standing.state.is_terminal:
            break
    return standing


async def test_an_approver_finds_reads_and_approves_with_the_keyboard_alone(served: Served, page: Page) -> None:
    invocation = await asked(served.world)

    await log_in(page, "ann")
    await tab_to(page, "Approvals")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/approvals")
    await tab_to(page, "Delete items/1")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Delete items/1")
    assert await page.evaluate("document.activeElement === document.body")
    await tab_to(page, "Reason")
    await page.keyboard.type("Stock was counted.")
    await tab_to(page, "Approve")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("Your approval is on record.")).to_be_visible()
    assert (await ended(served.world, invocation)).state in {State.VERIFIED, State.UNVERIFIABLE}
    assert len(served.world.upstream.store.effects()) == 1


async def test_a_rejection_by_keyboard_asks_for_the_reason_first(served: Served, page: Page) -> None:
    invocation = await asked(served.world)
    await log_in(page, "ann")
    await page.goto(f"/approvals/{invocation.id}")

    await tab_to(page, "Reject")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "reason"
    await page.keyboard.type("We still sell it.")
    await tab_to(page, "Reject")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Your rejection is on record")).to_be_visible()

    standing = await ended(served.world, invocation)
    assert (standing.state, standing.error_message) == (State.REJECTED, "We still sell it.")


async def test_enter_in_a_form_never_approves(served: Served, page: Page) -> None:
    invocation = await asked(served.world)
    await log_in(page, "ann")
    await page.goto(f"/approvals/{invocation.id}")

    default = await page.evaluate("document.querySelector('#decide form').querySelector('button').value")
    autofocus = await page.locator("[autofocus]").count()

    assert (default, autofocus) == ("reject", 0)


async def test_a_tool_is_found_and_read_with_the_keyboard_alone(page: Page) -> None:
    await log_in(page, "rita")

    await tab_to(page, "Search")
    await page.keyboard.type("ticket")
    await expect(page.locator("#results article")).to_have_count(1)
    await tab_to(page, "Ticket create")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", level=2, name="How it is governed")).to_be_visible()


async def test_searching_changes_the_list_in_place_and_breaks_no_policy(page: Page) -> None:
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        said.append(message.text)

    await log_in(page, "rita")
    page.on("console", note)
    await page.evaluate("window.stillHere = true")
    await page.get_by_label("Search").fill("item")
    await expect(page.locator("#results")).not_to_contain_text("ticket")

    assert await page.evaluate("window.stillHere")
    assert "q=item" in page.url
    assert said == []
    await page.reload()
    await expect(page.locator("#results")).not_to_contain_text("ticket")


async def test_everything_works_without_javascript(served: Served, browser: Browser) -> None:
    invocation = await asked(served.world)
    context = await browser.new_context(base_url=served.address, java_script_enabled=False)
    page = await context.new_page()

    await page.goto("/approvals")
    await page.get_by_label("Account name").fill("ann")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Approvals")
    await page.goto("/")
    await page.get_by_label("Search").fill("ticket")
    await page.get_by_role("button", name="Search").click()
    await expect(page.locator("#results article")).to_have_count(1)
    await page.goto(f"/approvals/{invocation.id}")
    await page.get_by_text("The arguments, exactly").click()
    await expect(page.locator("details[open] pre").first).to_be_visible()
    await page.get_by_label("Reason").fill("Counted.")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_text("Your approval is on record.")).to_be_visible()
    await page.goto(f"/invocations/{invocation.id}")
    await expect(page.get_by_text("A vote to approve")).to_be_visible()
    await context.close()

    assert (await ended(served.world, invocation)).state in {State.VERIFIED, State.UNVERIFIABLE}


async def test_no_other_site_can_put_the_hub_into_a_frame(served: Served, page: Page) -> None:
    await page.route(
        "http://evil.test/", lambda route: route.fulfill(body=f'<iframe src="{served.address}/login"></iframe>')
    )

    await page.goto("http://evil.test/")

    framed = page.frames[1]
    assert await framed.locator("form").count() == 0


async def test_pages_with_what_is_really_on_record_are_accessible(served: Served, page: Page) -> None:
    served.world.upstream.store.rows("UPDATE item SET name = ? WHERE id = 1", "<b onmouseover=alert(1)>\u202epen")
    invocation = await asked(served.world)
    await served.world.call("item_update", {"id": 1, "quantity": 9})
    await log_in(page, "ann")

    for path in (
        "/",
        "/servers/everything/tools/item_update",
        "/servers",
        "/approvals",
        f"/approvals/{invocation.id}",
        f"/invocations/{invocation.id}",
        "/invocations",
        "/people",
    ):
        await page.goto(path)
        assert await violations_beside_a_hub(page) == "", path
