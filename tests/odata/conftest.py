"""A hub with the order service connected to it, which SAP CAP serves."""

import shutil
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from cap.harness import HOME, compiled
from cap.server import HUB, Cap, install, running
from upstream.fixtures import running_upstream
from world import MASTER_KEY, World, open_world

from hub.identity.clients import NewAgent, create_agent
from hub.identity.principals import Caller
from hub.keys import Keyring
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.storage import Database

sys.path.append(str(Path(__file__).parent))

from odata_office import Office  # found only once this folder is on the path

SCOPES = frozenset({"orders:read", "orders:write"})


@pytest.fixture(scope="module")
def cap(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cap]:
    """The running service."""
    with running(install(HOME), tmp_path_factory.mktemp("cap")) as cap:
        yield cap


@pytest.fixture(scope="module")
async def office(
    cap: Cap, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncGenerator[Office]:
    """One hub for all stories; what they have to do with the engine is proven in tests/invocations, on both."""
    del anyio_backend
    folder = tmp_path_factory.mktemp("office")
    shutil.copyfile(sqlite_template, folder / "hub.sqlite")
    database = Database(f"sqlite+aiosqlite:///{folder / 'hub.sqlite'}")
    keys = await Keyring.open(database, MASTER_KEY)
    with running_upstream(folder) as upstream:
        async with open_world(database, keys, upstream) as world:
            spec = compiled(cap).spec
            yield Office(cap=cap, world=world, spec=spec, caller=await _connected(world, cap))
    await database.close()


async def _connected(world: World, cap: Cap) -> Caller:
    authority = world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, compiled(cap).spec, authority)
        new = NewConnection(name="orders", connector="orders", environment=Environment.DEV, base_url=cap.base_url)
        connection = await create_connection(tx, new, authority)
        await world.runtime.vault.put(
            tx, connection.id, dict(zip(("username", "password"), HUB, strict=True)), authority
        )
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
