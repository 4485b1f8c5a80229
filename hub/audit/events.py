"""Events, and appending them in the transaction of the change they record."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Table, insert

from hub.audit.kinds import EventKind
from hub.audit.tables import EventRow, ValueRow
from hub.core.canonical import canonical_json
from hub.core.ids import new_id
from hub.keys import Keyring
from hub.storage import Insertion, Tx, now

Json = Any
"""Any JSON value."""

SALT_BYTES: Final = 16
_INSERT_EVENTS: Final = insert(cast("Table", EventRow.__table__))
_INSERT_VALUES: Final = insert(cast("Table", ValueRow.__table__))
"""Past the ORM, which has nothing to add to rows that are complete."""

TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
"""How a body says when: UTC, microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `facts` are hashed as they are; `private` values only as salted commitments."""

    kind: EventKind
    subject: str
    actor: str | None = None
    agent: str | None = None
    on_behalf_of: str | None = None
    trace_id: str | None = None
    run_id: str | None = None
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
    private: Mapping[str, Json] = field(default_factory=dict[str, Json])


def commitment(salt: bytes, value: Json) -> str:
    """Return the hex SHA-256 of `salt` and the canonical JSON of `value`: binding, and silent without the salt."""
    return hash_value(salt, canonical_json(value))


def hash_value(salt: bytes, canonical: bytes) -> str:
    """Return the commitment to the value whose canonical JSON is `canonical`."""
    return hashlib.sha256(salt + canonical).hexdigest()


def value_context(event_id: str, field_name: str) -> str:
    """Return what an encrypted private value is bound to."""
    return f"audit:{event_id}:{field_name}"


async def append(tx: Tx, event: Event, keys: Keyring) -> str:
    """Append `event` in `tx`, and return its id. If this fails, the change it records must fail too."""
    (event_id,) = await append_many(tx, [event], keys)
    return event_id


async def append_many(tx: Tx, events: Sequence[Event], keys: Keyring) -> list[str]:
    """Append `events` with one statement each for events and values; return their ids in order."""
    if not events:
        return []
    written, *values = insertions(events, keys, at=await now(tx))
    for insertion in (written, *values):
        await tx.execute(insertion.statement, insertion.rows)
    return [row["id"] for row in written.rows]


def insertions(events: Sequence[Event], keys: Keyring, *, at: datetime) -> list[Insertion]:
    """Return what appends `events`, of which there is at least one, at `at`, the database's time."""
    written = at.strftime(TIME_FORMAT)
    rows: list[dict[str, Any]] = []
    values: list[dict[str, Any]] = []
    for event in events:
        event_id = new_id("evt")
        sealed = {name: (os.urandom(SALT_BYTES), canonical_json(value)) for name, value in event.private.items()}
        commitments = {name: hash_value(salt, value) for name, (salt, value) in sealed.items()}
        rows.append(
            {
                "id": event_id,
                "kind": event.kind.value,
                "subject": event.subject,
                "actor": event.actor,
                "at": at,
                "body": _body(event, event_id, written, commitments),
            }
        )
        values += [
            {
                "event_id": event_id,
                "field": name,
                "sealed": keys.encrypt(salt + value, context=value_context(event_id, name)),
            }
            for name, (salt, value) in sealed.items()
        ]
    made = [Insertion(_INSERT_EVENTS, rows)]
    return [*made, Insertion(_INSERT_VALUES, values)] if values else made


def _body(event: Event, event_id: str, at: str, commitments: Mapping[str, str]) -> bytes:
    return canonical_json(
        {
            "v": 1,
            "id": event_id,
            "kind": event.kind.value,
            "at": at,
            "subject": event.subject,
            "actor": event.actor,
            "agent": event.agent,
            "on_behalf_of": event.on_behalf_of,
            "trace_id": event.trace_id,
            "run_id": event.run_id,
            "facts": dict(event.facts),
            "commitments": dict(commitments),
        }
    )
