"""Chromium for tests: how it is started, and what counts as accessible."""

import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright import async_api, sync_api

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")
UNFOLD = "document.querySelectorAll('details').forEach(each => { each.open = true })"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def installed() -> str | None:
    """Return where the system's own Chromium is; without one, Playwright's is used if it is there."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[sync_api.Browser]:
    """Start Chromium for tests that need no event loop."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed(), args=FLAGS)
        yield browser
        browser.close()


@asynccontextmanager
async def chromium_beside_a_hub() -> AsyncGenerator[async_api.Browser]:
    """Start Chromium for tests in whose event loop a hub is served."""
    async with async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=installed(), args=FLAGS)
        yield browser
        await browser.close()


def violations(page: sync_api.Page) -> str:
    """Return axe-core's report on the page as it stands, empty when it finds nothing."""
    page.evaluate(UNFOLD)
    return _report(Axe().run(page, options={"resultTypes": ["violations"]}))


async def violations_beside_a_hub(page: async_api.Page) -> str:
    """Return the same for a page of a hub that is served."""
    await page.evaluate(UNFOLD)
    await page.evaluate(AXE_SCRIPT)
    return _report(AxeResults(await page.evaluate("axe.run({resultTypes: ['violations']})")))


def overflow(page: sync_api.Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    width: int = page.evaluate(OVERFLOW)
    return width


SPILLED = """() => {
  const boxes = '.card, .callout, .claims, .figures > div, .entry, td, th, dd, dt, li, .field, .top-inner'
  const slack = 8  // spaces at the end of a line hang over it
  const cut = each => ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(each).overflowX)
  const found = []
  for (const box of document.querySelectorAll(boxes)) {
    const edge = box.getBoundingClientRect()
    for (const each of box.querySelectorAll('*')) {
      let inside = each.parentElement
      while (inside !== box && !cut(inside)) inside = inside.parentElement
      const { left, right, width } = each.getBoundingClientRect()
      if (inside === box && !cut(box) && width > 1 && (left < edge.left - slack || right > edge.right + slack))
        found.push(`${each.outerHTML.slice(0, 120)} sticks out of ${box.outerHTML.slice(0, 60)}`)
    }
  }
  return found
}"""
STRETCHED = """() => [...document.querySelectorAll('.word')]
  .filter(each => getComputedStyle(each).textIndent !== '0px')
  .map(each => `${each.outerHTML} is stretched by an indent`)"""


def spilled(page: sync_api.Page) -> list[str]:
    """Return the elements that stick out of the box they stand in, and the badges wider than their words."""
    page.evaluate(UNFOLD)
    return [*page.evaluate(SPILLED), *page.evaluate(STRETCHED)]


def _report(found: AxeResults) -> str:
    return found.generate_report() if found.violations_count else ""
