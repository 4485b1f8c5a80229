"""Metrics and cost centres over the API: each number with its formula, as far as one may see; costs, on from now."""

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub

from hub.invocations.invoke import invoke
from hub.invocations.values import Call
from hub.metrics import METRICS

pytestmark = pytest.mark.anyio


async def read(hub: WorkingHub) -> None:
    """Let the agent read something."""
    call = Call(caller=hub.caller, server="everything", tool="item_get", arguments={"id": 1}, trace_id="0" * 32)
    await invoke(call, hub.runtime)


async def test_an_auditor_gets_every_number_with_its_formula(hub: WorkingHub, log_in: LogIn) -> None:
    await read(hub)
    auditor = await log_in("auditor")

    told = (await auditor.get("/metrics")).json()
    by_agent = (await auditor.get("/metrics", by="agent")).json()

    assert {one["name"]: one["formula"] for one in told["metrics"]} == {one.name: one.formula for one in METRICS}
    assert set(told["metrics"][0]["counts"]) == {"decided", "settled"}
    ((line, accuracy),) = [
        (line, one) for line in told["items"] for one in line["values"] if one["metric"] == "tool_call_accuracy"
    ]
    assert (line["key"], line["label"], told["of"], told["uncounted"]) == ("", "all", "all", [])
    assert accuracy == {
        "metric": "tool_call_accuracy",
        "value": 1.0,
        "unit": "",
        "of": 1,
        "n": 1,
        "rests_on_few": True,
    }
    assert [one["value"] for one in line["values"] if one["metric"] == "edit_rate"] == [None]
    assert [(line["key"], line["label"]) for line in by_agent["items"]] == [(hub.agent.id, hub.agent.name)]


async def test_a_member_gets_its_own_decisions_and_no_others(hub: WorkingHub, log_in: LogIn) -> None:
    await read(hub)
    member = await log_in("requester")

    told = (await member.get("/metrics")).json()

    assert told["of"] == "decisions"
    assert {one["n"] for one in told["items"][0]["values"]} == {0}
    assert is_problem(await member.get("/metrics", of="all"), 403, "forbidden")
    assert is_problem(await member.get("/metrics", of="tools", tool_id="tool_x"), 404, "not_found")


async def test_days_at_the_ends_of_the_calendar_are_days(hub: WorkingHub, log_in: LogIn) -> None:
    del hub
    auditor = await log_in("auditor")

    for days in ({"last": "0001-01-01"}, {"first": "9999-12-01", "last": "9999-12-31"}):
        assert (await auditor.get("/metrics", **days)).status_code == 200


async def test_a_query_that_cannot_be_meant_is_said_to_be_wrong(hub: WorkingHub, log_in: LogIn) -> None:
    del hub
    auditor = await log_in("auditor")

    assert is_problem(await auditor.get("/metrics", first="2026-11-21", last="2026-11-01"), 400, "input_invalid")
    assert (await auditor.get("/metrics", first="yesterday")).status_code == 422
    assert (await auditor.get("/metrics", by="colour")).status_code == 422
    assert (await auditor.get("/metrics", agent="bot")).status_code == 422  # it is called agent_id


async def test_a_cost_centre_is_opened_filled_and_closed(hub: WorkingHub, log_in: LogIn) -> None:
    administrator, owner = await log_in("administrator"), await log_in("owner")
    opened = await administrator.send(
        "POST", "/cost-centres", {"code": "4711", "title": "Sales", "owner": hub.people["owner"].name}
    )
    centre = opened.json()["id"]
    to_it = {"kind": "agent", "subject": hub.agent.id, "cost_centre": centre}

    assigned = await owner.send("POST", "/cost-assignments", to_it)
    past = await owner.send("POST", "/cost-assignments", to_it | {"valid_from": "2026-01-01T00:00:00Z"})
    early = await administrator.send("DELETE", f"/cost-centres/{centre}")
    released = await owner.send("POST", "/cost-assignments", to_it | {"cost_centre": None})
    renamed = await administrator.send("PATCH", f"/cost-centres/{centre}", {"title": "Sales abroad"})
    seen = (await owner.get(f"/cost-centres/{centre}")).json()
    closed = await administrator.send("DELETE", f"/cost-centres/{centre}")

    assert [one.status_code for one in (opened, assigned, released, renamed, closed)] == [201, 201, 201, 200, 204]
    assert is_problem(past, 400, "input_invalid")
    assert is_problem(early, 409, "conflict")
    assert (seen["title"], [one["subject"] for one in seen["assignments"]]) == ("Sales abroad", [hub.agent.id])
    assert seen["assignments"][0]["valid_until"] is not None
    (listed,) = (await owner.get("/cost-centres")).json()["items"]
    assert listed["closed_at"] is not None
