"""Schemas that every client reads, made of those in a document: whole trees of bounded depth, nothing but plain types.

What goes in is checked before it is sent, so it keeps its rules. What comes out is only described: an answer that is
not quite what the vendor promised is still an answer, so it keeps names and types alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.openapi.combining import Combiner, branches_of
from connectors.openapi.document import Document, Object, as_list, as_object, as_text
from connectors.openapi.rules import DECIMAL, distinct, kept_rules, short, types_of

Json = Any
"""Any JSON value."""

_MOST_BRANCHES: Final = 8
_UNION: Final = 4
"""What a union of several kinds takes of the detail that is left; one of a kind and null takes 1."""
_MONEY: Final = ("amount", "price", "money", "balance")
_FILE: Final = "In base64."


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much of a schema is told: levels of objects, characters of a description, values of a list of choices.

    `unions` is what is left for unions in unions, of which one of several kinds takes most: below them a value may be
    anything, so a union that contains itself comes to an end.
    """

    depth: int
    text: int
    choices: int
    unions: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The members of an object, as the document describes them."""

    properties: Mapping[str, Json]
    required: Sequence[str]


class Shaper:
    """Makes schemas for one direction: what is read-only is not offered, what is write-only is not promised."""

    def __init__(self, document: Document, *, is_input: bool) -> None:
        self._document = document
        self._combiner = Combiner(document)
        self._is_input = is_input
        self._hidden = "readOnly" if is_input else "writeOnly"
        self._shaped = dict[tuple[str, Detail, str], Object]()

    def members(self, schema: Json) -> Members | None:
        """Return the members of what `schema` describes, or None if that is no object with members known by name."""
        said = self.combined(schema)
        if types_of(said) not in ([], ["object"]) or not as_object(said.get("properties")):
            return None
        if not as_object(said["properties"]).keys() - {*self._hidden_in(said)} or branches_of(said):
            return None
        return Members(properties=self._shown(said), required=self._required(said))

    def is_file(self, schema: Json) -> bool:
        """Return whether `schema` describes bytes."""
        said = self.combined(schema)
        return said.get("type") == "file" or said.get("format") == "binary" or "contentMediaType" in said

    def combined(self, schema: Json) -> Object:
        """Return `schema` as one object, with what it refers to and is made of."""
        return self._combiner.combined(schema)

    def shape(self, schema: Json, detail: Detail, name: str = "") -> Object:
        """Return the portable schema of what `schema` describes; `name` is what the value is called."""
        reference = as_object(schema).get("$ref")
        key = (reference, detail, name) if isinstance(reference, str) and len(as_object(schema)) == 1 else None
        if key is not None and key in self._shaped:
            return self._shaped[key]
        shaped = self._shape(self.combined(schema), detail, name)
        if key is not None:
            self._shaped[key] = shaped
        return shaped

    def _shape(self, said: Object, detail: Detail, name: str) -> Object:
        branches = branches_of(said)
        if branches and not as_object(said.get("properties")):
            return self._union(said, branches, detail, name)
        types = types_of(said)
        shaped: Object = {}
        if types == ["object"]:
            shaped = self._object(said, detail)
        elif types == ["array"]:
            shaped = self._array(said, detail)
        else:
            shaped = self._plain(said, types, detail, name)
        if self._is_input and (text := short(_description(said), detail.text)):
            shaped["description"] = text
        return shaped

    def _object(self, said: Object, detail: Detail) -> Object:
        shaped: Object = {"type": "object"}
        if detail.depth <= 0:
            return shaped
        inner = replace(detail, depth=detail.depth - 1)
        properties = {name: self.shape(member, inner, name) for name, member in self._shown(said).items()}
        if properties:
            shaped["properties"] = properties
            if self._is_input and (required := self._required(said)):
                shaped["required"] = required
        elif as_object(said.get("additionalProperties")):
            shaped["additionalProperties"] = self.shape(said["additionalProperties"], inner)
        return shaped

    def _array(self, said: Object, detail: Detail) -> Object:
        items = as_object(said.get("items"))
        rules = kept_rules(said, ["array"], self._document) if self._is_input else {}
        is_nested = types_of(self.combined(items)) == ["array"]
        if is_nested and detail.depth <= 0:
            return {"type": "array", **rules}
        inner = replace(detail, depth=detail.depth - is_nested)
        return {"type": "array", "items": self.shape(items, inner), **rules}

    def _plain(self, said: Object, types: list[str], detail: Detail, name: str) -> Object:
        if not self._is_input:
            return {"type": types[0] if len(types) == 1 else types} if types else {}
        if self.is_file(said):
            return {"type": "string", "description": _FILE}
        if "number" in types and any(word in name.lower() for word in _MONEY):
            return {"type": "string", **DECIMAL}
        rules = kept_rules(said, types, self._document)
        if len(as_list(rules.get("enum"))) > detail.choices:
            del rules["enum"]
        return {"type": types[0] if len(types) == 1 else types, **rules} if types else rules

    def _union(self, said: Object, branches: list[Json], detail: Detail, name: str) -> Object:
        combined = [self.combined(branch) for branch in branches]
        told = [branch for branch in combined if types_of(branch) != ["null"] and as_list(branch.get("enum")) != [None]]
        rest = {keyword: member for keyword, member in said.items() if keyword not in {"anyOf", "oneOf"}}
        detail = replace(detail, unions=detail.unions - (1 if len(told) == 1 else _UNION))
        if detail.unions < 0:
            return {}
        if len(told) == 1:
            return self._shape({**told[0], **rest}, detail, name)
        shaped: list[Object] = distinct([self.shape(branch, detail, name) for branch in told])
        if len(shaped) == 1:
            return shaped[0]
        if all(one.get("type") == "object" for one in shaped) and (not self._is_input or detail.depth <= 1):
            return _any_of_these_members(shaped)
        if not self._is_input or len(shaped) > _MOST_BRANCHES or not shaped or {} in shaped:
            return {}
        text = short(_description(said), detail.text)
        return {"anyOf": shaped, **({"description": text} if text else {})}

    def _shown(self, said: Object) -> Object:
        hidden = self._hidden_in(said)
        return {name: member for name, member in as_object(said.get("properties")).items() if name not in hidden}

    def _hidden_in(self, said: Object) -> set[str]:
        properties = as_object(said.get("properties"))
        return {name for name, member in properties.items() if self.combined(member).get(self._hidden) is True}

    def _required(self, said: Object) -> list[str]:
        shown = self._shown(said)
        names = as_list(said.get("required"))
        if not isinstance(said.get("required", []), list):
            self._document.note("A schema says required, but not of which members; that says nothing.")
        return [name for name in dict.fromkeys(map(str, names)) if name in shown]


def _any_of_these_members(schemas: list[Object]) -> Object:
    """Return an object that may have the members of each; one they disagree on may be anything."""
    properties: Object = {}
    for schema in schemas:
        for name, member in as_object(schema.get("properties")).items():
            properties[name] = member if properties.get(name, member) == member else {}
    return {"type": "object", "properties": properties} if properties else {"type": "object"}


def _description(said: Mapping[str, Json]) -> str:
    return as_text(said.get("description")) or as_text(said.get("title"))
