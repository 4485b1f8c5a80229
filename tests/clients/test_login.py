"""A client that knows the hub's address alone lets a person log in, consent, and consent to more when it needs more."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import chromium_beside_a_hub
from playwright.async_api import Page
from world import PASSWORD

from clients.clients import CLIENTS
from clients.stage import opened
from clients.story import TICKET
from hub.identity.authority import Authority
from hub.identity.clients import set_redirects
from hub.storage import Database

pytestmark = [pytest.mark.more, pytest.mark.anyio, pytest.mark.browser]

LOOKS = 600


async def address_in(folder: Path) -> str:
    """Return where the client sends the person's browser, once it does, and forget it."""
    file = folder / "address"
    for _ in range(LOOKS):
        if file.exists():
            address = file.read_text()
            file.unlink()
            return address
        await asyncio.sleep(0.1)
    pytest.fail("the client never opened a browser")


async def allow(page: Page, address: str) -> list[str]:
    """Follow the client's address, log in where that is asked, allow what is asked for, and return what that was."""
    await page.goto(address)
    if "/login" in page.url:
        await page.get_by_label("Name").fill("rita")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/consent/**")
    scopes = await page.locator("input[name=scope]").evaluate_all("boxes => boxes.map(box => box.value)")
    await page.get_by_role("button", name="Allow what is ticked").click()
    await page.wait_for_url("http://127.0.0.1:*/callback?*")
    return scopes


async def test_fastmcp_finds_the_login_from_the_401_and_steps_up_from_the_403(
    database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "stage"
    client = replace(CLIENTS["fastmcp"], driver="drive_fastmcp_login.py")
    async with opened(client, database, folder) as stage, chromium_beside_a_hub() as browser:
        world = stage.served.world
        async with database.transaction() as tx:
            authority = Authority(database=database, keys=world.runtime.keys)
            await set_redirects(tx, world.bot.id, ("http://127.0.0.1/callback",), authority)
        page = await (await browser.new_context()).new_page()

        playing = asyncio.create_task(stage.play(("item_get", {"id": 1}), TICKET))
        first = await allow(page, await address_in(folder))
        then = await allow(page, await address_in(folder))
        told = await playing

        assert "/.well-known/oauth-protected-resource/mcp" in stage.mishaps.paths
        assert stage.effects == 0
    assert first == ["upstream:read"]
    assert "upstream:write" in then
    assert "pencil" in told.shown[0], told
    assert "Nothing has been changed yet" in told.shown[1], told
