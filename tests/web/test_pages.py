"""Every template renders in every state, without anything a strict policy would block or a guest could inject."""

import hashlib
import re
from pathlib import Path

import pytest
from web_gallery import Example, examples

from hub.web.rendering import render

EXAMPLES = {example.name: example for example in examples()}
WEB = Path(__file__).parents[2] / "hub" / "web"


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> Example:
    return EXAMPLES[request.param]


def html_of(example: Example) -> str:
    """Return the page as it is sent."""
    return render(example.template, example.chrome, example.page)


def test_every_page_renders_without_inline_script_style_or_handler(example: Example) -> None:
    html = html_of(example)

    assert re.search(r"<[^>]+\s(style|on\w+|hx-on\S*)\s*=", html) is None
    assert re.search(r"<style|<script(?![^>]+src=)|javascript:", html) is None


def test_every_form_that_changes_something_carries_a_token(example: Example) -> None:
    forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", html_of(example), re.DOTALL)

    assert all('name="csrf_token"' in form or 'name="form_token"' in form for form in forms)


def test_foreign_text_never_becomes_markup(example: Example) -> None:
    html = html_of(example)
    told = re.sub(r'value="[^"]*"|(?s:<textarea.*?</textarea>)', "", html)  # what is edited goes back as it was typed

    assert "<script>alert" not in html
    assert not any(character in told for character in "\u202e\u200b")


def test_every_template_is_shown_in_the_gallery() -> None:
    aside = {"base.html", "evidence.html"}  # the latter is a file of its own: test_evidence looks at it in a browser
    whole_pages = {path.name for path in (WEB / "templates").glob("[!_]*.html")} - aside

    assert whole_pages == {example.template for example in EXAMPLES.values()}


def test_every_template_is_short_enough_to_read() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (WEB / "templates").glob("*.html")}

    assert {name: length for name, length in lengths.items() if length > 150} == {}


def test_htmx_is_the_very_file_its_note_names() -> None:
    note = (WEB / "static" / "htmx.md").read_text()

    digest = hashlib.sha256((WEB / "static" / "htmx.min.js").read_bytes()).hexdigest()

    assert f"sha256  {digest}" in note
    assert 'version:"2.0.11"' in (WEB / "static" / "htmx.min.js").read_text()
    assert "2.0.11" in note
