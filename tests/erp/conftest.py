"""Fixtures of the stories in an ERP: a hub with a real Tryton behind it."""

from collections.abc import AsyncGenerator, Generator

import pytest
from erp.company import Company, connect, wire_to
from settled import settled_by
from upstream.fixtures import Upstream
from world import open_world, settle

from connectors.tryton_server import Person, TrytonServer, install
from connectors.tryton_server.office import Office
from hub.keys import Keyring
from hub.storage import Database

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture(scope="session")
def tryton(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[TrytonServer]:
    installation = install(request.config.rootpath / ".venvs", print)
    with TrytonServer(installation, tmp_path_factory.mktemp("tryton")) as server:
        yield server


@pytest.fixture(scope="session")
def clerk(tryton: TrytonServer) -> Generator[Person]:
    person = tryton.person("clerk")
    yield person
    person.close()


@pytest.fixture
async def company(
    database: Database, keys: Keyring, upstream: Upstream, tryton: TrytonServer, clerk: Person
) -> AsyncGenerator[Company]:
    async with open_world(database, keys, upstream) as world, wire_to(tryton) as (wire, base_url):
        caller = await connect(world, tryton, base_url)
        yield Company(world=world, server=tryton, wire=wire, office=Office(clerk), caller=caller)
