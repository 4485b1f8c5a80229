"""The tools of one entity set: find, get, create, update and delete, as far as its capabilities allow them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.odata import edm, queries
from connectors.odata.inference import of_read, of_write
from connectors.odata.metadata import CAPABILITIES, COMMON, CORE, EntitySet, Navigation, Property
from connectors.odata.shaping import (
    ACTIVE,
    Shaper,
    Writable,
    described,
    is_allowed,
    is_computed,
    is_draft,
    is_mandatory,
    restriction,
)
from connectors.openapi.document import as_list, as_object, as_text
from connectors.openapi.inference import Verdict
from connectors.sdk.spec import Compensation, Idempotency
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, UpstreamClass

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

_MESSAGES: Final = "DraftMessages"
CLEAR: Final = "clear"
_NO_FILTER: Final = frozenset({"Edm.Binary", "Edm.Stream", ""})


class Unfit(ValueError):
    """No tool can be made of it; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A tool before its name and its owner's word: what it would be in the spec, and why."""

    wanted_name: str
    operation: str
    verdict: Verdict
    spec: Object
    undone_by: str = ""
    undo_arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    residue: tuple[str, ...] = ()
    clear: str | None = None


class SetTools:
    """Makes the tools of the set `entities`; `draft_of` names the root through which its records are written."""

    def __init__(self, entities: EntitySet, shaper: Shaper) -> None:
        self._set = entities
        self._shaper = shaper
        self._properties = shaper.visible(entities.type)
        self._key = [name for name in entities.type.key if name != ACTIVE]
        self._text = described(entities.terms) or described(entities.type.terms)
        self.target = self._target()

    def _target(self) -> Object:
        """Return how a record of the set is addressed.

        Raises:
            Unfit: it cannot be.
        """
        key = dict[str, Json]()
        for name in self._key:
            one = self._set.type.property(name)
            if one is None or edm.schema_of(one.type, is_input=True) is None:
                raise Unfit(f"Its key {name} is of no type that an address can hold.")
            key[name] = key_of(one, name)
        if not key:
            raise Unfit("Its records have no key.")
        root = as_object(self._set.terms.get(f"{COMMON}DraftRoot"))
        target: Object = {"set": self._set.name, "key": key}
        if is_draft(self._set.type):
            target["draft"] = _draft(root, self._messages())
        return target

    def _messages(self) -> str:
        """Return the property that holds what a service has against a draft."""
        said = _path(self._set.type.terms.get(f"{COMMON}Messages"))
        return said or (_MESSAGES if self._set.type.property(_MESSAGES) is not None else "")

    @property
    def has_versions(self) -> bool:
        """Return whether the service promises ETags for the records of the set."""
        return f"{CORE}OptimisticConcurrency" in self._set.terms

    @property
    def computed(self) -> list[str]:
        """Return the properties that the system sets by itself."""
        return [one.name for one in self._properties if is_computed(one)]

    def key_arguments(self) -> Object:
        """Return the schemas of the arguments that name one record."""
        return {one.name: edm.schema_of(one.type, is_input=True) for one in self._properties if one.name in self._key}

    def record(self) -> Object:
        """Return the schema of one record."""
        return self._shaper.record(self._set.type)

    def all(self) -> Iterator[Drafted]:
        """Yield the tools."""
        if is_allowed(self._set, "ReadRestrictions", "Readable"):
            yield self._find()
        by_key = as_object(restriction(self._set, "ReadRestrictions").get("ReadByKeyRestrictions"))
        if by_key.get("Readable", is_allowed(self._set, "ReadRestrictions", "Readable")) is not False:
            yield self._get()
        if f"{COMMON}DraftNode" in self._set.terms:
            return  # they are written with the record that they belong to
        if is_allowed(self._set, "InsertRestrictions", "Insertable"):
            yield self._create()
        if is_allowed(self._set, "UpdateRestrictions", "Updatable"):
            yield from self._update()
        if is_allowed(self._set, "DeleteRestrictions", "Deletable"):
            yield self._delete()

    def left_out(self) -> Iterator[tuple[str, str]]:
        """Yield what of the set can be no tool, and why."""
        said = (
            ("GET", "ReadRestrictions", "Readable"),
            ("POST", "InsertRestrictions", "Insertable"),
            ("PATCH", "UpdateRestrictions", "Updatable"),
            ("DELETE", "DeleteRestrictions", "Deletable"),
        )
        for method, term, name in said:
            if not is_allowed(self._set, term, name):
                yield f"{method} {self._set.name}", f"The service says so: {term}/{name} is false."
            elif f"{COMMON}DraftNode" in self._set.terms and method != "GET":
                yield f"{method} {self._set.name}", "Its records are written together with the draft they belong to."

    def _find(self) -> Drafted:
        expandable = self._expandable()
        simple = [
            one for one in self._properties if not one.type.is_collection and edm.schema_of(one.type, is_input=True)
        ]
        filterable = self._without("FilterRestrictions", "Filterable", "NonFilterableProperties", simple)
        sortable = self._without("SortRestrictions", "Sortable", "NonSortableProperties", simple)
        comparable = [one for one in filterable if one.type.edm not in _NO_FILTER or one.type.choices]
        properties = queries.arguments_of(
            [one.name for one in comparable], [one.name for one in sortable], [one.name for one in self._properties]
        )
        record = self._shaper.record(self._set.type, expanded=expandable)
        output: Object = {
            "type": "object",
            "properties": {"records": {"type": "array", "items": record}, "more": {"type": "boolean"}},
            "required": ["records", "more"],
        }
        binding: Object = {
            "kind": "find",
            "target": self.target,
            "fields": {one.name: [one.type.edm, one.type.name if one.type.choices else ""] for one in comparable},
            "has_top": self._set.terms.get(f"{CAPABILITIES}TopSupported") is not False,
        }
        return Drafted(
            wanted_name=f"find_{self._set.name}",
            operation=f"GET {self._set.name}",
            verdict=of_read(self._set),
            spec={
                "title": f"Find {self._set.name}",
                "description": self._sentence(f"Find records of {self._set.name}."),
                "input_schema": closed({**properties, **_expand(expandable)}),
                "output_schema": output,
                "binding": binding,
            },
        )

    def _get(self) -> Drafted:
        expandable = self._expandable()
        return Drafted(
            wanted_name=f"get_{self._set.name}",
            operation=f"GET {self._set.name}(key)",
            verdict=of_read(self._set),
            spec={
                "title": f"Get one of {self._set.name}",
                "description": self._sentence(f"Read one record of {self._set.name}."),
                "input_schema": closed({**self.key_arguments(), **_expand(expandable)}, self._key),
                "output_schema": self._shaper.record(self._set.type, expanded=expandable),
                "binding": {"kind": "get", "target": self.target},
            },
        )

    def _create(self) -> Drafted:
        reference = self._reference()
        forbidden = _names(restriction(self._set, "InsertRestrictions").get("NonInsertableProperties"))
        writable = self._shaper.writable(self._set.type, without={*forbidden, *reference}, is_new=True)
        is_known = all(name in writable.properties for name in self._key)
        draft = as_object(self.target.get("draft"))
        binding: Object = {"kind": "create", "target": self.target, "body": writable.body, "reference": reference}
        spec = self._writing(writable, Effect.CREATE, binding)
        if reference:
            idempotency = Idempotency(kind="lookup", name=reference[0])
            spec |= {"upstream_class": UpstreamClass.C, "idempotency": idempotency, "quarantine_seconds": 60}
        unknown = [*dict.fromkeys([*self.computed, *reference, *([] if is_known else self._key)])]
        return Drafted(
            wanted_name=f"create_{self._set.name}",
            operation=f"POST {self._set.name}",
            verdict=of_write(self._set, Effect.CREATE),
            spec={
                **spec,
                "title": f"Create one of {self._set.name}",
                "description": self._sentence(f"Make a new record of {self._set.name}."),
                "input_schema": closed(writable.properties, writable.required),
                "fidelity": Fidelity.EXECUTED if draft.get("new") else Fidelity.SIMULATED,
                "volatile": unknown,
            },
            undone_by=f"delete_{self._set.name}",
            undo_arguments={name: f"/input/{name}" if is_known else f"/output/{name}" for name in self._key},
        )

    def _reference(self) -> list[str]:
        """Return the key in which our own reference is left: a Guid that the caller may choose."""
        one = self._set.type.property(self._key[0])
        is_ours = len(self._key) == 1 and one is not None and one.type.edm == "Edm.Guid" and not is_computed(one)
        return [self._key[0]] if is_ours else []

    def _update(self) -> Iterator[Drafted]:
        forbidden = _names(restriction(self._set, "UpdateRestrictions").get("NonUpdatableProperties"))
        writable = self._shaper.writable(self._set.type, without={*forbidden, *self._key}, is_new=False)
        if not writable.properties:
            return
        known = {one.name: one for one in self._properties}
        empties = [
            name for name in writable.properties if known[name].type.is_nullable and not is_mandatory(known[name])
        ]
        properties = {**self.key_arguments(), **writable.properties}
        if empties and CLEAR not in properties:
            properties[CLEAR] = {
                "type": "array",
                "maxItems": len(empties),
                "items": {"type": "string", "enum": empties},
                "description": "Fields to leave empty.",
            }
        binding: Object = {"kind": "update", "target": self.target, "body": writable.body}
        nested = [name for name in writable.properties if "members" in writable.body[name]]
        can_clear = "maxItems" in properties.get(CLEAR, {}) and CLEAR not in writable.properties
        lost = nested if can_clear else [*dict.fromkeys([*nested, *empties])]
        restored = [name for name in writable.properties if name not in lost]
        yield Drafted(
            wanted_name=f"update_{self._set.name}",
            operation=f"PATCH {self._set.name}",
            verdict=of_write(self._set, Effect.UPDATE),
            spec={
                **self._writing(writable, Effect.UPDATE, binding),
                "title": f"Change one of {self._set.name}",
                "description": self._sentence(f"Change a record of {self._set.name}; what is not said stays."),
                "input_schema": closed(properties, self._key),
                "fidelity": Fidelity.EXECUTED
                if as_object(self.target.get("draft")).get("edit")
                else Fidelity.SIMULATED,
            },
            undone_by=f"update_{self._set.name}" if restored else "",
            undo_arguments={
                **{name: f"/input/{name}" for name in self._key},
                **{name: f"/before/0/{name}" for name in restored},
            },
            residue=tuple(lost),
            clear=CLEAR if can_clear else None,
        )

    def _delete(self) -> Drafted:
        binding: Object = {"kind": "delete", "target": self.target}
        writable = Writable(properties={}, required=(), body={})
        return Drafted(
            wanted_name=f"delete_{self._set.name}",
            operation=f"DELETE {self._set.name}",
            verdict=of_write(self._set, Effect.DELETE),
            spec={
                **self._writing(writable, Effect.DELETE, binding),
                "title": f"Delete one of {self._set.name}",
                "description": self._sentence(f"Delete a record of {self._set.name}."),
                "input_schema": closed(self.key_arguments(), self._key),
                "output_schema": {"type": "object", "properties": {"deleted": {"type": "boolean"}}},
                "fidelity": Fidelity.SIMULATED,
            },
        )

    def _writing(self, writable: Writable, effect: Effect, binding: Object) -> Object:
        del writable
        is_guarded = self.has_versions and effect is not Effect.CREATE
        return {
            "output_schema": self.record(),
            "volatile": self.computed,
            "observable": True,
            "upstream_class": UpstreamClass.B if is_guarded else UpstreamClass.D,
            "binding": {**binding, "has_versions": is_guarded, "record": self.record(), "computed": self.computed},
        }

    def _expandable(self) -> list[Navigation]:
        if not is_allowed(self._set, "ExpandRestrictions", "Expandable"):
            return []
        forbidden = _names(restriction(self._set, "ExpandRestrictions").get("NonExpandableProperties"))
        hidden = {"DraftAdministrativeData", "SiblingEntity", *forbidden}
        return [one for one in self._set.type.navigations if one.name not in hidden]

    def _without(self, term: str, flag: str, names: str, properties: list[Property]) -> list[Property]:
        if not is_allowed(self._set, term, flag):
            return []
        forbidden = _names(restriction(self._set, term).get(names))
        return [one for one in properties if one.name not in forbidden]

    def _sentence(self, sentence: str) -> str:
        return f"{sentence} {self._text}".strip()


