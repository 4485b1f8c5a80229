"""Canonical JSON is RFC 8785 whichever way it was written, and what two readers could read differently is refused."""

import json
import math
from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from hub.core.canonical import DEEPEST, SAFE_INTEGER, canonical_json, digest, parse_json, read_canonical
from hub.core.errors import Malformed

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE_INTEGER, SAFE_INTEGER) | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


class Colour(StrEnum):
    """A text of another type than str."""

    RED = "red"


@given(JSON)
@example({"\ue000": 1, "\U00010000": 2})
@example({"a": '\x7f\x00\x1f\u2028"\\/'})
@example([1.0, -0.0, 1e21, 1e-7, 5e-324, SAFE_INTEGER, -SAFE_INTEGER])
def test_canonical_json_is_rfc_8785(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]  # any JSON value


@given(JSON)
@example(2.0**60)
@example("\x00")
def test_canonical_json_is_read_back_and_written_the_same(value: object) -> None:
    written = canonical_json(value)

    assert canonical_json(read_canonical(written)) == written


@pytest.mark.parametrize(
    "text", [b' {"a":1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"1.0", b"9007199254740993", b'"\\u0041"']
)
def test_what_is_not_written_in_the_canonical_way_is_not_read_back(text: bytes) -> None:
    with pytest.raises(Malformed):
        read_canonical(text)


@given(st.binary(max_size=50))
def test_foreign_bytes_are_read_back_only_if_they_are_canonical(text: bytes) -> None:
    try:
        value = read_canonical(text)
    except Malformed:
        return

    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [{"colour": Colour.RED}, (1, 2), {"a": (Colour.RED,)}])
def test_values_of_kindred_types_are_written_as_what_they_stand_for(value: object) -> None:
    assert canonical_json(value) == json.dumps(value, separators=(",", ":")).encode()


UNWRITABLE = [math.nan, math.inf, SAFE_INTEGER + 1, {"a": -SAFE_INTEGER - 1}, "\ud800", {"\ud800": 1}, {1: 2}, b"a"]


@pytest.mark.parametrize("value", UNWRITABLE)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(Malformed):
        canonical_json(value)


def test_what_is_nested_without_end_is_refused_not_a_crash() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(Malformed):
        canonical_json(value)


UNREADABLE = ["", "{", '{"a":1,"a":2}', "NaN", "[Infinity]", "9007199254740992", "-9007199254740993", "[" * 100_000]


@pytest.mark.parametrize("text", [*UNREADABLE, "9" * 5000])
def test_what_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_json(text)


def test_equal_values_have_one_digest_whatever_the_order() -> None:
    assert digest({"a": 1, "b": [1.0]}) == digest({"b": [1], "a": 1.0})


@pytest.mark.parametrize("text", ['{"a":', "["])
def test_what_is_nested_deeper_than_a_reader_can_follow_is_refused_before_anybody_follows_it(text: str) -> None:
    closing = "}" if text.startswith("{") else "]"

    assert parse_json(text * DEEPEST + "1" + closing * DEEPEST)
    for deeper in (DEEPEST + 1, 480, 900):
        with pytest.raises(Malformed, match="nested deeper"):
            parse_json(text * deeper + "1" + closing * deeper)


def test_many_objects_beside_each_other_are_not_deep() -> None:
    assert len(parse_json("[" + ",".join(["{}"] * 10_000) + "]")) == 10_000


def test_an_error_says_back_no_more_of_a_key_than_a_name_may_have() -> None:
    key = "k" * 100_000

    with pytest.raises(Malformed) as refused:
        parse_json(f'{{"{key}":1,"{key}":2}}')

    assert len(refused.value.message) < 200
