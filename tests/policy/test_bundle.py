"""Bundles: what cannot be used is refused when it is read, with the rule and what is wrong with it."""

import pytest

from hub.bundles import default_bundle_text
from hub.policy import Bundle, BundleInvalid, refuse_failing

PERMIT = '@id("p") permit (principal, action, resource);'
FORBID = 'forbid (principal, action == Action::"autocommit", resource);'


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("permit (principal, action", "not valid"),
        ('@id("x") permit (principal, action, resource) when { context.ammount > 1 };', "ammount"),
        ('@id("x") permit (principal, action, resource) when { context.rows > 1 };', "rows"),
        ('@id("x") permit (principal, action, resource) when { context.hour > "1" };', "not valid"),
        (
            '@id("x") permit (principal, action, resource) when { context.numbers.getTag("a") > 1 };',
            "not valid",
        ),
        ("permit (principal, action, resource);", "needs an @id"),
        (f'@id("") {FORBID}', "needs an @id"),
        (f'@id("p") {FORBID}', "Two rules have the @id p"),
        (f'@id("x") @requires("a:1") {FORBID}', "@requires means nothing"),
        (f'@id("x") @ttl("PT1H") {FORBID}', "need an @require"),
        (f'@id("x") @require("a:1") {PERMIT.split(" ", 1)[1]}', "belong on a forbid"),
        ('@id("x") @require("a:1") forbid (principal, action, resource);', "needs? the scope"),
        (
            '@id("x") @require("a:1") forbid (principal, action in [Action::"autocommit"], resource);',
            "needs? the scope",
        ),
        ('@id("x") @require("a:1") forbid (principal, action == Action::"commit", resource);', "needs? the scope"),
        (f'@id("x") @escalate("heads") {FORBID}', "need an @require"),
        (f'@id("x") @confirm("owner") {FORBID}', '@confirm reads "requester"'),
        (f'@id("x") @confirm("requester") {PERMIT.split(" ", 1)[1]}', "belong on a forbid"),
        ('@id("x") permit (principal == ?principal, action, resource);', "template"),
    ],
)
def test_a_rule_that_would_not_do_what_it_seems_to_is_refused(rule: str, said: str) -> None:
    with pytest.raises(BundleInvalid, match=said):
        Bundle.parse(f"{PERMIT}\n{rule}")


_WRONG_STAGES = [
    "a:1, then",
    ", then a:1",
    "a:1 then b:1",
    "a:1, b:1",
    "a:1,then b:1",
    "a:1, then b:1,",
    "a|:1",
    "|a:1",
    "a|b&c:1",
    "a|a:1",
    "a&a:1",
    "a|b:1 b|a:2",
    "a | b:1",
]


@pytest.mark.parametrize("seats", ["", "a", "a:0", "a:50", "A:1", "a:1,b:1", "a:1 a:2", "a:-1", "a:1x", *_WRONG_STAGES])
def test_whom_to_ask_is_read_strictly(seats: str) -> None:
    with pytest.raises(BundleInvalid, match="@require"):
        Bundle.parse(f'{PERMIT}\n@id("x") @require("{seats}") {FORBID}')


def asked(annotations: str) -> list[tuple[int, str, int]]:
    bundle = Bundle.parse(f'{PERMIT}\n@id("x") {annotations} {FORBID}')
    rule = next(rule for rule in bundle.rules.values() if rule.id == "x")
    return [(one.stage, one.group, one.count) for one in rule.obligations]


def test_people_are_asked_in_stages_and_by_several_groups_at_once() -> None:
    assert asked('@require("b:1 a:2, then d|c:3,  then b&a:1")') == [
        (1, "b", 1),
        (1, "a", 2),
        (2, "c|d", 3),
        (3, "a&b", 1),
    ]


def test_the_same_group_may_be_asked_again_in_a_later_stage() -> None:
    assert asked('@require("a:1, then a:1")') == [(1, "a", 1), (2, "a", 1)]


def test_who_is_told_when_time_runs_out_stands_beside_whom_to_ask() -> None:
    bundle = Bundle.parse(f'{PERMIT}\n@id("x") @require("a:1, then b:1") @escalate("heads board") {FORBID}')

    rule = next(rule for rule in bundle.rules.values() if rule.id == "x")
    assert [one.escalate for one in rule.obligations] == [("board", "heads")] * 2


