"""The vocabulary of events, and appending them in the transaction of the change they record."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert

from hub.audit.tables import EventRow, ValueRow
from hub.core.canonical import canonical_json
from hub.core.ids import new_id
from hub.keys import Keyring
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

SALT_BYTES = 16


class EventKind(StrEnum):
    """Everything that can have happened."""

    INVOCATION_RECEIVED = "invocation.received"
    INVOCATION_READ = "invocation.read"
    INVOCATION_DENIED = "invocation.denied"
    INVOCATION_REFUSED = "invocation.refused"
    INVOCATION_PREVIEWING = "invocation.previewing"
    INVOCATION_PREVIEWED = "invocation.previewed"
    INVOCATION_PREVIEW_FAILED = "invocation.preview_failed"
    INVOCATION_APPROVAL_REQUESTED = "invocation.approval_requested"
    INVOCATION_APPROVED = "invocation.approved"
    INVOCATION_REJECTED = "invocation.rejected"
    INVOCATION_EXPIRED = "invocation.expired"
    INVOCATION_CANCELLED = "invocation.cancelled"
    INVOCATION_STALE = "invocation.stale"
    COMMIT_CLAIMED = "commit.claimed"
    COMMIT_RELEASED = "commit.released"
    COMMIT_SENT = "commit.sent"
    COMMIT_RESENDING = "commit.resending"
    COMMIT_COMMITTED = "commit.committed"
    COMMIT_FAILED = "commit.failed"
    COMMIT_IN_DOUBT = "commit.in_doubt"
    COMMIT_NOT_APPLIED = "commit.not_applied"
    COMMIT_VERIFIED = "commit.verified"
    COMMIT_DIVERGED = "commit.diverged"
    COMMIT_UNVERIFIABLE = "commit.unverifiable"
    COMMIT_RESOLVED = "commit.resolved"
    VOTE_CAST = "vote.cast"
    VOTE_REFUSED = "vote.refused"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_RESUMED = "account.resumed"
    AGENT_CREATED = "agent.created"
    AGENT_CHANGED = "agent.changed"
    AGENT_SUSPENDED = "agent.suspended"
    AGENT_RESUMED = "agent.resumed"
    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    CONSENT_GIVEN = "consent.given"
    CONSENT_DENIED = "consent.denied"
    TOKEN_ISSUED = "token.issued"  # noqa: S105  # the name of an event
    TOKEN_REVOKED = "token.revoked"  # noqa: S105  # the name of an event
    TOKEN_REUSE_DETECTED = "token.reuse_detected"  # noqa: S105  # the name of an event
    CONNECTOR_REGISTERED = "connector.registered"
    CONNECTION_CREATED = "connection.created"
    CONNECTION_CHANGED = "connection.changed"
    CONNECTION_DISABLED = "connection.disabled"
    TOOL_VERSION_PUBLISHED = "tool.version_published"
    TOOL_CHANGED = "tool.changed"
    TOOL_QUARANTINED = "tool.quarantined"
    TOOL_RELEASED = "tool.released"
    TOOL_TIER_RAISED = "tool.tier_raised"
    SERVER_CHANGED = "server.changed"
    BUNDLE_PUBLISHED = "bundle.published"
    KEY_ROTATED = "key.rotated"
    BODIES_READ = "bodies.read"
    LOG_EXPORTED = "log.exported"


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
    return hashlib.sha256(salt + canonical_json(value)).hexdigest()


def value_context(event_id: str, field_name: str) -> str:
    """Return what an encrypted private value is bound to."""
    return f"audit:{event_id}:{field_name}"


async def append(tx: Tx, event: Event, keys: Keyring) -> str:
    """Append `event` in `tx`, and return its id. If this fails, the change it records must fail too."""
    (event_id,) = await append_many(tx, [event], keys)
    return event_id


async def append_many(tx: Tx, events: Sequence[Event], keys: Keyring) -> list[str]:
    """Append `events` with one statement each for events and values; return their ids in order."""
    at = await now(tx)
    rows: list[dict[str, Any]] = []
    values: list[dict[str, Any]] = []
    for event in events:
        event_id = new_id("evt")
        salts = {name: os.urandom(SALT_BYTES) for name in event.private}
        body = _body(event, event_id, at, salts)
        rows.append(
            {
                "id": event_id,
                "kind": event.kind.value,
                "subject": event.subject,
                "actor": event.actor,
                "at": at,
                "body": body,
            }
        )
        for name, value in event.private.items():
            plain = salts[name] + canonical_json(value)
            sealed = keys.encrypt(plain, context=value_context(event_id, name))
            values.append({"event_id": event_id, "field": name, "sealed": sealed})
    await tx.execute(insert(EventRow), rows)
    if values:
        await tx.execute(insert(ValueRow), values)
    return [row["id"] for row in rows]


def _body(event: Event, event_id: str, at: datetime, salts: Mapping[str, bytes]) -> bytes:
    return canonical_json(
        {
            "v": 1,
            "id": event_id,
            "kind": event.kind.value,
            "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "subject": event.subject,
            "actor": event.actor,
            "agent": event.agent,
            "on_behalf_of": event.on_behalf_of,
            "trace_id": event.trace_id,
            "run_id": event.run_id,
            "facts": dict(event.facts),
            "commitments": {name: commitment(salts[name], value) for name, value in event.private.items()},
        }
    )
