"""The shape of records: what may be written when, what is answered, and how a body is made of arguments."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.odata import edm
from connectors.odata.metadata import CAPABILITIES, COMMON, CORE, EntitySet, Metadata, Navigation, Property, Structure
from connectors.openapi.document import as_list, as_object, as_text
from connectors.openapi.rules import short

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

_DRAFT: Final = frozenset(
    {"IsActiveEntity", "HasActiveEntity", "HasDraftEntity", "DraftMessages", "DraftAdministrativeData", "SiblingEntity"}
    | {"DraftAdministrativeData_DraftUUID"}
)
_DEEPEST: Final = 3
_LONGEST_TEXT: Final = 200
ACTIVE: Final = "IsActiveEntity"


def restriction(annotated: EntitySet, term: str) -> Object:
    """Return what the set says under a term of the Capabilities vocabulary."""
    return as_object(annotated.terms.get(f"{CAPABILITIES}{term}"))


def is_allowed(annotated: EntitySet, term: str, name: str) -> bool:
    """Return whether the set does not clearly forbid it; what is decided per record is tried and may be refused."""
    return restriction(annotated, term).get(name) is not False


def described(terms: Mapping[str, Json]) -> str:
    """Return how something is described, shortly."""
    text = as_text(terms.get(f"{CORE}Description")) or as_text(terms.get(f"{COMMON}Label"))
    return short(text, _LONGEST_TEXT)


def is_draft(structure: Structure) -> bool:
    """Return whether records of the type have drafts beside them."""
    return ACTIVE in structure.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Writable:
    """What may be written: the schema of the arguments, which are needed, and how a body is made of them."""

    properties: Object
    required: tuple[str, ...]
    body: Object


class Shaper:
    """Makes schemas of the types of one document."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    def visible(self, structure: Structure) -> list[Property]:
        """Return the properties that are answered: all but those of the machinery of drafts, and streams and shapes."""
        hidden = _DRAFT if is_draft(structure) else frozenset[str]()
        return [one for one in structure.properties if one.name not in hidden and self._answered(one) is not None]

    def record(self, structure: Structure, *, expanded: Collection[Navigation] = (), depth: int = _DEEPEST) -> Object:
        """Return the schema of an answered record, with records it leads to if they are asked for."""
        properties: Object = {one.name: self._answered(one, depth) for one in self.visible(structure)}
        for one in expanded:
            target = self._metadata.structure(one.type)
            if target is not None:
                inner = self.record(target)
                properties[one.name] = {"type": "array", "items": inner} if one.is_collection else inner
        return {"type": "object", "properties": properties}

    def _answered(self, one: Property, depth: int = _DEEPEST) -> Object | None:
        return self._in_list(one, self._plain_or_nested(one, depth))

    def _plain_or_nested(self, one: Property, depth: int) -> Object | None:
        plain = edm.schema_of(one.type, is_input=False)
        structure = self._metadata.structure(one.type.name)
        if plain is not None or structure is None:
            return plain
        return self.record(structure, depth=depth - 1) if depth > 0 else {"type": "object"}

    def _in_list(self, one: Property, schema: Object | None) -> Object | None:
        return {"type": "array", "items": schema} if schema is not None and one.type.is_collection else schema

    def writable(self, structure: Structure, *, without: Collection[str], is_new: bool, depth: int = 1) -> Writable:
        """Return what of a record may be written when it `is_new`, or later."""
        chosen = [one for one in self.visible(structure) if one.name not in without and _may_write(one, is_new=is_new)]
        properties, body = dict[str, Json](), dict[str, Json]()
        for one in chosen:
            shaped = self._argument(one, is_new=is_new)
            if shaped is not None:
                properties[one.name], body[one.name] = shaped
        if is_new and depth > 0:
            self._add_owned(structure, properties, body)
        required = tuple(one.name for one in chosen if is_new and one.name in properties and is_needed(one))
        return Writable(properties=properties, required=required, body=body)

    def _argument(self, one: Property, *, is_new: bool) -> tuple[Object, Object] | None:
        """Return the schema of one argument, and how it goes into the body."""
        shaped = edm.schema_of(one.type, is_input=True)
        made: Object = {"edm": one.type.edm}
        if shaped is None:
            structure = self._metadata.structure(one.type.name)
            if structure is None:
                return None
            inner = self.writable(structure, without=(), is_new=is_new, depth=0)
            shaped, made = _closed(inner), {"members": inner.body}
        if is_mandatory(one) and one.type.edm == "Edm.String":
            shaped["minLength"] = 1
        if choices := _allowed_values(one):
            shaped["enum"] = choices
        if one.type.is_collection:
            shaped, made = {"type": "array", "maxItems": 100, "items": shaped}, {**made, "is_list": True}
        if text := described(one.terms):
            shaped["description"] = text
        return shaped, made

    def _add_owned(self, structure: Structure, properties: Object, body: Object) -> None:
        """Add the records that are made together with this one."""
        for one in structure.navigations:
            target = self._metadata.structure(one.type) if one.owns and one.name not in _DRAFT else None
            if target is None:
                continue
            back = target.dependents.get(one.partner, ())
            inner = self.writable(target, without=back, is_new=True, depth=0)
            shaped: Object = _closed(inner)
            made: Object = {"members": inner.body}
            if one.is_collection:
                shaped, made = {"type": "array", "maxItems": 100, "items": shaped}, {**made, "is_list": True}
            properties[one.name], body[one.name] = shaped, made


