"""What a preview says: the changes a call would make, the guards that must still hold, and how far it reaches."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk.vocabulary import Effect, Fidelity, Reversal

Json = Any
"""Any JSON value."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Value):
    """One record as it stands and as it would stand; `before` is None for a creation, `after` for a deletion.

    `unknown` names fields whose value the system assigns at commit; `sensitive` names fields that pages mask.
    """

    target: str = Field(min_length=1, max_length=200, examples=["party.party/3"])
    effect: Effect
    before: Mapping[str, Json] | None = None
    after: Mapping[str, Json] | None = None
    unknown: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


class SideEffect(_Value):
    """Something that happens beside the changes: a mail, a posting, a webhook."""

    kind: str
    recipient: str = ""
    reversal: Reversal = Reversal.NONE


class Precondition(_Value):
    """A guard: `target` still has the version `token`. A strong one is checked by the system with the write itself."""

    target: str
    token: str
    strength: Literal["strong", "weak"] = "strong"


class Blast(_Value):
    """How far the call reaches: rows touched, money moved (minor units of `currency`), parties concerned."""

    rows: int = Field(default=0, ge=0, le=2**53 - 1)
    money_minor: Annotated[int, Field(ge=0, le=2**53 - 1)] | None = None
    currency: str | None = None
    parties: int = Field(default=0, ge=0, le=2**53 - 1)


class Preview(_Value):
    """The changes a call would make, their preconditions, side effects and reach, and how sure we are of them."""

    changes: tuple[Change, ...]
    side_effects: tuple[SideEffect, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    blast: Blast = Blast()
    fidelity: Fidelity = Fidelity.SIMULATED
    not_covered: tuple[str, ...] = ()
