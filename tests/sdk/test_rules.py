"""What conditions decide: a tier is only ever raised, and a rule that cannot be decided is broken."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from connectors.sdk import BadDeclaration, Connector, Context, Effect, SafeRule, Tier
from connectors.sdk.rules import Rule, broken_rules, tier_of
from connectors.sdk.spec import OperationSpec

Json = Any


class Deal(BaseModel):
    """A deal."""

    id: int


def deal_update(tier: Tier = Tier.MEDIUM, **tier_when: str) -> OperationSpec:
    """Return the update of a deal with these conditions."""
    crm = Connector("crm", version="1.0.0", description="Deals.", safe=[SafeRule(method="GET")])
    conditions = {Tier(name): condition for name, condition in tier_when.items()}

    @crm.write("deal_update", effect=Effect.UPDATE, tier=tier, tier_when=conditions)
    async def deal_update(context: Context, number: int, amount_minor: int | None = None, stage: str = "open") -> Deal:
        """Change a deal."""
        del context, amount_minor, stage
        return Deal(id=number)

    return deal_update.spec()


HIGH = "has(input.amount_minor) && input.amount_minor > 5000000"


@pytest.mark.parametrize(
    ("arguments", "tier"),
    [
        ({"number": 1}, Tier.MEDIUM),
        ({"number": 1, "amount_minor": 5_000_000}, Tier.MEDIUM),
        ({"number": 1, "amount_minor": 5_000_001}, Tier.HIGH),
        ({"number": 1, "amount_minor": 5_000_001, "stage": "won"}, Tier.CRITICAL),
        ({"number": 1, "stage": "won"}, Tier.CRITICAL),
    ],
)
def test_the_tier_of_a_call_is_the_highest_that_its_arguments_ask_for(arguments: dict[str, Json], tier: Tier) -> None:
    spec = deal_update(high=HIGH, critical="has(input.stage) && input.stage == 'won'")

    assert tier_of(spec, arguments) is tier


@pytest.mark.parametrize("arguments", [{"number": 1}, {"id": 1, "amount_minor": None}, {"id": 1, "amount_minor": "9"}])
def test_a_condition_that_cannot_be_decided_raises_the_tier(arguments: dict[str, Json]) -> None:
    assert tier_of(deal_update(high="input.amount_minor > 5000000"), arguments) is Tier.HIGH


@pytest.mark.parametrize(
    ("tier", "conditions", "reason"),
    [
        (Tier.HIGH, {"medium": "true"}, "tier_when only raises: medium is not above high"),
        (Tier.HIGH, {"high": "true"}, "tier_when only raises: high is not above high"),
        (Tier.MEDIUM, {"high": "input.amount > 5"}, "there is no argument 'amount'"),
        (Tier.MEDIUM, {"high": "input.stage > 5"}, "No matching overloads"),
        (Tier.MEDIUM, {"high": "input.amount_minor +"}, "Syntax error"),
    ],
)
def test_a_bad_condition_is_refused_when_it_is_declared(tier: Tier, conditions: dict[str, str], reason: str) -> None:
    with pytest.raises(BadDeclaration, match=reason):
        deal_update(tier, **conditions)


LIMIT = Rule(condition="input.amount_minor <= 100", message="At most 1.00.")
ROWS = Rule(condition="preview.blast.rows <= 10", message="At most ten rows.")


def test_a_rule_that_holds_says_nothing_and_one_that_does_not_says_its_message() -> None:
    assert broken_rules([LIMIT], {"amount_minor": 100}) == []
    assert broken_rules([LIMIT], {"amount_minor": 101}) == ["At most 1.00."]


def test_a_rule_about_the_preview_is_asked_once_there_is_one() -> None:
    rules = [LIMIT, ROWS]

    assert [rule.needs_preview for rule in rules] == [False, True]
    assert broken_rules(rules, {"amount_minor": 100}) == []
    assert broken_rules(rules, {"amount_minor": 100}, {"blast": {"rows": 10}}) == []
    assert broken_rules(rules, {"amount_minor": 101}, {"blast": {"rows": 11}}) == ["At most 1.00.", "At most ten rows."]


def test_a_rule_that_cannot_be_decided_is_broken() -> None:
    [told] = broken_rules([LIMIT], {})
    assert told == "At most 1.00. (It could not be decided: input.amount_minor <= 100)"

    [told] = broken_rules([ROWS], {}, {"changes": []})
    assert told.startswith("At most ten rows. (It could not be decided")


@pytest.mark.parametrize("condition", ["input.a +", "previw.blast.rows < 3", "'text'", ""])
def test_a_rule_that_is_no_condition_cannot_be_made(condition: str) -> None:
    with pytest.raises(ValidationError):
        Rule(condition=condition, message="No.")
