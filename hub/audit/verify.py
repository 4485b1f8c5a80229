"""Verification of an export: from its lines alone, without the hub, its database or its keys."""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from hub.audit.events import commitment
from hub.audit.export_format import EventLine, Header, decode_proof, read_event, read_header
from hub.audit.kinds import EventKind
from hub.audit.merkle import Frontier, includes, is_consistent, leaf_hash
from hub.audit.notes import Checkpoint, NoteKey, decode_base64, has_signed, origin_from, parse_key, read_checkpoint
from hub.core.errors import Malformed

MOST_FINDINGS: Final = 100
"""After so many findings the rest is only counted."""


class Proof(StrEnum):
    """What a finding says does not hold."""

    FORMAT = "format"
    SIGNATURE = "signature"
    ORDER = "order"
    COUNT = "count"
    INCLUSION = "inclusion"
    COMMITMENT = "commitment"
    TREE_HEAD = "tree head"
    CONSISTENCY = "consistency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not hold. `line` counts from 1; `position` is the event's number in the log, from 0."""

    proof: Proof
    message: str
    line: int | None = None
    position: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        places = [("line", self.line), ("event", self.position), ("field", self.field)]
        where = ", ".join(f"{name} {value}" for name, value in places if value is not None)
        return f"{where or 'the export'}: {self.proof}: {self.message}"


@dataclass(slots=True, kw_only=True)
class Report:
    """What a verification found. It holds if `findings` is empty."""

    checkpoint: Checkpoint | None = None
    first: int = 0
    events: int = 0
    opened: int = 0
    erased: int = 0
    closed: int = 0
    keys: tuple[str, ...] = ()
    is_key_trusted: bool = False
    continues: int | None = None
    findings: list[Finding] = field(default_factory=list[Finding])
    more_findings: int = 0

    @property
    def is_sound(self) -> bool:
        """Return whether everything in the export is proven."""
        return not self.findings

    def add(self, finding: Finding) -> None:
        """Note `finding`, or only count it when there are many already."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)
        else:
            self.more_findings += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the auditor holds: verifier keys got from the hub's operator beforehand, and an older checkpoint."""

    keys: Sequence[NoteKey] = ()
    checkpoint: str | None = None


