"""Canonical arguments: what a call is about, checked against the schema, with defaults filled, each number one way."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final, cast

from hub.core.canonical import SAFE_INTEGER
from hub.core.errors import ArgumentsInvalid, Violation
from hub.core.leisure import at_leisure
from hub.registry.values import PublishedTool
from schemas import CompiledSchema, Finding, SchemaInvalid
from schemas.bounds import Bounded
from schemas.pointers import pointer

Json = Any
"""Any JSON value."""

_MOST: Final = 100
"""So many violations are named; a message beyond that helps nobody."""


def canonical_arguments(tool: PublishedTool, arguments: Json) -> dict[str, Json]:
    """Return `arguments` of a call of `tool` as the hub digests and forwards them; what was given stays as it is.

    Raises:
        ArgumentsInvalid: they break the tool's input schema; the error names every violation.
    """
    return canonical_under(tool.input, arguments)


async def arguments_of_any_size(tool: PublishedTool, arguments: Json) -> dict[str, Json]:
    """Do as `canonical_arguments` does, while everybody else goes on if there is much of them.

    Raises:
        ArgumentsInvalid: as there.
    """
    return await at_leisure(partial(canonical_arguments, tool, arguments), arguments)


def canonical_under(schema: CompiledSchema, arguments: Json) -> dict[str, Json]:
    """Return `arguments` with the defaults of `schema` filled in, and without the nulls that it does not take.

    Whatever has the same canonical JSON is the same here: 1.0 becomes 1, since RFC 8785 writes both alike.

    Raises:
        ArgumentsInvalid: they break `schema`; the error names every violation.
    """
    value = one_way({} if arguments is None else arguments)
    with Bounded(value):
        if not schema.is_valid(value):
            value = _without_idle_nulls(schema, value)
        _refuse_violations(schema, value)
        try:
            filled = schema.with_defaults(value)
        except SchemaInvalid as error:
            raise ArgumentsInvalid([Violation(pointer="", message=str(error))]) from error
        if filled != value:
            _refuse_violations(schema, filled)
        return cast("dict[str, Json]", filled)


def one_way(value: Json) -> Json:
    """Return `value` with every whole number written as an integer, as RFC 8785 does."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= SAFE_INTEGER else value
    if isinstance(value, Mapping):
        return {name: one_way(member) for name, member in cast("Mapping[str, Json]", value).items()}
    if isinstance(value, list):
        return [one_way(item) for item in cast("list[Json]", value)]
    return value


def _without_idle_nulls(schema: CompiledSchema, value: Json) -> Json:
    """Return `value` without the members that are null where `schema` takes no null, if it is valid then.

    Some clients (CrewAI) send null for every argument that the model left out. No tool of ours gives null a meaning
    (`lint_null`), so nothing else can be meant; whatever else is wrong is told of what was sent.
    """
    refused = {finding.pointer for finding in schema.violations(value)}
    less = _without_nulls(value, refused, ())
    return less if schema.is_valid(less) else value


def _without_nulls(value: Json, places: AbstractSet[str], at: tuple[str | int, ...]) -> Json:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Json]", value)
        return {
            name: _without_nulls(member, places, (*at, name))
            for name, member in members.items()
            if member is not None or pointer((*at, name)) not in places
        }
    if isinstance(value, list):
        items = cast("list[Json]", value)
        return [_without_nulls(item, places, (*at, number)) for number, item in enumerate(items)]
    return value


def _refuse_violations(schema: CompiledSchema, value: Json) -> None:
    if schema.is_valid(value):
        return
    findings = schema.violations(value) or [Finding("", "does not fit the schema")]
    violations = [Violation(pointer=finding.pointer, message=finding.message) for finding in findings[:_MOST]]
    raise ArgumentsInvalid(violations)
