"""One object of each schema: what it refers to and is made of (`allOf`), its branches' members where it has its own.

Documents are strangers' work: schemas that are made of themselves are cut where they come round, and what takes more
steps than any real schema is refused, so that one operation falls and the import goes on.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors.openapi.document import Document, Object, as_list, as_object

Json = Any
"""Any JSON value."""

_DEEPEST: Final = 40
_MOST_STEPS: Final = 2_000
"""How many schemas may be looked into to make one; in documents of hundreds of operations it is about ten."""
_MADE_OF: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf"})


class Entangled(ValueError):
    """A schema is made of others in more ways than can be followed; the message says so."""


class Combiner:
    """Combines the schemas of one document, and remembers what came of each that has a name."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._known = dict[str, Object]()
        self._hopeless = set[str]()
        """Those that were entangled: nobody tries them twice."""
        self._open = set[str]()
        """What is being combined: who meets one of these again has come round."""
        self._cut = set[str]()
        """Those of them that were met again: without them what was made on the way is not the whole."""
        self._steps = 0

    def combined(self, schema: Json) -> Object:
        """Return `schema` with all that it refers to and is made of in one object.

        Raises:
            Entangled: that has no end in sight.
        """
        self._open, self._cut, self._steps = set[str](), set[str](), 0
        try:
            return self._combined(schema, 0)
        except Entangled:
            if "$ref" in as_object(schema):
                self._hopeless.add(str(schema["$ref"]))
            raise

    def _combined(self, schema: Json, depth: int) -> Object:
        reference = as_object(schema).get("$ref")
        if not isinstance(reference, str):
            return self._put_together(schema, depth)
        if len(schema) == 1 and reference in self._known:
            return self._known[reference]
        if reference in self._open:
            self._cut.add(reference)
            return {name: member for name, member in schema.items() if name not in _MADE_OF}
        self._open.add(reference)
        elsewhere, self._cut = self._cut, set[str]()
        combined = self._put_together(schema, depth)
        self._open.discard(reference)
        self._cut.discard(reference)
        if len(schema) == 1 and not self._cut:
            self._known[reference] = combined
        self._cut |= elsewhere
        return combined

    def _put_together(self, schema: Json, depth: int) -> Object:
        self._steps += 1
        is_hopeless = str(as_object(schema).get("$ref")) in self._hopeless
        if is_hopeless or depth > _DEEPEST or self._steps > _MOST_STEPS:
            raise Entangled("A schema of it is made of others (allOf, anyOf, oneOf) in more ways than can be followed.")
        said = self._document.resolved(schema)
        parts = as_list(said.get("allOf"))
        if not parts and not (branches_of(said) and as_object(said.get("properties"))):
            return said
        combined: Object = {}
        for part in parts:
            _add(combined, self._combined(part, depth + 1))
        _add(combined, {name: member for name, member in said.items() if name != "allOf"})
        if as_object(combined.get("properties")):
            for branch in branches_of(combined):
                optional = as_object(self._combined(branch, depth + 1).get("properties"))
                combined["properties"] = {**optional, **combined["properties"]}
            combined = {name: member for name, member in combined.items() if name not in {"anyOf", "oneOf"}}
        return combined


def branches_of(said: Mapping[str, Json]) -> list[Json]:
    """Return what a value may be one of."""
    return as_list(said.get("oneOf")) or as_list(said.get("anyOf"))


def _add(combined: Object, part: Mapping[str, Json]) -> None:
    for keyword, member in part.items():
        match keyword:
            case "properties":
                combined[keyword] = {**as_object(combined.get(keyword)), **as_object(member)}
            case "required":
                combined[keyword] = [*as_list(combined.get(keyword)), *as_list(member)]
            case _:
                combined[keyword] = member
