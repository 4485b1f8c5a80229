"""Conditions in CEL: a bad one is refused with its place, and one that cannot be decided is never true or false."""

from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from connectors.sdk.cel import LONGEST, BadExpression, Truth, check, evaluate

Json = Any

SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "amount_minor": {"type": "integer"},
        "stage": {"type": "string", "enum": ["open", "won"]},
        "lines": {"type": "array"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    },
}


@pytest.mark.parametrize(
    "expression",
    [
        "input.amount_minor > 5000000 || input.stage == 'won'",
        "has(input.amount_minor) && input.amount_minor > 5000000",
        'input["amount_minor"] > 5',
        "input.lines.exists(line, line.price > 3)",
        "input.either > 5",
        "input.stage == 'input.amuont'",
        "size(input.lines) > 100",
    ],
)
def test_a_condition_over_known_arguments_is_accepted(expression: str) -> None:
    check(expression, SCHEMA)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("input.amount_minor >", "at character 21, Syntax error: mismatched input '<EOF>'."),
        ("amount_minor > 5", "undeclared reference to 'amount_minor'"),
        ("input.amuont > 5", "there is no argument 'amuont'; there are amount_minor, stage, lines, either"),
        ("input['amuont'] > 5", "there is no argument 'amuont'"),
        ("input.stage > 5", "No matching overloads"),
        ("input.amount_minor == 5 ? 'a' : 'b'", "not a condition"),
        ("'text'", "not a condition: it gives string"),
        ("(" * 40 + "true" + ")" * 40, "recursion limit"),
        ("true || " * LONGEST + "true", f"at most {LONGEST} characters"),
        ("input.stage.matches('(')", ""),
    ],
)
def test_what_cannot_be_a_condition_is_refused_with_its_reason(expression: str, reason: str) -> None:
    if not reason:  # a pattern is read when it is used, and then decides nothing
        assert evaluate(expression, {"input": {"stage": "open"}}) is Truth.UNDECIDED
        return

    with pytest.raises(BadExpression) as raised:
        check(expression, SCHEMA)

    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "truth"),
    [
        ({"amount_minor": 5_000_001}, Truth.TRUE),
        ({"amount_minor": 5_000_000, "stage": "open"}, Truth.FALSE),
        ({"stage": "won"}, Truth.TRUE),
        ({"amount_minor": 1}, Truth.UNDECIDED),
        ({}, Truth.UNDECIDED),
        ({"amount_minor": None, "stage": "open"}, Truth.UNDECIDED),
        ({"amount_minor": "1", "stage": "open"}, Truth.UNDECIDED),
        ({"amount_minor": 2**64, "stage": "open"}, Truth.UNDECIDED),
    ],
)
def test_a_condition_is_true_false_or_undecided(given: dict[str, Json], truth: Truth) -> None:
    assert evaluate("input.amount_minor > 5000000 || input.stage == 'won'", {"input": given}) is truth


def test_an_evaluation_that_would_take_too_long_is_undecided() -> None:
    slow = "input.lines.exists(x, input.lines.exists(y, input.lines.exists(z, x + y + z < 0)))"

    assert evaluate(slow, {"input": {"lines": list(range(1000))}}) is Truth.UNDECIDED


def nested(depth: int) -> Json:
    value: Json = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (MappingProxyType({"b": (1, 2)}), Truth.TRUE),
        ({"b": [1, 2]}, Truth.TRUE),
        ({"b": {1, 2}}, Truth.UNDECIDED),
        ({"b": Decimal(2)}, Truth.UNDECIDED),
        ({"b": "\ud800"}, Truth.UNDECIDED),
        ({"b": [1, 2], "c": nested(100)}, Truth.UNDECIDED),
        ({"b": [1, 2], "c": nested(5000)}, Truth.UNDECIDED),
    ],
)
def test_values_that_are_no_plain_json_decide_nothing_and_harm_nobody(value: Json, truth: Truth) -> None:
    assert evaluate("size(input.a.b) == 2", {"input": MappingProxyType({"a": value})}) is truth


def test_what_is_no_truth_value_is_undecided() -> None:
    assert evaluate("input.stage", {"input": {"stage": "won"}}) is Truth.UNDECIDED
    assert evaluate("input.stage", {"input": {"stage": True}}) is Truth.TRUE


@pytest.mark.parametrize(
    "expression",
    [
        "input.lines.map(x, [input.note + input.note]).size() > 0",
        "input.lines.exists(x, input.lines.exists(y, input.note + input.note == 'b'))",
        "input.lines.map(x, bytes(input.note)).size() > 0",
        "input.lines . map (x, input.note + 'x').size() > 0",
    ],
)
def test_what_an_agent_sends_cannot_make_a_condition_take_all_memory(expression: str) -> None:
    few = {"lines": [1, 2], "note": "a" * 100}
    many = {"lines": list(range(3000)), "note": "a" * 200_000}

    assert evaluate(expression, {"input": few}) is not Truth.UNDECIDED
    assert evaluate(expression, {"input": many}) is Truth.UNDECIDED


def test_a_loop_over_a_large_order_is_still_decided() -> None:
    lines = [{"price": number, "note": "a" * 50} for number in range(2000)]

    assert evaluate("input.lines.all(line, line.price < 5000)", {"input": {"lines": lines}}) is Truth.TRUE
    assert evaluate("input.note.contains('b')", {"input": {"note": "a" * 2_000_000}}) is Truth.FALSE
