"""Machines are told whether a hub lives and can serve: by any name, without a token, and with no more than that."""

from collections.abc import AsyncGenerator

import httpx2
import pytest
from doors.working_hub import WorkingHub

from hub.api.probes import ALIVE, READY
from hub.app import create_app

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(hub: WorkingHub) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of the whole application that knows it by an address alone."""
    transport = httpx2.ASGITransport(create_app(hub.runtime, {}))
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.1.2.3:8420") as opened:
        yield opened


@pytest.mark.parametrize("path", [ALIVE, READY])
async def test_a_hub_that_can_serve_says_so_and_nothing_else(client: httpx2.AsyncClient, path: str) -> None:
    told = await client.get(path)

    assert (told.status_code, told.json()) == (200, {"status": "ok"})
    assert told.headers["cache-control"] == "no-store"
    assert "set-cookie" not in told.headers
    assert (await client.head(path)).status_code == 200
    assert (await client.post(path)).status_code == 400, "everything else is answered under the hub's own names alone"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_without_its_database_it_lives_and_is_not_ready(hub: WorkingHub, client: httpx2.AsyncClient) -> None:
    await hub.database.close()
    file = str(hub.database.url.database)
    with open(file, "r+b") as database:  # noqa: ASYNC230, PTH123  # a moment, in a test
        database.write(b"this is no database any more....")

    told = await client.get(READY)

    assert (told.status_code, told.json()) == (503, {"status": "unavailable"})
    assert (await client.get(ALIVE)).status_code == 200
