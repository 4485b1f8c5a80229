"""What a schema marks as secret is never left standing, however the schema says it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.redaction import REDACTED, redact

SECRET = {"type": "string", "x-secret": True}
PLAIN = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"properties": {"pin": SECRET, "name": PLAIN}}, {"pin": "1", "name": "a"}, {"pin": REDACTED, "name": "a"}),
        ({"properties": {"a": {"properties": {"pin": SECRET}}}}, {"a": {"pin": "1"}}, {"a": {"pin": REDACTED}}),
        ({"items": SECRET}, ["1", "2"], [REDACTED, REDACTED]),
        ({"prefixItems": [PLAIN, SECRET]}, ["a", "1", "c"], ["a", REDACTED, "c"]),
        ({"additionalProperties": SECRET, "properties": {"n": PLAIN}}, {"n": "a", "x": "1"}, {"n": "a", "x": REDACTED}),
        ({"patternProperties": {"^k_": SECRET}}, {"k_1": "1"}, {"k_1": REDACTED}),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"properties": {"pin": SECRET}}}}, {"pin": "1"}, {"pin": REDACTED}),
        ({"allOf": [{"properties": {"pin": SECRET}}]}, {"pin": "1"}, {"pin": REDACTED}),
        ({"anyOf": [{"properties": {"pin": PLAIN}}, {"properties": {"pin": SECRET}}]}, {"pin": "1"}, {"pin": REDACTED}),
        ({"oneOf": [{"properties": {"pin": SECRET}}]}, {"pin": "1"}, {"pin": REDACTED}),
        ({"if": {"properties": {"pin": SECRET}}}, {"pin": "1"}, {"pin": REDACTED}),
        ({"then": {"properties": {"pin": SECRET}}}, {"pin": "1"}, {"pin": REDACTED}),
        ({"dependentSchemas": {"a": {"properties": {"pin": SECRET}}}}, {"pin": "1"}, {"pin": REDACTED}),
        ({"properties": {"login": {"type": "object", "x-secret": True}}}, {"login": {"a": [1]}}, {"login": REDACTED}),
        (SECRET, "1", REDACTED),
    ],
)  # fmt: skip
def test_a_secret_is_replaced(schema: dict[str, Any], value: object, expected: object) -> None:
    assert redact(value, schema) == expected


LOGIN = {"properties": {"pin": SECRET}}
WITHIN = {"$id": "urn:within", "$ref": "#/$defs/login", "$defs": {"login": LOGIN}}
NODE = {"$dynamicAnchor": "node", "properties": {"next": {"$dynamicRef": "#node"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#login", "$defs": {"login": {"$anchor": "login", **LOGIN}}},
        {"$ref": "urn:within", "$defs": {"within": WITHIN}},
        {
            "$ref": "urn:other#login",
            "$defs": {"a": {"$id": "urn:other", "$defs": {"b": {"$anchor": "login", **LOGIN}}}},
        },
        {"$dynamicRef": "#login", "$defs": {"login": {"$dynamicAnchor": "login", **LOGIN}}},
        {**NODE, "$defs": {"fuller": {"$id": "urn:fuller", "$dynamicAnchor": "node", **LOGIN}}},
        {
            "allOf": [{"anyOf": [{"patternProperties": {"^p": {"$ref": "#s"}}}]}],
            "$defs": {"s": {"$anchor": "s", **SECRET}},
        },
    ],
    ids=["anchor", "own id", "anchor elsewhere", "dynamic", "extended", "nested"],
)
def test_a_secret_behind_any_reference_is_replaced(schema: dict[str, Any]) -> None:
    value = {"pin": "4711", "next": {"pin": "4711"}} if "$dynamicAnchor" in schema else {"pin": "4711"}

    redacted = redact(value, schema)

    assert "4711" not in str(redacted if "next" not in value else redacted["next"])


def test_a_secret_in_a_recursive_schema_is_replaced_at_every_depth() -> None:
    schema = {
        "$defs": {"node": {"properties": {"pin": SECRET, "next": {"$ref": "#/$defs/node"}}}},
        "$ref": "#/$defs/node",
    }

    assert redact({"next": {"next": {"pin": "1"}}}, schema) == {"next": {"next": {"pin": REDACTED}}}


def test_a_reference_to_itself_ends() -> None:
    assert redact("a", {"$ref": "#"}) == "a"


@pytest.mark.parametrize("reference", ["#/$defs/missing", "https://example.org/schema", 7, "#/properties/name/type"])
def test_what_stands_under_a_reference_that_leads_nowhere_is_taken_for_secret(reference: object) -> None:
    schema = {"properties": {"a": {"$ref": reference}, "name": PLAIN}}

    assert redact({"a": "1", "name": "b"}, schema) == {"a": REDACTED, "name": "b"}


def test_what_is_nested_too_deeply_is_taken_for_secret() -> None:
    value: Any = "deep"
    for _ in range(200):
        value = [value]

    assert "deep" not in str(redact(value, {}))


@pytest.mark.parametrize("mark", [False, None, "yes", 1])
def test_only_true_marks_a_secret(mark: object) -> None:
    assert redact("a", {"x-secret": mark}) == "a"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_without_a_mark_nothing_changes(value: object) -> None:
    assert redact(value, {"type": "object", "additionalProperties": True}) == value
    assert redact(value, True) == value  # `true` is a JSON Schema


@given(JSON)
def test_what_was_given_is_not_changed(value: object) -> None:
    before = repr(value)

    redact({"pin": value}, {"properties": {"pin": SECRET}})

    assert repr(value) == before
