"""The words a connector uses to say what its operations do: effect, tier, fidelity, upstream class, reversibility."""

from enum import StrEnum


class Effect(StrEnum):
    """What an operation does to the outside."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SEND = "send"


class _Ranked(StrEnum):
    """A vocabulary whose members are listed from least to most."""

    @property
    def rank(self) -> int:
        """Return the place in the order, 0 for the least."""
        return list(type(self)).index(self)


class Tier(_Ranked):
    """How much care a call needs; unknown means HIGH."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Fidelity(_Ranked):
    """How much a preview can be trusted, from nothing at all to the system's own trial run."""

    NONE = "none"
    CONTRACT = "contract"
    SIMULATED = "simulated"
    VALIDATED = "validated"
    TWIN = "twin"
    EXECUTED = "executed"


class Reversal(StrEnum):
    """How completely an operation can be undone."""

    EXACT = "exact"
    PARTIAL = "partial"
    NONE = "none"


class UpstreamClass(StrEnum):
    """What the system offers against double effects, and so what may honestly be promised.

    A: an idempotency key or an enforced unique reference. B: conditional writes.
    C: lookup by our reference. D: none of these.
    """

    A = "A"
    B = "B"
    C = "C"
    D = "D"


class Phase(StrEnum):
    """Why connector code runs: to read, check whether a write may be made, preview it, commit it, look up whether that
    arrived, or read back what it did.
    """

    READ = "read"
    CHECK = "check"
    PREVIEW = "preview"
    COMMIT = "commit"
    LOOKUP = "lookup"
    OBSERVE = "observe"


PREVIEWING = frozenset({Phase.CHECK, Phase.PREVIEW})
"""Phases in which requests that are safe for previews alone may be sent."""

SERVES = "serves"
"""The member of a binding that says what an operation is if it is no tool: another thing that an MCP server offers."""
