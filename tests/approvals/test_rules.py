"""The rules of approval, pure."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hub.approvals.rules import Choice, Granted, Rejected, Vote, Waiting, login_is_fresh, standing
from hub.policy import Obligation

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def asks(group: str, count: int = 1, *, fresh_seconds: int | None = None) -> Obligation:
    return Obligation(group=group, count=count, seconds=3600, fresh_seconds=fresh_seconds, rule_id="r", why="because")


def vote(voter: str, *groups: str, choice: Choice = Choice.APPROVE, minute: int = 0) -> Vote:
    at = NOON + timedelta(minutes=minute)
    return Vote(voter_id=voter, groups=frozenset(groups), choice=choice, reason="no", cast_at=at, authenticated_at=at)


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
