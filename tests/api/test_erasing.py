"""Erasures and legal holds over the API: seen first, asked by one person, answered by another, and told afterwards."""

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub

from hub.invocations.invoke import invoke
from hub.invocations.values import Call

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
