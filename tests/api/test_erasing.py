"""Erasures and legal holds over the API: seen first, asked by one person, answered by another, and told afterwards."""

from typing import Any

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub
from sqlalchemy import select

from hub.invocations.invoke import invoke
from hub.invocations.queries import cancel, current
from hub.invocations.states import State
from hub.invocations.values import Call
from hub.ledger.tables import KeyedRequestRow

pytestmark = pytest.mark.anyio


async def read(hub: WorkingHub) -> str:
    """Let the agent read something, and return the invocation."""
    call = Call(caller=hub.caller, server="everything", tool="item_get", arguments={"id": 1}, trace_id="0" * 32)
    return (await invoke(call, hub.runtime)).id


async def test_one_person_asks_and_an_auditor_grants(hub: WorkingHub, log_in: LogIn) -> None:
    done = await read(hub)
    administrator, auditor = await log_in("administrator"), await log_in("auditor")
    wanted = {"kind": "invocation", "subject": done}

    seen = (await administrator.send("POST", "/audit/erasures/survey", wanted)).json()
    asked = await administrator.send("POST", "/audit/erasures", {**wanted, "reason": "They asked."})
    granted = (await auditor.send("PUT", f"/audit/erasures/{asked.json()['id']}/grant")).json()
    listed = (await administrator.get("/audit/erasures")).json()["items"]

    assert (asked.status_code, asked.json()["stage"], granted["stage"]) == (201, "asked", "done")
    assert granted["counts"] == seen
    assert seen["invocations"] == 1
    assert listed == [granted]


async def test_whoever_asked_cannot_grant_it(hub: WorkingHub, log_in: LogIn) -> None:
    done, auditor = await read(hub), await log_in("auditor")
    body = {"kind": "invocation", "subject": done, "reason": "They asked."}

    asked = (await auditor.send("POST", "/audit/erasures", body)).json()

    assert is_problem(await auditor.send("PUT", f"/audit/erasures/{asked['id']}/grant"), 403, "forbidden")


async def test_an_administrator_sees_only_what_it_has_asked_for(hub: WorkingHub, log_in: LogIn) -> None:
    body = {"kind": "invocation", "subject": await read(hub), "reason": "They asked."}
    administrator, auditor = await log_in("administrator"), await log_in("auditor")
    await auditor.send("POST", "/audit/erasures", body)

    assert (await administrator.get("/audit/erasures")).json()["items"] == []
    assert len((await auditor.get("/audit/erasures")).json()["items"]) == 1


async def test_a_hold_forbids_an_erasure_until_it_is_lifted(hub: WorkingHub, log_in: LogIn) -> None:
    done = await read(hub)
    administrator, auditor = await log_in("administrator"), await log_in("auditor")
    body = {"kind": "invocation", "subject": done, "reason": "A dispute."}

    held = (await auditor.send("POST", "/audit/holds", body)).json()
    asked = (await administrator.send("POST", "/audit/erasures", body)).json()
    refused = await auditor.send("PUT", f"/audit/erasures/{asked['id']}/grant")
    listed = (await auditor.get("/audit/holds")).json()["items"]
    lifted = await auditor.send("PUT", f"/audit/holds/{held['id']}/lifting", {"reason": "It is over."})
    answer = await auditor.send("PUT", f"/audit/erasures/{asked['id']}/refusal", {"reason": "Not this one."})

    assert is_problem(refused, 409, "conflict")
    assert held["id"] in refused.json()["detail"]
    assert listed == [held]
    assert lifted.status_code == 204
    assert (answer.json()["stage"], answer.json()["answer"]) == ("refused", "Not this one.")


async def test_an_erased_call_says_so_and_an_idempotent_request_tells_no_more(log_in: LogIn) -> None:
    requester, administrator, auditor = [await log_in(name) for name in ("requester", "administrator", "auditor")]
    call = {"tool": "item_get", "arguments": {"id": 1}}
    first = (await requester.send("POST", "/invocations", call, **{"Idempotency-Key": "key-1"})).json()
    body = {"kind": "invocation", "subject": first["id"], "reason": "They asked."}
    asked = (await administrator.send("POST", "/audit/erasures", body)).json()
    await auditor.send("PUT", f"/audit/erasures/{asked['id']}/grant")

    left = (await requester.get(f"/invocations/{first['id']}")).json()
    again = (await requester.send("POST", "/invocations", call, **{"Idempotency-Key": "key-1"})).json()

    assert first["result"]["name"] == "pencil"
    assert (left["arguments"], left["result"]) == ({}, {"erased_at": left["erased_at"].replace("Z", "+00:00")})
    assert again["id"] != first["id"], "a read may be made anew: nothing of the first answer is kept"


async def asked_about(hub: WorkingHub) -> tuple[str, dict[str, Any]]:
    """Let the agent propose a write about somebody; return it, and what a decision about it sends."""
    arguments = {"title": "Paula fell ill"}
    call = Call(caller=hub.caller, server="everything", tool="ticket_create", arguments=arguments, trace_id="0" * 32)
    waiting = await invoke(call, hub.runtime)
    assert waiting.question is not None
    return waiting.id, {"digest": waiting.question.digest, "reason": "Paula asked for it"}


DECISIONS: dict[str, dict[str, Any]] = {
    "votes": {"choice": "reject"},
    "counter-proposals": {"arguments": {"title": "Paula is well"}},
}


@pytest.mark.parametrize("way", DECISIONS)
async def test_what_was_answered_to_a_decision_is_forgotten_with_its_call(
    hub: WorkingHub, log_in: LogIn, way: str
) -> None:
    """The answers tell the arguments and the reasons; their idempotency keys do not bring them back."""
    approver, administrator, auditor = [await log_in(name) for name in ("approver", "administrator", "auditor")]
    about, decision = await asked_about(hub)
    path, body = f"/approvals/{about}/{way}", {**decision, **DECISIONS[way]}
    first = await approver.send("POST", path, body, **{"Idempotency-Key": "key-1"})
    if (await current(hub.runtime, about)).state is State.AWAITING_APPROVAL:
        await cancel(hub.runtime, hub.caller, about, reason="not needed")
    wanted = {"kind": "invocation", "subject": about, "reason": "They asked."}
    asked = (await administrator.send("POST", "/audit/erasures", wanted)).json()
    granted = await auditor.send("PUT", f"/audit/erasures/{asked['id']}/grant")

    again = await approver.send("POST", path, body, **{"Idempotency-Key": "key-1"})

    assert (first.status_code, "Paula" in first.text) == (201, True)
    assert granted.json()["stage"] == "done"
    assert "Paula" not in again.text
    assert again.status_code in {403, 409}  # it is carried out again, and there is nothing left to decide


async def test_what_was_answered_to_broken_glass_is_known_to_tell_of_its_call(hub: WorkingHub, log_in: LogIn) -> None:
    operator = await log_in("operator")
    about, decision = await asked_about(hub)

    answer = await operator.send("POST", f"/approvals/{about}/broken-glass", decision, **{"Idempotency-Key": "key-1"})

    assert answer.status_code == 200, answer.text
    async with hub.database.reading() as tx:
        assert (await tx.scalars(select(KeyedRequestRow.about))).all() == [about]
