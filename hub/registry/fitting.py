"""Whether the references of a composite tool lead somewhere, and to values that can fit; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.sdk.spec import OperationSpec
from hub.registry.composites import DeclaredStep
from hub.registry.references import references_in, step_of
from schemas import DanglingReference, resolve_reference
from schemas.pointers import position

Json = Any
"""Any JSON value."""

_ANYTHING: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_COMBINED: Final = ("anyOf", "oneOf", "allOf", "$dynamicRef", "if")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """What the steps so far bring: the caller's arguments, and what each earlier step answers, as schemas."""

    input_schema: Mapping[str, Json]
    answers: Mapping[str, Mapping[str, Json]]

    def contradictions(self, step: DeclaredStep, operation: OperationSpec) -> Iterator[str]:
        """Yield what is wrong with the arguments that `step` gives to `operation`."""
        yield from self._of_names(step, operation)
        for place, pointer in references_in(step.arguments):
            where = f"step {step.name!r}, {place}: {pointer!r}"
            source = self._source(pointer)
            if isinstance(source, str):
                yield f"{where} {source}"
                continue
            found, wanted = at(source, _inside(pointer)), at(operation.input_schema, place)
            if found is None:
                yield f"{where} leads nowhere: its schema names no such value"
            elif wanted is not None and not (types_of(found) & types_of(wanted)):
                are, must = " or ".join(sorted(types_of(found))), " or ".join(sorted(types_of(wanted)))
                yield f"{where} is of type {are}, and the tool {operation.name!r} takes {must} there"

    def _of_names(self, step: DeclaredStep, operation: OperationSpec) -> Iterator[str]:
        schema = operation.input_schema
        known, needed = schema.get("properties", {}), schema.get("required", [])
        for name in sorted({*step.arguments} - {*known}):
            yield f"step {step.name!r}: the tool {operation.name!r} takes no argument {name!r}"
        for name in sorted({*needed} - {*step.arguments}):
            yield f"step {step.name!r}: the tool {operation.name!r} needs the argument {name!r}"

    def _source(self, pointer: str) -> Mapping[str, Json] | str:
        """Return the schema of what `pointer` leads into, or why there is none."""
        if pointer.startswith("/input/"):
            return self.input_schema
        step = step_of(pointer)
        if step is None:
            return "leads nowhere: write '/input/NAME', or '/steps/NAME/...' for what an earlier step answers"
        if step not in self.answers:
            return f"refers to {step!r}, which is no step before this one"
        return self.answers[step]


def at(schema: Mapping[str, Json], pointer: str) -> Mapping[str, Json] | None:
    """Return the schema of the value that `pointer` leads to in values of `schema`; None: there can be none.

    Where the schema leaves that open, so does what is returned: `{}`.
    """
    found: Mapping[str, Json] = schema
    for step in pointer.split("/")[1:]:
        found = _followed(schema, found)
        if any(keyword in found for keyword in _COMBINED):
            return {}
        inner = _member(found, step.replace("~1", "/").replace("~0", "~"))
        if not isinstance(inner, dict):
            return {} if inner is True else None
        found = cast("dict[str, Json]", inner)
    return _followed(schema, found)


def types_of(schema: Mapping[str, Json]) -> frozenset[str]:
    """Return the JSON types that values of `schema` can have; every integer is a number, too."""
    said = schema.get("type")
    types = _ANYTHING if said is None else frozenset([said] if isinstance(said, str) else said)
    return types | {"number"} if "integer" in types else types


def _inside(pointer: str) -> str:
    """Return the part of `pointer` that leads through the value itself: behind "/input" or "/steps/NAME"."""
    skipped = 2 if pointer.startswith("/input/") else 3
    return "".join(f"/{step}" for step in pointer.split("/")[skipped:])


def _member(schema: Mapping[str, Json], step: str) -> Json:
    """Return the schema of one member or item: one that nothing is said about may be there, or not at all."""
    if step.isdecimal() and ("items" in schema or "prefixItems" in schema):
        first = schema.get("prefixItems", [])
        at = position(step, first)
        return schema.get("items", True) if at is None else first[at]
    named = schema.get("properties", {})
    if step in named:
        return named[step]
    return schema.get("additionalProperties", not named)


def _followed(root: Mapping[str, Json], schema: Mapping[str, Json]) -> Mapping[str, Json]:
    seen = set[str]()
    while "$ref" in schema:
        if schema["$ref"] in seen:
            return {}
        seen.add(schema["$ref"])
        try:
            schema = cast("Mapping[str, Json]", resolve_reference(root, schema["$ref"]))
        except DanglingReference:
            return {}
    return schema
