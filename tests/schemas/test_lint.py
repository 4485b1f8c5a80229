"""The lint: every rule of portability and of numbers that survive, each with what breaks it."""

from typing import Any

import pytest

from schemas import compile_schema, envelope_schema, lint_input, lint_output
from schemas.lint import LARGEST

Json = Any


def with_property(name: str = "a", **said: Json) -> dict[str, Json]:
    return {"type": "object", "properties": {name: said}}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {}}, "/: the root must say type: object"),
        ({"type": "array"}, "/: the root must say type: object"),
        (with_property(discriminator={"propertyName": "kind"}, type="object"), "/properties/a: a discriminator"),
        (with_property(type="string", description="x" * 1024), "/properties/a: a description has at most 1023"),
        (with_property(**{"$id": "urn:x"}), "/properties/a: $id is not read alike"),
        (with_property(**{"$dynamicAnchor": "x"}), "/properties/a: $dynamicAnchor is not read alike"),
        (with_property(**{"$ref": "#x"}) | {"$defs": {"X": {"$anchor": "x"}}}, "/properties/a: '#x' leads"),
        (with_property(**{"$ref": "#/$defs/None"}), "/properties/a: '#/$defs/None' leads nowhere"),
        (with_property(**{"$ref": "https://x.example/y"}), "/properties/a: 'https://x.example/y' leads out"),
        (with_property(**{"$ref": "#"}), "/: # contains itself"),
        (
            with_property(**{"$ref": "#/$defs/N"})
            | {"$defs": {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}}},
            "/: #/$defs/N contains itself",
        ),
        (with_property(type="no-such-type"), "/properties/a/type: must be one of 'array'"),
    ],
)
def test_what_some_client_cannot_read_is_found(schema: dict[str, Json], said: str) -> None:
    for lint in (lint_input, lint_output):
        assert any(said in finding for finding in lint(schema)), lint(schema)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (with_property(type=["string", "null"]), "/properties/a: some clients drop null"),
        (with_property(anyOf=[{"type": "string"}, {"type": "null"}]), "/properties/a/anyOf/1: some clients drop null"),
        (with_property(type="string", default=None), "some clients drop null"),
        (with_property(enum=["a", None]), "some clients drop null"),
        (with_property(const=None), "some clients drop null"),
        (with_property(type="integer"), "/properties/a: an integer needs a minimum and a maximum"),
        (with_property(type="integer", minimum=0), "an integer needs"),
        (with_property(type="integer", minimum=0, maximum=LARGEST + 1), "an integer needs"),
        (with_property(type=["integer", "string"], maximum=5), "an integer needs"),
        (with_property(type="array", items={"type": "integer"}), "/properties/a/items: an integer needs"),
        (with_property("unit_price", type="number"), "money is an integer in minor units"),
        (with_property("Accept", type="string"), "belongs to the request"),
        (with_property("idempotency_key", type="string"), "belongs to the request"),
        (with_property(type="string", default=5), "/properties/a: the default breaks its own schema: must be a string"),
        (
            with_property(**{"$ref": "#/$defs/D", "default": "c"}) | {"$defs": {"D": {"enum": ["a", "b"]}}},
            "/properties/a: the default breaks its own schema",
        ),
    ],
)
def test_what_an_argument_must_not_be_is_found_and_a_result_may_be(schema: dict[str, Json], said: str) -> None:
    assert any(said in finding for finding in lint_input(schema)), lint_input(schema)
    assert lint_output(schema) == []


def test_a_schema_as_it_should_be_has_no_findings() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "id": {"type": "integer", "minimum": 1, "maximum": LARGEST},
            "below": {"type": "integer", "exclusiveMinimum": -LARGEST - 1, "exclusiveMaximum": LARGEST + 1},
            "size": {"type": "integer", "enum": [1, 2]},
            "amount_minor": {"type": "integer", "minimum": 0, "maximum": LARGEST},
            "ratio": {"type": "number"},
            "one": {"$ref": "#/$defs/Line"},
            "two": {"$ref": "#/$defs/Line"},
            "stage": {"enum": ["new", "won"], "default": "new"},
        },
        "$defs": {"Line": {"type": "object", "properties": {"discriminator": {"type": "string"}}}},
    }

    assert lint_input(schema) == []
    assert lint_output(schema) == []


OWN = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"deal": {"$ref": "#/$defs/Deal"}, "same": {"$ref": "#/properties/deal"}, "status": {"const": 1}},
    "required": ["deal"],
    "$defs": {
        "Deal": {"type": "object", "properties": {"owner": {"$ref": "#/$defs/Owner"}}},
        "Owner": {"type": "string"},
    },
}


def test_the_envelope_is_an_alternative_and_changes_nothing_for_the_tools_own_result() -> None:
    own, published = compile_schema(OWN), compile_schema(envelope_schema(OWN))

    for result in ({"deal": {"owner": "ada"}}, {"deal": {"owner": 1}}, {"deal": {}, "same": {"owner": 2}}, {}, []):
        assert published.is_valid(result) == own.is_valid(result), result
    assert published.is_valid({"status": "pending_approval", "invocation_id": "inv_1"})
    assert published.schema["type"] == "object"
    assert lint_output(published.schema) == []


def test_definitions_stay_at_the_root_and_other_references_follow_their_target() -> None:
    published = envelope_schema(OWN)

    assert set(published["$defs"]) == {"Deal", "Owner"}
    assert published["anyOf"][0]["properties"]["deal"] == {"$ref": "#/$defs/Deal"}
    assert published["anyOf"][0]["properties"]["same"] == {"$ref": "#/anyOf/0/properties/deal"}
    assert "$schema" not in published["anyOf"][0]


def test_what_looks_like_a_reference_and_is_data_stays_as_it_is() -> None:
    own = {"type": "object", "properties": {"a": {"const": {"$ref": "#/properties/b"}}, "$ref": {"type": "string"}}}

    assert envelope_schema(own)["anyOf"][0]["properties"] == own["properties"]
