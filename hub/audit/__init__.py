"""The append-only, verifiable record of everything the hub does."""

from hub.audit.checking import CHECKED, check_newest
from hub.audit.erasing import Because, Cause, erase_named, erase_values, latest_of, values_kept
from hub.audit.events import Event, append, append_many, insertions
from hub.audit.evidence import EvidenceOrder, evidence_lines, opened_evidence, verify_evidence
from hub.audit.evidence_format import EvidenceHeader, Policy, is_evidence
from hub.audit.export_format import EventLine
from hub.audit.exports import ExportOrder, export, export_lines
from hub.audit.feeding import FeedOrder, feed_lines
from hub.audit.foreign_formats import ForeignFormat
from hub.audit.judging import Finding, Held, Proof, Report
from hub.audit.kinds import EventKind
from hub.audit.notes import Checkpoint, NoteKey, parse_key
from hub.audit.reading import (
    AuditEvent,
    EventFilter,
    Stretch,
    event,
    events_of,
    open_values,
    page_of_events,
    texts_of,
    values_named,
)
from hub.audit.retention import Class, OldValue, Search, is_body, named, old_values
from hub.audit.rotating import rotate_key
from hub.audit.sequencer import ensure_checkpoint, keep_sequencing, latest_checkpoint, note_keys, sequence
from hub.audit.verify import verify_export
from hub.audit.witnesses import Herald, Witness, witness_from

__all__ = [
    "CHECKED",
    "AuditEvent",
    "Because",
    "Cause",
    "Checkpoint",
    "Class",
    "Event",
    "EventFilter",
    "EventKind",
    "EventLine",
    "EvidenceHeader",
    "EvidenceOrder",
    "ExportOrder",
    "FeedOrder",
    "Finding",
    "ForeignFormat",
    "Held",
    "Herald",
    "NoteKey",
    "OldValue",
    "Policy",
    "Proof",
    "Report",
    "Search",
    "Stretch",
    "Witness",
    "append",
    "append_many",
    "check_newest",
    "ensure_checkpoint",
    "erase_named",
    "erase_values",
    "event",
    "events_of",
    "evidence_lines",
    "export",
    "export_lines",
    "feed_lines",
    "insertions",
    "is_body",
    "is_evidence",
    "keep_sequencing",
    "latest_checkpoint",
    "latest_of",
    "named",
    "note_keys",
    "old_values",
    "open_values",
    "opened_evidence",
    "page_of_events",
    "parse_key",
    "rotate_key",
    "sequence",
    "texts_of",
    "values_kept",
    "values_named",
    "verify_evidence",
    "verify_export",
    "witness_from",
]
