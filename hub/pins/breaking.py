"""What a server no longer does as it was accepted: tools that are gone, write now, or take other arguments. Pure.

Schemas are compared without what only describes. What an argument is called is never taken for a word of schemas, and
what a reference leads to counts like what stands in its place.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from connectors.mcp_upstream.declared import says_it_writes
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import SERVES, Effect

Json = Any
"""Any JSON value."""

_ANNOTATIONS: Final = frozenset({"title", "description", "examples", "default", "$comment", "deprecated"})
_OF_NAMES: Final = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired"}
)
"""Members of a schema whose own members are named by its author."""
_VALUES: Final = frozenset({"enum", "const"})
_COMPARED: Final = frozenset({"properties", "required", "$defs", "definitions"})
"""Members at the top that are compared by what they mean for single arguments."""
_HARMLESS: Final = frozenset({"$schema", "$id", "additionalProperties"})
"""Members at the top by which no argument that was accepted becomes another."""


def breakage(before: ConnectorSpec, after: ConnectorSpec) -> dict[str, str]:
    """Return which accepted operations can no longer be carried out as they were accepted, and why.

    Callers read the reasons, so they hold no word of `after`, which nobody has accepted.
    One with more optional arguments or another text still can.
    """
    now = {str(one.binding.get("tool")): one for one in after.operations}
    found = dict[str, str]()
    for old in before.operations:
        if SERVES in old.binding:
            continue  # what is gone cannot be read, and says so itself
        new = now.get(str(old.binding.get("tool")))
        why = "The server does not offer it any more." if new is None else _why_broken(old, new)
        if why:
            found[old.name] = why
    return found


def _why_broken(old: OperationSpec, new: OperationSpec) -> str | None:
    if why := _why_no_read(old, new) if old.effect is Effect.READ else _why_other_phases(old, new):
        return why
    before, after = _bones(old.input_schema), _bones(new.input_schema)
    if {*after.get("required", ())} - {*before.get("required", ())}:
        return "The server needs another argument now."
    properties = after.get("properties", {})
    for name, schema in before.get("properties", {}).items():
        if name not in properties:
            return f"The server does not know the argument {name!r} any more."
        if properties[name] != schema or _differ(schema, before, after):
            return f"The server takes something else as {name!r} now."
    at_the_top = after.keys() - _COMPARED - _HARMLESS
    if any(after[name] != before.get(name) or _differ(after[name], before, after) for name in at_the_top):
        return "The server takes other arguments together now."
    return None


def _why_no_read(old: OperationSpec, new: OperationSpec) -> str | None:
    """Return why what was accepted as a read is none; only what its own server declared one needs its word again."""
    is_declared = "phases" in new.binding
    if says_it_writes(new.binding.get("hints"), new.effect.value if is_declared else new.binding.get("declares")):
        return "The server says now that it changes something."
    if "phases" in old.binding and new.effect is not Effect.READ:
        return "The server does not say any more that it only reads."
    return None


def _why_other_phases(old: OperationSpec, new: OperationSpec) -> str | None:
    """Return why a write's previews and lookups are not what was accepted: they are sent without an approval."""
    before, after = (cast("Mapping[str, Json]", one.binding.get("phases", {})) for one in (old, new))
    other = [phase for phase in before if after.get(phase) != before[phase]]
    return f"The server has another tool for its {other[0]} now." if other else None


def _bones(schema: Json, *, has_names: bool = False) -> Json:
    """Return a schema without what only describes; with `has_names`, the schemas that its author has named."""
    if isinstance(schema, Mapping):
        members = cast("Mapping[str, Json]", schema)
        return {
            name: member if name in _VALUES and not has_names else _bones(member, has_names=_names(name, has_names))
            for name, member in members.items()
            if has_names or name not in _ANNOTATIONS
        }
    return [_bones(item) for item in cast("list[Json]", schema)] if isinstance(schema, list | tuple) else schema


def _names(member: str, has_names: bool) -> bool:  # noqa: FBT001  # of the schema around it
    return member in _OF_NAMES and not has_names


def _differ(part: Json, before: Mapping[str, Json], after: Mapping[str, Json]) -> bool:
    """Return whether a part of two schemas that reads the same leads to something else in the other."""
    return _led_to(part, before) != _led_to(part, after)


def _led_to(part: Json, whole: Mapping[str, Json]) -> dict[str, Json]:
    """Return the definitions that references in `part` lead to, and those in them, by their addresses."""
    found, ahead = dict[str, Json](), [*_references(part)]
    while ahead:
        address = ahead.pop()
        if address not in found:
            found[address] = _at(address, whole)
            ahead += _references(found[address])
    return found


def _references(part: Json) -> Iterator[str]:
    if isinstance(part, Mapping):
        members = cast("Mapping[str, Json]", part)
        if isinstance(address := members.get("$ref"), str):
            yield address
        for member in members.values():
            yield from _references(member)
    elif isinstance(part, list):
        for item in cast("list[Json]", part):
            yield from _references(item)


def _at(address: str, whole: Mapping[str, Json]) -> Json:
    place: Json = whole
    for word in address.removeprefix("#/").split("/"):
        name = word.replace("~1", "/").replace("~0", "~")
        place = cast("Mapping[str, Json]", place).get(name) if isinstance(place, Mapping) else None
    return place
