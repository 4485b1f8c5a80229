"""Which addresses are made from which URI templates: what fits, what misleads, and that comparing them always ends."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.invocations.addresses import LONGEST, Address


@pytest.mark.parametrize(
    ("template", "uri", "fits"),
    [
        ("book://{id}", "book://7", True),
        ("book://{id}", "book://7/8", False),
        ("book://{id}", "book://", False),
        ("book://{+path}", "book://7/8", True),
        ("book://{id}{?page,size}", "book://7", True),
        ("book://a.b", "book://axb", False),
        ("book://{id}/x", "book://7/x?y=1", False),
    ],
)
def test_an_address_fits_a_template_or_not(template: str, uri: str, fits: bool) -> None:  # noqa: FBT001  # a column
    assert Address(uri).is_made_from(template) is fits


@pytest.mark.parametrize(
    "uri",
    [
        "book://..%2f..%2fetc/pages/7",
        "book://../pages/7",
        "book://./pages/7",
        "book://emma/pages/..",
        "book://a\nb/pages/7",
        "book://a%00b/pages/7",
        "book://a\\b/pages/7",
        "book://a%5Cb/pages/7",
        "book://%2e%2e/pages/7",
        "book://%252e%252e/pages/7",
    ],
)
def test_what_stands_in_a_template_is_one_plain_piece(uri: str) -> None:
    assert Address("book://emma.2/pages/..7").is_made_from("book://{book}/pages/{page}")
    assert not Address(uri).is_made_from("book://{book}/pages/{page}")
    assert not Address(uri).is_made_from("book://{+path}")
    assert not Address(uri).is_made_from("{+any}")


@pytest.mark.parametrize("template", ["book://{+path}", "{+any}"])
def test_an_address_that_is_longer_than_any_listed_one_may_be_fits_nothing(template: str) -> None:
    longest = "book://".ljust(LONGEST, "7")

    assert Address(longest).is_made_from(template)
    assert not Address(f"{longest}7").is_made_from(template)


def test_a_template_of_more_expressions_than_servers_use_fits_nothing() -> None:
    assert Address("book://7").is_made_from("book://{id}" + "{?a}" * 7)
    assert not Address("book://7").is_made_from("book://{id}" + "{?a}" * 8)


@pytest.mark.parametrize(
    "template",
    ["{+}" * 8 + "!", "{+}" * 12 + "!", "{a}x" * 8 + "!", "{/a}/" * 8 + "!", "{a}" * 8 + "!", "{" * 2000, "{a" * 2000],
)
@pytest.mark.parametrize("uri", ["x" * 2000, "/" * 2000, "x/" * 1000])
def test_no_template_of_a_server_takes_long(template: str, uri: str) -> None:
    assert not Address(uri).is_made_from(template)


_STANDS_FOR = {"{a}": "[^/?#]+", "{+a}": ".+", "{#a}": ".+", "{/a}": "[^?#]*", "{?a}": "[^?#]*"}


@given(
    parts=st.lists(st.sampled_from([*_STANDS_FOR, "a", "b", "ab", "/", "?", "#"]), max_size=7),
    uri=st.text("ab/?#", max_size=9),
)
def test_an_address_fits_just_as_a_reader_that_tries_every_way_finds(parts: list[str], uri: str) -> None:
    pattern = "".join(_STANDS_FOR.get(part) or re.escape(part) for part in parts)

    assert Address(uri).is_made_from("".join(parts)) == bool(re.fullmatch(pattern, uri))
