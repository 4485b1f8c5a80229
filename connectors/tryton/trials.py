"""Trials: what a call would leave behind, asked of Tryton's module `hub_trial` where it is installed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from connectors.sdk import Context, Precondition, Unreadable
from connectors.tryton.rows import Owned, fields_of, row

Json = Any
"""Any JSON value."""

R = TypeVar("R", bound=BaseModel)

TRIAL = "hub.trial"
NOT_INSTALLED = "a trial inside Tryton: its module hub_trial is not installed there"
"""What a preview does not cover where it had to be simulated."""


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


async def tried(context: Context, guard: Precondition, button: str, asked: Sequence[Asked]) -> Trial | None:
    """Return what pressing `button` of the record that `guard` names would leave, or None if Tryton cannot try.

    Raises:
        Refused: Tryton would refuse it, or would ask a person.
        Conflict: the record is no longer as it was read.
    """
    if not await context.rpc("model.ir.model.search_count", [["name", "=", TRIAL]], {}, returns=int):
        return None
    model, _, number = guard.target.partition("/")
    owned = await row(context, model, Owned, int(number), called="record")
    reads = [[one.model, [list(clause) for clause in one.clauses], fields_of(one.kind)] for one in asked]
    as_guarded = {"_timestamp": {f"{model},{number}": guard.token}, "company": owned.company}
    answer = await context.rpc(f"model.{TRIAL}.run", model, button, [[owned.id]], reads, as_guarded, returns=_Answer)
    return Trial(answer.found, answer.is_settled)
