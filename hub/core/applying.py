"""Which parts of a JSON Schema may apply to a part of a value: more rather than fewer, for what must not be missed.

Every branch of anyOf, oneOf, allOf and if counts, whether it matches or not, and so does everything that a dynamic
reference may lead to. Nothing is ever fetched.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from referencing import Registry
from referencing.exceptions import Unresolvable, Unretrievable
from referencing.jsonschema import DRAFT202012

DEEPEST: Final = 64
_BASE: Final = "urn:toolhub:schema"
_NOTHING_ELSE: Final[Registry[Any]] = Registry()
"""A reference out of the document leads nowhere."""

Schema = Mapping[str, Any]
_Placed = tuple[Any, Any]
"""A schema, and the resolver of the place where it stands."""


@dataclass(frozen=True, slots=True)
class Applying:
    """The schemas that may apply to one part of a value, with all that they refer to or combine."""

    placed: tuple[_Placed, ...]
    dynamic: Mapping[str, list[Any]]
    depth: int = 0

    @property
    def schemas(self) -> Iterator[Schema]:
        """Yield them."""
        return (schema for schema, _ in self.placed)

    def to_member(self, key: str) -> "Applying | None":
        """Return what applies to a member of an object; None: too deep, or a reference cannot be followed."""
        return self._below(_for_member(self.placed, key))

    def to_item(self, at: int) -> "Applying | None":
        """Return what applies to an item of a list; None: too deep, or a reference cannot be followed."""
        return self._below(_for_item(self.placed, at))

    def _below(self, schemas: Sequence[_Placed]) -> "Applying | None":
        found = None if self.depth >= DEEPEST else _spread(schemas, self.dynamic)
        return None if found is None else Applying(tuple(found), self.dynamic, self.depth + 1)


def applying_to(schema: Schema) -> Applying | None:
    """Return what applies to a whole value under `schema`; None: a reference cannot be followed."""
    document = DRAFT202012.create_resource(schema)
    base = document.id() or _BASE
    resolver = _NOTHING_ELSE.with_resource(base, document).crawl().resolver(base)
    dynamic = _dynamic_anchors(schema)
    found = _spread([(schema, resolver)], dynamic)
    return None if found is None else Applying(tuple(found), dynamic)


def _spread(schemas: Sequence[_Placed], dynamic: Mapping[str, list[Any]]) -> list[_Placed] | None:
    """Return `schemas` and all that they refer to or combine; None if a reference cannot be followed."""
    applying: list[_Placed] = []
    known = set[int]()
    waiting = [placed for placed in schemas if is_object(placed[0])]
    while waiting:
        schema, resolver = _entered(*waiting.pop())
        if id(schema) in known:
            continue
        known.add(id(schema))
        applying.append((schema, resolver))
        waiting += [(part, resolver) for part in _combined(schema) if is_object(part)]
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in schema:
                target = _resolve(schema[keyword], resolver)
                if target is None:
                    return None
                waiting.append(target)
        # The scope that decides where a dynamic reference leads is not followed: it may lead to any anchor of its name.
        anchor = str(schema.get("$dynamicRef", "")).rpartition("#")[2]
        waiting += [(part, resolver) for part in dynamic.get(anchor, ())]
    return applying


def _entered(schema: Schema, resolver: Any) -> _Placed:  # noqa: ANN401  # generic over what it resolves
    """Return the schema with the resolver that holds within it: an `$id` of its own changes what references mean."""
    if "$id" not in schema:
        return schema, resolver
    return schema, resolver.in_subresource(DRAFT202012.create_resource(schema))


def _combined(schema: Schema) -> Iterator[Any]:
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(keyword, ())
    for keyword in ("if", "then", "else", "not"):
        yield schema.get(keyword)
    yield from schema.get("dependentSchemas", {}).values()


def _for_member(schemas: Sequence[_Placed], key: str) -> list[_Placed]:
    found: list[_Placed] = []
    for schema, resolver in schemas:
        properties = schema.get("properties", {})
        others = ("unevaluatedProperties",) if key in properties else ("additionalProperties", "unevaluatedProperties")
        if key in properties:
            found.append((properties[key], resolver))
        # Patterns are not matched but all taken to apply: one that should match and does not would let a secret out.
        found += [(part, resolver) for part in schema.get("patternProperties", {}).values()]
        found += [(schema[word], resolver) for word in others if word in schema]
    return found


def _for_item(schemas: Sequence[_Placed], at: int) -> list[_Placed]:
    found: list[_Placed] = []
    for schema, resolver in schemas:
        prefix = schema.get("prefixItems", ())
        if at < len(prefix):
            found.append((prefix[at], resolver))
        found += [(schema[word], resolver) for word in ("items", "contains", "unevaluatedItems") if word in schema]
    return found


def _resolve(reference: Any, resolver: Any) -> _Placed | None:  # noqa: ANN401  # whatever stands in the schema
    if not isinstance(reference, str):
        return None
    try:
        found = resolver.lookup(reference)
    except (Unresolvable, Unretrievable):
        return None
    return (found.contents, found.resolver) if is_object(found.contents) else None


def _dynamic_anchors(root: Schema) -> dict[str, list[Any]]:
    """Return every schema of the document that has a dynamic anchor, by its name."""
    found: dict[str, list[Any]] = {}
    waiting: list[Any] = [root]
    while waiting:
        part = waiting.pop()
        if is_object(part):
            if isinstance(anchor := part.get("$dynamicAnchor"), str):
                found.setdefault(anchor, []).append(part)
            waiting += part.values()
        elif is_list(part):
            waiting += part
    return found


def is_object(value: object) -> TypeGuard[Schema]:
    """Return whether it is an object to JSON."""
    return isinstance(value, Mapping)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether it is a list to JSON."""
    return isinstance(value, list)
