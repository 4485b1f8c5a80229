"""Values of promotions: where a release is to be used, what stands in its way, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field

from hub.core.canonical import digest
from hub.registry import Environment

Json = Any
"""Any JSON value."""


STRICT: Final = ConfigDict(extra="forbid")
"""Of what operators declare: a word that nobody reads would do the opposite of what they rely on."""
Positive = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=0, le=100)]


class State(StrEnum):
    """How a promotion stands; from all but the first two there is no way on."""

    ASKED = "asked"
    IN_FORCE = "in_force"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    REVERTED = "reverted"
    """The former release is in use again; this one needs another promotion."""
    REPLACED = "replaced"
    """A later promotion is in force."""


class Gate(StrEnum):
    """What must hold before a release is used in an environment."""

    PATH = "path"
    """It is in use in the environment before, and nothing of it has been withdrawn."""
    BADGE = "badge"
    """The contract kit has tried every write of exactly this release, and no line failed."""
    REPLAY = "replay"
    """Recorded calls come out the same with it, or somebody who then does not decide has explained why not."""
    PERSON = "person"
    """Somebody else has looked at all of it and agrees."""


class Stand(StrEnum):
    """How a gate stands."""

    HOLDS = "holds"
    OPEN = "open"
    """Something has to be done first; the reason says what."""
    FAILS = "fails"


class Likeness(StrEnum):
    """How a recorded call came out when it was played again."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"
    """It cannot be told: something was asked that was never asked then, or nothing was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one gate stands, and why, in a sentence."""

    gate: Gate
    stand: Stand
    reason: str

    def as_json(self) -> dict[str, str]:
        """Return it as JSON."""
        return {"gate": self.gate.value, "stand": self.stand.value, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One recorded call, played again: how it came out, and each difference or what could not be told."""

    invocation_id: str
    tool: str
    likeness: Likeness
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What recorded calls of the release in use came to with another one."""

    release_id: str
    former_release_id: str | None
    played: tuple[Played, ...] = ()
    writes: int = 0
    """How many writes the release offers; of one that only reads there is nothing to play."""

    def count(self, likeness: Likeness) -> int:
        """Return how many calls came out so."""
        return sum(one.likeness is likeness for one in self.played)

    def as_json(self) -> dict[str, Json]:
        """Return it as JSON."""
        played = [
            {"invocation": p.invocation_id, "tool": p.tool, "likeness": p.likeness.value, "reasons": list(p.reasons)}
            for p in self.played
        ]
        compared = {"release": self.release_id, "former": self.former_release_id}
        return {**compared, "writes": self.writes, "played": played}

    @classmethod
    def from_json(cls, stored: Mapping[str, Json]) -> "Rehearsal":
        """Return what `as_json` made JSON of."""
        return cls(
            release_id=stored["release"],
            former_release_id=stored["former"],
            writes=stored["writes"],
            played=tuple(
                Played(
                    invocation_id=one["invocation"],
                    tool=one["tool"],
                    likeness=Likeness(one["likeness"]),
                    reasons=tuple(one["reasons"]),
                )
                for one in stored["played"]
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """When a release that was promoted is taken back by itself, for as long as it is watched.

    `divergences` of its latest `divergences_of` judged writes; more than `error_percent` of at least `errors_of` calls,
    if its predecessor had a lower share; or a 95th percentile of `slower_times` that of its predecessor, if both have
    `timed` calls of a tool.
    """

    __pydantic_config__: ClassVar = STRICT

    divergences: Positive = 1
    divergences_of: Positive = 50
    error_percent: Percent = 5
    errors_of: Positive = 20
    slower_times: Positive = 3
    timed: Positive = 20
    watch_days: Positive = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What promotion to one environment asks for: its gates, whose members may decide, and the line."""

    __pydantic_config__: ClassVar = STRICT

    gates: Annotated[tuple[Gate, ...], Field(min_length=1)]
    deciders: str = "approvers"
    line: Line = field(default_factory=Line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What promotion asks for, environment by environment; dev takes every release as it is published."""

    __pydantic_config__: ClassVar = STRICT

    staging: Terms = Terms(gates=(Gate.PATH, Gate.BADGE))
    prod: Terms = Terms(gates=(Gate.PATH, Gate.BADGE, Gate.REPLAY, Gate.PERSON))

    def to(self, environment: Environment) -> Terms:
        """Return what promotion to `environment` asks for."""
        return self.prod if environment is Environment.PROD else self.staging


_SHORT: Final = 8
"""How many characters of a digest tell two releases apart for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One wish that a release be used in an environment, and what became of it."""

    id: str
    connector: str
    environment: Environment
    release_id: str
    release_digest: str
    version: str
    former_release_id: str | None
    former_version: str | None
    former_digest: str | None
    state: State
    reason: str
    asked_by: str | None
    asked_at: datetime
    findings: Sequence[Finding]
    rehearsal: Rehearsal | None
    explanation: str | None
    explained_by: str | None
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str | None
    ended_at: datetime | None
    ended_why: str | None

    @property
    def release_name(self) -> str:
        """Return the release as lists show it: two releases may have the same version, and never the same digest."""
        return f"{self.version} {self.release_digest[:_SHORT]}"

    @property
    def former_name(self) -> str | None:
        """Return what it replaces as lists show it."""
        return f"{self.former_version} {self.former_digest[:_SHORT]}" if self.former_digest else None

    @property
    def digest(self) -> str:
        """Return what stands for all that somebody decides on; who decided on less is told that it has changed."""
        rehearsed = None if self.rehearsal is None else self.rehearsal.as_json()
        return digest(
            {
                "id": self.id,
                "release": self.release_digest,
                "former": self.former_release_id,
                "environment": self.environment.value,
                "findings": [one.as_json() for one in self.findings],
                "rehearsal": rehearsed,
                "explanation": self.explanation,
                "explained_by": self.explained_by,
            }
        )


BEFORE = {Environment.STAGING: Environment.DEV, Environment.PROD: Environment.STAGING}
"""Where a release has to be in use before it is promoted."""
