"""The rules of approval, pure."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hub.approvals.rules import Choice, Granted, Rejected, Vote, Waiting, login_is_fresh, standing
from hub.policy import Obligation

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def asks(group: str, count: int = 1, *, fresh_seconds: int | None = None, stage: int = 1) -> Obligation:
    return Obligation(
        group=group,
        count=count,
        seconds=3600,
        fresh_seconds=fresh_seconds,
        rule_id="r",
        why="because",
        stage=stage,
    )


def vote(voter: str, *groups: str, choice: Choice = Choice.APPROVE, minute: int = 0, stage: int = 1) -> Vote:
    at = NOON + timedelta(minutes=minute)
    return Vote(
        voter_id=voter,
        groups=frozenset(groups),
        choice=choice,
        reason="no",
        cast_at=at,
        authenticated_at=at,
        stage=stage,
    )


def test_a_question_waits_until_every_group_has_enough_votes() -> None:
    obligations = (asks("finance"), asks("sales", 2))

    assert standing(obligations, []) == Waiting(missing={"finance": 1, "sales": 2})
    assert standing(obligations, [vote("ann", "finance"), vote("bob", "sales")]) == Waiting(missing={"sales": 1})


def test_one_person_in_two_groups_fills_one_seat() -> None:
    obligations = (asks("finance"), asks("sales"))

    assert isinstance(standing(obligations, [vote("ann", "finance", "sales")]), Waiting)


def test_the_order_of_votes_does_not_matter_when_a_person_fits_two_seats() -> None:
    obligations = (asks("finance"), asks("sales"))
    both = [vote("ann", "finance", "sales", minute=1), vote("bob", "finance", minute=2)]

    assert all(standing(obligations, list(order)) == Granted() for order in permutations(both))


def test_one_veto_rejects_whatever_the_others_say() -> None:
    votes = [vote("ann", "finance"), vote("bob", "finance", choice=Choice.REJECT, minute=1)]

    assert standing((asks("finance"),), votes) == Rejected(by="bob", reason="no")


def test_votes_of_people_outside_the_asked_groups_count_for_nothing() -> None:
    assert isinstance(standing((asks("finance"),), [vote("eve", "marketing")]), Waiting)


def test_the_youngest_login_any_rule_asks_for_is_needed() -> None:
    obligations = (asks("a", fresh_seconds=600), asks("b", fresh_seconds=60), asks("c"))

    assert login_is_fresh(obligations, authenticated_at=NOON, at=NOON + timedelta(seconds=60))
    assert not login_is_fresh(obligations, authenticated_at=NOON, at=NOON + timedelta(seconds=61))


IN_TURN = (asks("finance"), asks("sales"), asks("legal", 2, stage=2))


def test_a_later_stage_waits_until_the_one_before_is_complete() -> None:
    ann, bob = vote("ann", "finance"), vote("bob", "sales")

    assert standing(IN_TURN, [ann]) == Waiting(missing={"sales": 1}, stage=1)
    assert standing(IN_TURN, [ann, bob]) == Waiting(missing={"legal": 2}, stage=2)
    lawyers = [vote("lea", "legal", stage=2), vote("leo", "legal", stage=2)]
    assert standing(IN_TURN, [ann, bob, *lawyers]) == Granted()


def test_what_a_later_stage_said_counts_for_nothing_once_an_earlier_one_is_incomplete() -> None:
    lawyers = [vote("lea", "legal", stage=2), vote("leo", "legal", stage=2)]

    assert standing(IN_TURN, [vote("bob", "sales"), *lawyers]) == Waiting(missing={"finance": 1}, stage=1)


def test_a_vote_counts_in_the_stage_it_was_cast_in_alone() -> None:
    assert standing((asks("a"), asks("a", stage=2)), [vote("ann", "a"), vote("bob", "a")]) == Waiting(
        missing={"a": 1}, stage=2
    )


def test_nobody_counts_in_two_stages() -> None:
    twice = [vote("ann", "a"), vote("ann", "a", minute=1, stage=2)]

    assert standing((asks("a"), asks("a", stage=2)), twice) == Waiting(missing={"a": 1}, stage=2)


def test_a_veto_rejects_at_any_stage() -> None:
    votes = [vote("ann", "finance"), vote("bob", "sales"), vote("lea", "legal", choice=Choice.REJECT, stage=2)]

    assert standing(IN_TURN, votes) == Rejected(by="lea", reason="no")


def test_any_of_several_groups_will_do_and_all_of_several_must_be_one_person() -> None:
    either, both = (asks("finance|treasury"),), (asks("board&finance"),)

    assert standing(either, [vote("ann", "treasury")]) == Granted()
    assert isinstance(standing(either, [vote("ann", "board")]), Waiting)
    assert isinstance(standing(both, [vote("ann", "finance"), vote("bob", "board")]), Waiting)
    assert standing(both, [vote("ann", "finance", "board")]) == Granted()
