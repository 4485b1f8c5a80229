"""Promotions over the API: asked for, shown with their gates, decided on as they were seen, taken back."""

import pytest
from doors.people import LogIn, is_problem
from doors.working_hub import WorkingHub
from sqlalchemy import update

from hub.registry import Environment
from hub.registry.tables import ConnectorRow

pytestmark = pytest.mark.anyio

WISH = {"connector": "upstream", "environment": "staging", "reason": "It works."}


@pytest.fixture
async def owned(hub: WorkingHub) -> WorkingHub:
    """The hub, with its connector owned by somebody who is no administrator."""
    async with hub.database.transaction() as tx:
        await tx.execute(update(ConnectorRow).values(owner_id=hub.people["owner"].id))
    return hub


async def test_the_owner_asks_and_sees_which_gates_stand_open(owned: WorkingHub, log_in: LogIn) -> None:
    assert owned.connection.environment is Environment.DEV
    owner = await log_in("owner")

    asked = await owner.send("POST", "/promotions", WISH)
    shown = await owner.get(f"/promotions/{asked.json()['id']}")
    listed = await owner.get("/promotions", connector="upstream")

    assert asked.status_code == 201, asked.text
    assert [(gate["gate"], gate["stand"]) for gate in shown.json()["gates"]] == [("path", "holds"), ("badge", "open")]
    assert [one["id"] for one in listed.json()["items"]] == [asked.json()["id"]]


async def test_what_does_not_pass_its_gates_is_not_put_in_use(owned: WorkingHub, log_in: LogIn) -> None:
    assert owned.people
    owner = await log_in("owner")
    asked = (await owner.send("POST", "/promotions", WISH)).json()
    decision = {"digest": asked["digest"], "agree": True}

    refused = await owner.send("PUT", f"/promotions/{asked['id']}/decision", decision)
    unseen = await owner.send("PUT", f"/promotions/{asked['id']}/decision", {**decision, "digest": "0" * 64})
    withdrawn = await owner.send("POST", f"/promotions/{asked['id']}/withdrawal", {"reason": "Later."})
    late = await owner.send("POST", f"/promotions/{asked['id']}/checks")

    assert is_problem(refused, 409, "conflict")
    assert is_problem(unseen, 409, "changed_since_seen")
    assert withdrawn.json()["state"] == "withdrawn"
    assert is_problem(late, 409, "conflict")


async def test_strangers_ask_for_nothing_and_unknown_promotions_do_not_exist(owned: WorkingHub, log_in: LogIn) -> None:
    assert owned.people
    stranger = await log_in("requester")

    refused = await stranger.send("POST", "/promotions", WISH)
    unknown = await stranger.get("/promotions/pro_06dvh3x5m8qk2v7c1n4pz9tbwr")

    assert is_problem(refused, 403, "forbidden")
    assert is_problem(unknown, 404, "not_found")
