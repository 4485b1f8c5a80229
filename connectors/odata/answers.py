"""Reading what a service answers: records without control information, lists page by page, and errors in its words."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import urlsplit

from connectors.odata import edm
from connectors.openapi.document import as_list, as_object, as_text
from connectors.sdk.errors import Accepted, Refused, Unreadable
from connectors.sdk.wire import WireResponse

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

_DEEPEST: Final = 8
_ERROR: Final = 4
"""What `numericSeverity` says of an error. Source: SAP vocabulary Common, NumericMessageSeverityType."""
_LONGEST: Final = 300


def json_of(response: WireResponse, *, is_safe: bool) -> Object:
    """Return the object that an answer holds; an empty answer is an empty object.

    Raises:
        Unreadable, Accepted: it is no JSON object; a write was accepted all the same.
    """
    if not response.body.strip():
        return {}
    try:
        said = json.loads(response.body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise _strange(response, is_safe=is_safe) from error
    if not isinstance(said, dict):
        raise _strange(response, is_safe=is_safe)
    return cast("Object", said)


def _strange(response: WireResponse, *, is_safe: bool) -> Unreadable | Accepted:
    said = "The service answered with something that is no OData."
    return Unreadable(said) if is_safe else Accepted(said, {"text": response.body[:500]})


def fitted(schema: Mapping[str, Json], value: Json, depth: int = _DEEPEST) -> Json:
    """Return what of `value` is as `schema` says; what is null, unknown or odd is left out."""
    if schema.get("type") == "object" and isinstance(value, dict):
        members, known = cast("Object", value), as_object(schema.get("properties"))
        kept = {name: fitted(known[name], members[name], depth - 1) for name in known if name in members and depth > 0}
        return {name: one for name, one in kept.items() if one is not None}
    if schema.get("type") == "array" and isinstance(value, list):
        items = (fitted(as_object(schema.get("items")), one, depth - 1) for one in cast("list[Json]", value))
        return [one for one in items if one is not None]
    if schema.get("type") in {"object", "array"} or isinstance(value, dict | list):
        return None
    return edm.read(schema, value)


def etag_of(response: WireResponse, record: Mapping[str, Json]) -> str:
    """Return the version of the record read, or an empty text. Source: OData JSON Format 4.01, section 4.6.4."""
    return as_text(record.get("@odata.etag")) or as_text(record.get("@etag")) or response.headers.get("etag", "")


def next_query(answer: Mapping[str, Json], set_name: str) -> str:
    """Return the query of the next page, or an empty text; the list stays where it is, whatever the link says.

    Raises:
        Unreadable: the next page is said to be somewhere else.
    """
    link = as_text(answer.get("@odata.nextLink")) or as_text(answer.get("@nextLink"))
    if not link:
        return ""
    parts = urlsplit(link)
    if parts.path and parts.path.rpartition("/")[2] != set_name:
        raise Unreadable(f"The next page of {set_name} is said to be somewhere else.")
    if not parts.query:
        raise Unreadable(f"The link to the next page of {set_name} asks for nothing.")
    return parts.query


def refuse_messages(record: Mapping[str, Json], member: str) -> None:
    """Return if the messages that stand in `member` of a draft hold no error.

    Raises:
        Refused: they do; it says all of them.
    """
    errors = [*_errors_in(as_list(record.get(member)))] if member else []
    if errors:
        raise Refused(f"The service would not accept it. It says: {' '.join(errors)}"[: 2 * _LONGEST])


def _errors_in(messages: list[Json]) -> Iterator[str]:
    for one in messages:
        said = as_object(one)
        if said.get("numericSeverity") == _ERROR:
            place = as_text(said.get("target")).rpartition("/")[2]
            text = as_text(said.get("message"))[:_LONGEST]
            yield f"{place}: {text}" if place else text
