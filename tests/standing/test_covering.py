"""What a standing grant covers: one test for each thing that must be as it was granted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.sdk.preview import Blast
from connectors.sdk.vocabulary import Fidelity, Tier
from hub.core.errors import InputError
from hub.policy import Obligation
from hub.standing import Case, Limit, StandingGrant, is_single_vote, read_limit, why_not

GIVEN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ASKED = Obligation(group="finance", count=1, seconds=3600, fresh_seconds=None, rule_id="high", why="Another person.")
GRANT = StandingGrant(
    id="grant_1",
    giver_id="usr_ann",
    asked=ASKED,
    agent_id="agt_bot",
    tool_id="tool_1",
    tool_name="payment_post",
    tool_version_digest="a" * 64,
    connection_id="con_1",
    connection_generation=3,
    environment="prod",
    tier=Tier.HIGH,
    limits={"amount_minor": Limit(at_most=10_000), "currency": Limit(one_of=("EUR", "CHF"))},
    most_rows=1,
    most_parties=1,
    side_effects=(("mail", "ada@example.org"),),
    not_covered=frozenset({"what triggers write"}),
    to_anybody=False,
    uses=5,
    money_minor=50_000,
    money_per_call_minor=10_000,
    currency="EUR",
    reason="Small refunds are routine.",
    like_invocation_id="inv_1",
    authenticated_at=GIVEN - timedelta(minutes=5),
    given_at=GIVEN,
    expires_at=GIVEN + timedelta(days=30),
    uses_left=5,
    money_left_minor=50_000,
)
CASE = Case(
    agent_id="agt_bot",
    agent_owner_id="usr_olive",
    excluded=frozenset({"agt_bot", "usr_rita"}),
    tool_id="tool_1",
    tool_version_digest="a" * 64,
    connection_id="con_1",
    connection_generation=3,
    environment="prod",
    tier=Tier.HIGH,
    obligations=(ASKED,),
    facts={"amount_minor": 10_000, "currency": "EUR", "note": "x"},
    fidelity=Fidelity.SIMULATED,
    blast=Blast(rows=1, parties=1, money_minor=10_000, currency="EUR"),
    side_effects=(("mail", "ada@example.org"),),
    not_covered=frozenset({"what triggers write"}),
)


def test_a_call_as_it_was_granted_is_covered_up_to_the_limits_themselves() -> None:
    assert why_not(GRANT, CASE) == ""
    assert why_not(GRANT, replace(CASE, tier=Tier.MEDIUM)) == ""  # what asks for less is covered too


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tier": Tier.CRITICAL}, "a critical write needs people"),
        ({"obligations": (replace(ASKED, count=2),)}, "more than one vote is asked for"),
        ({"obligations": (ASKED, replace(ASKED, group="sales"))}, "more than one vote is asked for"),
        ({"obligations": ()}, "more than one vote is asked for"),
        ({"obligations": (replace(ASKED, group="sales"),)}, "the group sales is asked"),
        ({"obligations": (replace(ASKED, fresh_seconds=299),)}, "fresh login"),
        ({"excluded": frozenset({"usr_ann"})}, "its giver takes part"),
        ({"agent_owner_id": "usr_ann"}, "its giver takes part"),
        ({"agent_id": "agt_other"}, "another agent or tool"),
        ({"tool_id": "tool_2"}, "another agent or tool"),
        ({"tool_version_digest": "b" * 64}, "the tool has a new version"),
        ({"connection_id": "con_2"}, "another connection"),
        ({"environment": "dev"}, "another connection"),
        ({"connection_generation": 4}, "changed or signed in anew"),
        ({"fidelity": Fidelity.CONTRACT}, "does not show how far it reaches"),
        ({"blast": Blast(rows=2)}, "more records (2) than are allowed (1)"),
        ({"blast": Blast(parties=2)}, "more parties (2) than are allowed (1)"),
        ({"blast": Blast(money_minor=10_001, currency="EUR")}, "more money than one call may"),
        ({"blast": Blast(money_minor=1, currency="USD")}, "another currency"),
        ({"blast": Blast(money_minor=1)}, "another currency"),
        ({"blast": Blast()}, "does not say how much money"),
        ({"facts": {"currency": "EUR"}}, "does not say its amount_minor"),
        ({"facts": {"amount_minor": 10_001, "currency": "EUR"}}, "amount_minor is not within at most 10,000"),
        ({"facts": {"amount_minor": -1, "currency": "EUR"}}, "amount_minor is not within"),
        ({"facts": {"amount_minor": True, "currency": "EUR"}}, "amount_minor is not within"),
        ({"facts": {"amount_minor": "1", "currency": "EUR"}}, "amount_minor is not within"),
        ({"facts": {"amount_minor": 1, "currency": "USD"}}, "currency is not within EUR or CHF"),
    ],
)
def test_whatever_differs_is_asked_about(change: dict[str, Any], why: str) -> None:
    assert why in why_not(GRANT, replace(CASE, **change))


def test_beside_its_changes_a_call_reaches_nobody_whom_the_giver_neither_saw_nor_named() -> None:
    to_bob = replace(CASE, side_effects=(("mail", "bob@example.org"),), facts={"to": "bob@example.org"})
    without = replace(GRANT, limits={})
    named = replace(GRANT, limits={"to": Limit(one_of=("ada@example.org", "bob@example.org"))})
    posted = replace(to_bob, side_effects=(("letter", "ada@example.org"),))

    assert why_not(without, replace(to_bob, side_effects=())) == ""
    assert "reaches somebody, beside its changes" in why_not(without, to_bob)
    assert why_not(named, to_bob) == ""
    assert "reaches somebody" in why_not(named, replace(to_bob, facts={"to": "ada@example.org"}))  # a hidden copy
    assert why_not(replace(without, to_anybody=True), to_bob) == ""
    assert "something beside its changes" in why_not(replace(without, to_anybody=True), posted)


@pytest.mark.parametrize("to", ["ada@example.org", "bob@example.org"])
@pytest.mark.parametrize("to_anybody", [True, False])
def test_beside_its_changes_a_call_does_no_more_than_the_giver_saw(to: str, *, to_anybody: bool) -> None:
    twice = replace(CASE, side_effects=(("mail", "ada@example.org"), ("mail", to)))

    assert "it does more beside its changes" in why_not(replace(GRANT, to_anybody=to_anybody), twice)


def test_what_a_preview_leaves_out_is_what_the_giver_was_told_of() -> None:
    assert why_not(GRANT, replace(CASE, not_covered=frozenset())) == ""
    more = replace(CASE, not_covered=CASE.not_covered | {"whether the till is open"})
    assert "leaves something out" in why_not(GRANT, more)


def test_where_money_was_granted_a_call_says_how_much_it_moves() -> None:
    unknown = replace(CASE, blast=Blast(rows=1, parties=1))
    of_nothing = replace(GRANT, money_minor=0, money_per_call_minor=0)

    assert (
        why_not(of_nothing, unknown) == "its preview does not say how much money it moves"
    )  # a sum, in EUR, of nothing
    assert why_not(replace(GRANT, currency=""), unknown) == "its preview does not say how much money it moves"
    assert why_not(replace(of_nothing, currency=""), unknown) == ""  # money was never spoken of
    assert why_not(of_nothing, replace(CASE, blast=Blast(rows=1, parties=1, money_minor=0, currency="EUR"))) == ""


def test_a_tier_that_has_risen_since_is_not_covered() -> None:
    granted_at_medium = replace(GRANT, tier=Tier.MEDIUM)

    assert "tier is now high" in why_not(granted_at_medium, CASE)


def test_a_login_that_was_fresh_when_it_was_granted_stands_for_a_fresh_vote() -> None:
    assert why_not(GRANT, replace(CASE, obligations=(replace(ASKED, fresh_seconds=300),))) == ""


def test_only_one_vote_of_one_group_can_be_given_in_advance() -> None:
    assert is_single_vote([ASKED])
    assert not is_single_vote([])
    assert not is_single_vote([replace(ASKED, count=2)])
    assert not is_single_vote([ASKED, replace(ASKED, group="sales")])


def test_a_limit_says_one_thing() -> None:
    assert read_limit(3, ()).allows(3)
    assert not read_limit(None, (1,)).allows(True)
    for at_most, one_of in ((None, ()), (3, (1,)), (-1, ())):
        with pytest.raises(InputError):
            read_limit(at_most, one_of)


def test_a_grant_tells_why_it_is_over() -> None:
    assert GRANT.ended(GIVEN) == ""
    assert GRANT.ended(GRANT.expires_at) == "its time is over"
    assert replace(GRANT, uses_left=0).ended(GIVEN) == "it has been used up"
    assert replace(GRANT, revoked_at=GIVEN).ended(GIVEN) == "it was revoked"


def test_what_was_seen_of_one_kind_is_no_leave_for_more_of_another() -> None:
    ada, logged = ("mail", "ada@example.org"), ("log", "")
    seen = replace(GRANT, side_effects=(ada, *(logged,) * 9))
    more = "it does more beside its changes than its giver saw"

    assert why_not(seen, replace(CASE, side_effects=seen.side_effects)) == ""
    assert why_not(seen, replace(CASE, side_effects=(ada,))) == ""
    assert more in why_not(seen, replace(CASE, side_effects=(ada,) * 10))
    assert more in why_not(replace(seen, to_anybody=True), replace(CASE, side_effects=(ada,) * 10))


def test_whom_its_giver_saw_once_is_not_reached_in_place_of_others() -> None:
    ada, bob = ("mail", "ada@example.org"), ("mail", "bob@example.org")
    seen, only_ada = replace(GRANT, side_effects=(ada, bob)), replace(CASE, side_effects=(ada, ada))

    assert "whom its giver did not see, or not as often" in why_not(seen, only_ada)
    assert why_not(replace(seen, to_anybody=True), only_ada) == ""
