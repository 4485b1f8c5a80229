"""The table of states: what governance promises of it, checked over every path."""

from hub.invocations.envelope import STANDINGS, Status
from hub.invocations.states import CANCELLABLE, DONE, JOINABLE, MOVES, State

AFTER_SENDING = frozenset({State.SENT, State.RESENDING, State.IN_DOUBT})


def reachable(start: State) -> set[State]:
    found: set[State] = set()
    ahead = [start]
    while ahead:
        state = ahead.pop()
        if state not in found:
            found.add(state)
            ahead.extend(MOVES[state])
    return found


def test_every_state_can_be_reached_from_received() -> None:
    assert reachable(State.RECEIVED) == set(State)


def test_after_sending_no_move_leads_straight_back_to_approved() -> None:
    assert all(State.APPROVED not in MOVES[state] for state in AFTER_SENDING)


def test_what_may_have_been_sent_cannot_be_cancelled_or_expire() -> None:
    assert not AFTER_SENDING & CANCELLABLE
    assert all(State.EXPIRED not in MOVES[state] for state in AFTER_SENDING)


def test_only_sent_or_doubtful_writes_can_be_committed() -> None:
    assert {state for state in State if State.COMMITTED in MOVES[state]} == {State.SENT, State.IN_DOUBT}


def test_a_resent_write_never_becomes_failed_directly() -> None:
    assert State.FAILED not in MOVES[State.RESENDING]
    assert State.FAILED not in MOVES[State.IN_DOUBT]


def test_every_state_has_a_standing_and_only_ended_ones_are_errors() -> None:
    assert set(STANDINGS) == set(State)
    assert all(state.is_terminal for state, standing in STANDINGS.items() if standing.is_error)


def test_no_state_by_itself_is_a_failed_task() -> None:
    assert {standing.task for standing in STANDINGS.values()} == {"working", "completed", "cancelled"}


def test_done_states_are_told_as_done_and_nothing_in_doubt_is() -> None:
    assert all(STANDINGS[state].status is Status.DONE for state in DONE)
    assert STANDINGS[State.IN_DOUBT].status is Status.IN_DOUBT


def test_a_repeat_joins_what_is_done_and_never_what_was_refused() -> None:
    assert DONE <= JOINABLE
    assert not JOINABLE & {State.DENIED, State.PREVIEW_FAILED, State.REJECTED, State.FAILED}
