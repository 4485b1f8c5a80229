"""Compiled schemas: one verdict on two paths, every violation at its place, defaults without touching the value."""

import re
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Finding, SchemaInvalid, compile_schema

Json = Any

DEAL = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "stage": {"enum": ["new", "won"]},
        "owner": {"$ref": "#/$defs/Owner"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "maxItems": 2},
    },
    "required": ["id", "stage"],
    "additionalProperties": False,
    "$defs": {
        "Owner": {"type": "object", "properties": {"mail": {"type": "string", "format": "email"}}},
        "Line": {"type": "object", "properties": {"count": {"type": "integer", "default": 1}}, "required": ["what"]},
    },
}


def test_every_violation_is_named_at_its_place() -> None:
    value = {"id": 0, "owner": {"mail": "nobody"}, "lines": [{"what": 1}, {}, {}], "colour": "red"}

    found = compile_schema(DEAL).violations(value)

    assert found == [
        Finding("/colour", "is not known here; known are id, stage, owner, lines"),
        Finding("/id", "must be at least 1"),
        Finding("/lines", "has at most 2 items"),
        Finding("/lines/1/what", "is required"),
        Finding("/lines/2/what", "is required"),
        Finding("/owner/mail", "must have the format email"),
        Finding("/stage", "is required"),
    ]


def test_pointers_escape_what_json_pointers_escape() -> None:
    schema = compile_schema({"type": "object", "properties": {"a/b": {"properties": {"~": {"type": "string"}}}}})

    assert schema.violations({"a/b": {"~": 1}}) == [Finding("/a~1b/~0", "must be a string, not an integer")]


def test_a_union_is_answered_with_the_branch_that_comes_closest() -> None:
    schema = compile_schema({"anyOf": [{"type": "integer"}, {"type": "object", "required": ["id"]}]})

    assert schema.violations("x") == [Finding("", "must be an integer or an object")]
    assert schema.violations({}) == [Finding("/id", "is required")]


def test_where_nothing_is_allowed_the_message_says_so() -> None:
    assert compile_schema({"not": {}}).violations(1) == [Finding("", "is what is excluded here")]
    assert compile_schema({"properties": {"a": False}}).violations({"a": 1}) == [Finding("", "nothing is allowed here")]
    union = compile_schema({"anyOf": [{"type": "object"}, False]})
    assert union.violations(1) == [Finding("", "must be an object")]


def test_a_message_never_repeats_a_long_value() -> None:
    schema = compile_schema({"type": "object", "properties": {"a": {"maxLength": 3}, "b": {"type": "integer"}}})

    messages = [finding.message for finding in schema.violations({"a": "s" * 5000, "b": "t" * 5000})]

    assert messages == ["has at most 3 characters", "must be an integer, not a string"]


def test_defaults_are_filled_at_every_depth_without_touching_the_value() -> None:
    schema = compile_schema(
        {
            "type": "object",
            "properties": {
                "count": {"$ref": "#/$defs/Count"},
                "filter": {"type": "object", "default": {}, "properties": {"active": {"default": True}}},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
                "either": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"x": {"default": 0}}}]},
            },
            "allOf": [{"properties": {"extra": {"default": [1]}}}],
            "additionalProperties": {"type": "object", "properties": {"y": {"default": 2}}},
            "$defs": {
                "Count": {"type": "integer", "default": 20},
                "Line": {"type": "object", "properties": {"unit": {"type": "string", "default": "piece"}}},
            },
        }
    )
    value = {"lines": [{}, {"unit": "box"}], "either": {}, "other": {}}
    before = deepcopy(value)

    filled = schema.with_defaults(value)

    assert filled == {
        "count": 20,
        "filter": {"active": True},
        "lines": [{"unit": "piece"}, {"unit": "box"}],
        "either": {"x": 0},
        "other": {"y": 2},
        "extra": [1],
    }
    assert value == before


def test_two_values_never_share_a_default() -> None:
    schema = compile_schema({"type": "object", "properties": {"tags": {"default": []}}})
    one = schema.with_defaults({})

    one["tags"].append("mine")

    assert schema.with_defaults({}) == {"tags": []}


def test_the_first_branch_that_fits_gives_the_defaults() -> None:
    schema = compile_schema(
        {
            "oneOf": [
                {"type": "object", "properties": {"kind": {"const": "a"}, "n": {"default": 1}}, "required": ["kind"]},
                {"type": "object", "properties": {"kind": {"const": "b"}, "n": {"default": 2}}, "required": ["kind"]},
            ]
        }
    )

    assert schema.with_defaults({"kind": "b"}) == {"kind": "b", "n": 2}


