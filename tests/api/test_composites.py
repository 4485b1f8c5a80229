"""Composite tools over the API: declaring them, listing them, and how the steps of a plan stand."""

from dataclasses import replace

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub
from upstream.composites import over, restock

from hub.invocations.invoke import invoke
from hub.invocations.resume import resume
from hub.invocations.values import Call

pytestmark = pytest.mark.anyio

STEPS = over("test-system")


async def test_an_administrator_declares_a_composite_tool_and_people_see_its_steps(log_in: LogIn) -> None:
    administrator, requester = await log_in("administrator"), await log_in("requester")

    made = await administrator.send("POST", "/composites", {"declaration": restock(STEPS)})
    again = await administrator.send("POST", "/composites", {"declaration": restock(STEPS)})
    refused = await administrator.send(
        "POST", "/composites", {"declaration": restock([*STEPS, STEPS[0]], name="twice")}
    )
    listed = await requester.get("/composites")

    assert made.status_code == 201, made.text
    assert made.json()["new_version"]["number"] == 1
    assert again.json() == {"new_version": None}
    assert is_problem(refused, 400, "input_invalid")
    assert "two steps are called 'put'" in refused.json()["detail"]
    (item,) = listed.json()["items"]
    assert [(step["name"], step["can_be_taken_back"]) for step in item["steps"]] == [
        ("put", True),
        ("rename", True),
        ("count", True),
    ]


@pytest.mark.parametrize(
    "part",
    [{"type": "string", "pattern": f"a{{{'1' * 5000}}}"}, {"$ref": f"#/allOf/{'1' * 5000}"}],
    ids=["pattern", "reference"],
)
async def test_numbers_of_thousands_of_digits_in_a_schema_are_refused_in_words(
    log_in: LogIn, part: dict[str, str]
) -> None:
    administrator, declaration = await log_in("administrator"), restock(STEPS)
    named = {**declaration["input_schema"]["properties"], "more": part}
    declaration["input_schema"] = {**declaration["input_schema"], "allOf": [{}], "properties": named}

    refused = await administrator.send("POST", "/composites", {"declaration": declaration})

    assert is_problem(refused, 400, "input_invalid")


async def test_the_steps_of_a_plan_are_told_with_their_calls(hub: WorkingHub, log_in: LogIn) -> None:
    administrator, requester = await log_in("administrator"), await log_in("requester")
    await administrator.send("POST", "/composites", {"declaration": restock(STEPS)})
    caller = replace(hub.caller, scopes=hub.caller.scopes | {"composite_dev:write"})
    call = Call(
        caller=caller,
        server="everything",
        tool="restock",
        arguments={"id": 40, "name": "ruler"},
        trace_id="0" * 32,
    )
    asked = await invoke(call, hub.runtime)
    approver = await log_in("approver")
    question = (await approver.get(f"/approvals/{asked.id}")).json()

    assert [step["name"] for step in question["summary"]["steps"]] == ["put", "rename", "count"]
    voted = await approver.send(
        "POST", f"/approvals/{asked.id}/votes", {"digest": question["digest"], "choice": "approve"}
    )
    assert voted.status_code < 300, voted.text
    begun = await resume(asked.id, hub.runtime)
    await resume(asked.id, hub.runtime)
    plan = (await requester.get(f"/invocations/{begun.id}")).json()

    assert [step["status"] for step in plan["steps"]] == ["done", "done", "done"]
    step = (await requester.get(f"/invocations/{plan['steps'][0]['invocation_id']}")).json()
    assert (step["plan_id"], step["approved_by"]) == (asked.id, "plan")


async def test_a_promotion_of_a_composite_tool_names_the_step_that_has_to_come_first(log_in: LogIn) -> None:
    administrator, requester = await log_in("administrator"), await log_in("requester")
    await administrator.send("POST", "/composites", {"declaration": restock(STEPS)})
    wish = {"name": "restock", "environment": "staging", "reason": "Tried."}

    refused = await administrator.send("POST", "/composites/promotions", wish)
    unknown = await administrator.send("POST", "/composites/promotions", {**wish, "name": "nothing"})
    forbidden = await requester.send("POST", "/composites/promotions", wish)

    assert is_problem(refused, 409, "conflict")
    assert "Step 1, put: staging uses no version of 'item_put'; promote the release of" in refused.json()["detail"]
    assert unknown.status_code == 404
    assert forbidden.status_code == 403
