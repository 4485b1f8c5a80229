"""Redaction: the values that a JSON Schema marks as secret (`x-secret: true`) never reach a log, a digest or a page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard

from referencing import Registry
from referencing.exceptions import Unresolvable, Unretrievable
from referencing.jsonschema import DRAFT202012

REDACTED: Final = "[redacted]"
"""What stands in the place of a secret."""

_DEEPEST: Final = 64
_BASE: Final = "urn:toolhub:schema"
_NOTHING_ELSE: Final[Registry[Any]] = Registry()
"""Nothing is ever fetched: a reference out of the document leads nowhere."""

Schema = Mapping[str, Any]
_Placed = tuple[Any, Any]
"""A schema, and the resolver of the place where it stands."""


def redact(value: Any, schema: Any) -> Any:  # noqa: ANN401  # any JSON value under any JSON Schema
    """Return `value` with every part that `schema` marks as secret replaced by `REDACTED`.

    A part is secret if any schema that may apply to it says so: every branch of anyOf, oneOf, allOf and if counts,
    whether it matches or not, and so does everything that a dynamic reference may lead to. What is nested too deeply
    to follow, or under a reference that leads nowhere, is taken for secret.
    """
    if not _is_object(schema):
        return value  # `true` and `false` are schemas too
    document = DRAFT202012.create_resource(schema)
    base = document.id() or _BASE
    resolver = _NOTHING_ELSE.with_resource(base, document).crawl().resolver(base)
    return _redact(value, [(schema, resolver)], _dynamic_anchors(schema), 0)


def _redact(value: Any, schemas: Sequence[_Placed], dynamic: Mapping[str, list[Any]], depth: int) -> Any:  # noqa: ANN401  # any JSON
    applying = _spread(schemas, dynamic)
    if applying is None or depth > _DEEPEST or any(schema.get("x-secret") is True for schema, _ in applying):
        return REDACTED
    if _is_object(value):
        return {key: _redact(part, _for_member(applying, key), dynamic, depth + 1) for key, part in value.items()}
    if _is_list(value):
        return [_redact(part, _for_item(applying, at), dynamic, depth + 1) for at, part in enumerate(value)]
    return value


def _spread(schemas: Sequence[_Placed], dynamic: Mapping[str, list[Any]]) -> list[_Placed] | None:
    """Return `schemas` and all that they refer to or combine; None if a reference cannot be followed."""
    applying: list[_Placed] = []
    waiting = [placed for placed in schemas if _is_object(placed[0])]
    while waiting:
        schema, resolver = _entered(*waiting.pop())
        if any(schema is known for known, _ in applying):
            continue
        applying.append((schema, resolver))
        waiting += [(part, resolver) for part in _combined(schema) if _is_object(part)]
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
    return (found.contents, found.resolver) if _is_object(found.contents) else None


def _dynamic_anchors(root: Schema) -> dict[str, list[Any]]:
    """Return every schema of the document that has a dynamic anchor, by its name."""
    found: dict[str, list[Any]] = {}
    waiting: list[Any] = [root]
    while waiting:
        part = waiting.pop()
        if _is_object(part):
            if isinstance(anchor := part.get("$dynamicAnchor"), str):
                found.setdefault(anchor, []).append(part)
            waiting += part.values()
        elif _is_list(part):
            waiting += part
    return found


def _is_object(value: object) -> TypeGuard[Schema]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
