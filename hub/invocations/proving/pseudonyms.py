"""Taking classified values out of what is recorded: each by the same made-up one everywhere, so that it still fits.

A field is classified where a schema of the connector marks it: `x-secret: true`, or `x-data-class` with any class.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import quote, unquote

from connectors.sdk import xml_rpc
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.wire import WireRequest
from hub.core.errors import InputError
from hub.invocations.proving.bodies import fields_in
from hub.invocations.proving.hiding import Hiding

Json = Any
"""Any JSON value."""

_LEAST_NUMBER: Final = 1000
"""Smaller numbers are replaced only as values of classified fields: elsewhere they are counts and versions."""
_NUMBERS: Final = frozenset({"int", "i4", "i8", "double"})
_BETWEEN: Final = re.compile(r"[\[\].]+")
"""Stands between the names of a field in a form: `address[street]`, `address.street`."""
_LEGAL: Final = "@:!$&'()*+,;="
"""What some writers escape in a path and others do not. Source: RFC 3986 section 3.3."""
_NUMBER: Final = re.compile(r"(?:(?<![\w.:-])|(?<=%[0-9A-Fa-f]{2}))-?\d+(?:\.\d+)?(?!\w|[.:-]\d)")
"""A number that stands by itself: no part of a word, a moment, a version or an address."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


class Pseudonyms:
    """Made-up values for classified ones. First `learn` everything that was said, then `text` and `json` replace."""

    def __init__(self, spec: ConnectorSpec, secrets: Iterable[str]) -> None:
        """Raise InputError if an operation has data classes and does not say which fields they are about."""
        self._fields = frozenset(name for one in spec.operations for name in _classified_fields(one))
        self._texts: dict[str, str] = {}
        self._hiding: Hiding | None = None
        self._numbers: dict[int | float, int | float] = {}
        for secret in secrets:
            self._learn_text(secret)
            self._learn_text(base64.b64encode(secret.encode()).decode().rstrip("="))

    def learn(self, value: Json) -> None:
        """Take note of the classified values in `value`."""
        for found in _values_of(value, self._fields):
            self._learn(found)

    def learn_text(self, text: str | None) -> None:
        """Take note of the classified values in `text`, if it is JSON or XML-RPC."""
        parsed = _parsed(text)
        if parsed is not None:
            self.learn(parsed)
        elif text and text.lstrip().startswith("<"):
            self._in_xml(text, self._learn_leaf)

    def learn_question(self, request: WireRequest) -> None:
        """Take note of the classified values in the query and the body of `request`."""
        types = [value for name, value in request.headers.items() if name.lower() == "content-type"]
        for name, text in [*request.asked, *fields_in(request.content or b"", "".join(types))]:
            if isinstance(_parsed(text), dict | list) and self._is_classified(name):
                self.learn({name: _parsed(text)})
            elif self._is_classified(name) and _number(text) not in self._numbers:
                self._learn_text(text)
            self.learn_text(text)
        self.learn_text((request.content or b"").decode("utf-8", "replace"))

    def text(self, text: str) -> str:
        """Return `text` without classified values, as JSON where it is JSON."""
        parsed = _parsed(text)
        if isinstance(parsed, dict | list):
            return json.dumps(self.json(parsed))
        if text.lstrip().startswith("<"):
            return self._in_xml(text, self._leaf_in_xml)
        return self._without(text)

    def _in_xml(self, text: str, leaf: Callable[[str, str, frozenset[str]], str]) -> str:
        """Return `text` with each value of its XML-RPC as `leaf` says; what is other XML is taken as plain text."""
        try:
            return xml_rpc.rewritten(text, leaf)
        except xml_rpc.NotXmlRpc:
            return self._without(text)

    def _learn_leaf(self, kind: str, text: str, members: frozenset[str]) -> str:
        if members & self._fields and kind != "boolean":
            self._learn(_number(text) if kind in _NUMBERS else text)
        return text

    def _leaf_in_xml(self, kind: str, text: str, members: frozenset[str]) -> str:
        is_classified = bool(members & self._fields)
        if kind == "boolean":
            return "0" if is_classified else text
        return str(self._leaf(_number(text) if kind in _NUMBERS else text, is_classified=is_classified))

    def field(self, name: str, text: str) -> str:
        """Return the text that stands under `name` in a form or a query, without classified values."""
        is_classified, parsed = self._is_classified(name), _parsed(text)
        if isinstance(parsed, dict | list):
            return json.dumps(self.json(parsed, is_classified=is_classified))
        if not is_classified:
            return self.text(text)
        number = _number(text)
        if text in self._texts or isinstance(number, str):
            return self._texts.get(text) or self.text(text)
        return str(self._numbers.get(number, text))

    def content(self, content: bytes) -> bytes:
        """Return bytes without classified values that stand in them as they are."""
        return self._known.content(content)

    def path(self, path: str) -> str:
        """Return a path without classified values, large numbers included."""
        return "/".join(map(self._segment, path.split("/")))

    def _segment(self, segment: str) -> str:
        meant = unquote(segment)
        masked = self._without(meant)
        return segment if masked == meant else quote(masked, safe="".join({*_LEGAL} & {*segment}))

    def _is_classified(self, name: str) -> bool:
        return not self._fields.isdisjoint(_BETWEEN.split(name))

    @property
    def _known(self) -> Hiding:
        if self._hiding is None:
            self._hiding = Hiding(self._texts)
        return self._hiding

    def json(self, value: Json, *, is_classified: bool = False) -> Json:
        """Return `value` without classified values."""
        if isinstance(value, dict):
            members = cast("dict[str, Json]", value)
            return {
                self._without(name): self.json(member, is_classified=is_classified or name in self._fields)
                for name, member in members.items()
            }
        if isinstance(value, list):
            return [self.json(one, is_classified=is_classified) for one in cast("list[Json]", value)]
        return self._leaf(value, is_classified=is_classified)

    def _leaf(self, value: Json, *, is_classified: bool) -> Json:
        if isinstance(value, bool):
            return value and not is_classified
        if isinstance(value, int | float):
            is_meant = is_classified or abs(value) >= _LEAST_NUMBER
            return self._numbers.get(value, value) if is_meant else value
        if not isinstance(value, str):
            return value
        return self._texts.get(value, value) if is_classified else self._without(value)

    def _without(self, text: str) -> str:
        return _NUMBER.sub(self._large, self._known.text(text))

    def _large(self, found: re.Match[str]) -> str:
        number = _number(found[0])
        is_meant = not isinstance(number, str) and abs(number) >= _LEAST_NUMBER
        return str(self._numbers[number]) if is_meant and number in self._numbers else found[0]

    def _learn(self, value: Json) -> None:
        if isinstance(value, bool) or value is None:
            return
        if isinstance(value, int | float):
            number = len(self._numbers) + 1
            self._numbers.setdefault(value, number if isinstance(value, int) else float(number))
        elif isinstance(value, str):
            self._learn_text(value)

    def _learn_text(self, text: str) -> None:
        if text and text not in self._texts and text not in self._texts.values():
            self._texts[text] = _made_up(text, len(self._texts) + 1)
            self._hiding = None


