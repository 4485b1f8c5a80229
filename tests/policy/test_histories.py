"""What a bundle counts of the past: declared as data, asked for by rules, and never quietly missing."""

from dataclasses import replace

import pytest

from hub.policy import Action, Allowed, Bundle, BundleInvalid, Denied, Obliged, decide, refuse_failing
from hub.policy.examples import ORDINARY
from hub.policy.values import Facts

DECLARED = '//= {"fact": "spent", "sum": "amount_minor", "per": ["agent"], "within": "P1D"}\n'
RULES = """@id("all") permit (principal, action, resource);
@id("much") @require("finance:1") @why("Enough for one day.")
forbid (principal, action == Action::"autocommit", resource)
when { context.history.hasTag("spent") && context.history.getTag("spent") > 1000 };
"""
BUNDLE = Bundle.parse(DECLARED + RULES)


def spent(**history: int) -> Facts:
    return replace(ORDINARY, history=history)


@pytest.mark.parametrize(
    ("declaration", "said"),
    [
        ("not json", "cannot be read"),
        ('{"fact": "x", "per": ["agent"], "within": "P1D"}', "what to count, what to sum"),
        ('{"fact": "x", "count": "sent", "sum": "a", "per": ["agent"], "within": "P1D"}', "what to count"),
        ('{"fact": "x", "count": "sent", "per": [], "within": "P1D"}', "at least 1 item"),
        ('{"fact": "x", "count": "sent", "per": ["planet"], "within": "P1D"}', "cannot be read"),
        ('{"fact": "x", "count": "sent", "per": ["agent", "agent"], "within": "P1D"}', "something twice"),
        ('{"fact": "x", "count": "sent", "per": ["agent"], "within": "P91D"}', "at most 90 days"),
        ('{"fact": "x", "count": "sent", "per": ["agent"], "within": "a day"}', "within reads like"),
        ('{"fact": "x", "count": "read", "per": ["run"], "within": "P1D"}', "of which tool"),
        ('{"fact": "x", "count": "sent", "per": ["run"], "within": "P1D", "same": {"a": "b"}}', "same is for reads"),
        ('{"fact": "X!", "count": "sent", "per": ["agent"], "within": "P1D"}', "cannot be read"),
        ('{"fact": "x", "count": "sent", "per": ["agent"], "within": "P1D", "surprise": 1}', "cannot be read"),
    ],
)
def test_a_declaration_is_read_strictly(declaration: str, said: str) -> None:
    with pytest.raises(BundleInvalid, match=said):
        Bundle.parse(f"{RULES}\n//= {declaration}\n\n{DECLARED}")


def test_a_name_is_declared_once() -> None:
    with pytest.raises(BundleInvalid, match="declared twice"):
        Bundle.parse(DECLARED + "\n" + DECLARED + RULES)


@pytest.mark.parametrize("asked", ['"spend"', "context.environment"])
def test_a_rule_asks_for_no_history_that_is_not_declared(asked: str) -> None:
    wrong = RULES.replace('hasTag("spent")', f"hasTag({asked})").replace('getTag("spent")', f"getTag({asked})")

    with pytest.raises(BundleInvalid) as refused:
        Bundle.parse(DECLARED + wrong)

    assert [str(fault.place) for fault in refused.value.faults] == ["lines 3 to 5"]


def test_what_was_counted_decides() -> None:
    assert isinstance(decide(Action.AUTOCOMMIT, spent(spent=1000), BUNDLE), Allowed)
    assert isinstance(decide(Action.AUTOCOMMIT, spent(spent=1001), BUNDLE), Obliged)


@pytest.mark.parametrize("action", [Action.AUTOCOMMIT, Action.APPROVE, Action.COMMIT])
def test_a_history_that_is_not_known_lets_nothing_pass(action: Action) -> None:
    facts = replace(spent(), principal_kind="user") if action is Action.APPROVE else spent()

    decision = decide(action, facts, BUNDLE)

    assert isinstance(decision, Denied)
    assert decision.reasons == ("The policy counts what happened before, and this could not be counted: spent.",)


def test_a_proposal_is_decided_without_history() -> None:
    assert isinstance(decide(Action.PROPOSE, replace(ORDINARY, preview=None), BUNDLE), Allowed)


def test_facts_with_a_history_are_stored_and_come_back() -> None:
    facts = spent(spent=7)

    assert Facts.from_json(facts.as_json()) == facts


def test_an_example_may_give_a_history_and_what_it_does_not_give_is_nothing() -> None:
    example = '//? {"example": "x", "action": "autocommit", "facts": {%s}, "expect": "%s"}\n'

    refuse_failing(Bundle.parse(DECLARED + RULES + example % ("", "allowed")))
    refuse_failing(Bundle.parse(DECLARED + RULES + example % ('"history": {"spent": 2000}', "obliged")))
    with pytest.raises(BundleInvalid, match="there is no history lost"):
        refuse_failing(Bundle.parse(DECLARED + RULES + example % ('"history": {"lost": 1}', "allowed")))
