"""Trials: what a call would leave behind, asked of Tryton's module `hub_trial` where it is installed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from connectors.sdk import Conflict, ConnectorError, Context, Fidelity, Precondition, Preview, Unreadable
from connectors.tryton.holding import is_of_tryton
from connectors.tryton.rows import Row, fields_of, rows

Json = Any
"""Any JSON value."""

R = TypeVar("R", bound=BaseModel)

TRIAL = "hub.trial"
COPY = "hub.trial.copy"
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


@dataclass(frozen=True, slots=True)
class Untried:
    """Why a call could not be tried, in the words of `not_covered`."""

    reason: str


class _Copy(Row):
    copied_at: datetime


class _Answer(BaseModel):
    found: list[list[dict[str, Json]]]
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What would be there; unless `is_settled`, Tryton does part of the work later than it answers."""

    found: Sequence[Sequence[Mapping[str, Json]]]
    is_settled: bool
    copied_at: datetime | None = None
    """When the twin was copied in which it was tried; None where it was tried in Tryton itself."""

    @property
    def sureness(self) -> dict[str, Json]:
        """Return how sure a preview is that shows this."""
        fidelity = Fidelity.EXECUTED if self.copied_at is None else Fidelity.TWIN
        return {"fidelity": fidelity, "copied_at": self.copied_at}

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
    rests_on: Sequence["Asked"] = ()
    """What else must be the same in a twin for its answer to count: the lines of a document."""

    @property
    def context(self) -> dict[str, Json]:
        """Return the context of the call, with the versions that Tryton checks."""
        strong = {one.target.replace("/", ","): one.token for one in self.guards if is_of_tryton(one)}
        return {"_timestamp": strong, "company": self.company}


def pressing(guard: Precondition, company: int, button: str, *rests_on: Asked) -> Call:
    """Return the call that presses `button` of the record that `guard` names."""
    model, _, number = guard.target.partition("/")
    return Call(
        model=model, method=button, arguments=[[int(number)]], guards=[guard], company=company, rests_on=rests_on
    )


async def tried(context: Context, call: Call, asked: Sequence[Asked]) -> Trial | Untried:
    """Return what `call` would leave, tried in Tryton itself or else in its twin; or why neither can try.

    Raises:
        Refused: Tryton would refuse it, or would ask a person.
        Conflict: a record is no longer as it was read.
    """
    if await _can_try(context):
        return await _run(context, call, asked)
    if context.twin is None:
        return Untried(NOT_INSTALLED)
    try:
        return await _tried_in(context.twin, context, call, asked)
    except Conflict:
        return Untried("a trial in the twin: the record has changed since it was copied")
    except ConnectorError as error:  # whatever a copy says is no refusal by the system itself
        return Untried(f"a trial in the twin, which says: {error.message}")


def simulated_only(preview: Preview, untried: Untried) -> Preview:
    """Return a preview that had to stay simulated because nothing could try."""
    return preview.model_copy(update={"not_covered": (*preview.not_covered, untried.reason)})


async def _can_try(context: Context) -> bool:
    return bool(await context.rpc("model.ir.model.search_count", [["name", "=", TRIAL]], {}, returns=int))


async def _run(context: Context, call: Call, asked: Sequence[Asked]) -> Trial:
    reads = [[one.model, [list(clause) for clause in one.clauses], fields_of(one.kind)] for one in asked]
    what = (call.model, call.method, list(call.arguments), reads, call.context)
    answer = await context.rpc(f"model.{TRIAL}.run", *what, returns=_Answer)
    return Trial(answer.found, answer.is_settled)


async def _tried_in(twin: Context, live: Context, call: Call, asked: Sequence[Asked]) -> Trial | Untried:
    if not await _can_try(twin):
        return Untried("a trial in the twin: the module hub_trial is not installed there")
    marks = await rows(twin, COPY, _Copy, [])
    if not marks:
        return Untried("a trial in the twin: it does not say when it was copied, so it may be no copy")
    for one in call.rests_on:
        there = await rows(twin, one.model, Row, one.clauses)
        if there != await rows(live, one.model, Row, one.clauses):
            return Untried("a trial in the twin: what the call rests on has changed since it was copied")
    trial = await _run(twin, call, asked)
    return replace(trial, copied_at=marks[-1].copied_at.replace(tzinfo=UTC))