def verify_export(
    lines: Iterable[bytes], held: Held | None = None, *, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Return what of an export's `lines` (each with its newline) holds, and where it does not.

    Without keys that the auditor holds, the signature proves only that the export agrees with the keys it brings; a
    checkpoint that the auditor holds shows that nothing before it was rewritten or cut off.
    """
    report = Report()
    each = iter(lines)
    verifier = _begin(next(each, b""), held or Held(), report)
    if verifier is None:
        return report
    for number, line in enumerate(each, start=2):
        verifier.take(number, line)
        if progress is not None:
            progress(number - 1, verifier.header.count)
    verifier.finish()
    return report


def _begin(line: bytes, held: Held, report: Report) -> "_Verifier | None":
    try:
        header = read_header(line)
        own = [parse_key(key) for key in header.keys]
    except Malformed as error:
        report.add(Finding(proof=Proof.FORMAT, message=error.message, line=1))
        return None
    report.keys, report.first = header.keys, header.first
    report.is_key_trusted = bool(held.keys)
    keys = held.keys or own
    try:
        report.checkpoint = read_checkpoint(header.checkpoint, keys)
        _refuse_strange_key(header.checkpoint, held, own)
    except Malformed as error:
        report.add(Finding(proof=Proof.SIGNATURE, message=f"The checkpoint: {error.message}", line=1))
        return None
    verifier = _Verifier(header, report.checkpoint, report)
    verifier.vouch(held, own)
    verifier.expect(held.checkpoint, keys)
    return verifier


def _refuse_strange_key(newest: str, held: Held, own: Sequence[NoteKey]) -> None:
    """Refuse an export that only a key vouches for that did not sign what the auditor holds: whose it is, nobody knows.

    Raises:
        Malformed: so it is, and the auditor holds no keys that would tell.
    """
    if held.keys or held.checkpoint is None:
        return
    signers = [key for key in own if has_signed(key, held.checkpoint)]
    if signers and not any(has_signed(key, newest) for key in signers):
        raise Malformed(
            "It is signed by another key than the checkpoint you hold. If the hub's key was rotated, "
            "get the new verifier key from its operator and give it with --key."
        )


class _Verifier:
    """Takes the lines of one export one by one."""

    def __init__(self, header: Header, checkpoint: Checkpoint, report: Report) -> None:
        self.header = header
        self._checkpoint = checkpoint
        self._report = report
        self._expected = header.first
        self._frontier = Frontier()
        self._older: list[tuple[Checkpoint, str]] = []
        self._roots: dict[int, bytes] = {}
        self._blanks: dict[tuple[str, str], tuple[int, int]] = {}
        self._vouched: set[str] = set()

    def vouch(self, held: Held, own: Sequence[NoteKey]) -> None:
        """Take for this log's the keys that are held, that signed what is held, or that the log's name is made from."""
        self._vouched |= {str(key) for key in held.keys}
        origin = self._checkpoint.origin
        self._vouched |= {str(key) for key in own if key.name == origin == origin_from(key.public)}
        if held.checkpoint is not None:
            self._vouched |= {str(key) for key in own if has_signed(key, held.checkpoint)}

    def expect(self, held: str | None, keys: Sequence[NoteKey]) -> None:
        """Read the older checkpoints that the export must continue: the one it names, and the one the auditor holds."""
        own = self.header.since
        if own is not None:
            self._read_older(own.checkpoint, keys, "the checkpoint the export begins at", line=1)
            if all(older.size != self.header.first for older, _ in self._older):
                self._find(Proof.COUNT, "The export does not begin where its older checkpoint ends.", line=1)
        elif self.header.first:
            self._find(Proof.CONSISTENCY, "The export begins in the middle, without an older checkpoint.", line=1)
        if held is not None:
            self._read_older(held, keys, "the checkpoint you hold", line=None)
        if self.header.first + self.header.count != self._checkpoint.size:
            self._find(Proof.COUNT, "The header's numbers are not those of its checkpoint.", line=1)

    def take(self, number: int, line: bytes) -> None:
        """Verify one line."""
        position = self._expected
        try:
            event, body, proof = read_event(line)
            commitments = event.commitments()
        except Malformed as error:
            self._find(Proof.FORMAT, error.message, line=number, position=position)
            self._expected += 1
            return
        self._report.events += 1
        self._expected = event.position + 1
        if event.position != position:
            message = f"Event {position} should stand here, not {event.position}; lines are missing, doubled or moved."
            self._find(Proof.ORDER, message, line=number, position=position)
        leaf = leaf_hash(body)
        if not includes(leaf, event.position, self._checkpoint.size, proof, root=self._checkpoint.root):
            message = "This is not the event that the checkpoint covers, or its proof was changed."
            self._find(Proof.INCLUSION, message, line=number, position=event.position)
        else:
            self._heed(event.body)
        self._open(event, commitments, number)
        self._grow(leaf)

    def finish(self) -> None:
        """Verify what only the whole export shows."""
        self._judge_blanks()
        self._judge_keys()
        report, size = self._report, self._checkpoint.size
        if self._expected < size:
            message = f"The export ends before event {self._expected}, but its checkpoint covers {size} events."
            self._find(Proof.COUNT, message, position=self._expected)
        elif report.events != self.header.count:
            self._find(Proof.COUNT, f"{report.events} events are here; the header says {self.header.count}.")
        elif not self.header.first and self._frontier.root() != self._checkpoint.root:
            self._find(Proof.TREE_HEAD, "The events together do not make the tree that the checkpoint signs.")
        for older, name in self._older:
            if self.header.first and older.size != self.header.first:
                message = (
                    f"This export cannot be compared with {name}; ask for one that begins there, or for a whole one."
                )
                self._find(Proof.CONSISTENCY, message)
            elif self._continues(older):
                report.continues = max(older.size, report.continues or 0)
            else:
                message = f"The log does not continue {name}: it was rewritten, cut off, or that is another log's."
                self._find(Proof.CONSISTENCY, message)

    def _read_older(self, note: str, keys: Sequence[NoteKey], name: str, *, line: int | None) -> None:
        try:
            older = read_checkpoint(note, keys)
        except Malformed as error:
            self._find(Proof.SIGNATURE, f"{name.capitalize()}: {error.message}", line=line)
            return
        self._older.append((older, name))

    def _open(self, event: EventLine, commitments: dict[str, str], number: int) -> None:
        if event.values is None:
            self._report.closed += len(commitments)
        if (event.values is None) != (self.header.values == "closed"):
            self._find(Proof.FORMAT, "The header says otherwise about values.", line=number, position=event.position)
        for name, message in self._wrong_values(event, commitments):
            self._find(Proof.COMMITMENT, message, line=number, position=event.position, field=name)
        for name, opened in (event.values or {}).items():
            if opened is None and name in commitments:
                self._blanks[str(event.body.get("id")), name] = (number, event.position)

    def _wrong_values(self, event: EventLine, commitments: dict[str, str]) -> Iterator[tuple[str, str]]:
        values = event.values or {}
        if event.values is not None:
            for name in commitments.keys() - values.keys():
                yield name, "The field is missing; it should be open, or said to be erased."
        for name, opened in values.items():
            if name not in commitments:
                yield name, "The event has committed to no such field."
            elif opened is None:
                continue  # `_judge_blanks` judges it, once the whole log has been heard
            elif _is_committed(opened.salt, opened.value, commitments[name]):
                self._report.opened += 1
            else:
                yield name, "The value or its salt is not the one that the event committed to."

    def _heed(self, body: Mapping[str, JsonValue]) -> None:
        """Take note of what a proven event says of others: which values were erased, which key signs from then on."""
        facts = body.get("facts")
        if not isinstance(facts, dict):
            return
        if body.get("kind") == EventKind.VALUES_ERASED.value and isinstance(fields := facts.get("fields"), list):
            for name in fields:
                if self._blanks.pop((str(facts.get("event")), str(name)), None) is not None:
                    self._report.erased += 1
        if body.get("kind") == EventKind.KEY_ROTATED.value and facts.get("purpose") == "checkpoints":
            self._vouched.add(str(facts.get("verifier")))

    def _judge_blanks(self) -> None:
        message = "The value is missing, and no event of the log says that it was erased."
        for (_, name), (line, position) in self._blanks.items():
            self._find(Proof.COMMITMENT, message, line=line, position=position, field=name)

    def _judge_keys(self) -> None:
        for text in self.header.keys:
            if text not in self._vouched:
                message = (
                    f"Nothing vouches for the key {text}: it is not the log's first, no event of the export announces "
                    "it, and it did not sign the checkpoint you hold. Ask the operator for it and give it with --key."
                )
                self._find(Proof.SIGNATURE, message, line=1)

    def _grow(self, leaf: bytes) -> None:
        if not self.header.first:
            self._frontier.add(leaf)
            if any(older.size == self._frontier.size for older, _ in self._older):
                self._roots[self._frontier.size] = self._frontier.root()

    def _continues(self, older: Checkpoint) -> bool:
        if older.origin != self._checkpoint.origin:
            return False
        if not self.header.first:
            return self._roots.get(older.size) == older.root
        since = self.header.since
        if since is None:
            return False
        try:
            proof = decode_proof(since.proof)
        except Malformed:
            return False
        newer = (self._checkpoint.size, self._checkpoint.root)
        return is_consistent((older.size, older.root), newer, proof)

    def _find(
        self,
        proof: Proof,
        message: str,
        *,
        line: int | None = None,
        position: int | None = None,
        field: str | None = None,
    ) -> None:
        self._report.add(Finding(proof=proof, message=message, line=line, position=position, field=field))


def _is_committed(salt: str, value: object, committed: str) -> bool:
    try:
        return hmac.compare_digest(commitment(decode_base64(salt), value).encode(), committed.encode())
    except Malformed:
        return False
