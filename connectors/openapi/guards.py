"""Guards: the version of a record that a preview found, and how a write says that it must still be so."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from connectors.openapi.bodies import put
from connectors.openapi.serial import escaped
from connectors.sdk.errors import Unreadable
from connectors.sdk.pointer import resolve
from connectors.sdk.wire import WireRequest, WireResponse

Json = Any
"""Any JSON value."""

ETAG: Final = "etag"


def token_of(guard: Mapping[str, Json], response: WireResponse, record: Mapping[str, Json]) -> str:
    """Return the version that a read found: of its ETag header, or of a member of the record.

    Raises:
        Unreadable: there is none.
    """
    if guard["read"] == ETAG:
        token = response.headers.get("etag", "")
    else:
        found = resolve(record, guard["read"])
        token = "" if found is None else found if isinstance(found, str) else json.dumps(found)
    if not token:
        raise Unreadable("The record has no version, and the change may be made only of the version that was seen.")
    return token


def guarded(request: WireRequest, guard: Mapping[str, Json], token: str) -> WireRequest:
    """Return `request` with the version that must still be so."""
    name = str(guard["name"])
    match guard["in"]:
        case "header":
            value = token if guard["read"] == ETAG or token[-1:] == '"' or name != "if-match" else f'"{token}"'
            return request.model_copy(update={"headers": {**request.headers, name: value}})
        case "query":
            query = "&".join([*filter(None, [request.encoded_query]), f"{escaped(name)}={escaped(token)}"])
            return request.model_copy(update={"encoded_query": query})
        case _:
            members = cast("dict[str, Json]", json.loads(request.body or "{}"))
            value = token if guard.get("is_text") else _value(token)
            put(members, name if name.startswith("/") else f"/{name}", value)
            return request.model_copy(update={"body": json.dumps(members)})


def _value(token: str) -> Json:
    """Return the version as it stood in the record: a text stays one, whatever it looks like in JSON."""
    try:
        return json.loads(token)
    except ValueError:
        return token


def refused(guard: Mapping[str, Json], answer: Mapping[str, Json]) -> bool:
    """Return whether `answer` says that nothing was changed, because the version was another."""
    return "empty" in guard and resolve(answer, guard["empty"]) == []
