"""Agents at the API: who may change their keys and secrets, and who answers for them."""

import pytest
from doors.people import LogIn
from doors.working_hub import WorkingHub
from joserfc.jwk import ECKey

pytestmark = pytest.mark.anyio

PUBLIC_KEY = ECKey.generate_key("P-256").as_dict(private=False)
WHY = {"reason": "a test"}


async def test_an_agent_registered_with_a_key_gets_no_secret_and_its_owner_exchanges_the_key(
    hub: WorkingHub, log_in: LogIn
) -> None:
    administrator, owner, stranger = [await log_in(name) for name in ("administrator", "owner", "requester")]
    new = {"name": "signer", "display_name": "Signer", "owner_id": hub.people["owner"].id}

    made = await administrator.send("POST", "/agents", {**new, "jwks": {"keys": [PUBLIC_KEY]}})
    keys = f"/agents/{made.json()['agent']['id']}/keys"
    exchanged = await owner.send("PUT", keys, {"keys": [PUBLIC_KEY]})
    foreign = await stranger.send("PUT", keys, {"keys": [PUBLIC_KEY]})
    both = await administrator.send("POST", "/agents", {**new, "jwks": {"keys": [PUBLIC_KEY]}, "is_public": True})
    service = await administrator.send("POST", "/agents", {**new, "kind": "service", "is_public": True})

    assert (made.status_code, made.json()["secret"]) == (201, None)
    assert [one.status_code for one in (exchanged, foreign, both, service)] == [204, 404, 400, 400]


async def test_the_owner_of_an_agent_answers_for_it_and_no_other(hub: WorkingHub, log_in: LogIn) -> None:
    owner, stranger = await log_in("owner"), await log_in("requester")

    seen = await owner.get(f"/agents/{hub.agent.id}")
    secret = await owner.send("POST", f"/agents/{hub.agent.id}/secrets", {})
    revoked = await owner.send("DELETE", f"/agents/{hub.agent.id}/secrets/{secret.json()['id']}")
    suspended = await owner.send("PUT", f"/agents/{hub.agent.id}/suspension", WHY)
    resumed = await owner.send("DELETE", f"/agents/{hub.agent.id}/suspension")
    foreign = await stranger.get(f"/agents/{hub.agent.id}")

    assert (seen.status_code, secret.status_code, revoked.status_code, suspended.status_code) == (200, 201, 204, 200)
    assert suspended.json()["is_suspended"]
    assert resumed.status_code == 403  # whoever suspended it may have had reasons
    assert foreign.status_code == 404
