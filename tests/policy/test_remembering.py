"""Remembered decisions: one is used again only for facts that no rule could tell apart."""

from dataclasses import replace

from hub.policy import Action, Allowed, Bundle, Denied, decide
from hub.policy.examples import ORDINARY

PERMIT = '@id("p") permit (principal, action, resource);'


def forbidding(when: str) -> Bundle:
    return Bundle.parse(f'{PERMIT} @id("no") forbid (principal, action, resource) when {{ {when} }};')


def test_a_number_and_a_flag_that_python_calls_equal_are_decided_apart() -> None:
    bundle = forbidding('context.flags.hasTag("x") && context.flags.getTag("x")')

    number = decide(Action.PROPOSE, replace(ORDINARY, arguments={"x": 1}), bundle)
    flag = decide(Action.PROPOSE, replace(ORDINARY, arguments={"x": True}), bundle)

    assert isinstance(number, Allowed)
    assert isinstance(flag, Denied)


def test_the_next_hour_is_decided_anew() -> None:
    bundle = forbidding("context.hour == 3")

    before = decide(Action.PROPOSE, replace(ORDINARY, hour=2), bundle)
    after = decide(Action.PROPOSE, replace(ORDINARY, hour=3), bundle)

    assert isinstance(before, Allowed)
    assert isinstance(after, Denied)


def test_another_bundle_decides_for_itself() -> None:
    open_to_all, closed = Bundle.parse(PERMIT), forbidding("true")

    allowed, denied = (decide(Action.PROPOSE, ORDINARY, bundle) for bundle in (open_to_all, closed))

    assert isinstance(allowed, Allowed)
    assert isinstance(denied, Denied)


def test_claims_are_heard_although_decisions_without_them_are_remembered() -> None:
    bundle = forbidding('context.claims.contains("run=r1")')

    silent = decide(Action.PROPOSE, ORDINARY, bundle)
    claiming = decide(Action.PROPOSE, replace(ORDINARY, claims=frozenset({"run=r1"})), bundle)

    assert isinstance(silent, Allowed)
    assert isinstance(claiming, Denied)
