"""Specs as they are stored, written and read operation by operation: thousands of them hold nobody else up.

A release never changes, so that what was read of one is read again only when nobody holds it any more.
"""

import asyncio
import json
from typing import Any, Final
from weakref import WeakValueDictionary

from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.registry.tables import ReleaseRow
from hub.storage import Tx

Json = Any
"""Any JSON value."""

_SHORT: Final = 65_536
"""Characters that are read in one go, in less than a millisecond."""
_OPERATIONS: Final = ',"operations":['
"""What stands before the operations, which come last; in texts quotes are escaped, and no other part is called so."""
_DECODER: Final = json.JSONDecoder()
_KNOWN: Final[WeakValueDictionary[str, ConnectorSpec]] = WeakValueDictionary()
"""Releases that somebody holds, by their ids."""


async def release_spec(tx: Tx, release_id: str) -> ConnectorSpec:
    """Return what stands in a release that there is."""
    known = _KNOWN.get(release_id)
    if known is None:
        stored = (await tx.execute(select(ReleaseRow.spec).where(ReleaseRow.id == release_id))).scalar_one()
        known = _KNOWN[release_id] = await read_spec(stored)
    return known


async def read_spec(stored: str) -> ConnectorSpec:
    """Return the spec that `spec_text` has written."""
    if len(stored) <= _SHORT:
        return ConnectorSpec.model_validate_json(stored)
    return await asyncio.to_thread(_read_one_by_one, stored)


def spec_text(spec: ConnectorSpec) -> str:
    """Return `spec` as it is stored: its JSON, in the order in which it was written."""
    head = spec.model_dump_json(exclude={"operations"})
    return f"{head[:-1]}{_OPERATIONS}{','.join(one.model_dump_json() for one in spec.operations)}]}}"


def _read_one_by_one(stored: str) -> ConnectorSpec:
    """Return the spec: a thread lets the loop go on between two operations, and not while it reads all of them."""
    head, _, listed = stored.partition(_OPERATIONS)
    operations, at = list[OperationSpec](), 0
    while listed[at] != "]":
        operation, at = _DECODER.raw_decode(listed, at)
        operations.append(OperationSpec.model_validate(operation))
        at += listed[at] == ","
    members: dict[str, Json] = json.loads(f"{head}}}")
    return ConnectorSpec.model_validate({**members, "operations": operations})
