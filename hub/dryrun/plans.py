"""Previews of plans: each step as far as it is known beforehand, and all of them together as one preview."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Self, cast

from pydantic import BaseModel, ConfigDict

from connectors.sdk.preview import Blast, Change, Precondition, Preview
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier
from hub.core.canonical import digest

Json = Any
"""Any JSON value."""

_LONGEST: Final = 200


class PlannedStep(BaseModel):
    """One step of a plan, as it would be called; `arguments` hold a reference wherever an earlier step decides.

    `waits_for` names the arguments with such references, each with the step that brings the value. `why_contract` says
    why its system could not preview it yet; empty where it has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str
    tool: str
    title: str
    connector: str
    connection: str
    connection_id: str
    connection_generation: int
    tool_id: str
    tool_version_id: str
    tool_version_digest: str
    effect: Effect
    is_effect_assumed: bool = False
    """Whether that is only what has to be assumed of it."""
    tier: Tier
    reversal: Reversal
    undone_by: str = ""
    residue: tuple[str, ...] = ()
    arguments: Mapping[str, Json]
    known: Mapping[str, Json]
    """Those of the arguments that are values already."""
    waits_for: Mapping[str, str] = {}
    intent_digest: str
    preview: Preview
    why_contract: str = ""
    brings: Mapping[str, str] = {}
    """Where its arguments hold what a read of the plan has answered, each place with the name of that step."""
    answer: Json = None
    """Of a read: those parts of its answer that later steps use, where they stand in it; nothing else is kept here."""
    read_by: str = ""
    """Of a read: the call that made it."""
    source: str = ""
    is_trusted: bool = False
    """Of a read: what its tool is called as a source of values, and whether its owner vouches for what it brings."""

    @property
    def is_read(self) -> bool:
        """Whether it only reads: it was carried out for the preview, and there is nothing of it to approve."""
        return self.effect is Effect.READ

    @property
    def is_previewed(self) -> bool:
        """Whether its own system, or its record, has been looked at for exactly these arguments."""
        return not self.waits_for and not self.why_contract

    def decided_on(self) -> dict[str, Json]:
        """Return the part of it that an approval of the plan is bound to."""
        shown = {"changes", "side_effects", "preconditions", "blast", "fidelity"}
        return {
            "name": self.name,
            "intent_digest": self.intent_digest,
            "preview": self.preview.model_dump(mode="json", include=shown),
            "why_contract": self.why_contract,
            **({"answer": digest(self.answer)} if self.is_read else {}),
        }


class PlanPreview(Preview):
    """What a whole plan would change: the changes of its steps in their order, as sure as the least sure of them."""

    steps: tuple[PlannedStep, ...]

    @classmethod
    def of(cls, steps: Sequence[PlannedStep]) -> Self:
        """Return the preview of `steps` carried out one after the other."""
        blasts = [step.preview.blast for step in steps]
        copied = [step.preview.copied_at for step in steps if step.preview.copied_at is not None]
        return cls(
            steps=tuple(steps),
            changes=tuple(_in_step(step, change) for step in steps for change in step.preview.changes),
            side_effects=tuple(effect for step in steps for effect in step.preview.side_effects),
            preconditions=tuple(
                Precondition(target=_named(step, guard.target), token=guard.token, strength=guard.strength)
                for step in steps
                for guard in step.preview.preconditions
            ),
            blast=_together(blasts),
            fidelity=min((step.preview.fidelity for step in steps), key=lambda fidelity: fidelity.rank),
            copied_at=min(copied, default=None),
            not_covered=tuple(_not_covered(steps)),
        )

    @property
    def intents(self) -> list[str]:
        """Return the intent digests of the steps, in their order."""
        return [step.intent_digest for step in self.steps]


def _in_step(step: PlannedStep, change: Change) -> Change:
    return change.model_copy(update={"target": _named(step, change.target)})


def _named(step: PlannedStep, target: str) -> str:
    return f"{step.name}: {target}"[:_LONGEST]


def _together(blasts: Sequence[Blast]) -> Blast:
    """Return how far all reach together; money of several currencies has no sum, and is decided on step by step."""
    moved = [blast for blast in blasts if blast.money_minor is not None]
    currencies = {blast.currency for blast in moved}
    return Blast(
        rows=sum(blast.rows for blast in blasts),
        parties=sum(blast.parties for blast in blasts),
        money_minor=sum(cast("int", blast.money_minor) for blast in moved) if len(currencies) == 1 else None,
        currency=moved[0].currency if len(currencies) == 1 else None,
    )


def _not_covered(steps: Sequence[PlannedStep]) -> Iterator[str]:
    for step in steps:
        for name, source in step.waits_for.items():
            yield f"step {step.number}, {step.name}: {name} is known after the step {source}"
        if step.why_contract:
            yield f"step {step.number}, {step.name}: {step.why_contract}"
        yield from (f"step {step.number}, {step.name}: {line}" for line in step.preview.not_covered)
    if len({step.preview.blast.currency for step in steps if step.preview.blast.money_minor is not None}) > 1:
        yield "the sum of the money: its steps move several currencies"


def contract_preview(target: str, effect: Effect, known: Mapping[str, Json], unknown: Iterable[str]) -> Preview:
    """Return the preview of a step that nothing is known of but what it would be given."""
    is_deletion = effect is Effect.DELETE
    change = Change(
        target=target[:_LONGEST],
        effect=effect,
        before=dict(known) if is_deletion else None,
        after=None if is_deletion else dict(known),
        unknown=tuple(unknown),
    )
    return Preview(changes=(change,), fidelity=Fidelity.CONTRACT)
