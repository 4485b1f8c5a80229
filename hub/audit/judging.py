"""Judging the events of a file from the log one by one, and the keys it brings: every finding where something fails."""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, Protocol

from pydantic import JsonValue

from hub.audit.erasing import Because, erased_by
from hub.audit.events import commitment
from hub.audit.export_format import EventLine
from hub.audit.kinds import EventKind
from hub.audit.merkle import includes, leaf_hash
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
    last: int = 0
    """Of evidence alone."""
    about: str | None = None
    """What the file is evidence on: its events need not follow each other. None for an export."""
    events: int = 0
    opened: int = 0
    erased: int = 0
    retired: int = 0
    """Those of the erased values whose time was over."""
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


class Signed(Protocol):
    """The header of a file from the log: the checkpoint it stands under, its keys, and whether values are open."""

    @property
    def checkpoint(self) -> str:
        """The signed note."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """The verifier keys that the file brings."""
        ...

    @property
    def values(self) -> Literal["closed", "open"]:
        """Whether private values are in it."""
        ...


def judge_of(header: Signed, held: Held, report: Report) -> "Judge | None":
    """Return who judges the events under the header's checkpoint; None if nobody can: a finding says why not."""
    report.keys, report.is_key_trusted = header.keys, bool(held.keys)
    try:
        own = [parse_key(key) for key in header.keys]
    except Malformed as error:
        report.add(Finding(proof=Proof.FORMAT, message=error.message, line=1))
        return None
    try:
        report.checkpoint = read_checkpoint(header.checkpoint, held.keys or own)
        _refuse_strange_key(header.checkpoint, held, own)
    except Malformed as error:
        report.add(Finding(proof=Proof.SIGNATURE, message=f"The checkpoint: {error.message}", line=1))
        return None
    judge = Judge(header, report.checkpoint, report)
    judge.vouch(held, own)
    return judge


class Judge:
    """Judges the events of one file under one checkpoint."""

    def __init__(self, header: Signed, checkpoint: Checkpoint, report: Report) -> None:
        self.checkpoint = checkpoint
        self._header = header
        self._report = report
        self._blanks: dict[tuple[str, str], tuple[int, int]] = {}
        self._vouched: set[str] = set()

    def vouch(self, held: Held, own: Sequence[NoteKey]) -> None:
        """Take for this log's the keys that are held, that signed what is held, or that the log's name is made from."""
        self._vouched |= {str(key) for key in held.keys}
        origin = self.checkpoint.origin
        self._vouched |= {str(key) for key in own if key.name == origin == origin_from(key.public)}
        if held.checkpoint is not None:
            self._vouched |= {str(key) for key in own if has_signed(key, held.checkpoint)}

    def take(self, event: EventLine, body: bytes, proof: Sequence[bytes], *, line: int) -> bytes:
        """Judge one event whose canonical body is `body`, and return its leaf.

        Raises:
            Malformed: its commitments are no commitments.
        """
        commitments = event.commitments()
        leaf = leaf_hash(body)
        if not includes(leaf, event.position, self.checkpoint.size, proof, root=self.checkpoint.root):
            message = "This is not the event that the checkpoint covers, or its proof was changed."
            self._find(Proof.INCLUSION, message, line=line, position=event.position)
        else:
            self._heed(event.body)
        self._open(event, commitments, line)
        return leaf

    def finish(self) -> None:
        """Judge what only the whole file shows: values that nobody erased, keys that nobody vouches for."""
        self._judge_blanks()
        self._judge_keys()

    def _open(self, event: EventLine, commitments: dict[str, str], number: int) -> None:
        if event.values is None:
            self._report.closed += len(commitments)
        if (event.values is None) != (self._header.values == "closed"):
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
        if body.get("kind") == EventKind.VALUES_ERASED.value:
            found = sum(self._blanks.pop(each, None) is not None for each in erased_by(facts))
            self._report.erased += found
            self._report.retired += found if facts.get("because") == Because.RETENTION.value else 0
        if body.get("kind") == EventKind.KEY_ROTATED.value and facts.get("purpose") == "checkpoints":
            self._vouched.add(str(facts.get("verifier")))

    def _judge_blanks(self) -> None:
        message = "The value is missing, and no event of the log says that it was erased."
        for (_, name), (line, position) in self._blanks.items():
            self._find(Proof.COMMITMENT, message, line=line, position=position, field=name)

    def _judge_keys(self) -> None:
        for text in self._header.keys:
            if text not in self._vouched:
                message = (
                    f"Nothing vouches for the key {text}: it is not the log's first, no event of the export announces "
                    "it, and it did not sign the checkpoint you hold. Ask the operator for it and give it with --key."
                )
                self._find(Proof.SIGNATURE, message, line=1)

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


def _is_committed(salt: str, value: object, committed: str) -> bool:
    try:
        return hmac.compare_digest(commitment(decode_base64(salt), value).encode(), committed.encode())
    except Malformed:
        return False
