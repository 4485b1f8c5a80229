"""Trials: a write carried out in a draft of the API's own, looked at there, and the draft removed again."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

from connectors.openapi.answers import read_answer
from connectors.openapi.document import as_object
from connectors.openapi.requests import request_for
from connectors.sdk.errors import Unreadable
from connectors.sdk.pointer import resolve
from connectors.sdk.wire import WireRequest, WireResponse

Json = Any
"""Any JSON value."""

Send = Callable[[Mapping[str, Json], WireRequest], Awaitable[WireResponse]]
"""Sends a request that a binding has made, and raises what a refusal proves."""


async def tried(trial: Mapping[str, Json], known: Mapping[str, Json], send: Send) -> dict[str, Json]:
    """Return what the API answers to a look at the draft in which the write has been carried out.

    Raises:
        ConnectorError: a step was refused; the draft is removed all the same.
    """
    known = {**known, "trial": f"hub-{uuid4().hex[:12]}"}
    opened = resolve(await _step(trial["open"], known, send), trial["opened"])
    if opened is None:
        raise Unreadable("The system did not say which draft it has opened.")
    known = {**known, "opened": opened}
    try:
        await _step(trial["write"], known, send)
        return await _step(trial["look"], known, send)
    finally:
        await _step(trial["close"], known, send)


async def _step(step: Mapping[str, Json], known: Mapping[str, Json], send: Send) -> dict[str, Json]:
    found = {name: resolve(known, pointer) for name, pointer in step["arguments"].items()}
    properties = as_object(step["schema"]["properties"])
    arguments = {name: _as_declared(value, as_object(properties.get(name))) for name, value in found.items()}
    request = request_for(step["request"], step["schema"], {**step["constants"], **arguments})
    return read_answer(step["request"], await send(step["request"], request), is_safe=True)


def _as_declared(value: Json, schema: Mapping[str, Json]) -> Json:
    """Return a number as a text where a text is asked for: ids are one or the other, by the place they stand in."""
    return str(value) if schema.get("type") == "string" and isinstance(value, int) else value