def key_of(one: Property, argument: str) -> Object:
    """Return how an argument goes into an address."""
    return {"argument": argument, "edm": one.type.edm, "enumeration": one.type.name if one.type.choices else ""}


def closed(properties: Mapping[str, Json], required: Sequence[str] = ()) -> Object:
    """Return the schema of arguments: these and no others."""
    schema: Object = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": [*required]} if required else schema


def compensation(drafted: Drafted, tool: str) -> Object:
    """Return what the spec says of a tool that `tool` undoes."""
    kind = Reversal.PARTIAL if drafted.residue else Reversal.EXACT
    undo = Compensation(tool=tool, arguments=drafted.undo_arguments, kind=kind, clear=drafted.clear)
    return {"reversal": kind, "residue": drafted.residue, "compensation": undo}


def _expand(navigations: list[Navigation]) -> Object:
    if not navigations:
        return {}
    names = [one.name for one in navigations]
    return {"expand": {"type": "array", "maxItems": len(names), "items": {"type": "string", "enum": names}}}


def _draft(root: Mapping[str, Json], messages: str) -> Object:
    said = {
        "edit": "EditAction",
        "prepare": "PreparationAction",
        "new": "NewAction",
        "activate": "ActivationAction",
    }
    found = {ours: as_text(root.get(theirs)) for ours, theirs in said.items()}
    return {"messages": messages, **{name: value for name, value in found.items() if value}}


def _path(said: Json) -> str:
    """Return a path expression, which is an object in JSON and a text in XML."""
    return as_text(said) or as_text(as_object(said).get("$Path"))


def _names(said: Json) -> list[str]:
    return [one for one in as_list(said) if isinstance(one, str)]
