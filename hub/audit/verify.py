"""Verification of an export: from its lines alone, without the hub, its database or its keys."""

from collections.abc import Callable, Iterable, Sequence

from hub.audit.export_format import Header, decode_proof, read_event, read_header
from hub.audit.judging import Finding, Held, Judge, Proof, Report, judge_of
from hub.audit.merkle import Frontier, is_consistent
from hub.audit.notes import Checkpoint, NoteKey, parse_key, read_checkpoint
from hub.core.errors import Malformed


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
    except Malformed as error:
        report.add(Finding(proof=Proof.FORMAT, message=error.message, line=1))
        return None
    report.first = header.first
    judge = judge_of(header, held, report)
    if judge is None:
        return None
    verifier = _Verifier(header, judge, report)
    verifier.expect(held.checkpoint, held.keys or [parse_key(key) for key in header.keys])
    return verifier


class _Verifier:
    """Takes the lines of one export one by one."""

    def __init__(self, header: Header, judge: Judge, report: Report) -> None:
        self.header = header
        self._judge = judge
        self._checkpoint = judge.checkpoint
        self._report = report
        self._expected = header.first
        self._frontier = Frontier()
        self._older: list[tuple[Checkpoint, str]] = []
        self._roots: dict[int, bytes] = {}

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
            event.commitments()
        except Malformed as error:
            self._find(Proof.FORMAT, error.message, line=number, position=position)
            self._expected += 1
            return
        self._report.events += 1
        self._expected = event.position + 1
        if event.position != position:
            message = f"Event {position} should stand here, not {event.position}; lines are missing, doubled or moved."
            self._find(Proof.ORDER, message, line=number, position=position)
        self._grow(self._judge.take(event, body, proof, line=number))

    def finish(self) -> None:
        """Verify what only the whole export shows."""
        self._judge.finish()
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

    def _find(self, proof: Proof, message: str, *, line: int | None = None, position: int | None = None) -> None:
        self._report.add(Finding(proof=proof, message=message, line=line, position=position))
