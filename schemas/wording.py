"""What a violation is called: one sentence for whoever has to mend the value, without repeating the value."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple, cast

from jsonschema.exceptions import ValidationError

from schemas.bounds import count_steps, known
from schemas.patterns import compile_pattern
from schemas.pointers import pointer

Json = Any
"""Any JSON value."""

_MOST: Final = 1000
_SHOWN: Final = 12
_LONGEST: Final = 60
_LONGEST_NAME: Final = 200
"""Characters; each broken rule says where it is, and a name may be most of the value."""


class Finding(NamedTuple):
    """One broken rule: where (a JSON pointer, "" for the whole value) and what was expected."""

    pointer: str
    message: str


def findings_of(errors: Iterable[ValidationError]) -> list[Finding]:
    """Return every broken rule (of a thousand and more, some), in the order of where, each once."""
    return sorted(set(islice((finding for error in errors for finding in _findings(error)), _MOST)))


def others_of(members: Mapping[str, Json], schema: Mapping[str, Json]) -> list[str]:
    """Return the names in `members` that `schema` says nothing of, by name or by pattern."""
    named: Mapping[str, Json] = schema.get("properties", {})
    patterns = [compile_pattern(pattern) for pattern in schema.get("patternProperties", ())]
    count_steps(len(members))
    return [name for name in members if name not in named and not any(each.is_in(name) for each in patterns)]


def _findings(error: ValidationError) -> Iterator[Finding]:
    place = tuple(part[:_LONGEST_NAME] if isinstance(part, str) else part for part in error.absolute_path)
    said = _members(error.schema)
    match error.validator:
        case "required":
            yield Finding(pointer(place), "is required")
        case "additionalProperties" if said["additionalProperties"] is False:
            rule = f"is not known here; {_one_of(_members(said.get('properties', {})))}"
            strange = others_of(_members(error.instance), said)
            yield from (Finding(pointer((*place, name[:_LONGEST])), rule) for name in strange)
        case "anyOf" | "oneOf" if error.context:
            yield from _closest(error, place)
        case _:
            yield Finding(pointer(place), _sentence(error, said))


def _closest(error: ValidationError, place: tuple[str | int, ...]) -> Iterator[Finding]:
    """Word the branch that the value comes closest to; where none is close, say which types would do."""
    branches: dict[Json, list[ValidationError]] = {}
    for inner in error.context or ():
        branch = inner.relative_schema_path[0] if inner.relative_schema_path else ""  # a bare false has no path
        branches.setdefault(branch, []).append(inner)
    far = {"type", None}  # None: the branch is a bare false
    wrong_type = [any(e.validator in far and not e.relative_path for e in each) for each in branches.values()]
    if all(wrong_type):
        types = [
            _type(cast("str | list[str]", e.validator_value))
            for e in error.context or ()
            if e.validator == "type" and not e.relative_path
        ]
        yield Finding(pointer(place), f"must be {' or '.join(dict.fromkeys(types))}")
        return
    close = [each for each, is_far in zip(branches.values(), wrong_type, strict=True) if not is_far]
    yield from (finding for inner in min(close, key=len) for finding in _findings(inner))


def _sentence(error: ValidationError, said: Mapping[str, Json]) -> str:
    word = str(error.validator)
    words = _SENTENCES.get(word)
    if word not in said:
        return "nothing is allowed here"  # the schema false
    if words is None:
        return f"breaks the rule {word}"
    if word == "type":
        return f"must be {_type(said[word])}, not {_kind(error.instance)}"
    return words(said[word])


def _type(said: str | list[str]) -> str:
    names = [said] if isinstance(said, str) else said
    return " or ".join(_ARTICLES.get(name, name) for name in names)


def _kind(value: Json) -> str:
    for kind, name in _KINDS:
        if isinstance(value, kind):
            return name
    return "null"


def _one_of(names: Mapping[str, Json]) -> str:
    if not names:
        return "there is nothing to give"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"known are {', '.join(islice(names, _SHOWN))}{more}"


def _choices(said: list[Json]) -> str:
    shown = ", ".join(_short(each) for each in said[:_SHOWN])
    more = f" or one of {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return f"must be one of {shown}{more}"


def _short(value: Json) -> str:
    return known("shown", value, _cut)  # it may be large, and broken by thousands of items


def _cut(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _members(value: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", value) if isinstance(value, Mapping) else {}


_ARTICLES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "true or false"),
    (int, "an integer"),
    (float, "a fraction"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
)
_SENTENCES: Final[Mapping[str, Callable[[Json], str]]] = {
    "additionalProperties": lambda _said: "has a member that is not allowed",
    "const": lambda said: f"must be {_short(said)}",
    "enum": _choices,
    "exclusiveMaximum": lambda said: f"must be below {said}",
    "exclusiveMinimum": lambda said: f"must be above {said}",
    "format": lambda said: f"must have the format {said}",
    "items": lambda _said: "has more items than are allowed",
    "maxItems": lambda said: f"has at most {said} items",
    "maxLength": lambda said: f"has at most {said} characters",
    "maxProperties": lambda said: f"has at most {said} members",
    "maximum": lambda said: f"must be at most {said}",
    "minItems": lambda said: f"has at least {said} items",
    "minLength": lambda said: f"has at least {said} characters",
    "minProperties": lambda said: f"has at least {said} members",
    "minimum": lambda said: f"must be at least {said}",
    "multipleOf": lambda said: f"must be a multiple of {said}",
    "not": lambda _said: "is what is excluded here",
    "pattern": lambda said: f"must match {_short(said)}",
    "type": lambda said: f"must be {_type(said)}",
    "uniqueItems": lambda _said: "has an item twice",
}
