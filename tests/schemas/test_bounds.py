"""Schemas and values that grow without bound where somebody follows them are refused, and checking them ends."""

from typing import Any

import pytest

from connectors.sdk.portable import reference_problem
from hub.registry.fitting import at
from schemas import CompiledSchema, SchemaInvalid, compile_schema, lint_input, lint_output, lint_portable
from schemas.bounds import LARGEST, MOST_STEPS, Bounded, TooMuchWork, count_steps

Json = Any

DEPTH = 60
"""Of parts that each refer twice to the next: whoever follows every reference takes longer than there is time."""
TOO_LARGE = "with its references written out"


def doubling(keyword: str) -> dict[str, Json]:
    twice = {
        f"d{at}": {keyword: [{"$ref": f"#/$defs/d{at + 1}"}, {"$ref": f"#/$defs/d{at + 1}"}]} for at in range(DEPTH)
    }
    last = {f"d{DEPTH}": {"type": "string", "minLength": 2}}
    return {"type": "object", "properties": {"text": {"$ref": "#/$defs/d0"}}, "$defs": {**twice, **last}}


def in_turn() -> dict[str, Json]:
    """Return as many parts that each refer once to the next, as real schemas do."""
    each = {f"d{at}": {"type": "object", "properties": {"next": {"$ref": f"#/$defs/d{at + 1}"}}} for at in range(DEPTH)}
    return {"type": "object", "properties": {"text": {"$ref": "#/$defs/d0"}}, "$defs": {**each, f"d{DEPTH}": {}}}


KEYWORDS = ["allOf", "anyOf", "oneOf", "prefixItems"]


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_schema_that_doubles_by_reference_is_refused_before_anybody_follows_it(keyword: str) -> None:
    schema = doubling(keyword)

    assert [TOO_LARGE in finding for finding in lint_input(schema)] == [True]
    assert [TOO_LARGE in finding for finding in lint_output(schema)] == [True]
    assert TOO_LARGE in (reference_problem(schema) or "")
    with pytest.raises(SchemaInvalid, match=TOO_LARGE):
        compile_schema(schema)


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_whether_a_schema_contains_itself_is_found_out_by_looking_at_each_part_once(keyword: str) -> None:
    schema = doubling(keyword)
    assert lint_portable(schema) == []

    schema["$defs"][f"d{DEPTH}"] = {"type": "object", "properties": {"again": {"$ref": "#/$defs/d7"}}}

    assert lint_portable(schema) == [
        "/: #/$defs/d7 contains itself, which some clients read without end; bound its depth"
    ]
    assert "d7 contains itself" in (reference_problem(schema) or "")


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("value", [{"text": "a"}, {"text": [["aa"]]}, {}])
def test_checking_a_value_ends_where_such_a_schema_was_stored_before(keyword: str, value: Json) -> None:
    schema = CompiledSchema(doubling(keyword))

    is_valid = schema.is_valid(value)

    assert not (is_valid and schema.violations(value))
    assert schema.with_defaults(value) == value


def test_what_stays_undecided_is_not_valid_and_says_why() -> None:
    schema = CompiledSchema(doubling("allOf"))

    assert not schema.is_valid({"text": "aa"})
    assert [message for _, message in schema.violations({"text": "aa"})] == [
        "takes more steps to check against its schema than can be taken"
    ]


def test_work_within_work_is_counted_together_and_other_work_by_itself() -> None:
    count_steps(10**9)
    for _ in range(2):
        with Bounded():
            with Bounded():
                count_steps(MOST_STEPS - 1)
            with pytest.raises(TooMuchWork), Bounded():
                count_steps(MOST_STEPS - 1)


def test_parts_that_are_referred_to_once_each_are_no_matter() -> None:
    schema = in_turn()

    assert reference_problem(schema) is None
    assert lint_input(schema) == []
    assert compile_schema(schema).is_valid({"text": {"next": {"next": {}}}})


def test_a_schema_counts_as_large_as_it_is_written_out() -> None:
    large = {"type": "object", "properties": {f"p{at}": {"enum": ["a", "b"]} for at in range(LARGEST // 8)}}
    twice = {"type": "object", "properties": {"a": {"$ref": "#/$defs/L"}, "b": {"$ref": "#/$defs/L"}}}

    assert reference_problem(large) is None
    assert reference_problem(twice | {"$defs": {"L": large}}) is not None


def test_keywords_that_read_others_again_at_every_depth_do_not_keep_a_check_from_ending() -> None:
    schema: dict[str, Json] = {"type": "object", "unevaluatedProperties": {"type": "string"}}
    for _ in range(20):
        schema = {"type": "object", "allOf": [schema], "unevaluatedProperties": {"type": "string"}}

    compiled = compile_schema(schema)

    assert not compiled.is_valid({"a": "x"})
    assert compiled.violations({"a": "x"})


def test_defaults_within_defaults_that_grow_without_bound_are_refused_and_end() -> None:
    schema: dict[str, Json] = {"type": "object"}
    for _ in range(14):
        rows = {"type": "array", "default": [{}] * 10, "items": schema}
        schema = {"type": "object", "properties": {"rows": rows}}

    assert any("the defaults within its defaults" in finding for finding in lint_input(schema))
    with pytest.raises(SchemaInvalid, match="the defaults within its defaults"):
        compile_schema(schema).with_defaults({})


def test_a_default_is_checked_against_parts_that_stand_anywhere_in_its_schema() -> None:
    one = {"type": "string", "maxLength": 1}
    other = {"$ref": "#/properties/one", "default": "ab"}

    assert lint_input({"type": "object", "properties": {"one": one, "other": other}}) == [
        "/properties/other: the default breaks its own schema: has at most 1 characters"
    ]


def test_a_reference_that_leads_to_itself_leaves_open_what_stands_there() -> None:
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}

    assert at(schema, "/x") == {}
