"""Agents known by a metadata document, and the secrets of an agent, as the API has them."""

import pytest
from doors.people import LogIn
from doors.working_hub import WorkingHub

from hub.identity.client_documents import document_of

pytestmark = pytest.mark.anyio

URL = "https://agents.example.org/oauth/client.json"


async def test_an_agent_is_registered_by_the_address_of_its_document(hub: WorkingHub, log_in: LogIn) -> None:
    administrator = await log_in("administrator")
    new = {"name": "traveller", "display_name": "Traveller", "owner_id": hub.people["owner"].id, "document_url": URL}

    made = await administrator.send("POST", "/agents", new)
    again = await administrator.send("POST", "/agents", {**new, "name": "another"})
    wrong = [
        await administrator.send("POST", "/agents", {**new, "name": "third", **changes})
        for changes in (
            {"document_url": "http://agents.example.org/c"},
            {"is_public": True},
            {"kind": "service"},
            {"redirect_uris": ["http://127.0.0.1/callback"]},
        )
    ]

    assert (made.status_code, made.json()["secret"]) == (201, None)
    assert [one.status_code for one in (again, *wrong)] == [400] * 5
    async with hub.database.reading() as tx:
        assert await document_of(tx, made.json()["agent"]["id"]) == URL


async def test_the_owner_sees_which_secrets_its_agent_has_and_which_ends_soon(hub: WorkingHub, log_in: LogIn) -> None:
    owner, stranger = await log_in("owner"), await log_in("requester")
    path = f"/agents/{hub.agent.id}/secrets"
    issued = (await owner.send("POST", path, {"days": 7})).json()

    alone = (await owner.get(path)).json()["items"]
    await owner.send("POST", path, {"days": 90})
    both = (await owner.get(path)).json()["items"]

    assert [(one["id"], one["ends_soon"]) for one in alone] == [(issued["id"], True)]
    assert [one["ends_soon"] for one in both] == [False, False]
    assert issued["client_secret"] not in str(alone)
    assert (await stranger.get(path)).status_code == 404
