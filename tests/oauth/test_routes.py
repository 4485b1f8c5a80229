"""Where the endpoints are, and on which public URLs a hub may be an authorization server at all."""

import pytest

from hub.identity.authority import Authority
from hub.identity.grants import AuthorizationServer
from hub.keys import Keyring
from hub.oauth.routes import is_published, routes_of
from hub.registry import Environment, NewServer, create_server
from hub.storage import Database, Tx


async def nothing_is_published(_tx: Tx, _server: str) -> bool:
    return False


def server_at(public_url: str, database: Database, keys: Keyring) -> AuthorizationServer:
    return AuthorizationServer(database=database, keys=keys, public_url=public_url, is_server=nothing_is_published)


@pytest.mark.anyio
@pytest.mark.parametrize("public_url", ["http://hub.example", "ftp://hub.example", "https://hub.example?x", ""])
async def test_a_hub_that_can_be_listened_to_does_not_start(database: Database, keys: Keyring, public_url: str) -> None:
    with pytest.raises(ValueError, match=r"issuer|MUST|required"):
        routes_of(server_at(public_url, database, keys))


@pytest.mark.anyio
@pytest.mark.parametrize("public_url", ["http://127.0.0.1:8000", "http://localhost:8000/", "https://hub.example"])
async def test_a_hub_on_this_machine_or_behind_https_does(database: Database, keys: Keyring, public_url: str) -> None:
    assert routes_of(server_at(public_url, database, keys))


@pytest.mark.anyio
async def test_the_path_of_the_issuer_goes_behind_the_well_known_name(database: Database, keys: Keyring) -> None:
    routes = routes_of(server_at("https://example.com/hub", database, keys))

    assert "/.well-known/oauth-authorization-server/hub" in {route.path for route in routes}


@pytest.mark.anyio
async def test_a_server_is_one_once_the_registry_has_it(database: Database, keys: Keyring) -> None:
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), authority)

    async with database.reading() as tx:
        known = [name for name in ("everything", "sales", "hidden", "") if await is_published(tx, name)]
    assert known == ["everything", "sales"]
