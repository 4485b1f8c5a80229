"""A hub with the ticket API connected to it, and a desk behind it."""

import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from upstream.fixtures import running_upstream
from world import MASTER_KEY, World, open_world

from connectors.ticketing import ticketing
from hub.identity.clients import NewAgent, create_agent
from hub.identity.principals import Caller
from hub.keys import Keyring
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.storage import Database

sys.path.append(str(Path(__file__).parent))

from ticketing_desk import TOKEN, Desk, ServiceDesk, open_desk  # found only once this folder is on the path

SCOPES = frozenset({"ticketing:read", "ticketing:write"})


@pytest.fixture(scope="module")
async def hub_and_desk(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncGenerator[ServiceDesk]:
    """One hub for all stories; what they have to do with the engine is proven in tests/invocations, on both."""
    del anyio_backend
    folder = tmp_path_factory.mktemp("desk")
    shutil.copyfile(sqlite_template, folder / "hub.sqlite")
    database = Database(f"sqlite+aiosqlite:///{folder / 'hub.sqlite'}")
    keys = await Keyring.open(database, MASTER_KEY)
    with running_upstream(folder) as upstream:
        async with open_desk() as desk, open_world(database, keys, upstream) as world:
            yield ServiceDesk(desk=desk, world=world, caller=await _connected(world, desk))
    await database.close()


@pytest.fixture
def service_desk(hub_and_desk: ServiceDesk) -> ServiceDesk:
    """The desk, emptied."""
    hub_and_desk.desk.empty()
    return hub_and_desk


async def _connected(world: World, desk: Desk) -> Caller:
    authority = world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, ticketing(), authority)
        new = NewConnection(name="desk", connector="ticketing", environment=Environment.DEV, base_url=desk.url)
        connection = await create_connection(tx, new, authority)
        await world.runtime.vault.put(tx, connection.id, {"token": TOKEN}, authority)
        clerk = await create_agent(
            tx,
            NewAgent(
                name="clerk",
                display_name="Clerk",
                owner_id=world.rita.id,
                allowed_scopes=SCOPES,
                allowed_servers=frozenset({"everything"}),
            ),
            authority,
        )
    return Caller(actor=clerk, on_behalf_of=world.rita, scopes=SCOPES, client_id=clerk.id)
