"""Writing parameters as a document demands: every style, with or without explode.

Source: RFC 6570 (URI templates) as OpenAPI 3.1.1 section 4.8.12.4 applies it, and Swagger 2.0's collection formats.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import quote

Json = Any
"""Any JSON value, in which a Decimal stands for a number of exactly those digits."""

Pairs = list[tuple[str, str]]

_DELIMITERS: Final = {"spaceDelimited": "%20", "pipeDelimited": "%7C", "tabDelimited": "%09"}
_RESERVED_IN_VALUES: Final = ":/?@!$'()*,;="
"""The reserved characters that mean nothing by themselves in the value of a query: not `&`, `+`, `#`, `[` and `]`."""
_TRIPLE: Final = re.compile(r"(%[0-9A-Fa-f]{2})")


def text_of(value: Json) -> str:
    """Return a plain value as text; what is none, as JSON."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, Decimal) else json_text(value)


def json_text(value: Json) -> str:
    """Return `value` as JSON, numbers with the digits they have."""
    match value:
        case dict():
            members = cast("dict[str, Json]", value).items()
            return (
                "{"
                + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{json_text(one)}" for name, one in members)
                + "}"
            )
        case list():
            return "[" + ",".join(map(json_text, cast("list[Json]", value))) + "]"
        case Decimal():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)


def escaped(text: str, *, allow_reserved: bool = False) -> str:
    """Return `text` with what is not unreserved in escapes; reserved characters may be allowed to stand.

    Source: RFC 6570 section 3.2.1 and, for reserved characters and escapes that pass, section 3.2.3.
    """
    if not allow_reserved:
        return quote(text, safe="")
    parts = _TRIPLE.split(text)
    return "".join(part if _TRIPLE.fullmatch(part) else quote(part, safe=_RESERVED_IN_VALUES) for part in parts)


def _listed(value: Json, *, escape: Callable[[str], str], explode: bool) -> list[str]:
    """Return the parts of a list or an object: `a`, `b`, or `k`, `v`, or with explode `k=v`."""
    if isinstance(value, list):
        return [escape(text_of(item)) for item in cast("list[Json]", value)]
    pairs = [(escape(name), escape(text_of(one))) for name, one in cast("dict[str, Json]", value).items()]
    return [f"{name}={one}" for name, one in pairs] if explode else [part for pair in pairs for part in pair]


def in_path(binding: Mapping[str, Json], value: Json) -> str:
    """Return `value` as it stands in a path."""
    name, style, explode = escaped(binding["name"]), binding["style"], bool(binding.get("explode"))
    if not isinstance(value, list | dict):
        plain = escaped(text_of(value))
        prefix = {"label": ".", "matrix": f";{name}=" if plain else f";{name}"}.get(style, "")
        return f"{prefix}{plain}"
    parts = _listed(value, escape=escaped, explode=explode)
    if style == "label":
        return "." + ("." if explode else ",").join(parts)
    if style == "matrix" and explode:
        named = [f"{name}={part}" for part in parts] if isinstance(value, list) else parts
        return "".join(f";{part}" for part in named)
    if style == "matrix":
        return f";{name}={','.join(parts)}"
    return _DELIMITERS.get(style, ",").join(parts)


def in_query(binding: Mapping[str, Json], value: Json) -> list[str]:
    """Return the parts of a query that say `value`, each `name=value`."""
    allow_reserved = bool(binding.get("reserved"))
    name, style, explode = escaped(binding["name"]), binding["style"], bool(binding.get("explode"))

    def escape(text: str) -> str:
        return escaped(text, allow_reserved=allow_reserved)

    if not isinstance(value, list | dict):
        return [f"{name}={escape(text_of(value))}"]
    if style == "deepObject":
        return [f"{escaped(key)}={escape(one)}" for key, one in in_brackets(binding["name"], value)]
    if not value:
        return []
    parts = _listed(value, escape=escape, explode=explode)
    if explode:
        return [f"{name}={part}" for part in parts] if isinstance(value, list) else parts
    return [f"{name}={_DELIMITERS.get(style, ',').join(parts)}"]


def in_header(binding: Mapping[str, Json], value: Json) -> str:
    """Return `value` as it stands in a header, where nothing is escaped. Source: OpenAPI 3.1.1 appendix D."""
    if not isinstance(value, list | dict):
        return text_of(value)
    parts = _listed(value, escape=str, explode=bool(binding.get("explode")))
    return {"spaceDelimited": " ", "pipeDelimited": "|", "tabDelimited": "\t"}.get(binding["style"], ",").join(parts)


def in_brackets(name: str, value: Json) -> Iterator[tuple[str, str]]:
    """Yield names and values of what is in `value`, the way to each in brackets: `deal[lines][0][price]`."""
    match value:
        case dict():
            for key, one in cast("dict[str, Json]", value).items():
                yield from in_brackets(f"{name}[{key}]", one)
        case list():
            for number, one in enumerate(cast("list[Json]", value)):
                yield from in_brackets(f"{name}[{number}]", one)
        case _:
            yield name, text_of(value)
