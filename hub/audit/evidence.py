"""Evidence: all that the log holds on one invocation, written and verified as one file."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

from sqlalchemy import ColumnElement, or_, select

from hub.audit.erasing import erasing_events_of
from hub.audit.events import Event, append
from hub.audit.evidence_format import (
    EvidenceHeader,
    Policy,
    evidence_header_line,
    page_line,
    read_evidence_header,
    read_page,
)
from hub.audit.evidence_page import page_of
from hub.audit.export_format import EventLine, event_line, read_event
from hub.audit.exports import ExportedEvent, open_fields
from hub.audit.judging import Finding, Held, Judge, Proof, Report, judge_of
from hub.audit.kinds import EventKind
from hub.audit.merkle import inclusion_ranges
from hub.audit.notes import Checkpoint
from hub.audit.sequencer import ensure_checkpoint, note_keys
from hub.audit.tables import EventRow
from hub.audit.tiles import Prover
from hub.core.canonical import read_canonical
from hub.core.errors import Malformed, NotFound
from hub.keys import Keyring
from hub.storage import Database, Tx

PolicyText = Callable[[Tx, str], Awaitable[Policy | None]]
"""Returns the policy with a digest, or None where it is not on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceOrder:
    """On what evidence is asked for, by whom, and who knows the policies that decided."""

    subject: str
    by: str | None
    policy: PolicyText
    with_values: bool = False


async def evidence_lines(database: Database, keys: Keyring, order: EvidenceOrder) -> AsyncGenerator[bytes]:
    """Yield the lines of evidence, the header first. That it was made is an event of its own.

    Raises:
        NotFound: the log holds nothing about it.
    """
    facts = {"values": order.with_values, "evidence": order.subject}
    async with database.transaction() as tx:
        if await tx.scalar(select(EventRow.id).where(EventRow.subject == order.subject).limit(1)) is None:
            raise NotFound(f"The audit log holds nothing about {order.subject!r}.")
        exported = Event(kind=EventKind.LOG_EXPORTED, subject="audit", actor=order.by, facts=facts)
        event_id = await append(tx, exported, keys)
    checkpoint = await ensure_checkpoint(database, keys, event_id)
    async with database.reading() as tx:
        events = await _events(tx, order.subject, checkpoint)
        opened = await open_fields(tx, events, keys) if order.with_values else {}
        policies = await _policies(tx, events, order.policy)
    header = EvidenceHeader(
        checkpoint=checkpoint.note,
        count=len(events),
        keys=tuple(map(str, note_keys(keys))),
        policies=tuple(policies),
        subject=order.subject,
        values="open" if order.with_values else "closed",
    )
    yield evidence_header_line(header)
    lines = [event_line(one.body, one.position, one.proof, opened.get(one.event_id)) for one in events]
    for line in lines:
        yield line
    yield page_line(page_of(header, [read_event(line)[0] for line in lines]))


def verify_evidence(lines: Iterable[bytes], held: Held | None = None) -> tuple[Report, str]:
    """Return what of evidence's `lines` (each with its newline) holds, and its page, empty where that does not hold.

    As with an export, without keys that the auditor holds the signature proves only that the file agrees with the keys
    it brings. What the file leaves out cannot be seen from it; a whole export shows that.
    """
    report = Report()
    first, *rest = [*lines] or [b""]
    try:
        header = read_evidence_header(first)
    except Malformed as error:
        report.add(Finding(proof=Proof.FORMAT, message=error.message, line=1))
        return report, ""
    judge = judge_of(header, held or Held(), report)
    if judge is None:
        return report, ""
    events = _judged(rest[:-1], judge, report)
    judge.finish()
    report.about = header.subject
    report.first, report.last = (events[0].position, events[-1].position) if events else (0, 0)
    _judge_whole(header, events, report)
    page = _judged_page(rest[-1:], header, events, report)
    return report, page if report.is_sound else ""


def opened_evidence(lines: Sequence[bytes]) -> tuple[EvidenceHeader, list[EventLine]]:
    """Return the header and the events of evidence that was proven.

    Raises:
        Malformed: it was not.
    """
    return read_evidence_header(lines[0]), [read_event(line)[0] for line in lines[1:-1]]


def _judged(lines: Sequence[bytes], judge: Judge, report: Report) -> list[EventLine]:
    events = list[EventLine]()
    for number, line in enumerate(lines, start=2):
        try:
            event, body, proof = read_event(line)
            judge.take(event, body, proof, line=number)
        except Malformed as error:
            report.add(Finding(proof=Proof.FORMAT, message=error.message, line=number))
            continue
        events.append(event)
        report.events += 1
    return events


def _judge_whole(header: EvidenceHeader, events: Sequence[EventLine], report: Report) -> None:
    if len(events) != header.count:
        message = f"{len(events)} events are here; the header says {header.count}."
        report.add(Finding(proof=Proof.COUNT, message=message))
    if any(one.position >= other.position for one, other in pairwise(events)):
        report.add(Finding(proof=Proof.ORDER, message="The events do not stand in the order of the log."))
    if not any(event.body.get("subject") == header.subject for event in events):
        report.add(Finding(proof=Proof.FORMAT, message="No event here is about what the header names.", line=1))
    decided = _decided_by(event.body for event in events)
    for policy in header.policies:
        if policy.digest not in decided:
            message = f"The policy {policy.digest} is not one that decided here, or its text was changed."
            report.add(Finding(proof=Proof.COMMITMENT, message=message, line=1))


def _judged_page(last: Sequence[bytes], header: EvidenceHeader, events: Sequence[EventLine], report: Report) -> str:
    number = len(events) + 2
    try:
        page = read_page(last[0] if last else b"")
    except Malformed as error:
        report.add(Finding(proof=Proof.FORMAT, message=error.message, line=number))
        return ""
    if report.is_sound and page != page_of(header, events):
        message = "The page does not say what the events say; do not rely on it."
        report.add(Finding(proof=Proof.COMMITMENT, message=message, line=number))
    return page


async def _events(tx: Tx, subject: str, checkpoint: Checkpoint) -> list[ExportedEvent]:
    """Return the events about `subject` under the checkpoint, with those that erased values and announced keys."""
    ids = list(await tx.scalars(select(EventRow.id).where(EventRow.subject == subject)))
    wanted: list[ColumnElement[bool]] = [
        EventRow.subject == subject,
        EventRow.id.in_(await erasing_events_of(tx, ids)),
        EventRow.kind == EventKind.KEY_ROTATED.value,
    ]
    query = select(EventRow.id, EventRow.body, EventRow.position).where(or_(*wanted))
    under = query.where(EventRow.position < checkpoint.size).order_by(EventRow.position)
    rows = (await tx.execute(under)).all()
    proofs = await Prover().prove(tx, [inclusion_ranges(row.position, checkpoint.size) for row in rows])
    return [
        ExportedEvent(event_id=row.id, body=row.body, position=row.position, proof=proof)
        for row, proof in zip(rows, proofs, strict=True)
    ]


async def _policies(tx: Tx, events: Sequence[ExportedEvent], policy: PolicyText) -> list[Policy]:
    digests = _decided_by(read_canonical(event.body) for event in events)
    found = [await policy(tx, digest) for digest in sorted(digests)]
    return [one for one in found if one is not None]


def _decided_by(bodies: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the digests of the policies by which these events say that something was decided."""
    facts = [body.get("facts") for body in bodies]
    named = [cast("Mapping[str, Any]", one).get("policy_digest") for one in facts if isinstance(one, Mapping)]
    return {digest for digest in named if isinstance(digest, str)}
