"""Every page in every state, in a real browser: accessible, within the window, silent under its own policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import chromium, overflow, spilled, violations
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route
from web_gallery import Example, examples
from web_gallery_poisoned import DANGEROUS, poisoned

from hub.web.headers import page_headers
from hub.web.rendering import render

pytestmark = pytest.mark.browser

EXAMPLES = {example.name: example for example in examples()}
FULLEST = {example.template: example for example in sorted(EXAMPLES.values(), key=lambda one: len(repr(one.page)))}
POISONED = {f"{example.name}-poisoned": poisoned(example) for example in FULLEST.values()}
STATIC = Path(__file__).parents[2] / "hub" / "web" / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MODES = {"light-wide": ("light", 1280), "dark-narrow": ("dark", 390)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", params=MODES)
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme, width = MODES[request.param]
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    )
    context.route("**/*", answer)
    yield context.new_page()
    context.close()


def answer(route: Route) -> None:
    """Answer like the hub would: the example's page under the page's headers, and the static files."""
    path = route.request.url.removeprefix("https://gallery.test/").partition("?")[0]
    if path.startswith("static/"):
        file = STATIC / path.removeprefix("static/")
        route.fulfill(body=file.read_bytes(), content_type=TYPES[file.suffix])
    else:
        example = {**EXAMPLES, **POISONED}[path]
        html = render(example.template, example.chrome, example.page)
        route.fulfill(body=html, content_type="text/html; charset=utf-8", headers=page_headers(is_secure=False))


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_a_page_is_accessible_fits_the_window_and_keeps_its_policy(page: Page, example: Example) -> None:
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", note)
    page.goto(f"https://gallery.test/{example.name}")

    assert violations(page) == ""
    assert overflow(page) == 0
    assert spilled(page) == []
    assert said == []
    page.remove_listener("console", note)


@pytest.mark.parametrize("example", POISONED.values(), ids=POISONED)
def test_whatever_others_write_runs_nothing_turns_nothing_around_and_stays_in_its_box(
    page: Page, example: Example
) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    page.goto(f"https://gallery.test/{example.name}")
    page.remove_listener("request", note)

    assert page.evaluate("window.poisoned") is None
    assert page.locator("main :is(script, img, iframe, b, style, svg, object)").count() == 0
    assert all(url.startswith("https://gallery.test/") for url in asked), asked
    assert not set(page.inner_text("body")) & DANGEROUS
    assert overflow(page) == 0
    assert spilled(page) == []


def test_what_is_pressed_in_the_menu_is_high_enough_for_fingers(page: Page) -> None:
    before = page.viewport_size
    assert before is not None
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"https://gallery.test/{FULLEST['approval.html'].name}")

    heights = page.eval_on_selector_all(".top :is(.nav a, .me a, .me button)", "all => all.map(e => e.offsetHeight)")

    assert len(heights) >= 5
    assert min(heights) >= 44
    page.set_viewport_size(before)
