"""The rules of one schema that every client and the hub read alike, whatever version of OpenAPI has them."""

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from connectors.openapi.document import Document, Object, as_list, as_text
from connectors.sdk.portable import LARGEST
from schemas import SchemaInvalid, compile_schema

Json = Any
"""Any JSON value."""

DECIMAL: Final = {"format": "decimal", "pattern": "^-?[0-9]+([.][0-9]+)?$"}
"""Money that the API takes as a number: a text here, so that nothing rounds it; sent as a number of those digits."""
_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "file": "string", "date": "string", "datetime": "string", "date-time": "string", "uuid": "string", "text": "string",
    "enum": "string", "int": "integer", "int32": "integer", "int64": "integer", "long": "integer", "float": "number",
    "double": "number", "decimal": "number", "bool": "boolean", "list": "array", "map": "object", "dict": "object",
}  # fmt: skip
_FORMATS: Final = frozenset({"date", "date-time", "time", "duration", "email", "ipv4", "ipv6", "uuid"})
_MARKUP: Final = re.compile(r"<[^<>]{1,200}>|[*_`#]{2,}|`")
_LINK: Final = re.compile(r"\[([^\[\]]{1,200})\]\([^()\s]{1,500}\)")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s")

_FITS: Final[Mapping[str, Callable[[Json], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def types_of(said: Mapping[str, Json]) -> list[str]:
    """Return the types of what is described, null left out unless it is all; without a word, what it implies."""
    types = [_type(as_text(one).lower()) for one in (as_list(said.get("type")) or [said.get("type")])]
    known = [one for one in dict.fromkeys(types) if one]
    if known == ["null"]:
        return known
    if not known:
        known = _implied(said)
    return [one for one in known if one != "null"]


def _type(name: str) -> str:
    return name if name in _TYPES else _OTHER_NAMES.get(name, "")


def _implied(said: Mapping[str, Json]) -> list[str]:
    if "properties" in said or isinstance(said.get("additionalProperties"), dict):
        return ["object"]
    if "items" in said:
        return ["array"]
    choices = [choice for choice in as_list(said.get("enum")) if choice is not None]
    return ["string"] if choices and all(isinstance(choice, str) for choice in choices) else []


def kept_rules(said: Mapping[str, Json], types: list[str], document: Document) -> Object:
    """Return the rules of `said` that can be kept, numbers bounded; what cannot be read is a finding."""
    rules: Object = {}
    if {"integer", "number"} & {*types}:
        rules |= _of_numbers(said, types)
    if "string" in types:
        rules |= _of_texts(said, document)
    if "array" in types:
        rules |= _counts(said, ("minItems", "maxItems"))
    choices = [said["const"]] if "const" in said else as_list(said.get("enum"))
    if choices and "array" not in types:
        rules |= _choices(choices, types, document)
    if "enum" in rules:
        rules = {"enum": rules["enum"]}
    return rules


def _of_numbers(said: Mapping[str, Json], types: list[str]) -> Object:
    rules: Object = {}
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        limit = said.get(bound)
        if said.get(exclusive) is True and _is_number(limit):  # OpenAPI 3.0 says so with a truth value
            rules[exclusive] = limit
            continue
        rules |= {name: said[name] for name in (bound, exclusive) if _is_number(said.get(name))}
    if "integer" in types:
        if not {"minimum", "exclusiveMinimum"} & {*rules} or rules.get("minimum", 0) < -LARGEST:
            rules["minimum"] = -LARGEST
        if not {"maximum", "exclusiveMaximum"} & {*rules} or rules.get("maximum", 0) > LARGEST:
            rules["maximum"] = LARGEST
    return rules


def _of_texts(said: Mapping[str, Json], document: Document) -> Object:
    rules = _counts(said, ("minLength", "maxLength"))
    if as_text(said.get("format")) in _FORMATS:
        rules["format"] = said["format"]
    pattern = said.get("pattern")
    if isinstance(pattern, str):
        try:
            compile_schema({"pattern": pattern})
            rules["pattern"] = pattern
        except SchemaInvalid:
            document.note(f"The pattern {pattern[:80]!r} cannot be read, and is not checked.")
    return rules


def _counts(said: Mapping[str, Json], names: tuple[str, str]) -> Object:
    kept: Object = {name: said[name] for name in names if _is_count(said.get(name))}
    return {} if len(kept) == len(names) and kept[names[0]] > kept[names[1]] else kept


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _choices(choices: list[Json], types: list[str], document: Document) -> Object:
    fitting = [choice for choice in choices if choice is not None and (not types or _fits(choice, types))]
    if not fitting and types == ["string"]:
        document.note("A list of choices for a text holds none; YAML may have read them as something else.")
        fitting = [_as_written(choice) for choice in choices if choice is not None]
    elif len(fitting) < len([choice for choice in choices if choice is not None]):
        document.note("A list of choices holds some that are not of the type it is for; they are left out.")
    once = distinct(fitting)
    return {"enum": once} if once else {}


def distinct(values: Iterable[Json]) -> list[Json]:
    """Return `values`, each once."""
    found = dict[Json, Json]()
    for value in values:
        is_plain = not isinstance(value, dict | list)
        found.setdefault(value if is_plain else (json.dumps(value, sort_keys=True),), value)
    return list(found.values())


def _fits(choice: Json, types: list[str]) -> bool:
    return any(_FITS[one](choice) for one in types if one in _FITS)


def _as_written(choice: Json) -> str:
    return str(choice).lower() if isinstance(choice, bool) else str(choice)


def short(text: str, longest: int) -> str:
    """Return the beginning of `text` without markup, whole sentences where they fit."""
    plain = " ".join(html.unescape(_MARKUP.sub(" ", _LINK.sub(r"\1", text[:4000]))).split())
    if len(plain) <= longest or longest <= 0:
        return plain[:longest] if longest > 0 else ""
    kept = ""
    for sentence in _SENTENCE.split(plain):
        if len(kept) + len(sentence) > longest:
            break
        kept = f"{kept} {sentence}".strip()
    return kept or f"{plain[: longest - 1].rsplit(' ', 1)[0]}…"