def test_defaults_without_end_are_an_error_and_no_endless_loop() -> None:
    schema = compile_schema(
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"type": "object", "default": {}, "properties": {"a": {"$ref": "#/$defs/A"}}}},
        }
    )

    with pytest.raises(SchemaInvalid, match="without end"):
        schema.with_defaults({})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strange"},
        {"properties": []},
        {"pattern": "("},
        {"$ref": "#/$defs/Missing"},
        {"$ref": "https://elsewhere.example/schema.json"},
        {"properties": {"a": {"$ref": "other.json#/x"}}},
        {"allOf": [{}], "$ref": f"#/allOf/{'1' * 5000}"},
        {"required": "id"},
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_when_it_is_compiled(schema: dict[str, Json]) -> None:
    with pytest.raises(SchemaInvalid):
        compile_schema(schema)


def test_a_value_nested_beyond_reason_is_a_violation_and_no_crash() -> None:
    schema = compile_schema({"$defs": {"N": {"items": {"$ref": "#/$defs/N"}}}, "$ref": "#/$defs/N"})
    deep: list[Json] = []
    for _ in range(20_000):
        deep = [deep]

    assert not schema.is_valid(deep)
    assert schema.violations(deep) == [Finding("", "is nested too deeply")]


@pytest.mark.parametrize(
    ("said", "good", "bad"),
    [
        ("date", ["2026-11-21", "2024-02-29"], ["2026-02-29", "2026-1-1", "21.11.2026", "2026-W47-6"]),
        (
            "date-time",
            ["2026-11-21T10:00:00Z", "2026-11-21t10:00:00.123456789+01:00", "2016-12-31T23:59:60Z"],
            ["2026-11-21T10:00:00", "2026-11-21 10:00:00Z", "2026-11-21T25:00:00Z", "2026-11-21T10:00Z"],
        ),
        ("time", ["10:00:00Z"], ["10:00", "24:00:00Z", "10:00:00"]),
        ("duration", ["P1D", "PT4H", "P2W", "P1Y2M3DT4H5M6S"], ["P", "PT", "1D", "P1H", "P1DT"]),
        ("email", ["ada@example.com"], ["ada", "ada@", "@example.com", "a b@example.com", "a@b@c"]),
        ("uri", ["https://a.example/x?y#z", "urn:isbn:1"], ["/path", "a b", "http://[", "no-scheme"]),
        ("uuid", ["6f9619ff-8b86-d011-b42d-00c04fc964ff"], ["6f9619ff8b86d011b42d00c04fc964ff", "x"]),
        ("ipv4", ["127.0.0.1"], ["127.0.0.256", "127.1", "01.1.1.1"]),
        ("ipv6", ["::1"], ["::1%eth0", "127.0.0.1"]),
        ("hostname", ["a.example"], ["-a.example", "a..b", ""]),
        ("json-pointer", ["", "/a~1b"], ["a", "/~2"]),
        ("regex", ["^a+$"], ["("]),
    ],
)
def test_formats_are_checked(said: str, good: list[str], bad: list[str]) -> None:
    schema = compile_schema({"format": said})

    assert [text for text in good if not schema.is_valid(text)] == []
    assert [text for text in bad if schema.is_valid(text)] == []
    assert schema.is_valid(1)


@pytest.mark.parametrize(
    ("keyword", "said"),
    [("dependentRequired", {"x1": ["x2"]}), ("unevaluatedProperties", False), ("if", {"required": ["x2"]})],
)
def test_rare_keywords_are_left_to_jsonschema_and_still_hold(keyword: str, said: Json) -> None:
    schema = compile_schema({keyword: said, "else": False})

    assert not schema.is_quick
    assert not schema.is_valid({"x1": "text"})


def test_what_says_nothing_of_values_keeps_no_schema_from_being_quick() -> None:
    assert compile_schema({"example": 1, "nullable": True, "then": False, "type": "integer"}).is_quick


names = st.sampled_from(["a", "b", "c"])
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from(["", "a", "b", "abc"])
values: st.SearchStrategy[Json] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
small = st.integers(0, 3)
simple = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
        | st.lists(st.sampled_from(["object", "string", "integer", "null"]), min_size=1, unique=True),
        "enum": st.lists(values, min_size=1, max_size=3),
        "const": values,
        "minimum": st.integers(-2, 2),
        "exclusiveMaximum": st.floats(-2, 2),
        "minLength": small,
        "maxLength": small,
        "pattern": st.sampled_from(["^a", "b$", "."]),
        "multipleOf": st.sampled_from([1, 2, 0.5, 0.01]),
        "uniqueItems": st.booleans(),
        "format": st.sampled_from(["date", "email", "unheard-of"]),
        "minItems": small,
        "maxProperties": small,
        "required": st.lists(names, max_size=2, unique=True),
        "$ref": st.sampled_from(["#/$defs/One", "#/$defs/Two"]),
    },
)