def _closed(writable: Writable) -> Object:
    schema: Object = {"type": "object", "properties": writable.properties, "additionalProperties": False}
    return {**schema, "required": [*writable.required]} if writable.required else schema


def is_computed(one: Property) -> bool:
    """Return whether the system alone sets it."""
    permissions = one.terms.get(f"{CORE}Permissions")
    is_readable_alone = isinstance(permissions, str) and "Write" not in permissions
    return one.has(f"{CORE}Computed") or is_readable_alone or _field_control(one).endswith("ReadOnly")


def is_mandatory(one: Property) -> bool:
    """Return whether people must say it, though the type would let it be empty."""
    return _field_control(one).endswith("Mandatory")


def _field_control(one: Property) -> str:
    said = str(one.terms.get(f"{COMMON}FieldControl", ""))
    return {"1": "ReadOnly", "7": "Mandatory"}.get(said, said)


def is_needed(one: Property) -> bool:
    """Return whether a new record cannot be without it."""
    if one.has_default or one.has(f"{CORE}ComputedDefaultValue"):
        return False
    return is_mandatory(one) or (not one.type.is_nullable and not one.type.is_collection)


def _may_write(one: Property, *, is_new: bool) -> bool:
    return not is_computed(one) and (is_new or not one.has(f"{CORE}Immutable"))


def _allowed_values(one: Property) -> list[str]:
    values = as_list(one.terms.get("Org.OData.Validation.V1.AllowedValues"))
    choices = [as_object(value).get("Value") for value in values]
    is_text = one.type.edm == "Edm.String" and all(isinstance(choice, str) for choice in choices)
    return [str(choice) for choice in choices] if is_text else []


def made_body(described_by: Mapping[str, Json], values: Mapping[str, Json]) -> Object:
    """Return the body that says `values`, as `Writable.body` describes it.

    Raises:
        Refused: a value is not of its type.
    """
    return {name: _made(as_object(made), values[name]) for name, made in described_by.items() if name in values}


def _made(made: Mapping[str, Json], value: Json) -> Json:
    if made.get("is_list"):
        single = {name: one for name, one in made.items() if name != "is_list"}
        return [_made(single, one) for one in cast("list[Json]", value)]
    if "members" in made:
        return made_body(made["members"], cast("Object", value))
    return edm.in_body(str(made["edm"]), value)
