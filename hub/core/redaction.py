"""Redaction: the values that a JSON Schema marks as secret (`x-secret: true`) never reach a log, a digest or a page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard

REDACTED: Final = "[redacted]"
"""What stands in the place of a secret."""

_DEEPEST: Final = 64

Schema = Mapping[str, Any]


def redact(value: Any, schema: Any) -> Any:  # noqa: ANN401  # any JSON value under any JSON Schema
    """Return `value` with every part that `schema` marks as secret replaced by `REDACTED`.

    A part is secret if any schema that may apply to it says so: every branch of anyOf, oneOf, allOf and if counts,
    whether it matches or not. What is nested too deeply to follow, or under a reference that leads nowhere, is taken
    for secret.
    """
    return _redact(value, [schema], _root(schema), 0)


def _redact(value: Any, schemas: Sequence[Any], root: Schema, depth: int) -> Any:  # noqa: ANN401  # any JSON
    applying = _spread(schemas, root)
    if applying is None or depth > _DEEPEST or any(schema.get("x-secret") is True for schema in applying):
        return REDACTED
    if _is_object(value):
        return {key: _redact(part, _for_member(applying, key), root, depth + 1) for key, part in value.items()}
    if _is_list(value):
        return [_redact(part, _for_item(applying, at), root, depth + 1) for at, part in enumerate(value)]
    return value


def _spread(schemas: Sequence[Any], root: Schema) -> list[Schema] | None:
    """Return `schemas` and all that they refer to or combine; None if a reference cannot be followed."""
    applying: list[Schema] = []
    waiting = [schema for schema in schemas if _is_object(schema)]
    while waiting:
        schema = waiting.pop()
        if any(schema is known for known in applying):
            continue
        applying.append(schema)
        waiting += [part for part in _combined(schema) if _is_object(part)]
        if "$ref" in schema:
            target = _resolve(schema["$ref"], root)
            if target is None:
                return None
            waiting.append(target)
    return applying


def _combined(schema: Schema) -> Iterator[Any]:
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(keyword, ())
    for keyword in ("if", "then", "else", "not"):
        yield schema.get(keyword)
    yield from schema.get("dependentSchemas", {}).values()


def _for_member(schemas: Sequence[Schema], key: str) -> list[Any]:
    found: list[Any] = []
    for schema in schemas:
        properties = schema.get("properties", {})
        others = ("unevaluatedProperties",) if key in properties else ("additionalProperties", "unevaluatedProperties")
        if key in properties:
            found.append(properties[key])
        # Patterns are not matched but all taken to apply: one that should match and does not would let a secret out.
        found += schema.get("patternProperties", {}).values()
        found += [schema[word] for word in others if word in schema]
    return found


def _for_item(schemas: Sequence[Schema], at: int) -> list[Any]:
    found: list[Any] = []
    for schema in schemas:
        prefix = schema.get("prefixItems", ())
        if at < len(prefix):
            found.append(prefix[at])
        found += [schema[word] for word in ("items", "contains", "unevaluatedItems") if word in schema]
    return found


def _resolve(reference: Any, root: Schema) -> Schema | None:  # noqa: ANN401  # whatever stands in the schema
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for part in reference[1:].split("/")[1:]:
        step = part.replace("~1", "/").replace("~0", "~")
        if not _is_object(found) or step not in found:
            return None
        found = found[step]
    return found if _is_object(found) else None


def _root(schema: Any) -> Schema:  # noqa: ANN401  # any JSON Schema: true and false are schemas too
    return schema if _is_object(schema) else {}


def _is_object(value: object) -> TypeGuard[Schema]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
