"""Canonical arguments: checked with every violation named, defaults filled, each number written one way."""

from typing import Any

import pytest
from going_on import longest_wait
from registry_crm import crm, operation

from hub.core.canonical import digest
from hub.core.errors import ArgumentsInvalid
from hub.core.leisure import LARGE, is_large
from hub.registry import (
    Connection,
    Environment,
    PublishedTool,
    Server,
    Tool,
    ToolVersion,
    arguments_of_any_size,
    canonical_arguments,
)
from hub.registry.publishing import Parts, published

Json = Any

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 1, "maximum": 2**53 - 1},
        "ratio": {"type": "number"},
        "filter": {"type": "object", "default": {}, "properties": {"limit": {"type": "integer", "default": 20}}},
        "stage": {"enum": ["new", "won"]},
    },
    "required": ["id"],
    "additionalProperties": False,
}


def tool(schema: Json = SCHEMA) -> PublishedTool:
    """A published tool that takes these arguments."""
    spec = operation(input_schema=schema)
    return published(
        Parts(
            name=spec.name,
            server=Server(name="desk", environment=Environment.DEV, title="Desk", owner_id=None),
            tool=Tool(
                id="tool_1",
                name=spec.name,
                connector="crm",
                owner_id=None,
                owner_tier=None,
                raised_tier=None,
                quarantined=None,
            ),
            version=ToolVersion(
                id="ver_1",
                tool_id="tool_1",
                number=1,
                digest=digest({"input": schema}),
                spec=spec,
                connector_digest="0" * 64,
                withdrawn=None,
            ),
            connector=crm(spec),
            connection=Connection(
                id="con_1",
                name="sales",
                connector="crm",
                environment=Environment.DEV,
                base_url="https://crm.example",
                generation=1,
                owner_id=None,
                is_enabled=True,
                settings={},
            ),
        )
    )


def test_defaults_are_filled_and_what_was_given_stays_as_it_is() -> None:
    given = {"id": 7, "filter": {}}

    assert canonical_arguments(tool(), given) == {"id": 7, "filter": {"limit": 20}}
    assert canonical_arguments(tool(), {"id": 7}) == {"id": 7, "filter": {"limit": 20}}
    assert given == {"id": 7, "filter": {}}


def test_what_has_the_same_digest_is_forwarded_alike() -> None:
    one, other = (
        canonical_arguments(tool(), {"id": 7, "ratio": 2}),
        canonical_arguments(tool(), {"id": 7.0, "ratio": 2.0}),
    )

    assert digest(one) == digest(other)
    assert [type(value) for value in other.values()] == [type(value) for value in one.values()]
    assert type(canonical_arguments(tool(), {"id": 1, "ratio": 0.5})["ratio"]) is float
    assert canonical_arguments(tool(), {"id": 1, "ratio": -0.0})["ratio"] == 0


def test_every_violation_is_named_at_once() -> None:
    with pytest.raises(ArgumentsInvalid) as refused:
        canonical_arguments(tool(), {"id": "7", "stage": "lost", "colour": "red", "filter": {"limit": 1.5}})

    assert [violation.pointer for violation in refused.value.violations] == [
        "/colour",
        "/filter/limit",
        "/id",
        "/stage",
    ]


@pytest.mark.parametrize("arguments", [[], "text", 7, True])
def test_arguments_are_one_object(arguments: Json) -> None:
    with pytest.raises(ArgumentsInvalid, match="must be an object"):
        canonical_arguments(tool(), arguments)


def test_no_arguments_are_an_empty_object() -> None:
    with pytest.raises(ArgumentsInvalid, match="/id: is required"):
        canonical_arguments(tool(), None)


def test_true_is_no_number() -> None:
    with pytest.raises(ArgumentsInvalid, match="/id: must be an integer, not true or false"):
        canonical_arguments(tool(), {"id": True})


def test_a_required_argument_is_not_made_up_from_its_default() -> None:
    schema = {"type": "object", "properties": {"stage": {"enum": ["new"], "default": "new"}}, "required": ["stage"]}

    with pytest.raises(ArgumentsInvalid, match="/stage: is required"):
        canonical_arguments(tool(schema), {})


def test_defaults_that_break_the_schema_never_reach_a_connector() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer", "default": 1}, "b": {"type": "integer"}},
        "not": {"required": ["a", "b"]},
    }

    with pytest.raises(ArgumentsInvalid):
        canonical_arguments(tool(schema), {"b": 2})


def test_a_hundred_violations_are_enough() -> None:
    with pytest.raises(ArgumentsInvalid) as refused:
        canonical_arguments(tool(), {"id": 1} | {f"x{number}": 1 for number in range(500)})

    assert len(refused.value.violations) == 100


def test_nulls_that_the_schema_does_not_take_are_left_out_at_every_depth() -> None:
    given = {"id": 7, "ratio": None, "filter": {"limit": None}, "stage": None}

    assert canonical_arguments(tool(), given) == canonical_arguments(tool(), {"id": 7})


def test_a_null_that_the_schema_takes_stays() -> None:
    taking = tool({"type": "object", "properties": {"note": {"type": ["string", "null"]}, "size": {"type": "integer"}}})

    assert canonical_arguments(taking, {"note": None, "size": None}) == {"note": None}


@pytest.mark.parametrize("given", [{"id": None}, {"id": 7, "filter": [None]}])
def test_a_null_that_cannot_be_meant_as_left_out_is_refused(given: Json) -> None:
    with pytest.raises(ArgumentsInvalid):
        canonical_arguments(tool(), given)


@pytest.mark.anyio
async def test_others_go_on_while_megabytes_of_arguments_are_checked() -> None:
    numbers = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}}
    schema = {"type": "object", "properties": {"numbers": numbers}, "required": ["numbers"]}
    given = {"numbers": [7] * 500_000}

    checked, share = await longest_wait(arguments_of_any_size(tool(schema), given))

    assert checked == given
    assert share < 1 / 3


@pytest.mark.anyio
async def test_what_is_wrong_with_arguments_is_told_whatever_their_size() -> None:
    for stage in ("lost", "lost" * LARGE):
        with pytest.raises(ArgumentsInvalid):
            await arguments_of_any_size(tool(), {"id": 7, "stage": stage})


@pytest.mark.parametrize("value", [None, 7, "x" * LARGE, ["x"] * 20_000, {"a": {"b": "x" * 1000}}], ids=type)
def test_ordinary_values_are_not_large(value: object) -> None:
    assert not is_large(value)


@pytest.mark.parametrize(
    "value",
    ["x" * (LARGE + 1), [1] * LARGE, [[]] * LARGE, {"a": ["x" * LARGE]}, {"x" * LARGE: 1}, ["xx"] * 20_000],
    ids=["text", "numbers", "lists", "in a list", "name", "texts"],
)
def test_long_texts_and_many_values_are_large_wherever_they_stand(value: object) -> None:
    assert is_large(value)
