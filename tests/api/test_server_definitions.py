"""Servers over the API: compared, made, renamed, retired, and in prod published by a second person."""

from typing import Any

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub

from hub.identity.accounts import set_roles
from hub.identity.principals import Role

pytestmark = pytest.mark.anyio

DESK: dict[str, Any] = {
    "name": "desk",
    "environment": "dev",
    "title": "Desk",
    "tools": [{"tool": "item_get", "connection": "test-system", "name": "look_up"}],
}
LIVE = {"name": "live", "environment": "prod", "title": "Live"}


async def test_a_tool_is_put_on_a_server_for_clients_alone_that_know_tasks(hub: WorkingHub, log_in: LogIn) -> None:
    administrator, requester = await log_in("administrator"), await log_in("requester")
    tool = (await requester.get("/tools/item_find")).json()
    slow = {**DESK["tools"][0], "needs_tasks": True}
    await administrator.send("PUT", "/servers/desk", {**DESK, "tools": [slow]})
    offer = {"tool_id": tool["tool_id"], "connection_id": hub.connection.id, "needs_tasks": True}

    put = await administrator.send("POST", "/servers/desk/tools", offer)
    found = (await requester.get("/servers/desk")).json()["definition"]["tools"]

    assert put.json() == {"server": "desk", "name": "item_find"}
    assert [(one["tool"], one["needs_tasks"]) for one in found] == [("item_find", True), ("item_get", True)]


async def test_a_server_is_compared_made_read_renamed_and_retired(log_in: LogIn) -> None:
    administrator, requester = await log_in("administrator"), await log_in("requester")

    compared = await administrator.send("POST", "/servers/desk/differences", DESK)
    missing = await requester.get("/servers/desk")
    made = await administrator.send("PUT", "/servers/desk", DESK)
    renamed = await administrator.send("PATCH", "/servers/desk/tools/look_up", {"name": "item_look"})
    found = (await requester.get("/servers/desk")).json()
    refused = await administrator.send("PUT", "/servers/desk", {**DESK, "name": "other"})
    retired = await administrator.send("POST", "/servers/desk/retire", {"reason": "Closed."})

    assert {one["what"] for one in compared.json()["changes"]} == {"title", "listing", "tool look_up"}
    assert is_problem(missing, 404, "not_found")
    assert made.json() == compared.json()
    assert [(one["before"], one["after"]) for one in renamed.json()["changes"]] == [("look_up", "item_look")]
    assert [one["name"] for one in found["definition"]["tools"]] == ["item_look"]
    assert len(found["digest"]) == 64
    assert is_problem(refused, 400, "input_invalid")
    assert retired.status_code == 204
    assert is_problem(await requester.get("/servers/desk"), 404, "not_found")


async def test_in_prod_a_second_administrator_publishes_what_one_has_looked_at(hub: WorkingHub, log_in: LogIn) -> None:
    async with hub.database.transaction() as tx:
        await set_roles(tx, hub.people["owner"].id, frozenset({Role.ADMINISTRATOR, Role.MEMBER}), hub.authority)
    first, second = await log_in("administrator"), await log_in("owner")

    at_once = await first.send("PUT", "/servers/live", LIVE)
    proposed = (await first.send("POST", "/server-proposals", {"definition": LIVE, "reason": "It is time."})).json()
    address = f"/server-proposals/{proposed['id']}/publish"
    own = await first.send("POST", address, {"digest": proposed["digest"]})
    other = await second.send("POST", address, {"digest": "0" * 64})
    (waiting,) = (await second.get("/server-proposals")).json()["items"]
    published = await second.send("POST", address, {"digest": waiting["digest"]})
    again = await second.send("POST", address, {"digest": waiting["digest"]})

    assert is_problem(at_once, 403, "forbidden")
    assert "takes two people" in at_once.json()["detail"]
    assert own.status_code == 403
    assert other.status_code == 409
    assert published.json()["state"] == "published"
    assert again.status_code == 409
    assert (await second.get("/servers/live")).json()["definition"]["title"] == "Live"
