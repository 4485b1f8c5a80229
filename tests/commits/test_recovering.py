"""Processes that die while they go on with what a process that died has left: a crash during the recovery from a crash.

The second dies before and after it takes over, while it looks in the system or sends again, after the answer and after
the record. Then a third goes on, and the invariants are the same: never two effects, never a false "not done", never a
false "done", one attempt for each fencing number, and an approval that is spent once.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from itertools import product

import pytest
from upstream.faults import Fault
from upstream.fixtures import Upstream
from world import open_world

from commits.cells import NOT_DONE, Axes, Event, pairs_of, pairwise
from commits.invariants import check
from commits.moments import Ending, Moment, Recovery
from commits.stage import Stage, nursery, set_up
from connectors.sdk.vocabulary import UpstreamClass
from hub.invocations.states import State
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

A, B, C, D = UpstreamClass.A, UpstreamClass.B, UpstreamClass.C, UpstreamClass.D


FIRST = (Moment.AFTER_CLAIM, Moment.AFTER_SENT, Moment.MID_REQUEST, Moment.AFTER_RECORD)
"""Where the first process dies: with nothing sent, marked as sent, sent, and with the answer on record."""
_SENDING = (Moment.AFTER_SENT, Moment.MID_REQUEST, Moment.AFTER_ANSWER, Moment.AFTER_RECORD)
AGAIN = (*Recovery, *_SENDING)
"""Where the second does."""
_LEFT = {Moment.MID_REQUEST, Moment.AFTER_ANSWER, Moment.AFTER_RECORD}
_TAKING_OVER = {Recovery.BEFORE_TAKE_OVER, Recovery.AFTER_TAKE_OVER}
_QUIET = {Event.NOTHING, Event.SECOND_WORKER}


@dataclass(frozen=True, slots=True)
class Cell:
    """One run: where the first process dies, where the one that goes on does, and what happens in between."""

    upstream_class: UpstreamClass
    moment: Moment
    again: Moment | Recovery
    event: Event

    @property
    def was_sent(self) -> bool:
        """Return whether it was marked as sent when the first process died."""
        return self.moment is not Moment.AFTER_CLAIM

    @property
    def had_left(self) -> bool:
        """Return whether the request had left by then."""
        return self.moment in _LEFT

    @property
    def has_left(self) -> bool:
        """Return whether a request has left when the second process dies."""
        return self.had_left or self.again in _LEFT

    @property
    def is_refused_for_an_edit(self) -> bool:
        """Return whether what leaves comes with a condition that no longer holds."""
        return self.upstream_class is B and self.event is Event.EDIT and not self.had_left

    @property
    def is_possible(self) -> bool:
        """Return whether what goes on after the first death comes to the second for certain."""
        if self.again in _TAKING_OVER:
            return True
        match self.moment:
            case Moment.AFTER_CLAIM:
                return self.event in _QUIET and self.again in {Recovery.MID_READ_BACK, *_SENDING}
            case Moment.AFTER_RECORD:
                return self.again is Recovery.MID_READ_BACK
            case _:
                return self._is_possible_of_what_was_sent()

    def _is_possible_of_what_was_sent(self) -> bool:
        is_quiet, is_b = self.event in _QUIET, self.upstream_class is B
        is_sent_again = is_b or self.upstream_class is A
        meets_itself = is_b and self.had_left and is_quiet
        match self.again:
            case Recovery.AFTER_LOST_LEASE:
                return True
            case Recovery.AFTER_LOOK:
                return meets_itself or not is_sent_again
            case Recovery.MID_LOOK:
                return meets_itself or self.upstream_class is C
            case Recovery.MID_READ_BACK:
                return is_quiet and (is_sent_again or (self.upstream_class is C and self.had_left))
            case _:
                return is_sent_again

    @property
    def comes_to(self) -> State:
        """Where the write ends when nothing else goes wrong."""
        is_known = self.moment is Moment.AFTER_RECORD or self.again in {Moment.AFTER_RECORD, Recovery.MID_READ_BACK}
        is_sent = self.was_sent or self.again in _SENDING
        if self.upstream_class is D and is_sent and not is_known:
            return State.IN_DOUBT
        if self.upstream_class is C and is_sent and not is_known and not self.has_left:
            return State.NOT_APPLIED
        return State.VERIFIED


def where(cell: Cell) -> Axes:
    """Return what has to meet: every two of class, first death and second death."""
    return cell.upstream_class, cell.moment, cell.again


def what(cell: Cell) -> Axes:
    """Return what has to meet as well: every two of class, first death and what happens besides."""
    return cell.upstream_class, cell.moment, cell.event


EVERY = [cell for one in product(UpstreamClass, FIRST, AGAIN, Event) if (cell := Cell(*one)).is_possible]
CORE = [
    Cell(A, Moment.MID_REQUEST, Moment.MID_REQUEST, Event.NOTHING),
    Cell(B, Moment.MID_REQUEST, Recovery.MID_LOOK, Event.NOTHING),
    Cell(C, Moment.MID_REQUEST, Recovery.MID_LOOK, Event.ANSWER_LATE),
    Cell(D, Moment.AFTER_SENT, Recovery.AFTER_LOST_LEASE, Event.SECOND_WORKER),
]
MATRIX = pairwise(pairwise(CORE, EVERY, what), EVERY, where)


def test_every_two_of_class_death_second_death_and_event_meet() -> None:
    for axes in (where, what):
        met = {pair for cell in MATRIX for pair in pairs_of(axes(cell))}

        assert met == {pair for cell in EVERY for pair in pairs_of(axes(cell))}
    assert len(MATRIX) == len(set(MATRIX))
    assert {cell.again for cell in MATRIX} == set(AGAIN)


@pytest.fixture
async def stage(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[Stage]:
    async with open_world(database, keys, upstream) as world:
        with nursery(world) as workers:
            yield await set_up(world, workers)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_process_that_dies_while_it_goes_on_for_another_leaves_nothing_done_twice_or_untrue(
    stage: Stage,
) -> None:
    for cell in CORE:
        await play(cell, stage)


@pytest.mark.more
@pytest.mark.parametrize(
    ("database_url", "cells"), [("sqlite", MATRIX[::2]), ("postgresql", MATRIX[1::2])], indirect=["database_url"]
)
async def test_the_matrix_of_two_deaths_holds(stage: Stage, cells: list[Cell]) -> None:
    for cell in cells:
        await play(cell, stage)


async def play(cell: Cell, stage: Stage) -> None:
    """Play one cell, and hold what came of it to the invariants."""
    upstream = stage.world.upstream
    invocation, account = await stage.approved(cell.upstream_class)
    if cell.event is Event.ANSWER_LATE:
        _plan(Fault.LATE, cell, stage, account)
    ending = Ending.STOPS if cell.event is Event.SECOND_WORKER else Ending.DIES
    became = stage.nursery.work(invocation, cell.moment, ending)
    assert became["became"] == ending.value, cell
    if cell.had_left and cell.event is not Event.ANSWER_LATE:
        upstream.await_effect(account)
    if cell.event is Event.ANSWER_LOST:
        _plan(Fault.DROP_AFTER, cell, stage, account)
    await stage.happen(cell.event, invocation, account)

    assert await stage.recover(invocation, cell.again), cell
    early = await stage.settle(invocation, is_quarantine_over=False)
    assert not (early in NOT_DONE and cell.has_left), f"{cell}: {early}, while it may still arrive"
    if cell.has_left and not cell.is_refused_for_an_edit:
        upstream.await_effect(account)
    found = await stage.settle(invocation, is_quarantine_over=True)
    if ending is Ending.STOPS:
        woken = stage.nursery.wake(became["pid"])
        assert woken == {"pid": became["pid"], "became": "ends", "status": 0}, cell
        found = await stage.settle(invocation, is_quarantine_over=True)
    if cell.event is Event.REVOCATION:
        await stage.reinstate_ann()
    attempts = await stage.attempts(invocation)
    check(cell, found, effects=len(upstream.store.effects(account)), attempts=attempts)


def _plan(fault: Fault, cell: Cell, stage: Stage, account: int) -> None:
    """Let the next write to the account come to a bad end; or, where the system is asked what it has, the next look."""
    letter, store = cell.upstream_class.lower(), stage.world.upstream.store
    if cell.upstream_class is C and cell.was_sent:
        store.plan_fault(fault, method="GET", path="/c/charges*")
    elif cell.upstream_class is B:
        store.plan_fault(fault, method="PATCH", path=f"/b/accounts/{account}", argument=0.3)
    else:
        store.plan_fault(fault, method="POST", path=f"/{letter}/accounts/{account}/charges", argument=0.3)
