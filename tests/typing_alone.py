"""Somebody at a browser who has a keyboard and nothing else."""

import pytest
from playwright.async_api import Page, expect
from world import PASSWORD

MANY = 60
"""More stops of the Tab key than any page has on the way to one of its controls."""


async def log_in(page: Page, name: str) -> None:
    """Log in by typing alone: the first field has the focus."""
    await page.goto("/login")
    await expect(page.get_by_label("Account name")).to_be_focused()
    await page.keyboard.type(name)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(lambda url: "/login" not in url)


async def tab_to(page: Page, words: str) -> None:
    """Press Tab until the control or link that begins with `words` has the focus, and shows that it has."""
    for _ in range(MANY):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(
            "(e => e.innerText || (e.labels && e.labels.length && e.labels[0].innerText) || '')(document.activeElement)"
        )
        if focused.strip().startswith(words):
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{words!r} has the focus and does not show it"
            return
    pytest.fail(f"the Tab key does not lead to {words!r}")
