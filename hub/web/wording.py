"""The hub's vocabularies in people's words: tiers, effects, fidelity, undo, upstream classes; each with its tone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass
from hub.registry import is_effect_assumed

Tone = Literal["neutral", "good", "info", "warn", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A term as pages show it: a short label, a sentence that explains it, and a tone that colours it."""

    label: str
    meaning: str
    tone: Tone = "neutral"


TIERS: Final[Mapping[Tier, Word]] = {
    Tier.LOW: Word(label="Low", meaning="Reads only. Executes at once."),
    Tier.MEDIUM: Word(
        label="Medium",
        meaning="A write to one record that can be taken back. Where preview and undo are proven, it is carried "
        "out without asking.",
        tone="info",
    ),
    Tier.HIGH: Word(
        label="High",
        meaning="Money, many records, recipients outside, or hard to undo. Another person must agree.",
        tone="warn",
    ),
    Tier.CRITICAL: Word(
        label="Critical",
        meaning="Cannot be taken back, or touches permissions or large payments. Two people from different groups must "
        "agree, each after a fresh login.",
        tone="bad",
    ),
}

EFFECTS: Final[Mapping[Effect, Word]] = {
    Effect.READ: Word(label="Reads", meaning="It looks at records and changes nothing."),
    Effect.CREATE: Word(label="Creates", meaning="It adds records to the system.", tone="good"),
    Effect.UPDATE: Word(label="Changes", meaning="It changes records that are there.", tone="info"),
    Effect.DELETE: Word(label="Deletes", meaning="It removes records from the system.", tone="bad"),
    Effect.SEND: Word(
        label="Sends", meaning="It makes something leave the system, a message or a payment.", tone="warn"
    ),
}

ASSUMED_EFFECTS: Final[Mapping[Effect, Word]] = {
    Effect.DELETE: Word(
        label="Not known; treated as a deletion",
        meaning="Its server does not say what it does, so it counts as something that removes records.",
        tone="bad",
    ),
    Effect.SEND: Word(
        label="Not known; treated as sending",
        meaning="Its server does not say whether anything leaves the system, so it counts as something that sends.",
        tone="warn",
    ),
}
"""Of the effect that is only assumed, since nothing better is known."""


def effect_word(operation: OperationSpec) -> Word:
    """Return what a tool does, as far as that is known and not only assumed."""
    return effect_as_known(operation.effect, is_assumed=is_effect_assumed(operation))


def effect_as_known(effect: Effect, *, is_assumed: bool) -> Word:
    """Return the one word for an effect that is known, or else for one that is only assumed."""
    return (ASSUMED_EFFECTS if is_assumed else EFFECTS)[effect]


FIDELITIES: Final[Mapping[Fidelity, Word]] = {
    Fidelity.NONE: Word(
        label="No preview",
        meaning="Nothing is known but the arguments themselves. What the system would do with them was not looked at.",
        tone="bad",
    ),
    Fidelity.CONTRACT: Word(
        label="Checked on paper",
        meaning="The arguments fit the schema and the business rules. The system itself was not asked.",
        tone="warn",
    ),
    Fidelity.SIMULATED: Word(
        label="Simulated",
        meaning="The records were read as they stand and the declared effect was applied to that copy. The system has "
        "not tried it: rules of its own may still refuse or add something.",
        tone="info",
    ),
    Fidelity.VALIDATED: Word(
        label="Validated",
        meaning="The system checked the call without carrying it out; the difference below is computed "
        "from its records.",
        tone="info",
    ),
    Fidelity.TWIN: Word(
        label="Tried in a copy",
        meaning="The call was carried out in a copy of the system, and this is what changed there.",
        tone="good",
    ),
    Fidelity.EXECUTED: Word(
        label="Tried and taken back",
        meaning="The system itself carried the call out and kept nothing. This is what it did.",
        tone="good",
    ),
}

REVERSALS: Final[Mapping[Reversal, Word]] = {
    Reversal.EXACT: Word(
        label="Can be undone",
        meaning="Another governed call restores the record as it was, as long as nobody changes it in between.",
        tone="good",
    ),
    Reversal.PARTIAL: Word(
        label="Can be undone in part",
        meaning="Another governed call takes it back, but something stays behind.",
        tone="warn",
    ),
    Reversal.NONE: Word(
        label="Cannot be undone",
        meaning="There is no call that takes it back. Once it is done, it is done.",
        tone="bad",
    ),
}

UNDO_UNPROVEN: Final = Word(
    label="Undo declared, not proven",
    meaning="The connector declares a call that takes it back, and nobody has shown that with exactly this tool: the "
    "contract kit has not done and undone it on a live system. What was found through another MCP server, "
    "whose code may change unseen, does not count. Policy decides as if it could not be undone.",
    tone="warn",
)


def undo_word(reversal: Reversal, *, is_proven: bool) -> Word:
    """Return whether a write can be taken back, as far as that is known and not only said."""
    return REVERSALS[reversal] if is_proven or reversal is Reversal.NONE else UNDO_UNPROVEN


UPSTREAM_CLASSES: Final[Mapping[UpstreamClass, Word]] = {
    UpstreamClass.A: Word(
        label="Class A: exactly once",
        meaning="The system recognises a repeated request by its key. If its answer is lost, the same request is sent "
        "again and cannot take effect twice.",
        tone="good",
    ),
    UpstreamClass.B: Word(
        label="Class B: at most once, settled by condition",
        meaning="The system writes only if the record is still the one that was previewed. If its answer is lost, "
        "the same conditional request tells whether the first one arrived.",
        tone="good",
    ),
    UpstreamClass.C: Word(
        label="Class C: at most once, settled by looking up",
        meaning="If the system's answer is lost, the hub looks for its own reference there. Not found counts only "
        "after a waiting time.",
        tone="info",
    ),
    UpstreamClass.D: Word(
        label="Class D: at most once, settled by a person",
        meaning="The system offers no help against double effects. If its answer is lost, nothing is sent again "
        "and a person settles what happened.",
        tone="warn",
    ),
}
