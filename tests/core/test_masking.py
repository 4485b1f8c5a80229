"""Masking: what is of a hidden class shows as a marker wherever it stands, and nothing else does."""

from typing import Any, Final

import pytest

from hub.core.masking import MARKER, classes_in, holds_marker, mask, told_apart
from hub.mcp.loosened import loosened
from schemas import compile_schema

PERSON: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer", "x-data-class": []},
        "name": {"type": "string", "maxLength": 40},
        "born": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "salary": {"type": "integer", "minimum": 0, "x-data-class": ["salary", "personal"]},
        "notes": {"$ref": "#/$defs/notes"},
        "kind": {"enum": ["customer", "employee"]},
        "parts": {"oneOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}]},
        "extra": {
            "allOf": [{"type": "object"}, {"additionalProperties": {"pattern": "^a"}}],
            "not": {"required": ["z"]},
        },
    },
    "$defs": {"notes": {"type": "array", "items": {"type": "string", "x-data-class": "health"}}},
}
ADA: Final[dict[str, Any]] = {
    "id": 3,
    "name": "Ada",
    "born": None,
    "salary": 5,
    "notes": ["flu"],
    "kind": "employee",
    "parts": [1, 2],
    "extra": {"b": "a1"},
}


def test_what_nobody_classed_is_of_the_classes_of_its_operation_that_nobody_named() -> None:
    seen = mask(ADA, PERSON, of=["customer", "salary"], hidden=["customer", "salary"])

    shown = seen.value
    assert (shown["id"], shown["name"], shown["born"]) == (3, "[masked: customer]", None)
    assert (shown["salary"], shown["notes"]) == ("[masked: salary]", ["flu"])
    assert shown["parts"] == ["[masked: customer]"] * 2
    assert seen.classes == {"customer", "salary"}
    assert "Ada" not in str(shown)


def test_only_hidden_classes_are_masked() -> None:
    shown = mask(ADA, PERSON, of=["customer"], hidden=["health"]).value

    assert shown == {**ADA, "notes": ["[masked: health]"]}


def test_a_part_under_a_reference_that_leads_nowhere_is_of_every_class() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/gone"}, "b": {"x-data-class": []}}}

    assert mask({"a": 1, "b": 2}, schema, of=[], hidden=["health"]).value == {"a": "[masked: health]", "b": 2}


def test_what_is_nested_too_deeply_to_follow_is_of_every_class() -> None:
    schema = {"$defs": {"n": {"x-data-class": [], "items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}
    value: Any = 7
    for _ in range(100):
        value = [value]

    assert "7" not in str(mask(value, schema, of=[], hidden=["health"]).value)


def test_every_class_that_a_schema_names_is_known() -> None:
    assert classes_in(PERSON) == {"salary", "personal", "health"}


@pytest.mark.parametrize("hidden", [["customer"], ["salary"], ["health"], ["personal", "health"], []])
def test_the_loosened_schema_takes_what_was_valid_and_every_marker(hidden: list[str]) -> None:
    shown = mask(ADA, PERSON, of=["customer"], hidden=hidden).value
    strict, loose = compile_schema(PERSON), compile_schema(loosened(PERSON))

    assert strict.is_valid(ADA)
    assert loose.is_valid(ADA)
    assert loose.is_valid(shown), loose.violations(shown)
    assert strict.is_valid(shown) is (hidden in ([], ["health"])), "a note is any text"


def test_the_loosened_schema_takes_nothing_else() -> None:
    loose = compile_schema(loosened(PERSON))

    assert not loose.is_valid({**ADA, "salary": "five"})
    assert not loose.is_valid({**ADA, "more": 1})
    assert not loose.is_valid({"id": 3})


@pytest.mark.parametrize("value", ["[masked: personal]", {"a": ["x [masked: a, b] y"]}])
def test_a_marker_that_comes_back_is_recognised(value: object) -> None:
    assert holds_marker(value)


@pytest.mark.parametrize("value", ["masked: personal", "[masked]", {"[masked: a]": 1}, 3, None])
def test_other_values_are_no_markers(value: object) -> None:
    assert not holds_marker(value)
    assert MARKER


def test_a_marker_says_that_it_stands_for_another_value_than_the_one_before_it() -> None:
    was, becomes = {"a": "x", "b": ["y", "z"], "c": {"d": 1}}, {"a": "other", "b": ["y", "w"], "c": {"d": 1}}
    marked = {"a": "[masked: p]", "b": ["[masked: p]", "[masked: p]"], "c": {"d": "[masked: p]"}}

    shown = told_apart(was, becomes, marked, marked)

    assert shown == {**marked, "a": "[masked: p, another value]", "b": ["[masked: p]", "[masked: p, another value]"]}
    assert holds_marker(shown["a"])
    assert told_apart(None, becomes, None, marked) == marked
