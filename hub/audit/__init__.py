"""The append-only, verifiable record of everything the hub does."""

from hub.audit.events import Event, append, append_many
from hub.audit.kinds import EventKind
from hub.audit.notes import Checkpoint
from hub.audit.reading import AuditEvent, EventFilter, event, events_of, page_of_events, private_values
from hub.audit.sequencer import ensure_checkpoint, keep_sequencing, latest_checkpoint, sequence

__all__ = [
    "AuditEvent",
    "Checkpoint",
    "Event",
    "EventFilter",
    "EventKind",
    "append",
    "append_many",
    "ensure_checkpoint",
    "event",
    "events_of",
    "keep_sequencing",
    "latest_checkpoint",
    "page_of_events",
    "private_values",
    "sequence",
]
