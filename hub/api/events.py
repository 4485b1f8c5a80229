"""How the API shows an event of the audit log: its facts, and commitments in place of what is private."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from hub.audit import AuditEvent, EventKind


class EventView(BaseModel):
    """Something that happened."""

    id: str
    position: int | None = Field(description="Its place in the tree, from 0; null until it has one.")
    kind: EventKind
    at: datetime
    subject: str
    actor: str | None
    agent: str | None
    on_behalf_of: str | None
    trace_id: str | None
    run_id: str | None
    facts: dict[str, Any]
    commitments: dict[str, str] = Field(description="Salted commitments to the private values, by name.")


def event_view(event: AuditEvent) -> EventView:
    """Return an event as the API shows it."""
    return EventView(
        id=event.id,
        position=event.position,
        kind=event.kind,
        at=event.at,
        subject=event.subject,
        actor=event.actor,
        agent=event.agent,
        on_behalf_of=event.on_behalf_of,
        trace_id=event.trace_id,
        run_id=event.run_id,
        facts=dict(event.facts),
        commitments=dict(event.commitments),
    )
