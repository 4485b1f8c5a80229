"""What the package for agents takes for a call that has not ended, and what it does not."""

import importlib
import json
import sys
from collections.abc import Iterator
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


@pytest.fixture(scope="module", autouse=True)
def package() -> Iterator[None]:
    """The package is not installed here; these modules of it need no framework."""
    sys.path.append(str(ROOT / "hub" / "mcp" / "clients"))
    yield
    sys.path.remove(str(ROOT / "hub" / "mcp" / "clients"))


@pytest.fixture(scope="module")
def pending() -> Any:  # noqa: ANN401  # a module of a package that is not installed here
    return importlib.import_module("toolhub_clients.pending")


@pytest.fixture(scope="module")
def ending() -> Any:  # noqa: ANN401  # see above
    return importlib.import_module("toolhub_clients.ending")


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


class Looks:
    """Looks that fail until one says how a call stands."""

    def __init__(self, *, fail: int, standing: dict[str, Any]) -> None:
        self.left, self.standing = fail, standing

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise ConnectionError("the network blinked")
        return json.dumps(self.standing)


def test_a_look_that_fails_is_made_again_and_never_raises(ending: Any) -> None:  # noqa: ANN401  # see above
    done = {"status": "done", "result": {"id": 7}, "message": "Done."}

    assert ending.ended(Looks(fail=2, standing=done), "It waits.", patience=60, least_pause=0) == '{"id": 7} Done.'
    assert ending.ended(Looks(fail=9, standing=done), "It waits.", patience=0) == "It waits."


def test_who_has_no_more_patience_is_told_what_was_said_last(ending: Any) -> None:  # noqa: ANN401  # see above
    assert ending.ended(Looks(fail=0, standing=PENDING), "It waits.", patience=0) == PENDING["message"]
