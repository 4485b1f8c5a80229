"""The versions of an agent over the API: for its owner, who also states its model and prompt."""

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub

pytestmark = pytest.mark.anyio


async def test_the_owner_states_a_model_and_sees_every_version(hub: WorkingHub, log_in: LogIn) -> None:
    owner = await log_in("owner")

    stated = await owner.send("PUT", f"/agents/{hub.agent.id}/statement", {"model": "m-4", "prompt": "sha256:0f"})
    versions = await owner.get(f"/agents/{hub.agent.id}/versions")

    assert stated.status_code == 200, stated.text
    newest, first = versions.json()["items"]
    assert (newest["number"], first["number"]) == (2, 1)
    assert (newest["declaration"]["model"], first["declaration"]["model"]) == ("m-4", "")
    assert newest == stated.json()


async def test_strangers_neither_state_nor_see_anything(hub: WorkingHub, log_in: LogIn) -> None:
    stranger = await log_in("requester")

    stated = await stranger.send("PUT", f"/agents/{hub.agent.id}/statement", {"model": "m-4"})
    seen = await stranger.get(f"/agents/{hub.agent.id}/versions")

    assert is_problem(stated, 404, "not_found")
    assert is_problem(seen, 404, "not_found")


async def test_an_agent_is_its_makers_and_then_whoevers_it_is_given_to(hub: WorkingHub, log_in: LogIn) -> None:
    administrator, owner = await log_in("administrator"), await log_in("owner")

    made = await administrator.send("POST", "/agents", {"name": "mine", "display_name": "Mine"})
    agent = made.json()["agent"]
    given = await administrator.send("PUT", f"/agents/{agent['id']}/owner", {"owner_id": hub.people["owner"].id})

    assert made.status_code == 201, made.text
    assert agent["owner_id"] == hub.people["administrator"].id
    assert given.json()["owner_id"] == hub.people["owner"].id
    assert (await owner.get(f"/agents/{agent['id']}")).status_code == 200
    nobody = await administrator.send("PUT", f"/agents/{agent['id']}/owner", {"owner_id": hub.agent.id})
    assert is_problem(nobody, 400, "input_invalid")