def _richer(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    several = st.lists(inner, min_size=1, max_size=3)
    nested = st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(names, inner, max_size=3),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b|c", "."]), inner, max_size=2),
            "propertyNames": inner,
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": several,
            "anyOf": several,
            "oneOf": several,
            "allOf": several,
            "not": inner,
        },
    )
    return st.builds(lambda one, other: one | other, simple, nested)


subschemas = st.recursive(simple | st.booleans(), _richer, max_leaves=6)


@settings(deadline=None, max_examples=400)
@given(schema=subschemas.filter(lambda s: isinstance(s, dict)), one=subschemas, two=simple, value=values)
def test_the_fast_path_and_jsonschema_never_disagree(
    schema: dict[str, Json], one: Json, two: dict[str, Json], value: Json
) -> None:
    two.pop("$ref", None)
    if isinstance(one, dict):
        one.pop("$ref", None)
    if "$ref" in str(one):
        return  # a definition that refers to itself has no meaning to compare
    compiled = compile_schema(schema | {"$defs": {"One": one, "Two": two}})

    assert compiled.is_quick
    assert compiled.is_valid(value) == (compiled.violations(value) == [])


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a": {"type": "strin"}}}, "/properties/a/type: "),
        ({"maxLength": -1}, "/maxLength: must be at least 0"),
        ({"required": ["a", "a"]}, "/required: has an item twice"),
        ({"pattern": "("}, "/pattern: must have the format regex"),
        ({"$vocabulary": {"x y": True}}, "/$vocabulary: must have the format uri"),
        ({"$anchor": "1"}, "/$anchor: must match"),
    ],
    ids=str,
)
def test_what_is_no_schema_is_told_at_its_place(schema: dict[str, Json], said: str) -> None:
    with pytest.raises(SchemaInvalid, match=f"^{re.escape(said)}"):
        compile_schema(schema)


def test_a_schema_that_the_quick_reader_cannot_read_is_read_by_the_other() -> None:
    half_a_character = {"properties": {"\ud800": {"type": "integer"}}}

    assert not compile_schema(half_a_character).is_valid({"\ud800": "x"})


def test_a_pattern_ends_where_the_text_ends_and_knows_ascii_only() -> None:
    for keyword in ({}, {"if": True}):  # on both paths
        schema = compile_schema({"pattern": r"^\d+$", **keyword})

        assert schema.is_valid("7")
        assert not schema.is_valid("7\n")
        assert not schema.is_valid("\u0667")
        assert [finding.message for finding in schema.violations("7\n")] == ["must match '^\\\\d+$'"]
    assert compile_schema({"pattern": r"^[$]\$$"}).is_valid("$$")


@pytest.mark.parametrize("keyword", [{}, {"if": True}, {"not": {"not": {"pattern": "^a"}}}], ids=str)
def test_a_text_cannot_keep_a_pattern_busy(keyword: dict[str, Json]) -> None:
    schema = compile_schema({"items": {"pattern": r"^(a|a|aa)+(b+)*$", **keyword}})

    values = ["a" * 5_000 + "!"] * 200

    assert not schema.is_valid(values)
    assert schema.violations(values) != []
    assert schema.with_defaults(values) == values


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 5000 + ")" * 5000,
        "a{1,99999999999}",
        "a{9999999999999999999999}",
        f"a{{{'1' * 3990}}}",
        f"a{{{'1' * 5000}}}",
        "(?:(?:a{1000}){1000}){1000}",
        "[a-z]" * 200_000,
        "((a{500})|b{9}){500}",
    ],
    ids=["deep", "long range", "long count", "longer count", "longest count", "bomb", "long", "mixed bomb"],
)
def test_a_pattern_that_cannot_be_afforded_is_refused_before_it_is_read(pattern: str) -> None:
    with pytest.raises(SchemaInvalid, match="pattern"):
        compile_schema({"properties": {"a": {"type": "string", "pattern": pattern}}})


@pytest.mark.parametrize(
    "pattern", ["^.{1,65535}$", r"^[(){5}]{2}\({3}$", "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"]
)
def test_ordinary_counts_are_no_bombs(pattern: str) -> None:
    assert compile_schema({"pattern": pattern})
