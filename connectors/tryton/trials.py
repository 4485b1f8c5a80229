"""Trials: what a call would leave behind, asked of Tryton's module `hub_trial` where it is installed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from connectors.sdk import Context, Precondition, Preview, Unreadable
from connectors.tryton.rows import fields_of

Json = Any
"""Any JSON value."""

R = TypeVar("R", bound=BaseModel)

TRIAL = "hub.trial"
NOT_INSTALLED = "a trial inside Tryton: its module hub_trial is not installed there"
"""What a preview does not cover where it had to be simulated."""

MADE: Json = {"trial": "result"}
"""What stands in a clause for the ids that the call makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which rows to read after the call, and as what."""

    model: str
    clauses: Sequence[Sequence[Json]]
    kind: type[BaseModel]


class _Answer(BaseModel):
    found: list[list[dict[str, Json]]]
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What would be there; unless `is_settled`, Tryton does part of the work later than it answers."""

    found: Sequence[Sequence[Mapping[str, Json]]]
    is_settled: bool

    def rows(self, place: int, kind: type[R]) -> list[R]:
        """Return the rows asked for at `place`."""
        try:
            return TypeAdapter(list[kind]).validate_python(self.found[place])  # type: ignore[valid-type]  # a type made at run time, and checked then
        except (ValidationError, IndexError) as error:
            raise Unreadable("Tryton's trial answered with something else than what it was asked for.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to try: as it would be sent, under the guards of a preview, in the eyes of a company."""

    model: str
    method: str
    arguments: Sequence[Json]
    guards: Sequence[Precondition] = ()
    company: int

    @property
    def context(self) -> dict[str, Json]:
        """Return the context of the call, with the versions that Tryton checks."""
        strong = {one.target.replace("/", ","): one.token for one in self.guards if one.strength == "strong"}
        return {"_timestamp": strong, "company": self.company}


def pressing(guard: Precondition, company: int, button: str) -> Call:
    """Return the call that presses `button` of the record that `guard` names."""
    model, _, number = guard.target.partition("/")
    return Call(model=model, method=button, arguments=[[int(number)]], guards=[guard], company=company)


async def tried(context: Context, call: Call, asked: Sequence[Asked]) -> Trial | None:
    """Return what `call` would leave, or None if Tryton cannot try.

    Raises:
        Refused: Tryton would refuse it, or would ask a person.
        Conflict: a record is no longer as it was read.
    """
    if not await context.rpc("model.ir.model.search_count", [["name", "=", TRIAL]], {}, returns=int):
        return None
    reads = [[one.model, [list(clause) for clause in one.clauses], fields_of(one.kind)] for one in asked]
    what = (call.model, call.method, list(call.arguments), reads, call.context)
    answer = await context.rpc(f"model.{TRIAL}.run", *what, returns=_Answer)
    return Trial(answer.found, answer.is_settled)


def simulated_only(preview: Preview) -> Preview:
    """Return a preview that had to stay simulated because Tryton could not try."""
    return preview.model_copy(update={"not_covered": (*preview.not_covered, NOT_INSTALLED)})
