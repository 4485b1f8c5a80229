"""Decisions: only a clean Allow allows, obligations come from the rules that ask, and nothing is milder for a claim."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass
from hub.bundles import default_bundle_text
from hub.policy import (
    Action,
    Allowed,
    Bundle,
    Denied,
    Facts,
    Obligation,
    Obliged,
    PreviewFacts,
    decide,
    exposed_facts,
    strictest,
)
from hub.policy.decide import UNEVALUATED
from hub.policy.examples import ORDINARY

Json = Any

PERMIT = '@id("p") permit (principal, action, resource);'
AUTOCOMMIT = 'action == Action::"autocommit"'


def rules(*texts: str) -> Bundle:
    return Bundle.parse("\n".join((PERMIT, *texts)))


def asks(name: str, group: str = "finance:1", *, when: str = "true", extra: str = "") -> str:
    return (
        f'@id("{name}") @require("{group}") @why("{name} asks") {extra} '
        f"forbid (principal, {AUTOCOMMIT}, resource) when {{ {when} }};"
    )


def forbids(name: str, *, when: str = "true", action: str = "action") -> str:
    return f'@id("{name}") @why("{name} says no") forbid (principal, {action}, resource) when {{ {when} }};'


def call(**changes: Json) -> Facts:
    return replace(ORDINARY, **changes)


def test_what_no_rule_permits_is_denied_without_a_reason() -> None:
    decision = decide(Action.PROPOSE, call(), Bundle.parse(forbids("never", when="false")))

    assert isinstance(decision, Denied)
    assert (decision.reasons, decision.rule_ids) == ((), ())


def test_a_rule_that_asks_obliges_and_gives_its_reason() -> None:
    bundle = rules(asks("big", "finance:2 sales:1", extra='@ttl("PT4H") @fresh("PT10M")'))

    decision = decide(Action.AUTOCOMMIT, call(), bundle)

    assert isinstance(decision, Obliged)
    assert [(one.group, one.count, one.seconds, one.fresh_seconds) for one in decision.obligations] == [
        ("finance", 2, 14_400, 600),
        ("sales", 1, 14_400, 600),
    ]
    assert decision.obligations[0].why == "big asks"
    assert (decision.rule_ids, decision.bundle_digest) == (("big",), bundle.digest)


def test_a_forbid_that_asks_nothing_wins_over_rules_that_ask() -> None:
    decision = decide(Action.AUTOCOMMIT, call(), rules(asks("big"), forbids("closed")))

    assert isinstance(decision, Denied)
    assert decision.reasons == ("closed says no",)
    assert decision.rule_ids == ("big", "closed")


def test_approvals_do_not_replace_a_permission_that_nobody_gave() -> None:
    only_reads = Bundle.parse(f'@id("p") permit (principal, action == Action::"propose", resource);\n{asks("big")}')

    assert isinstance(decide(Action.AUTOCOMMIT, call(), only_reads), Denied)


def test_several_rules_that_ask_come_to_the_highest_count_and_the_shortest_time() -> None:
    bundle = rules(
        asks("one", "finance:1", extra='@ttl("PT1H")'),
        asks("two", "finance:2", extra='@ttl("PT8H")'),
        asks("three", "sales:1", extra='@fresh("PT5M")'),
    )

    decision = decide(Action.AUTOCOMMIT, call(), bundle)

    assert isinstance(decision, Obliged)
    assert [(one.group, one.count, one.seconds, one.fresh_seconds) for one in decision.obligations] == [
        ("finance", 2, 3600, 300),
        ("sales", 1, 3600, 300),
    ]


def test_a_rule_that_cannot_be_evaluated_denies_instead_of_being_skipped() -> None:
    overflow = forbids("sum", when="context.rows * 9223372036854775807 > 0", action=AUTOCOMMIT)
    preview = PreviewFacts(fidelity=Fidelity.EXECUTED, rows=2)

    decision = decide(Action.AUTOCOMMIT, call(preview=preview), rules(overflow))

    assert isinstance(decision, Denied)
    assert decision.reasons == (UNEVALUATED,)


def test_an_absent_argument_cannot_slip_past_a_rule_written_from_the_other_side() -> None:
    bounded = forbids(
        "bounded",
        when='!(context.numbers.hasTag("amount_minor") && context.numbers.getTag("amount_minor") <= 100000)',
        action=AUTOCOMMIT,
    )

    def decided(**arguments: int | str) -> type:
        return type(decide(Action.AUTOCOMMIT, call(arguments=arguments), rules(bounded)))

    assert decided(amount_minor=100_000) is Allowed
    assert decided(amount_minor=100_001) is Denied
    assert decided() is Denied
    assert decided(amount_minor="5") is Denied


def test_a_tool_belongs_to_the_class_of_its_connector_and_to_its_own() -> None:
    of_connector = rules('@id("x") forbid (principal, action == Action::"propose", resource in ToolClass::"example");')
    of_tool = rules(
        '@id("x") forbid (principal, action == Action::"propose", resource in ToolClass::"example.record_update");'
    )

    for bundle in (of_connector, of_tool):
        assert isinstance(decide(Action.PROPOSE, call(), bundle), Denied)
    assert isinstance(decide(Action.PROPOSE, call(tool="other"), of_tool), Allowed)
    assert isinstance(decide(Action.PROPOSE, call(connector="other"), of_connector), Allowed)


def test_an_agent_cannot_be_allowed_to_vote() -> None:
    assert isinstance(decide(Action.APPROVE, call(principal_kind="user"), rules()), Allowed)
    assert isinstance(decide(Action.APPROVE, call(principal_kind="agent"), rules()), Denied)


def test_a_claim_makes_a_decision_stricter_and_never_milder() -> None:
    mild = rules(
        '@id("trusting") @require("finance:1") forbid (principal, action == Action::"autocommit", resource) '
        'unless { context.claims.contains("purpose=trust me") };'
    )
    strict = rules(asks("odd", when='context.claims.contains("purpose=odd")'))
    permissive = Bundle.parse(
        '@id("p") permit (principal, action, resource) when { context.claims.contains("purpose=trust me") };'
    )

    def decided(bundle: Bundle, *claims: str) -> type:
        return type(decide(Action.AUTOCOMMIT, call(claims=frozenset(claims)), bundle))

    assert decided(mild) is decided(mild, "purpose=trust me") is Obliged
    assert decided(permissive) is decided(permissive, "purpose=trust me") is Denied
    assert (decided(strict), decided(strict, "purpose=odd")) == (Allowed, Obliged)


def test_the_same_facts_and_bundle_give_the_same_decision_from_the_record() -> None:
    bundle = Bundle.parse(default_bundle_text())
    facts = call(tier=Tier.CRITICAL, arguments={"amount_minor": 7}, claims=frozenset({"run=1"}))

    again = Facts.from_json(facts.as_json())

    assert again == facts
    assert decide(Action.AUTOCOMMIT, again, bundle) == decide(Action.AUTOCOMMIT, facts, bundle)


def test_a_commit_is_decided_on_a_preview_or_not_at_all() -> None:
    with pytest.raises(ValueError, match="there is none"):
        decide(Action.COMMIT, call(preview=None), rules())


@pytest.mark.parametrize(
    ("level", "is_enough"),
    [
        *(("full", True), ("direct", True), ("partial(no seccomp)", False), ("partial(no own user)", False)),
        *(("none", False), ("not run", False), ("", False), ("fuller", False)),
    ],
)
def test_a_rule_may_require_a_level_of_confinement(level: str, *, is_enough: bool) -> None:
    bundle = rules(forbids("confined", when="context.sandbox_rank < 2", action='action == Action::"commit"'))
    preview = PreviewFacts(fidelity=Fidelity.SIMULATED, sandbox_level=level)

    decision = decide(Action.COMMIT, call(preview=preview), bundle)

    assert isinstance(decision, Allowed) == is_enough


def test_policy_sees_what_a_tool_exposes_and_knows_what_is_missing() -> None:
    operation = OperationSpec.model_validate(
        {
            "name": "refund",
            "title": "Refund",
            "description": "Refund.",
            "effect": "read",
            "tier": "low",
            "input_schema": {"type": "object"},
            "output_schema": {"type": "object"},
            "facts": {"amount": "/line/amount", "dry": "/dry", "tags": "/tags", "rate": "/rate", "who": "/who"},
        }
    )
    arguments = {"line": {"amount": 5}, "dry": False, "tags": ["b", "a"], "rate": 0.5}

    exposed = exposed_facts(operation, arguments)

    assert exposed.values == {"amount": 5, "dry": False, "tags": '["b","a"]'}
    assert exposed.missing == {"rate", "who"}


obligations = st.builds(
    Obligation,
    group=st.sampled_from(["a", "b", "a|b"]),
    stage=st.integers(1, 3),
    escalate=st.sets(st.sampled_from(["x", "y"])).map(lambda told: tuple(sorted(told))),
    count=st.integers(1, 3),
    seconds=st.integers(1, 9),
    fresh_seconds=st.none() | st.integers(1, 9),
    rule_id=st.sampled_from(["r1", "r2", "r3"]),
    why=st.sampled_from(["x", "y"]),
)


@given(one=st.lists(obligations), two=st.lists(obligations), three=st.lists(obligations))
def test_in_which_order_and_how_often_obligations_come_together_makes_no_difference(
    one: list[Obligation], two: list[Obligation], three: list[Obligation]
) -> None:
    together = strictest([*one, *two, *three])

    assert strictest([*strictest([*one, *two]), *three]) == together
    assert strictest([*one, *strictest([*two, *three])]) == together
    assert strictest([*three, *two, *one]) == together
    assert strictest([*together, *one]) == together


@given(asked=st.lists(obligations, min_size=1))
def test_the_strictest_is_at_least_as_strict_as_each(asked: list[Obligation]) -> None:
    merged = {(one.stage, one.group): one for one in strictest(asked)}

    for one in asked:
        kept = merged[one.stage, one.group]
        assert kept.count >= one.count
        assert kept.seconds <= one.seconds
        assert one.fresh_seconds is None or (kept.fresh_seconds or 99) <= one.fresh_seconds
        assert set(kept.escalate) >= set(one.escalate)


previews = st.builds(
    PreviewFacts,
    fidelity=st.sampled_from(Fidelity),
    rows=st.integers(0, 2**53 - 1),
    parties=st.integers(0, 9),
    money_minor=st.integers(0, 2**53 - 1),
    sandbox_level=st.sampled_from(["none", "partial(no seccomp)", "full", "direct"]),
)
situations = st.builds(
    Facts,
    principal_kind=st.sampled_from(["user", "agent", "service"]),
    principal_id=st.text(min_size=1, max_size=8),
    principal_groups=st.frozensets(st.sampled_from(["approvers", "a b", '"']), max_size=2),
    requester_groups=st.frozensets(st.sampled_from(["sales"]), max_size=1),
    is_suspended=st.booleans(),
    tool=st.sampled_from(["one", "two"]),
    connector=st.sampled_from(["crm", "erp"]),
    environment=st.sampled_from(["dev", "prod"]),
    tier=st.sampled_from(Tier),
    effect=st.sampled_from(Effect),
    upstream_class=st.sampled_from(UpstreamClass),
    reversal=st.sampled_from(Reversal),
    undo_proven=st.booleans(),
    hour=st.integers(0, 23),
    weekday=st.integers(1, 7),
    arguments=st.dictionaries(
        st.text(max_size=4), st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=4) | st.booleans(), max_size=3
    ),
    claims=st.frozensets(st.text(max_size=4), max_size=2),
    stops=st.frozensets(st.sampled_from(["hub", "tool"]), max_size=1),
    preview=previews,
)
DEFAULT = Bundle.parse(default_bundle_text())
ANY_RULE_ASKS = rules(asks("a", when="context.rows > 10"), asks("b", "sales:1", when="context.is_suspended"))


@settings(deadline=None)
@given(facts=situations)
def test_nothing_commits_by_itself_while_any_rule_asks(facts: Facts) -> None:
    decision = decide(Action.AUTOCOMMIT, facts, ANY_RULE_ASKS)

    is_asked = facts.is_suspended or (facts.preview is not None and facts.preview.rows > 10)
    assert isinstance(decision, Obliged if is_asked else Allowed)


@settings(deadline=None)
@given(facts=situations)
def test_the_default_lets_go_by_itself_only_what_the_tiers_allow(facts: Facts) -> None:
    decision = decide(Action.AUTOCOMMIT, replace(facts, history=dict.fromkeys(DEFAULT.histories, 0)), DEFAULT)

    assert facts.preview is not None
    is_proven = facts.undo_proven and facts.upstream_class in {UpstreamClass.A, UpstreamClass.B}
    is_seen = facts.preview.fidelity.rank >= Fidelity.SIMULATED.rank
    may = {
        Tier.LOW: is_seen or facts.environment == "dev",
        Tier.MEDIUM: is_proven and is_seen,
        Tier.HIGH: False,
        Tier.CRITICAL: False,
    }[facts.tier]
    if facts.is_suspended or facts.stops:
        assert isinstance(decision, Denied)
    else:
        assert isinstance(decision, Allowed if may else Obliged)
    if isinstance(decision, Obliged) and facts.tier is Tier.CRITICAL:
        assert {one.group for one in decision.obligations} == {"approvers", "controllers"}
        assert all(one.fresh_seconds == 600 for one in decision.obligations)
