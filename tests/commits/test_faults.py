"""The fault matrix: real processes that die or stand still at each moment of a commit, while the worst happens outside.

Each cell commits one approved charge in a real system that counts its effects, and is held to the same invariants:
never two effects, never a false "not done", never a false "done", and nothing that should go on stands still.
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
from commits.moments import Ending, Moment
from commits.stage import Stage, TakenBack, nursery, set_up
from connectors.sdk.vocabulary import UpstreamClass
from hub.invocations.states import DONE, State
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

A, B, C, D = UpstreamClass.A, UpstreamClass.B, UpstreamClass.C, UpstreamClass.D


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the matrix."""

    upstream_class: UpstreamClass
    moment: Moment
    event: Event

    @property
    def axes(self) -> Axes:
        return self.upstream_class, self.moment, self.event

    @property
    def was_sent(self) -> bool:
        """Return whether it was marked as sent when the process came to its ending."""
        return self.moment in _SENT

    @property
    def has_left(self) -> bool:
        """Return whether the request had left by then."""
        return self.was_sent and self.moment not in _NOT_LEFT

    @property
    def comes_to(self) -> State:
        """Where the write ends when nothing else goes wrong."""
        if self.upstream_class is D and self.was_sent and self.moment is not Moment.AFTER_RECORD:
            return State.IN_DOUBT
        if self.upstream_class is C and self.moment in _NOT_LEFT:
            return State.NOT_APPLIED
        return State.VERIFIED


_NOT_LEFT = {Moment.AFTER_SENT, Moment.FIRST_BYTE}
_SENT = _NOT_LEFT | {Moment.MID_REQUEST, Moment.AFTER_ANSWER, Moment.AFTER_RECORD}
_AROUND_SENT = _NOT_LEFT | {Moment.AFTER_RECHECK, Moment.MID_REQUEST}
_FAULTS = {Event.ANSWER_LOST: Fault.DROP_AFTER, Event.ANSWER_LATE: Fault.LATE}


def around_sent() -> list[Cell]:
    """Return every cell around the mark."""
    return [Cell(*one) for one in product(UpstreamClass, Moment, Event) if one[1] in _AROUND_SENT]


EVERY = [Cell(*one) for one in product(UpstreamClass, Moment, Event)]
CORE = [
    Cell(A, Moment.MID_REQUEST, Event.ANSWER_LOST),
    Cell(A, Moment.AFTER_SENT, Event.SECOND_WORKER),
    Cell(B, Moment.AFTER_SENT, Event.EDIT),
    Cell(B, Moment.MID_REQUEST, Event.NOTHING),
    Cell(C, Moment.FIRST_BYTE, Event.SECOND_WORKER),
    Cell(C, Moment.MID_REQUEST, Event.ANSWER_LATE),
    Cell(C, Moment.AFTER_RECHECK, Event.EXPIRY),
    Cell(D, Moment.AFTER_RECHECK, Event.REVOCATION),
    Cell(D, Moment.MID_REQUEST, Event.NOTHING),
]
MATRIX = pairwise(around_sent(), EVERY, lambda cell: cell.axes)


def test_every_two_of_class_moment_and_event_meet() -> None:
    met = {pair for cell in MATRIX for pair in pairs_of(cell.axes)}

    assert met == {pair for cell in EVERY for pair in pairs_of(cell.axes)}
    assert len(MATRIX) == len(set(MATRIX))


@pytest.fixture
async def stage(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[Stage]:
    async with open_world(database, keys, upstream) as world:
        with nursery(world) as workers:
            yield await set_up(world, workers)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_core_of_the_matrix_holds(stage: Stage) -> None:
    for cell in CORE:
        await play(cell, stage)


@pytest.mark.more
@pytest.mark.parametrize("upstream_class", list(UpstreamClass))
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_matrix_holds(stage: Stage, upstream_class: UpstreamClass) -> None:
    for cell in MATRIX:
        if cell.upstream_class is upstream_class:
            await play(cell, stage)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_taken_back_between_the_re_check_and_the_mark_is_not_sent(stage: Stage) -> None:
    """No process dies here, and the lease holds: the commit goes on a moment later, and must see what has changed."""
    upstream = stage.world.upstream
    for upstream_class, what in _TAKEN_BACK:
        invocation, account = await stage.approved(upstream_class)
        held_up = stage.nursery.work(invocation, Moment.AFTER_RECHECK, Ending.PAUSES)
        await stage.take_back(what, invocation)

        woken = stage.nursery.wake(held_up["pid"])

        assert woken == {"pid": held_up["pid"], "became": "ends", "status": 0}, what
        assert await stage.state(invocation) is State.APPROVED, what  # given back, and not sent
        assert await stage.attempts(invocation) == [], what
        await stage.step(invocation, is_quarantine_over=True)
        assert await stage.state(invocation) not in DONE, what
        assert upstream.store.effects(account) == [], what


_TAKEN_BACK = [
    (A, TakenBack.TOOL),
    (B, TakenBack.CONNECTION),
    (C, TakenBack.ACCOUNT),
    (D, TakenBack.AGENT),  # the last: whoever is suspended asks for nothing more
]


async def play(cell: Cell, stage: Stage) -> None:
    """Play one cell, and hold what came of it to the invariants."""
    upstream = stage.world.upstream
    invocation, account = await stage.approved(cell.upstream_class)
    if cell.event in _FAULTS:
        path = f"/{cell.upstream_class.lower()}/accounts/{account}{'' if cell.upstream_class is B else '/charges'}"
        method = "PATCH" if cell.upstream_class is B else "POST"
        upstream.store.plan_fault(_FAULTS[cell.event], method=method, path=path, argument=0.3)

    ending = Ending.STOPS if cell.event is Event.SECOND_WORKER else Ending.DIES
    became = stage.nursery.work(invocation, cell.moment, ending)
    assert became["became"] == ending.value, cell
    if cell.has_left and cell.event is not Event.ANSWER_LATE:
        upstream.await_effect(account)
    await stage.happen(cell.event, invocation, account)
    early = await stage.settle(invocation, is_quarantine_over=False)
    assert not (early in NOT_DONE and cell.has_left), f"{cell}: {early}, while it may still arrive"
    if cell.has_left:
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
