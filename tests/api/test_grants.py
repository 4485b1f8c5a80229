"""Standing grants over the API: given by who could vote, seen by those they concern, taken back at once."""

from typing import Any

import pytest
from doors.agents import BOTH_ENGINES
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub

from hub.invocations.invoke import invoke
from hub.invocations.states import DONE, State
from hub.invocations.values import Call, Invocation

pytestmark = pytest.mark.anyio


async def propose(hub: WorkingHub, number: int, quantity: int = 600_000) -> Invocation:
    """Let the agent propose a write of tier high."""
    arguments = {"id": number, "name": "ruler", "quantity": quantity}
    call = Call(caller=hub.caller, server="everything", tool="item_put", arguments=arguments, trace_id="0" * 32)
    return await invoke(call, hub.runtime)


def grant_of(like: Invocation, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    limits = {"quantity": {"at_most": 650_000}}
    return {"like": like.id, "reason": "Rulers are routine.", "uses": 1, "days": 7, "limits": limits, **more}


@BOTH_ENGINES
async def test_an_approver_allows_a_call_in_advance_and_takes_it_back(hub: WorkingHub, log_in: LogIn) -> None:
    approver = await log_in("approver")
    like = await propose(hub, 40)

    given = await approver.send("POST", "/standing-grants", grant_of(like, uses=2))
    done, beyond = await propose(hub, 41), await propose(hub, 42, quantity=650_001)
    path = f"/standing-grants/{given.json()['id']}"
    seen = (await approver.get(path)).json()
    listed = (await approver.get("/standing-grants")).json()["items"]
    revoked = await approver.send("PUT", f"{path}/revocation", {"reason": "Counted again."})
    after = await propose(hub, 43)

    assert given.status_code == 201, given.text
    assert given.json()["limits"] == {"quantity": {"at_most": 650_000}}
    assert (given.json()["side_effects"], given.json()["to_anybody"]) == ([], False)
    assert done.state in DONE
    assert beyond.state is after.state is State.AWAITING_APPROVAL
    assert (seen["uses_left"], seen["used_by"]) == (1, [done.id])
    assert [one["id"] for one in listed] == [given.json()["id"]]
    assert revoked.json()["revoked_reason"] == "Counted again."


async def test_whoever_may_not_look_learns_nothing_from_granting(hub: WorkingHub, log_in: LogIn) -> None:
    like = await propose(hub, 40)

    for name in ("controller", "owner"):
        person = await log_in(name)
        assert is_problem(await person.send("POST", "/standing-grants", grant_of(like)), 404, "not_found")
        assert (await person.get("/standing-grants")).json() == {"items": []}


async def test_the_requester_grants_nothing_to_its_own_agent(hub: WorkingHub, log_in: LogIn) -> None:
    like = await propose(hub, 40)

    refused = await (await log_in("requester")).send("POST", "/standing-grants", grant_of(like))

    assert is_problem(refused, 403, "forbidden")


async def test_a_limit_that_says_nothing_or_too_much_is_refused(hub: WorkingHub, log_in: LogIn) -> None:
    approver = await log_in("approver")
    like = await propose(hub, 40)

    for limit in ({}, {"at_most": 1, "one_of": [1]}):
        answer = await approver.send("POST", "/standing-grants", grant_of(like, limits={"quantity": limit}))
        assert is_problem(answer, 400, "input_invalid")
    unbounded = await approver.send("POST", "/standing-grants", grant_of(like, days=91))
    assert is_problem(unbounded, 422, "request_invalid")
