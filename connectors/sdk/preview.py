"""What a preview says: the changes a call would make, the guards that must still hold, and how far it reaches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypedDict, Unpack

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_jsonable_python

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

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if self.effect is Effect.READ:
            raise ValueError("a read changes nothing, so it is no change")
        if self.effect is Effect.CREATE and self.before is not None:
            raise ValueError("what is created was not there before: leave 'before' out")
        if self.effect is Effect.DELETE and self.after is not None:
            raise ValueError("what is deleted is not there after: leave 'after' out")
        return self


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


class Reach(TypedDict, total=False):
    """What else a preview may say, beside its one change."""

    guard: str | int
    unknown: Sequence[str]
    sensitive: Sequence[str]
    side_effects: Sequence[SideEffect]
    blast: Blast
    fidelity: Fidelity
    copied_at: datetime
    not_covered: Sequence[str]


Record = BaseModel | Mapping[str, Json]


class Preview(_Value):
    """The changes a call would make, their preconditions, side effects and reach, and how sure we are of them.

    One that was executed in a twin says when that was copied.
    """

    changes: tuple[Change, ...]
    side_effects: tuple[SideEffect, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    blast: Blast = Blast()
    fidelity: Fidelity = Fidelity.SIMULATED
    copied_at: AwareDatetime | None = None
    not_covered: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _age_of_the_twin(self) -> Self:
        if self.fidelity is Fidelity.TWIN and self.copied_at is None:
            raise ValueError("a preview from a twin says when that was copied: give copied_at")
        return self

    def at_most(self, fidelity: Fidelity) -> Self:
        """Return it, claiming no more than `fidelity`.

        Raises:
            ValidationError: that would be one from a twin, and it does not say when that was copied.
        """
        if self.fidelity.rank <= fidelity.rank:
            return self
        return type(self).model_validate({**dict(self), "fidelity": fidelity})

    @classmethod
    def create(cls, target: str, record: Record, **reach: Unpack[Reach]) -> Self:
        """Return the preview of making `record`. Name the fields the system fills in as `unknown`."""
        return cls._of(target, Effect.CREATE, (None, _json(record)), reach)

    @classmethod
    def update(cls, target: str, before: Record, after: Record, **reach: Unpack[Reach]) -> Self:
        """Return the preview of changing a record; `after` is the whole record, or a mapping of what is changed.

        `guard` is the version found: the commit gets it as `context.guard[target]`.
        """
        found = _json(before)
        then = _json(after) if isinstance(after, BaseModel) else {**found, **_json(after)}
        return cls._of(target, Effect.UPDATE, (found, then), reach)

    @classmethod
    def delete(cls, target: str, before: Record, **reach: Unpack[Reach]) -> Self:
        """Return the preview of deleting a record."""
        return cls._of(target, Effect.DELETE, (_json(before), None), reach)

    @classmethod
    def send(cls, target: str, message: Record, **reach: Unpack[Reach]) -> Self:
        """Return the preview of sending `message` to `target`."""
        return cls._of(target, Effect.SEND, (None, _json(message)), reach)

    @classmethod
    def _of(
        cls, target: str, effect: Effect, states: tuple[dict[str, Json] | None, dict[str, Json] | None], reach: Reach
    ) -> Self:
        unknown = tuple(reach.get("unknown", ()))
        before, after = states
        if after is not None:
            # A field the system assigns has no value yet; the old one, or a guess, would be a promise.
            after = {name: value for name, value in after.items() if name not in unknown}
        sensitive = tuple(reach.get("sensitive", ()))
        change = Change(target=target, effect=effect, before=before, after=after, unknown=unknown, sensitive=sensitive)
        guard = (Precondition(target=target, token=str(reach["guard"])),) if "guard" in reach else ()
        return cls(
            changes=(change,),
            preconditions=guard,
            side_effects=tuple(reach.get("side_effects", ())),
            blast=reach.get("blast", Blast(rows=1)),
            fidelity=reach.get("fidelity", Fidelity.SIMULATED),
            copied_at=reach.get("copied_at"),
            not_covered=tuple(reach.get("not_covered", ())),
        )


def _json(record: Record) -> dict[str, Json]:
    if isinstance(record, BaseModel):
        return record.model_dump(mode="json", by_alias=True)
    return {name: to_jsonable_python(value) for name, value in record.items()}