class AsItStands:
    """Writes what is asked as a recording does, of whose values none is classified any more."""

    def text(self, text: str) -> str:
        """Return `text` with JSON and XML-RPC in one way."""
        return rewritten(text)

    def field(self, name: str, text: str) -> str:
        """Return the text of a field, whatever its name."""
        del name
        return rewritten(text)

    def path(self, path: str) -> str:
        """Return `path`."""
        return path

    def content(self, content: bytes) -> bytes:
        """Return `content`."""
        return content


def rewritten(text: str) -> str:
    """Return `text` as a recording writes it: JSON and XML-RPC in one way, all else as it is."""
    parsed = _parsed(text)
    if isinstance(parsed, dict | list):
        return json.dumps(parsed)
    try:
        return xml_rpc.rewritten(text, lambda kind, value, _: str(_number(value)) if kind in _NUMBERS else value)
    except xml_rpc.NotXmlRpc:
        return text


def _number(text: str) -> int | float | str:
    """Return the number that `text` says, in whatever way it is written."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _classified_fields(operation: OperationSpec) -> frozenset[str]:
    schemas = (operation.input_schema, operation.output_schema)
    fields = frozenset(name for schema in schemas for name in _marked(schema))
    if operation.data_classes and not fields:
        classes = ", ".join(operation.data_classes)
        raise InputError(
            f"{operation.name} has data of the classes {classes}, and none of its fields says which: mark them, for "
            'example by Field(json_schema_extra={"x-data-class": "personal"}). Nothing was recorded.'
        )
    return fields


def _marked(schema: Json) -> Iterator[str]:
    """Yield the names of the fields that `schema` marks, at any depth."""
    if isinstance(schema, list):
        for one in cast("list[Json]", schema):
            yield from _marked(one)
    if not isinstance(schema, dict):
        return
    members = cast("dict[str, Json]", schema)
    properties = members.get("properties")
    if isinstance(properties, dict):
        fields = cast("dict[str, Json]", properties)
        yield from (name for name, one in fields.items() if _is_marked(one))
    for member in members.values():
        yield from _marked(member)


def _is_marked(schema: Json) -> bool:
    marks = cast("dict[str, Json]", schema) if isinstance(schema, dict) else {}
    return marks.get("x-secret") is True or bool(marks.get("x-data-class"))


def _values_of(value: Json, fields: frozenset[str], *, is_classified: bool = False) -> Iterator[Json]:
    """Yield the single values under the names in `fields`, at any depth."""
    if isinstance(value, Mapping):
        for name, member in cast("Mapping[str, Json]", value).items():
            yield from _values_of(member, fields, is_classified=is_classified or name in fields)
    elif isinstance(value, list | tuple):
        for one in cast("list[Json]", value):
            yield from _values_of(one, fields, is_classified=is_classified)
    elif is_classified:
        yield value


def _made_up(text: str, number: int) -> str:
    """Return something of the same shape that means nothing."""
    if text.isdecimal():
        return str(number).rjust(len(text), "0")
    if "@" in text:
        return f"redacted-{number}@example.invalid"
    if _DATE.fullmatch(text):
        return f"2000-01-{number % 28 + 1:02}"
    return f"redacted-{number}"


def _parsed(text: str | None) -> Json:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
