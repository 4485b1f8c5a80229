"""The examples that a bundle carries: what its rules must say about calls it describes, in comments of its text.

An example is one JSON object in consecutive lines that begin with `//?`:

    //? {"example": "a big refund needs finance", "action": "autocommit",
    //?  "facts": {"tier": "medium", "arguments": {"amount_minor": 200000}},
    //?  "expect": "obliged", "asks": ["finance:1"], "rules": ["refund-needs-finance"]}

`asks` names the seats as they go on record: `finance:1`, and `legal:2 in stage 2` for a later stage.

`facts` says what differs from `ORDINARY`, a previewed medium write by an agent in production. Of the history that a
bundle declares, what an example does not give is 0.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from connectors.sdk.faults import first_fault
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass
from hub.core.canonical import parse_json
from hub.core.errors import Malformed
from hub.policy.annotations import BundleInvalid, Fault
from hub.policy.places import Place, comment_blocks
from hub.policy.values import Action, Decision, Facts, Obliged, PreviewFacts

Json = Any
"""Any JSON value."""

_MARK: Final = "//?"

ORDINARY: Final = Facts(
    principal_kind="agent",
    principal_id="agt_example",
    principal_groups=frozenset(),
    requester_groups=frozenset(),
    is_suspended=False,
    tool="record_update",
    connector="example",
    environment="prod",
    tier=Tier.MEDIUM,
    effect=Effect.UPDATE,
    upstream_class=UpstreamClass.B,
    reversal=Reversal.EXACT,
    undo_proven=True,
    hour=12,
    weekday=3,
    preview=PreviewFacts(fidelity=Fidelity.SIMULATED, rows=1, parties=1, sandbox_level="full"),
)
"""The call that examples vary: one record changed, exactly undoable, at noon on a Wednesday."""


class Example(BaseModel):
    """One call, and what the bundle must say about it. What `asks` and `rules` leave out is not checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    example: str
    action: Action
    facts: Mapping[str, Json] = {}
    expect: Literal["allowed", "obliged", "denied"]
    asks: tuple[str, ...] | None = None
    rules: tuple[str, ...] | None = None

    @field_validator("action")
    @classmethod
    def _is_decided(cls, action: Action) -> Action:
        if action is Action.ALARM:
            raise ValueError("nothing is decided on alarm; give the autocommit that it makes stricter")
        return action

    def situation(self) -> Facts:
        """Return the facts of the call.

        Raises:
            BundleInvalid: there are no such facts.
        """
        base, described = ORDINARY.as_json(), dict(self.facts)
        preview = described.pop("preview", {})
        try:
            stored = _changed(base, described)
            stored["preview"] = None if preview is None else _changed(base["preview"], preview)
            return Facts.from_json(stored)
        except (ValidationError, TypeError, KeyError) as error:
            raise BundleInvalid(f"Example {self.example!r}: these are no facts: {first_fault(error)}") from error

    def failure(self, decision: Decision) -> str | None:
        """Return in which way `decision` is not what this example expects, or None."""
        if decision.outcome != self.expect:
            rules = ", ".join(decision.rule_ids)
            return f"{self.example!r} should be {self.expect} and is {decision.outcome} (rules: {rules})"
        asked = [one.seat for one in decision.obligations] if isinstance(decision, Obliged) else []
        if self.asks is not None and sorted(self.asks) != sorted(asked):
            return f"{self.example!r} should ask {', '.join(self.asks)} and asks {', '.join(asked) or 'nobody'}"
        if self.rules is not None and set(self.rules) != set(decision.rule_ids):
            return f"{self.example!r} should be decided by {', '.join(self.rules)}, not {', '.join(decision.rule_ids)}"
        return None


def read_examples(text: str) -> tuple[tuple[Example, Place], ...]:
    """Return the examples in the comments of a bundle, and where each stands.

    Raises:
        BundleInvalid: one cannot be read.
    """
    return tuple((_read(place, block), place) for place, block in comment_blocks(text, _MARK))


def _read(place: Place, block: str) -> Example:
    try:
        read = Example.model_validate(parse_json(block))
    except (Malformed, ValidationError) as error:
        told = f"The example in {place} cannot be read: {first_fault(error)}"
        raise BundleInvalid(told, faults=(Fault(message=told, place=place),)) from error
    try:
        read.situation()
    except BundleInvalid as error:
        raise BundleInvalid(error.message, faults=(Fault(message=error.message, place=place),)) from error
    return read


def _changed(base: Mapping[str, Json], changes: Mapping[str, Json]) -> dict[str, Json]:
    unknown = sorted(changes.keys() - base.keys())
    if unknown:
        raise KeyError(f"there is no fact {unknown[0]}")
    return {**base, **changes}
