"""The append-only, verifiable record of everything the hub does."""

from hub.audit.events import Event, EventKind, append, append_many
from hub.audit.notes import Checkpoint
from hub.audit.sequencer import ensure_checkpoint, latest_checkpoint, sequence

__all__ = [
    "Checkpoint",
    "Event",
    "EventKind",
    "append",
    "append_many",
    "ensure_checkpoint",
    "latest_checkpoint",
    "sequence",
]
