"""Undo over the API: what may be undone and how far, proposing it, and a conflict field by field."""

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub

from hub.invocations.invoke import invoke
from hub.invocations.values import Call, Invocation

pytestmark = pytest.mark.anyio

WHY = {"reason": "a slip"}


async def changed(hub: WorkingHub, quantity: int) -> Invocation:
    """Let the agent change the pencil."""
    arguments = {"id": 1, "quantity": quantity}
    call = Call(caller=hub.caller, server="everything", tool="item_update", arguments=arguments, trace_id="0" * 32)
    return await invoke(call, hub.runtime)


async def test_an_undo_is_offered_proposed_once_and_known_to_both_calls(hub: WorkingHub, log_in: LogIn) -> None:
    done = await changed(hub, 9)
    requester = await log_in("requester")

    offer = (await requester.get(f"/invocations/{done.id}/undo")).json()
    made = await requester.send("POST", f"/invocations/{done.id}/undo", WHY)
    again = await requester.send("POST", f"/invocations/{done.id}/undo", WHY)
    after = (await requester.get(f"/invocations/{done.id}/undo")).json()

    assert (offer["is_open"], offer["tool"], offer["kind"]) == (True, "item_update", "exact")
    assert made.status_code == 201, made.text
    assert (made.json()["state"], made.json()["undoes"], made.json()["repeats"]) == ("VERIFIED", done.id, False)
    assert (again.json()["id"], again.json()["repeats"]) == (made.json()["id"], True)
    assert (after["is_open"], after["undone_by"]) == (False, made.json()["id"])
    assert len(hub.upstream.store.effects()) == 2


async def test_a_conflict_names_each_field_three_times(hub: WorkingHub, log_in: LogIn) -> None:
    done = await changed(hub, 9)
    hub.upstream.store.rows("UPDATE item SET quantity = 7, version = version + 1 WHERE id = 1")

    refused = await (await log_in("requester")).send("POST", f"/invocations/{done.id}/undo", WHY)

    assert refused.json()["reason_code"] == "undo_conflict"
    assert refused.json()["conflict"] == [
        {"target": "items/1", "field": "quantity", "before": "10", "committed": "9", "now": "7"}
    ]


async def test_what_is_none_of_ones_business_cannot_be_undone(hub: WorkingHub, log_in: LogIn) -> None:
    done = await changed(hub, 9)
    controller = await log_in("controller")

    assert is_problem(await controller.send("POST", f"/invocations/{done.id}/undo", WHY), 404, "not_found")
    assert is_problem(await controller.get(f"/invocations/{done.id}/undo"), 404, "not_found")
