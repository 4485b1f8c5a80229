"""What the package for agents takes for a call that has not ended, and what it does not."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import anyio
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


@pytest.mark.parametrize(
    ("tool", "is_waited_for"),
    [("ticket_create", True), ("hub_call_tool", True), ("hub_invocation_get", False), ("hub_invocation_cancel", False)],
)
def test_a_call_is_waited_for_by_any_tool_and_a_look_at_another_is_not(
    pending: Any,  # noqa: ANN401  # see above
    tool: str,
    is_waited_for: bool,  # noqa: FBT001  # a case
) -> None:
    assert (pending.pending_call(tool, PENDING) is not None) is is_waited_for


def test_it_waits_in_the_states_in_which_the_hub_says_that_a_call_goes_on(pending: Any) -> None:  # noqa: ANN401  # see above
    assert {*pending.WAITING} == {Status.RUNNING, Status.PENDING_APPROVAL, Status.IN_DOUBT}


class Looks:
    """Looks that fail, one in each of these ways, until one says how a call stands."""

    def __init__(self, *fail: str, standing: dict[str, Any] | None = None) -> None:
        self.left, self.standing = list(fail), standing
        self.made = 0

    async def __call__(self) -> Mapping[str, Any]:
        self.made += 1
        match self.left.pop(0) if self.left else None:
            case "broken":
                raise ConnectionError("the network blinked")
            case "lost":
                await anyio.sleep_forever()
            case "error":
                return {}
            case "of another":
                return {**DONE, "invocation_id": "inv_01m7zrtqdre4gztjskr1q9a95e"}
            case _:
                return self.standing or await anyio.sleep_forever()
        pytest.fail("not reached")


DONE = {**PENDING, "status": "done", "result": {"id": 7}, "message": "Done."}


@pytest.mark.anyio
@pytest.mark.parametrize("fails", ["broken", "lost", "error", "of another"])
async def test_a_look_that_fails_is_made_again_and_never_raises(pending: Any, ending: Any, fails: str) -> None:  # noqa: ANN401  # see above
    call, looks = pending.pending_in(PENDING), Looks(fails, fails, standing=DONE)

    told = await ending.ended(looks, call, patience=60, longest_look=0.01, least_pause=0)

    assert told == '{"id": 7} Done.'
    assert looks.made == 3


@pytest.mark.anyio
@pytest.mark.parametrize("standing", [None, {**PENDING, "message": "It still waits."}])
async def test_who_has_no_more_patience_is_told_what_was_said_last(
    pending: Any,  # noqa: ANN401  # see above
    ending: Any,  # noqa: ANN401  # see above
    standing: dict[str, Any] | None,
) -> None:
    call = pending.pending_in(PENDING)

    told = await ending.ended(Looks(standing=standing), call, patience=0.01)

    assert told == (standing or PENDING)["message"]
