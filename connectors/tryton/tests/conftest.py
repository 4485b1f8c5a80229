"""A real Tryton, a colleague who works in it by hand, and the connector on a bench."""

from collections.abc import AsyncIterator, Iterator

import pytest

from connectors.tryton import connector
from connectors.tryton.tests.desk import CASES, Bench, Case
from connectors.tryton_server import Person, TrytonServer, install
from connectors.tryton_server.office import Office


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def tryton(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    installation = install(request.config.rootpath / ".venvs", print)
    with TrytonServer(installation, tmp_path_factory.mktemp("tryton")) as server:
        yield server


@pytest.fixture(scope="session")
def clerk(tryton: TrytonServer) -> Iterator[Person]:
    person = tryton.person("clerk")
    yield person
    person.close()


@pytest.fixture(scope="session")
def authorization(tryton: TrytonServer) -> Iterator[str]:
    account = tryton.person("hub")
    yield account.authorization
    account.close()


@pytest.fixture
def office(clerk: Person) -> Office:
    return Office(clerk)


@pytest.fixture
async def bench(tryton: TrytonServer, authorization: str) -> AsyncIterator[Bench]:
    async with Bench(connector, tryton.base_url, headers={"authorization": authorization}) as bench:
        yield bench


ALL = [pytest.param(case, id=str(case), marks=pytest.mark.more if case.is_alike else ()) for case in CASES]


@pytest.fixture(params=ALL)
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture
def cases() -> tuple[Case, ...]:
    return CASES
