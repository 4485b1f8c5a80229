"""What an MCP server declares of its tools is taken at its word only where it can be so."""

import pytest
from upstream.connector import connector as upstream

from connectors.mcp_upstream.declared import declarations, error_of, understood
from connectors.sdk.declaration import OPERATION
from connectors.sdk.errors import Conflict, Unavailable, Unknown
from connectors.sdk.vocabulary import Phase

WRITE = {"effect": "update", "tier": "medium"}


def told(declared: object, *others: str) -> object:
    """Return what becomes of a tool `set` that declares `declared`, beside tools called `others`."""
    tools = {"set": {"_meta": {OPERATION: declared}}, **{name: {} for name in others}}
    return declarations(tools)["set"]


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ("update", "is not an object"),
        ({**WRITE, "binding": {"tool": "other"}}, "binding"),
        ({**WRITE, "input_schema": {}}, "input_schema"),
        ({**WRITE, "surprise": 1}, "surprise"),
        ({**WRITE, "phases": {"commit": "set"}}, "phases"),
        ({**WRITE, "fidelity": "simulated"}, "no preview"),
        ({**WRITE, "phases": {"preview": "nowhere"}}, "nowhere"),
    ],
)
def test_what_cannot_be_is_a_reason_to_leave_the_tool_out(declared: object, says: str) -> None:
    assert says in str(told(declared))


def test_a_tool_that_declares_nothing_is_an_ordinary_one() -> None:
    assert declarations({"set": {}}) == {}


@pytest.mark.parametrize("answer", [None, "changed", [], {"changes": "all"}, {"changes": ["one"]}, {"blast": 7}])
def test_a_preview_that_is_none_is_refused_and_breaks_nothing(answer: object) -> None:
    with pytest.raises(ValueError, match=r"changes|blast|no object"):
        understood(upstream.spec.operation("item_update"), Phase.PREVIEW, answer)


def test_an_error_says_what_may_be_concluded() -> None:
    assert isinstance(error_of({"code": "upstream_conflict", "message": "moved"}, is_safe=False), Conflict)
    assert isinstance(error_of({"code": "upstream_unknown"}, is_safe=False), Unknown)
    assert isinstance(error_of({"code": "upstream_unknown"}, is_safe=True), Unavailable)
    assert error_of({"code": "done"}, is_safe=False) is None
    assert error_of(None, is_safe=False) is None
