"""One operation on trial: what it was given, what it has shown so far, and the lines written about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sdk.harness import Case, Contents
from connectors.sdk.preview import Preview
from connectors.sdk.spec import OperationSpec
from hub.dryrun.records import Records
from hub.execution import (
    CommitOutcome,
    Conflicted,
    Failed,
    LookUpOutcome,
    Observed,
    Previewed,
    PreviewOutcome,
    ReadOutcome,
    Succeeded,
    Unknown,
    Violation,
)
from hub.invocations.proving.interference import Passed
from hub.invocations.proving.laboratory import Laboratory, Order, befores
from hub.registry import BadgeLine, BadgeVerdict, Promise

Json = Any
"""Any JSON value."""

Outcome = ReadOutcome | PreviewOutcome | CommitOutcome | LookUpOutcome | Observed


class Broken(Exception):
    """A line failed; the message says how, and what to do. `promise` names another one than was tried."""

    def __init__(self, message: str, *, promise: Promise | None = None) -> None:
        super().__init__(message)
        self.promise = promise


class BrokenDown(Broken):
    """A line failed on which the next ones rest."""


class NotApplicable(Exception):
    """A line says nothing about this operation; the message says why, or what to add."""


class NotProvable(Exception):
    """A line says something about this operation that nothing at hand can prove; the message says what could."""


@dataclass(slots=True, kw_only=True)
class Trial:
    """One case in a laboratory."""

    lab: Laboratory
    case: Case
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What the operation is called with, as a hub hands it on."""
    lines: list[BadgeLine] = field(default_factory=list[BadgeLine])
    preview: Preview = field(default_factory=lambda: Preview(changes=()))
    key: str = ""
    output: Json = None
    contents_before: Contents | None = None
    """What the system held just before the commit."""
    effects_before: int | None = None
    sent: list[Passed] = field(default_factory=list[Passed])
    """The requests of the commit."""

    @property
    def spec(self) -> OperationSpec:
        """The operation as it is declared."""
        return self.lab.spec.operation(self.case.operation)

    async def take_preview(self) -> Preview:
        """Return a fresh preview.

        Raises:
            Broken: there is none.
        """
        match await self.lab.preview(self.case.operation, self.arguments):
            case Previewed(preview=preview):
                return preview
            case outcome:
                raise Broken(f"The preview cannot be taken: {told(outcome)}")

    async def carry_out(self, order: Order | None = None) -> CommitOutcome:
        """Commit what was previewed, under the trial's key."""
        return await self.lab.commit(self.case.operation, self.arguments, order or Order.of(self.preview, key=self.key))

    async def observe(self) -> Records:
        """Return the records that the commit concerned, as they are now.

        Raises:
            Broken: they cannot be read back.
        """
        ran = await self.lab.observe(
            self.case.operation, self.arguments, before=befores(self.preview), output=self.output
        )
        if not isinstance(ran, Observed):
            raise Broken(f"What it did cannot be read back: {told(ran)}")
        return ran.records

    async def effects(self) -> int | None:
        """Return how often the write has taken effect, None if nobody counts."""
        return None if self.case.effects is None else await self.case.effects()

    def write_line(self, promise: Promise, verdict: BadgeVerdict, reason: str) -> None:
        """Add a line."""
        line = BadgeLine(
            operation=self.case.operation, promise=promise, verdict=verdict, grade=self.lab.grade, reason=reason[:600]
        )
        self.lines.append(line)


def told(outcome: Outcome) -> str:
    """Return what an outcome says, in one sentence."""
    match outcome:
        case Failed(code=code, message=message):
            return f"{message} ({code})"
        case Conflicted(message=message) | Unknown(message=message) | Violation(message=message):
            return message
        case Succeeded():
            return "it was carried out."
        case _:
            return "it answered."
