"""On behalf of a user: the refresh token they left is renewed by the system, and the vault keeps the new one."""

import pytest
from execution_house import ITEMS, House
from upstream.fixtures import Upstream

from connectors.sdk import OnBehalfOfUser
from hub.execution import Executor, Failed, Succeeded

pytestmark = pytest.mark.anyio

SPEC = ITEMS.model_copy(update={"auth": OnBehalfOfUser(token_url="{base_url}/oauth/token")})


async def test_a_refresh_token_is_renewed_in_the_vault_and_outlives_the_process(
    house: House, upstream: Upstream
) -> None:
    await house.connect(secret={"client_id": "hub", "client_secret": "s", "refresh_token": "refresh-0"})
    generation = house.connection.generation

    first = await house.read(SPEC, "item_get", id=1)
    async with house.database.reading() as tx:
        kept = await house.vault.open(tx, house.connection.id)
    async with Executor(house.database, house.vault).running() as another:
        second = await another.read(house.target(SPEC, "item_get"), {"id": 1}, deadline_seconds=20)

    assert isinstance(first.outcome, Succeeded)
    assert kept["refresh_token"] == "refresh-1"
    assert isinstance(second.outcome, Succeeded)
    assert house.connection.generation == generation
    asked = [request for request in upstream.store.requests("POST") if request.path == "/oauth/token"]
    assert len(asked) == 2


async def test_a_refresh_token_that_is_no_longer_good_asks_for_the_owner(house: House) -> None:
    await house.connect(secret={"client_id": "hub", "client_secret": "s", "refresh_token": "stolen"})

    ran = await house.read(SPEC, "item_get", id=1)

    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.message == (
        "The system no longer accepts what the hub was granted; the connection's owner must grant it again."
    )
