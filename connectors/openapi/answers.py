"""Reading what an API answers, and fitting it to what its tool declares: an odd member is left out and told of."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from connectors.openapi.document import as_list, as_object
from connectors.sdk.errors import Accepted, ConnectorError, Unreadable
from connectors.sdk.wire import WireResponse

Json = Any
"""Any JSON value."""

_MOST_FINDINGS: Final = 10
_LEFT_OUT: Final = object()


def read_answer(binding: Mapping[str, Json], response: WireResponse, *, is_safe: bool) -> dict[str, Json]:
    """Return what `response` says, as one object: a list stands under `items`, a plain value under `value`.

    Raises:
        Unreadable, Accepted: it should be JSON and is not; a write was accepted all the same.
    """
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if binding["answer"] == "bytes":
        return {"base64": response.body, "media_type": media_type}
    if not response.body.strip():
        return {}
    if binding["answer"] == "text" and "json" not in media_type:
        return {"text": response.body}
    try:
        return as_record(json.loads(response.body))
    except (ValueError, RecursionError) as error:
        if binding["answer"] == "none" or media_type.startswith("text/"):
            return {"text": response.body}
        raise _unreadable(response, is_safe=is_safe) from error


def _unreadable(response: WireResponse, *, is_safe: bool) -> ConnectorError:
    said = "The system answered with something that is not the JSON its document promises."
    return Unreadable(said) if is_safe else Accepted(said, {"text": response.body[:2000]})


def as_record(value: Json) -> dict[str, Json]:
    """Return `value` as one object."""
    if isinstance(value, dict):
        return cast("dict[str, Json]", value)
    return {"items": value} if isinstance(value, list) else {"value": value}


def fitted(record: Mapping[str, Json], schema: Mapping[str, Json]) -> tuple[dict[str, Json], tuple[str, ...]]:
    """Return `record` as `schema` declares it, and what had to be left out for it. A null is nothing, and not told."""
    fitting = _Fitting(schema)
    kept = as_object(fitting.kept(dict(record), schema, ""))
    return kept, tuple(fitting.findings[:_MOST_FINDINGS])


class _Fitting:
    def __init__(self, root: Mapping[str, Json]) -> None:
        self._definitions = as_object(root.get("$defs"))
        self.findings = list[str]()

    def kept(self, value: Json, schema: Mapping[str, Json], place: str) -> Json:
        """Return what of `value` keeps to `schema`."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            schema = as_object(self._definitions.get(reference.rpartition("/")[2]))
        types = as_list(schema.get("type")) or [schema["type"]] if "type" in schema else []
        if types and not any(_is(one, value) for one in types):
            return self._converted(value, types, place)
        if isinstance(value, dict):
            return self._members(cast("dict[str, Json]", value), schema, place)
        if isinstance(value, list):
            inner = as_object(schema.get("items"))
            items = [
                self.kept(item, inner, f"{place}/{number}") for number, item in enumerate(cast("list[Json]", value))
            ]
            return [item for item in items if item is not _LEFT_OUT]
        return value

    def _members(self, value: dict[str, Json], schema: Mapping[str, Json], place: str) -> Json:
        known, others = as_object(schema.get("properties")), as_object(schema.get("additionalProperties"))
        members = {
            name: self.kept(member, as_object(known.get(name, others)), f"{place}/{name}")
            for name, member in value.items()
        }
        return {name: member for name, member in members.items() if member is not _LEFT_OUT}

    def _converted(self, value: Json, types: list[Json], place: str) -> Json:
        if value is None:
            return _LEFT_OUT
        if "string" in types and isinstance(value, int | float):
            return json.dumps(value)
        if "number" in types and isinstance(value, str) and (number := _number(value)) is not None:
            return number
        self.findings.append(f"{place} is not what the document says ({' or '.join(types)}), and is left out.")
        return _LEFT_OUT


def _number(text: str) -> Json:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _is(name: str, value: Json) -> bool:
    match name:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)
