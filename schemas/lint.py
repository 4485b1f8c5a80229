"""What a published schema must be like so that every client reads it, and every number survives."""

from collections.abc import Iterator
from typing import Final, cast

from schemas.bounds import Bounded
from schemas.compiled import CompiledSchema, SchemaInvalid, compile_schema
from schemas.pointers import DanglingReference, pointer, resolve_reference
from schemas.walking import Place, Schema, children, subschemas

LARGEST: Final = 2**53 - 1
"""The largest integer that every JSON reader reads alike."""
LONGEST_DESCRIPTION: Final = 1023
_NOISE: Final = frozenset({"accept", "authorization", "contenttype", "idempotencykey", "useragent", "xrequestid"})
_IDENTIFIERS: Final = ("$id", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor")
"""A plain `$anchor` is none of them: it matters only where something refers to it by name, which leads nowhere here."""
_MONEY: Final = ("amount", "price", "money", "balance")


def lint_input(schema: Schema) -> list[str]:
    """Return what keeps `schema` from being published as a tool's input schema; nothing means it is fit."""
    broken = _uncompilable(schema)
    findings = broken or [*lint_portable(schema), *lint_null(schema), *lint_bounds(schema), *_noise(schema)]
    return findings or _bad_defaults(schema)


def lint_output(schema: Schema) -> list[str]:
    """Return what keeps `schema` from being published as a tool's output schema; nothing means it is fit."""
    return _uncompilable(schema) or lint_portable(schema)


def lint_portable(schema: Schema) -> list[str]:
    """Return what some client cannot read in `schema`, each with its place."""
    findings = list[str]()
    if schema.get("type") != "object":
        findings.append("/: the root must say type: object")
    for place, part in subschemas(schema):
        if "discriminator" in part:
            findings.append(_at(place, "a discriminator makes some clients drop every tool; use a plain union"))
        if len(str(part.get("description", ""))) > LONGEST_DESCRIPTION:
            findings.append(_at(place, f"a description has at most {LONGEST_DESCRIPTION} characters"))
        findings += [
            _at(place, f"{keyword} is not read alike by all clients; leave it out")
            for keyword in _IDENTIFIERS
            if keyword in part
        ]
    return findings + list(_bad_references(schema))


def lint_null(schema: Schema) -> list[str]:
    """Return where arguments rely on null, which some clients drop: clearing a field has its own argument."""
    said = "some clients drop null; let the argument be absent, and give clearing a field its own argument"
    return [_at(place, said) for place, part in subschemas(schema) if _relies_on_null(part)]


def lint_bounds(schema: Schema) -> list[str]:
    """Return where a number could be one that not every JSON reader reads alike, or money that rounds."""
    findings = list[str]()
    for place, part in subschemas(schema):
        types = _types(part)
        if "integer" in types and "enum" not in part and "const" not in part and not _is_bounded(part):
            findings.append(_at(place, "an integer needs a minimum and a maximum within 2^53 - 1; big ids are strings"))
        if "number" in types and place and any(word in place[-1].lower() for word in _MONEY):
            findings.append(_at(place, "money is an integer in minor units, such as amount_minor, or a decimal string"))
    return findings


def _uncompilable(schema: Schema) -> list[str]:
    try:
        compile_schema(schema)
    except SchemaInvalid as error:
        return [str(error)]
    return []


def _bad_references(schema: Schema) -> Iterator[str]:
    for place, part in subschemas(schema):
        if "$ref" in part:
            try:
                resolve_reference(schema, part["$ref"])
            except DanglingReference as error:
                yield _at(place, str(error))
                return
    recursive = _Following(schema).recursion(schema, ())
    if recursive:
        yield f"/: {recursive} contains itself, which some clients read without end; bound its depth"


class _Following:
    """Follows the references of one schema; a part that has been left behind is not entered again."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._done = set[int]()

    def recursion(self, part: Schema, through: Place) -> str | None:
        """Return the reference by which a subschema that is in use contains itself, if one does."""
        if id(part) in self._done:
            return None
        reference = part.get("$ref")
        if reference is not None:
            if reference in through or reference == "#":
                return str(reference)
            target = resolve_reference(self._root, reference)
            if isinstance(target, dict) and (found := self.recursion(cast("Schema", target), (*through, reference))):
                return found
        inner = (child for place, child in children(part) if place[0] not in {"$defs", "definitions"})
        found = next((found for child in inner if (found := self.recursion(child, through))), None)
        self._done.add(id(part))
        return found


def _relies_on_null(part: Schema) -> bool:
    is_null_default = "default" in part and part["default"] is None
    return "null" in _types(part) or is_null_default or None in part.get("enum", []) or part.get("const", ...) is None


def _types(part: Schema) -> frozenset[str]:
    said = part.get("type", [])
    return frozenset([said] if isinstance(said, str) else said)


def _is_bounded(part: Schema) -> bool:
    low = max(part.get("minimum", -LARGEST - 1), part.get("exclusiveMinimum", -LARGEST - 2) + 1)
    high = min(part.get("maximum", LARGEST + 1), part.get("exclusiveMaximum", LARGEST + 2) - 1)
    return bool(low >= -LARGEST and high <= LARGEST)


def _noise(schema: Schema) -> list[str]:
    named = [str(name) for name in schema.get("properties", {})]
    return [
        _at(("properties", name), "this belongs to the request, not to the tool; leave it out of the arguments")
        for name in named
        if name.lower().replace("-", "").replace("_", "") in _NOISE
    ]


def _bad_defaults(schema: Schema) -> list[str]:
    rule = CompiledSchema(schema)
    with Bounded():
        return [
            _at(place, message)
            for place, part in subschemas(schema)
            if "default" in part
            for message in _wrong_with_default(part, rule)
        ]


def _wrong_with_default(part: Schema, rule: CompiledSchema) -> Iterator[str]:
    found = rule.violations(part["default"], part)
    yield from (f"the default breaks its own schema: {message}" for _, message in found)
    try:
        rule.with_defaults(part["default"], part)
    except SchemaInvalid as error:
        yield str(error)


def _at(place: Place, message: str) -> str:
    return f"{pointer(place) or '/'}: {message}"
