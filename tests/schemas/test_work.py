"""What checking a value takes is counted and ends, whatever schema and value hold; ordinary ones take little of it."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hub.core.errors import ArgumentsInvalid
from hub.registry.arguments import canonical_under
from schemas import CompiledSchema, SchemaInvalid, compile_schema, lint_input
from schemas.bounds import MOST_STEPS, Bounded, count_steps
from schemas.keywords import schema_problem

Json = Any

TOO_MUCH = "takes more steps to check against its schema than can be taken"
MANY: list[Json] = [f"^{'a*' * letters}b$" for letters in range(1, 9)]
"""Patterns with which a backtracking reader takes years for a hundred letters."""
CHOICES: Json = {"type": "array", "items": {"anyOf": [{"const": number} for number in range(2000)]}}
RARE: Json = {"if": {"type": "object"}}
"""A keyword that only jsonschema checks."""


def takes_at_most(steps: int, schema: CompiledSchema, value: Json) -> bool:
    """Whether `value` is valid, and found to be so within `steps`."""
    with Bounded():
        is_valid = schema.is_valid(value)
        count_steps(MOST_STEPS - steps)
        return is_valid


def test_thousands_of_ordinary_schemas_are_read_in_few_steps() -> None:
    ordinary = {f"field_{number}": {"type": "string", "maxLength": 200} for number in range(20)}

    with Bounded():
        for _ in range(2000):
            assert schema_problem({"type": "object", "properties": ordinary, "required": ["field_1"]}) is None


@pytest.mark.parametrize("more", [{}, RARE], ids=["quick", "rare"])
@pytest.mark.parametrize("pattern", MANY)
def test_names_and_texts_are_compared_in_one_pass(pattern: str, more: Json) -> None:
    for keyword in (
        {"patternProperties": {pattern: False}},
        {"patternProperties": {pattern: {}}, "additionalProperties": {"type": "integer"}},
        {"propertyNames": {"not": {"pattern": pattern}}},
    ):
        schema = compile_schema({**keyword, **more})

        assert takes_at_most(2000, schema, {"a" * 500: 1})
        assert not schema.is_valid({"a" * 500 + "b": "1"}) or pattern in schema.schema["patternProperties"]
        assert schema.violations({"a" * 500: 1}) == []


def test_a_default_that_a_backtracking_reader_never_ends_with_is_compared() -> None:
    part = {"type": "object", "patternProperties": {"^a*a*a*a*a*a*b$": {}}, "default": {"a" * 300: 1}}

    assert lint_input({"type": "object", "properties": {"more": part}}) == []


@pytest.mark.parametrize("more", [{}, RARE], ids=["quick", "rare"])
def test_items_are_looked_for_and_not_compared_with_each_other(more: Json) -> None:
    unique = compile_schema({"type": "array", "uniqueItems": True, **more})
    listed = compile_schema({"type": "array", "items": {"enum": list(range(2000))}, **more})
    mixed = [{"a": number} if number % 2 else number for number in range(5000)]
    alike = [number * (2**61 - 1) for number in range(5000)]  # whose hashes are all the same

    assert takes_at_most(60_000, unique, mixed)
    assert takes_at_most(60_000, unique, alike)
    assert not unique.is_valid([*mixed, {"a": 1.0}])
    assert unique.is_valid([1, True, "1", [1], [True], {"a": 1}, {"a": True}])
    assert not unique.is_valid([{"a": 1, "b": [0]}, {"b": [0.0], "a": 1}])
    assert takes_at_most(350_000, listed, [1999.0, 1999] * 5000)
    assert not listed.is_valid([True])


def test_choices_for_each_of_many_items_are_counted_and_end() -> None:
    schema = compile_schema(CHOICES)

    assert takes_at_most(25_000, schema, [1999] * 10)
    assert not schema.is_valid([1999] * 3000)
    assert [message for _, message in schema.violations([1999] * 3000)] == [TOO_MUCH]
    with pytest.raises(ArgumentsInvalid, match="more steps"):
        canonical_under(compile_schema({"type": "object", "properties": {"l": CHOICES}}), {"l": [1999] * 3000})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "array", "allOf": [{"items": {"type": "integer"}}] * 100}, [1] * 20_000),
        ({"type": "array", "oneOf": [{"items": {"type": "integer"}}] * 100}, [1] * 20_000),
        ({"anyOf": [{"type": "integer"}] * 2000}, ["text" * 20] * 20_000),
        ({"anyOf": [False] * 2000}, ["text" * 20] * 20_000),
        ({"items": {"anyOf": [{"const": [*range(90), last]} for last in range(100)]}}, [[*range(90), -1]] * 3000),
        ({"properties": {"a": {}}, "unevaluatedProperties": {"type": "integer"}}, {f"a{n}": 1 for n in range(20_000)}),
        ({"items": {"not": {"pattern": "[ab]*a[ab]{500}c"}}}, ["ab" * 5000] * 100),
    ],
    ids=["all of", "one of", "messages", "messages of false", "long constants", "unevaluated", "long texts"],
)
def test_work_that_multiplies_is_undecided_and_says_so(schema: Json, value: Json) -> None:
    compiled = compile_schema(schema)

    assert not compiled.is_valid(value)
    assert [message for _, message in compiled.violations(value)] == [TOO_MUCH]


def test_a_large_value_of_ordinary_rows_is_no_matter() -> None:
    row = {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "name": {"type": "string", "pattern": "^[A-Za-z .'-]{1,80}$"},
            "text": {"anyOf": [{"type": "string", "pattern": "^.{0,4096}$"}, {"type": "null"}]},
            "day": {"type": "string", "format": "date"},
        },
        "required": ["id"],
        "additionalProperties": False,
    }
    schema = compile_schema({"type": "array", "items": {"$ref": "#/$defs/Row"}, "$defs": {"Row": row}})
    rows = [{"id": 1, "name": "Ada Lovelace", "text": "word " * 100, "day": "2026-11-22"}] * 50_000

    assert schema.is_valid(rows)
    assert schema.violations([*rows[:500], {"id": 0}]) == [("/500/id", "must be at least 1")]


def test_objects_within_objects_are_checked_once_each() -> None:
    schema: Json = {"type": "object"}
    for _ in range(14):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False}
    value: Json = {}
    for _ in range(14):
        value = {"a": value}

    assert takes_at_most(100, compile_schema(schema), value)


def test_every_keyword_of_jsonschema_is_ours_or_left_to_it_knowingly() -> None:
    quick = [word for word in Draft202012Validator.VALIDATORS if compile_is_quick(word)]

    assert sorted(set(Draft202012Validator.VALIDATORS) - set(quick)) == [
        *("$dynamicRef", "contains", "dependentRequired", "dependentSchemas"),
        *("if", "unevaluatedItems", "unevaluatedProperties"),
    ]


def compile_is_quick(word: str) -> bool:
    """Whether a schema with this keyword takes the fast path."""
    said: dict[str, Json] = {"required": [], "dependentRequired": {}, "enum": [], "type": "object", "format": "date"}
    lists, named = ("allOf", "anyOf", "oneOf", "prefixItems"), ("properties", "patternProperties", "dependentSchemas")
    numbers = word.startswith(("min", "max", "multiple", "exclusive"))
    default: Json = [True] if word in lists else {} if word in named else 1 if numbers else True
    texts = {"$ref": "#/$defs/A", "$dynamicRef": "#", "pattern": "a"}
    return CompiledSchema({word: {**said, **texts}.get(word, default), "$defs": {"A": {}}}).is_quick


@pytest.mark.parametrize("named", ["http://json-schema.org/draft-07/schema#", Draft202012Validator.META_SCHEMA["$id"]])
def test_a_part_that_names_a_dialect_is_refused_and_checked_by_our_keywords_all_the_same(named: str) -> None:
    whole = {"$schema": named, "type": "object", "properties": {"a": {"pattern": r"^\d$"}}}

    assert not compile_schema(whole).is_valid({"a": "7\n"})
    assert compile_schema({**whole, **RARE}).violations({"a": "7\n"})
    with pytest.raises(SchemaInvalid, match=r"/properties/a: only a whole schema says by \$schema"):
        compile_schema({"properties": {"a": {"$schema": named}}})


@pytest.mark.parametrize(
    "where",
    [
        {"$ref": "#/x-a", "x-a": {"patternProperties": {"^(a+)+$": {}}}},
        {"$ref": "#/properties", "properties": {"pattern": {"type": "string"}}},
        {"properties": {"a": {"$ref": "#/properties/b/enum/0"}, "b": {"enum": [{"pattern": "("}]}}},
        {"properties": {"a": {"$ref": "#/properties/b/default"}, "b": {"default": {"type": "no-such-type"}}}},
    ],
    ids=["an own keyword", "names", "a choice", "a default"],
)
def test_a_reference_to_where_nobody_looks_for_a_schema_is_refused(where: Json) -> None:
    with pytest.raises(SchemaInvalid, match="leads to where no schema stands"):
        compile_schema(where)


def test_references_to_any_part_that_is_a_schema_hold() -> None:
    schema = compile_schema(
        {
            "properties": {"a": {"$ref": "#/properties/b/items"}, "b": {"items": {"type": "string"}}},
            "if": {"$ref": "#/definitions/True"},
            "then": {"$ref": "#/dependentSchemas/a"},
            "definitions": {"True": True},
            "dependentSchemas": {"a": {"required": ["b"]}},
        }
    )

    assert schema.is_valid({"a": "x", "b": ["y"]})
    assert not schema.is_valid({"a": 1, "b": []})
    assert not schema.is_valid({"a": "x"})


def test_names_by_pattern_beside_what_is_unevaluated_are_refused() -> None:
    with pytest.raises(SchemaInvalid, match="write additionalProperties"):
        compile_schema({"patternProperties": {"^a*a*a*b$": {}}, "unevaluatedProperties": False})


def test_a_schema_whose_names_are_no_names_is_refused_without_comparing_each_with_each() -> None:
    with pytest.raises(SchemaInvalid, match="/required"):
        compile_schema({"required": [number if number % 2 else {"a": number} for number in range(9000)]})


@pytest.mark.parametrize("more", [{}, RARE], ids=["quick", "rare"])
def test_numbers_of_any_size_are_multiples_or_are_not(more: Json) -> None:
    tenths, threes = compile_schema({"multipleOf": 0.5, **more}), compile_schema({"multipleOf": 3, **more})

    assert [tenths.is_valid(number) for number in (1.5, 1, 0.7, 10**400, float("inf"))] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert [threes.is_valid(number) for number in (9, 9.0, 10, 3 * 10**400, True)] == [True, True, False, True, True]


@pytest.mark.parametrize("more", [{}, RARE], ids=["quick", "rare"])
@pytest.mark.parametrize(
    ("of", "multiples", "others"),
    [
        (0.01, [0.07, 0.29, 1.15, 4.35, 19.99, 1e20, 7, -0.07, 0, 0.0], [0.071, 19.991, 1e-3, 5e-324, 0.1 + 0.2]),
        (1e-7, [3e-7, 0.1234567, 1e308], [1e-8, 0.12345678]),
        (2.5, [5, 7.5, 1e23, 10**30], [1, 7.4, 10**30 + 1]),
        (3, [9, 9.0, 3e22, -3], [1e22, 3.5, 1e-300]),
        (1e-300, [1, 1e308, 10**400, 7e-300], [5e-324, 1.5e-300]),
        (1e308, [0, 1e308, 10**400], [1, 1e307, 5e-324, 10**308 + 1]),
        (float("inf"), [0, 0.0], [1, 1e308, 10**400]),
    ],
    ids=str,
)
def test_numbers_are_multiples_as_they_are_written(of: float, multiples: Json, others: Json, more: Json) -> None:
    schema = compile_schema({"multipleOf": of, **more})

    assert [number for number in multiples if not schema.is_valid(number) or schema.violations(number)] == []
    assert [number for number in others if schema.is_valid(number) or not schema.violations(number)] == []


@pytest.mark.parametrize("more", [{}, RARE], ids=["quick", "rare"])
def test_dividing_numbers_of_many_digits_is_counted(more: Json) -> None:
    schema = compile_schema({"items": {"multipleOf": 1.234e-300}, **more})

    assert schema.violations([1.234e308] * 60_000) == [("", TOO_MUCH)]
    assert takes_at_most(30_000, compile_schema({"items": {"multipleOf": 0.01}}), [19.99] * 10_000)
    assert takes_at_most(20_000, compile_schema({"items": {"multipleOf": 3}}), [9] * 10_000)


@pytest.mark.parametrize("text", ["a{99999999999999}", "(" * 100_000, "\ud800", "[a-z]" * 100_000], ids=len)
def test_a_text_in_a_format_is_one_or_is_none_and_breaks_nothing(text: str) -> None:
    for said in ("regex", "uri", "email", "hostname", "date-time", "duration", "uuid", "ipv6", "json-pointer"):
        for more in ({}, RARE):
            schema = compile_schema({"format": said, **more})

            assert schema.is_valid(text) == (schema.violations(text) == [])
    assert not compile_schema({"format": "regex"}).is_valid("(" * 100_000)


def test_defaults_that_take_too_much_are_a_clear_refusal_of_the_call() -> None:
    parts = {f"p{at}": {"default": [0] * 900} for at in range(20)}
    schema = CompiledSchema({"type": "array", "items": {"type": "object", "properties": parts}})

    with pytest.raises(ArgumentsInvalid, match="the defaults within its defaults"):
        canonical_under(schema, [{}] * 500)


def test_work_within_work_is_counted_together() -> None:
    schema = compile_schema(CHOICES)

    with Bounded():
        verdicts = [schema.is_valid([1999]) for _ in range(300)]

    assert verdicts == [True] * verdicts.count(True) + [False] * verdicts.count(False)
    assert verdicts.count(False) > 90


class Told(str):
    """A text that counts how often it is written down."""

    __slots__ = ()
    times = 0

    def __repr__(self) -> str:
        """Write it down."""
        Told.times += 1
        return super().__repr__()


def test_a_constant_that_thousands_of_items_are_not_is_written_down_once() -> None:
    schema = compile_schema({"items": {"const": Told("x" * 100)}})
    Told.times = 0

    found = schema.violations(list(range(900)))

    assert (len(found), Told.times) == (900, 1)
    assert found[0].message == f"must be '{'x' * 59}..."


def test_where_a_rule_is_broken_is_said_without_the_whole_of_a_long_name() -> None:
    schema = compile_schema({"additionalProperties": {"items": {"type": "integer"}}})

    found = schema.violations({"n" * 100_000: ["x"] * 3})

    assert [one.pointer for one in found] == [f"/{'n' * 200}/{at}" for at in range(3)]
