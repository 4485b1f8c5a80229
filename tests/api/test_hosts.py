"""Every door answers only under the hub's own names, against DNS rebinding."""

from collections.abc import AsyncGenerator

import httpx2
import pytest
from doors.working_hub import WorkingHub

from hub.app import create_app

pytestmark = pytest.mark.anyio

DOORS = ["/login", "/api/v1/openapi.json", "/oauth/jwks.json", "/.well-known/oauth-authorization-server"]


@pytest.fixture
async def client(hub: WorkingHub) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of the whole application."""
    transport = httpx2.ASGITransport(create_app(hub.runtime, {}))
    async with httpx2.AsyncClient(transport=transport, base_url=hub.runtime.public_url) as opened:
        yield opened


@pytest.mark.parametrize("path", DOORS)
async def test_a_door_answers_under_its_own_name_and_no_other(client: httpx2.AsyncClient, path: str) -> None:
    own = await client.get(path)
    foreign = await client.get(path, headers={"host": "evil.example"})

    assert own.status_code == 200
    assert foreign.status_code == 400
