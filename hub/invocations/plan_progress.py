"""How a plan stands: its steps with the calls that carry them out and take them back, and what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from connectors.sdk.vocabulary import Effect
from hub.dryrun import PlannedStep
from hub.invocations.aftermath import (
    may_be_undone,
    taken_back_by,
    undoing_among,
    undos_among,
    undos_of,
    was_carried_out,
)
from hub.invocations.journal import load
from hub.invocations.plan_steps import planned_steps
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation, StepProgress, StepStatus
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One step, the call that carries it out and the call that takes it back, as far as there are any."""

    planned: PlannedStep
    call: Invocation | None = None
    undoing: tuple[Invocation, ...] = ()
    """Every call that takes it back, oldest first, and every call that takes back one of these."""

    @property
    def undo(self) -> Invocation | None:
        """The newest call that takes it back itself."""
        return None if self.call is None else next(reversed(undos_among(self.call, self.undoing)), None)

    @property
    def is_done(self) -> bool:
        """Whether it was carried out, whatever became of it then."""
        return self.call is not None and was_carried_out(self.call)

    @property
    def is_taken_back(self) -> bool:
        """Whether it was undone, its records were found as they had been before, and that was not undone in turn."""
        return self.call is not None and bool(taken_back_by(self.call, self.undoing))

    @property
    def stands(self) -> bool:
        """Whether it was carried out, and not taken back."""
        return self.is_done and not self.is_taken_back

    @property
    def may_be_undone(self) -> bool:
        """Whether something has undone it, or may have, and that was not undone in turn."""
        return self.call is not None and may_be_undone(self.call, self.undoing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The turn of the next step has come."""

    turn: Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """A call is under way, and everything else waits for it: one that carries out a step, or takes it back."""

    turn: Turn
    call: Invocation

    @property
    def what(self) -> str:
        """What is waited for, as a sentence begins with it; whoever undoes a step has a call of its own."""
        step = f"tep {self.turn.planned.number}, {self.turn.planned.name},"
        return f"S{step}" if self.call.undoes is None else f"The undo of s{step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A step has come to nothing: the plan goes no further."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """The last step that stands is to be taken back."""

    turn: Turn
    call: Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Nothing is left to do."""


Move = Begin | Await | Stop | TakeBack | Finish


async def children_of(tx: Tx, plan_id: str) -> list[Invocation]:
    """Return the calls that carry out the writes of a plan, all that takes these back, and so on; oldest first."""
    writes = (InvocationRow.part_of == plan_id, InvocationRow.effect != Effect.READ.value)
    made = sorted(await tx.scalars(select(InvocationRow.id).where(*writes)))
    found = [await load(tx, one) for one in made] + await undos_of(tx, made)  # people may undo a step, too
    return sorted({one.id: one for one in found}.values(), key=lambda one: one.id)


async def turns_of(tx: Tx, plan: Invocation) -> list[Turn]:
    """Return the steps of a plan that write, in their order, with the calls there are; its reads were made before."""
    children = await children_of(tx, plan.id)
    found = list[Turn]()
    for planned in planned_steps(plan):
        if planned.is_read:
            continue
        mine = [one for one in children if one.part and one.part.step == planned.number and one.undoes is None]
        call = mine[-1] if mine else None
        undoing = undoing_among(call, children) if call is not None else ()
        found.append(Turn(planned=planned, call=call, undoing=tuple(undoing)))
    return found


def next_move(turns: Sequence[Turn], *, is_stopped: bool) -> Move:
    """Return what comes next: one step after the other, or, once it is stopped, one undo after the other in reverse.

    What stands at the end is always a beginning of the plan. So a step that cannot be taken back ends the taking back:
    what was done before it stays, as it would have been had the plan been let go just so far.
    """
    for turn, call in _calls(turns):
        if not call.state.is_terminal:
            return Await(turn=turn, call=call)
    return _backwards(turns) if is_stopped else _forwards(turns)


def _forwards(turns: Sequence[Turn]) -> Move:
    for turn in turns:
        if turn.call is None:
            return Begin(turn=turn)
        if not turn.is_done:
            why = turn.call.error_message or turn.call.state.value.lower()
            return Stop(reason=f"step {turn.planned.number}, {turn.planned.name}, was not done: {why}")
        if turn.may_be_undone:
            return Stop(reason=f"step {turn.planned.number}, {turn.planned.name}, was taken back by a call of its own")
    return Finish()


def _backwards(turns: Sequence[Turn]) -> Move:
    for turn in reversed(turns):
        if turn.call is None or not turn.is_done or turn.is_taken_back:
            continue
        return Finish() if turn.undo is not None else TakeBack(turn=turn, call=turn.call)
    return Finish()


def _calls(turns: Sequence[Turn]) -> list[tuple[Turn, Invocation]]:
    return [(turn, call) for turn in turns for call in (turn.call, *turn.undoing) if call is not None]


async def with_progress(tx: Tx, standing: Invocation) -> Invocation:
    """Return `standing` with how its steps stand, if it is a plan that has begun."""
    if standing.sent_at is None or not planned_steps(standing):
        return standing
    turns = await turns_of(tx, standing)
    is_partial = standing.state is State.PARTIAL
    return replace(standing, progress=tuple(_progress(turn, is_partial=is_partial) for turn in turns))


def _progress(turn: Turn, *, is_partial: bool) -> StepProgress:
    call, undo = turn.call, turn.undo
    status = StepStatus.STANDS if is_partial and turn.stands else _status(turn)
    why = undo if undo is not None and not turn.is_taken_back else call
    return StepProgress(
        number=turn.planned.number,
        name=turn.planned.name,
        tool=turn.planned.tool,
        status=status,
        invocation_id=call.id if call else None,
        undo_id=undo.id if undo else None,
        message=(why.error_message or "") if why is not None else "",
    )


def _status(turn: Turn) -> StepStatus:
    call, undo = turn.call, turn.undo
    if call is None:
        return StepStatus.AHEAD
    if State.IN_DOUBT in {call.state, undo.state if undo else call.state}:
        return StepStatus.IN_DOUBT
    if not turn.is_done:
        return StepStatus.NOT_DONE if call.state.is_terminal else StepStatus.UNDER_WAY
    return StepStatus.DONE if undo is None else _of_undo(turn, undo)


def _of_undo(turn: Turn, undo: Invocation) -> StepStatus:
    if turn.is_taken_back:
        return StepStatus.TAKEN_BACK
    return StepStatus.STANDS if undo.state.is_terminal else StepStatus.TAKING_BACK