@pytest.mark.parametrize("told", ["", "a:1", "A", "a|b", "a,b"])
def test_who_is_told_is_read_strictly(told: str) -> None:
    with pytest.raises(BundleInvalid, match="@escalate"):
        Bundle.parse(f'{PERMIT}\n@id("x") @require("a:1") @escalate("{told}") {FORBID}')


@pytest.mark.parametrize(
    "time",
    ["", "P", "PT", "PT0S", "P1Y", "P1M", "1H", "PT1.5H", "-PT1H", "PT1H ", "pt1h", "PT1H1", "P1DT", "PT\u0661H"],
)
def test_a_time_is_read_strictly(time: str) -> None:
    for annotation in ("ttl", "fresh"):
        with pytest.raises(BundleInvalid, match=f"@{annotation}"):
            Bundle.parse(f'{PERMIT}\n@id("x") @require("a:1") @{annotation}("{time}") {FORBID}')


def test_a_login_is_asked_for_that_is_younger_than_any_session_can_be() -> None:
    with pytest.raises(BundleInvalid, match="@fresh is shorter than PT12H"):
        Bundle.parse(f'{PERMIT}\n@id("x") @require("a:1") @fresh("PT12H") {FORBID}')

    Bundle.parse(f'{PERMIT}\n@id("x") @require("a:1") @fresh("PT11H59M") {FORBID}')


@pytest.mark.parametrize(
    ("time", "seconds"), [("PT1S", 1), ("PT90M", 5400), ("P1D", 86_400), ("P1DT2H3M4S", 93_784), ("P2DT1M", 172_860)]
)
def test_a_time_counts_days_hours_minutes_and_seconds(time: str, seconds: int) -> None:
    bundle = Bundle.parse(f'{PERMIT}\n@id("x") @require("a:1") @ttl("{time}") {FORBID}')

    (obligation,) = next(rule for rule in bundle.rules.values() if rule.id == "x").obligations
    assert obligation.seconds == seconds


def test_the_digest_tells_every_text_apart() -> None:
    assert Bundle.parse(PERMIT).digest == Bundle.parse(PERMIT).digest
    assert Bundle.parse(PERMIT).digest != Bundle.parse(PERMIT + "\n").digest


EXAMPLE = """
//? {"example": "a high write is asked about", "action": "autocommit",
//?  "facts": {"tier": "high", "preview": {"rows": 3}}, "expect": "%s"}
"""


def test_a_bundle_that_breaks_its_own_example_fails_by_name() -> None:
    bundle = Bundle.parse(PERMIT + EXAMPLE % "obliged")

    with pytest.raises(BundleInvalid, match=r"1 of 1 examples fail: 'a high write is asked about' should be obliged"):
        refuse_failing(bundle)


def test_a_bundle_that_keeps_its_examples_passes() -> None:
    refuse_failing(Bundle.parse(PERMIT + EXAMPLE % "allowed"))


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ('"expect": "obliged", "asks": ["sales:1"]', "should ask sales:1 and asks approvers:1"),
        ('"expect": "obliged", "rules": ["other"]', "should be decided by other, not high"),
    ],
)
def test_an_example_checks_who_is_asked_and_by_which_rule(expected: str, said: str) -> None:
    example = f'\n//? {{"example": "x", "action": "autocommit", "facts": {{"tier": "high"}}, {expected}}}\n'

    with pytest.raises(BundleInvalid, match=said):
        refuse_failing(Bundle.parse(default_bundle_text() + example))


@pytest.mark.parametrize(
    "example",
    [
        "//? not json",
        '//? {"example": "x"}',
        '//? {"example": "x", "action": "autocommit", "expect": "maybe"}',
        '//? {"example": "x", "action": "autocommit", "expect": "denied", "surprise": 1}',
        '//? {"example": "x", "action": "autocommit", "expect": "denied", "facts": {"teir": "high"}}',
        '//? {"example": "x", "action": "autocommit", "expect": "denied", "facts": {"tier": "enormous"}}',
        '//? {"example": "x", "example": "y", "action": "autocommit", "expect": "denied"}',
    ],
)
def test_an_example_that_cannot_be_read_is_refused(example: str) -> None:
    with pytest.raises(BundleInvalid):
        Bundle.parse(f"{PERMIT}\n{example}")


def test_the_default_bundle_keeps_its_examples_and_has_some_for_every_rule() -> None:
    bundle = Bundle.parse(default_bundle_text())

    refuse_failing(bundle)

    forbids = {rule.id for rule in bundle.rules.values() if rule.is_forbid}
    assert forbids <= {rule for example in bundle.examples for rule in example.rules or ()}
