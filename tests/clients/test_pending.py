"""What the package for agents takes for a call that has not ended, and what it does not."""

import importlib.util
import sys
from typing import Any

import pytest

from clients.clients import ROOT
from hub.invocations.envelope import Status

PENDING = {
    "status": "pending_approval",
    "invocation_id": "inv_01m7zrtqdre4gztjskr1q9a95d",
    "status_url": "https://hub.example/invocations/inv_01m7zrtqdre4gztjskr1q9a95d",
    "poll_after_seconds": 30,
    "message": "Nothing has been changed yet.",
}


@pytest.fixture(scope="module")
def pending() -> Any:  # noqa: ANN401  # a module of a package that is not installed here
    file = ROOT / "hub" / "mcp" / "clients" / "toolhub_clients" / "pending.py"
    spec = importlib.util.spec_from_file_location("toolhub_clients_pending", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_hubs_envelope_is_recognised(pending: Any) -> None:  # noqa: ANN401  # see above
    found = pending.pending_in(PENDING)

    assert found.as_json() == PENDING


@pytest.mark.parametrize(
    "other",
    [
        None,
        "text",
        {"status": "running"},
        {**PENDING, "status": "rejected"},
        {**PENDING, "invocation_id": "a job of the tool's own"},
        {name: value for name, value in PENDING.items() if name != "status_url"},
    ],
)
def test_what_a_tool_says_of_itself_is_not_taken_for_it(pending: Any, other: Any) -> None:  # noqa: ANN401  # see above
    assert pending.pending_in(other) is None


def test_it_waits_in_the_states_in_which_the_hub_says_that_a_call_goes_on(pending: Any) -> None:  # noqa: ANN401  # see above
    assert {*pending.WAITING} == {Status.RUNNING, Status.PENDING_APPROVAL, Status.IN_DOUBT}
