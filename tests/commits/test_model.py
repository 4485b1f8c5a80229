"""Every order of events around one commit, explored: no promise breaks, and without any one guard some promise does."""

import sys
from collections.abc import Callable

import pytest

from commits.model import ALL, Exploration, Guard, Model, explore
from connectors.sdk.vocabulary import UpstreamClass
from hub.invocations.states import State

A, B, C, D = UpstreamClass.A, UpstreamClass.B, UpstreamClass.C, UpstreamClass.D


Tell = Callable[[UpstreamClass, Exploration], None]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Print how much was explored, for whoever runs the tests."""

    def tell(upstream_class: UpstreamClass, found: Exploration) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\nclass {upstream_class}: {found.worlds:,} worlds, {found.moves:,} moves explored\n")

    return tell


def explored(upstream_class: UpstreamClass, told: Tell) -> Exploration:
    found = explore(Model(upstream_class))
    told(upstream_class, found)
    assert found.broken is None, " / ".join(found.way)
    assert found.stuck == 0
    return found


@pytest.mark.parametrize("upstream_class", [C, D])
def test_no_order_of_events_breaks_a_promise(upstream_class: UpstreamClass, told: Tell) -> None:
    found = explored(upstream_class, told)

    assert State.RESENDING not in found.states
    assert {State.COMMITTED, State.FAILED, State.IN_DOUBT, State.STALE, State.EXPIRED} <= found.states
    assert (State.NOT_APPLIED in found.states) is (upstream_class is C)


@pytest.mark.more
@pytest.mark.parametrize("upstream_class", [A, B])
def test_no_order_of_events_breaks_a_promise_where_a_request_may_be_repeated(
    upstream_class: UpstreamClass, told: Tell
) -> None:
    found = explored(upstream_class, told)

    assert {State.COMMITTED, State.FAILED, State.RESENDING, State.IN_DOUBT, State.STALE} <= found.states


WITHOUT = [
    (Guard.FENCE, A, "FAILED, and it is done"),
    (Guard.FENCE, B, "FAILED, and it is done"),
    (Guard.DURABLE_FIRST, A, "COMMITTING, and it is done"),
    (Guard.DURABLE_FIRST, D, "sent again, though the system offers nothing to tell the second from the first"),
    (Guard.NO_WAY_BACK, C, "APPROVED, and it is done"),
    (Guard.CLASS, C, "sent again, though the system offers nothing to tell the second from the first"),
    (Guard.CLASS, D, "sent again, though the system offers nothing to tell the second from the first"),
    (Guard.FIRST_ONLY, A, "FAILED, and it is done"),
    (Guard.FIRST_ONLY, B, "FAILED, and it is done"),
    (Guard.QUARANTINE, C, "NOT_APPLIED, and it is done"),
    (Guard.QUARANTINE_FIRST, C, "NOT_APPLIED, and it is done"),
    (Guard.CLOCK, C, "NOT_APPLIED, and it is done"),
    (Guard.DEADLINE, D, "sent after the deadline"),
    (Guard.KEY, A, "two effects"),
]


@pytest.mark.parametrize(("guard", "upstream_class", "broken"), WITHOUT)
def test_without_any_one_guard_a_promise_breaks(guard: Guard, upstream_class: UpstreamClass, broken: str) -> None:
    found = explore(Model(upstream_class, ALL - {guard}))

    assert found.broken == broken, " / ".join(found.way)


def test_every_guard_is_taken_away_once() -> None:
    assert {guard for guard, _, _ in WITHOUT} == ALL
