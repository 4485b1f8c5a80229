"""The vault keeps credentials so that only the hub's keys open them, and shows them to nobody."""

from collections.abc import Mapping

import pytest
import upstream.connector
from sqlalchemy import text, update

from connectors.sdk.auth import ClientCredentials
from hub.core.errors import Forbidden, HubError, NotFound
from hub.credentials import CredentialUnusable, Vault
from hub.credentials.tables import CredentialRow
from hub.identity.accounts import NewUser, create_user
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.registry import (
    ConnectionChange,
    Environment,
    NewConnection,
    change_connection,
    create_connection,
    get_connection,
    register_connector,
)
from hub.storage import Database

pytestmark = pytest.mark.anyio

SECRET = {"login": "hub", "password": "correct-horse-battery-staple"}


@pytest.fixture
async def connections(database: Database, keys: Keyring) -> tuple[str, str]:
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await register_connector(tx, upstream.connector.connector.spec, authority)
        made = [
            await create_connection(
                tx,
                NewConnection(
                    name=name,
                    connector="upstream",
                    environment=Environment.DEV,
                    base_url="http://127.0.0.1:1",
                    prefix=f"{name}_",
                ),
                authority,
            )
            for name in ("first", "second")
        ]
    return made[0].id, made[1].id


async def put(database: Database, keys: Keyring, connection: str, secret: Mapping[str, str] = SECRET) -> None:
    async with database.transaction() as tx:
        await Vault(keys).put(tx, connection, secret, Authority(database=database, keys=keys))


async def test_what_was_put_is_what_is_opened(database: Database, keys: Keyring, connections: tuple[str, str]) -> None:
    await put(database, keys, connections[0])

    async with database.reading() as tx:
        opened = await Vault(keys).open(tx, connections[0])

    assert dict(opened) == SECRET


async def test_a_connection_without_a_credential_has_an_empty_one(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    async with database.reading() as tx:
        assert dict(await Vault(keys).open(tx, connections[0])) == {}


async def test_a_new_credential_replaces_the_old_and_makes_a_new_generation(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    await put(database, keys, connections[0], {"token": "old"})
    async with database.reading() as tx:
        before = (await get_connection(tx, connections[0])).generation

    await put(database, keys, connections[0], {"token": "new"})

    async with database.reading() as tx:
        assert dict(await Vault(keys).open(tx, connections[0])) == {"token": "new"}
        assert (await get_connection(tx, connections[0])).generation == before + 1


async def test_a_forgotten_credential_is_gone(database: Database, keys: Keyring, connections: tuple[str, str]) -> None:
    await put(database, keys, connections[0])

    async with database.transaction() as tx:
        await Vault(keys).forget(tx, connections[0])

    async with database.reading() as tx:
        assert dict(await Vault(keys).open(tx, connections[0])) == {}


async def test_no_value_stands_in_the_database_in_the_clear(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    await put(database, keys, connections[0])

    async with database.reading() as tx:
        (sealed,) = (await tx.execute(text("SELECT sealed FROM credentials"))).scalars()
        events = (await tx.execute(text("SELECT * FROM audit_events"))).all()
        values = (await tx.execute(text("SELECT * FROM audit_values"))).all()

    assert b"correct-horse" not in bytes(sealed)
    assert "correct-horse" not in repr([events, values])


async def test_a_credential_moved_to_another_connection_does_not_open(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    """Whoever can write to the database cannot make the hub send one system's password to another."""
    first, second = connections
    await put(database, keys, first)
    async with database.transaction() as tx:
        await tx.execute(update(CredentialRow).where(CredentialRow.connection_id == first).values(connection_id=second))

    with pytest.raises(HubError):
        async with database.reading() as tx:
            await Vault(keys).open(tx, second)


async def test_a_credential_that_was_tampered_with_does_not_open(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    await put(database, keys, connections[0])
    async with database.transaction() as tx:
        row = await tx.get_one(CredentialRow, connections[0])
        row.sealed = row.sealed[:-1] + bytes([row.sealed[-1] ^ 1])

    with pytest.raises(HubError):
        async with database.reading() as tx:
            await Vault(keys).open(tx, connections[0])


async def test_only_a_steward_of_the_connection_enters_its_credential(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    async with database.transaction() as tx:
        mallory = await create_user(
            tx,
            NewUser(name="mallory", display_name="Mallory", password="correct-horse-battery", groups=frozenset()),
            Authority(database=database, keys=keys),
        )

    by_mallory = Authority(database=database, keys=keys, by=mallory.id)

    with pytest.raises(Forbidden):
        async with database.transaction() as tx:
            await Vault(keys).put(tx, connections[0], SECRET, by_mallory)


async def test_there_is_no_credential_for_no_connection(database: Database, keys: Keyring) -> None:
    with pytest.raises(NotFound):
        await put(database, keys, "con_nothing")


async def test_what_is_printed_shows_names_and_no_value(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    await put(database, keys, connections[0])
    vault = Vault(keys)

    async with database.reading() as tx:
        opened = await vault.open(tx, connections[0])

    assert repr(opened) == f"{opened}" == "Secret(login, password)"
    assert "correct-horse" not in repr(vault)


async def test_a_system_renews_a_part_of_a_credential_without_a_new_generation(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    await put(database, keys, connections[0])
    async with database.reading() as tx:
        generation = (await get_connection(tx, connections[0])).generation
    async with database.transaction() as tx:
        await Vault(keys).renew(tx, connections[0], "password", old=SECRET["password"], new="another")
        await Vault(keys).renew(tx, connections[0], "password", old=SECRET["password"], new="too late")
        await Vault(keys).renew(tx, connections[1], "password", old="", new="there is none")

    async with database.reading() as tx:
        assert dict(await Vault(keys).open(tx, connections[0])) == {**SECRET, "password": "another"}
        assert dict(await Vault(keys).open(tx, connections[1])) == {}
        assert (await get_connection(tx, connections[0])).generation == generation


@pytest.mark.parametrize(
    ("base_url", "opens"),
    [("https://one.example/other/path", True), ("https://two.example", False), ("https://one.example:8443", False)],
)
async def test_a_credential_is_shown_to_the_system_it_was_entered_for_and_to_no_other(
    database: Database,
    keys: Keyring,
    connections: tuple[str, str],
    base_url: str,
    opens: bool,  # noqa: FBT001  # a parameter of pytest's
) -> None:
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await change_connection(tx, connections[0], ConnectionChange(base_url="https://one.example"), authority)
    await put(database, keys, connections[0])
    async with database.transaction() as tx:
        await change_connection(tx, connections[0], ConnectionChange(base_url=base_url), authority)

    async def opened() -> dict[str, str]:
        async with database.reading() as tx:
            return dict(await Vault(keys).open(tx, connections[0]))

    if opens:
        assert await opened() == SECRET
    else:
        with pytest.raises(CredentialUnusable, match="enter it again"):
            await opened()
    await put(database, keys, connections[0])
    assert await opened() == SECRET


async def test_who_publishes_a_connector_does_not_get_credentials_sent_elsewhere(
    database: Database, keys: Keyring, connections: tuple[str, str]
) -> None:
    await put(database, keys, connections[0])
    auth = ClientCredentials(token_url="https://elsewhere.example/token")
    spec = upstream.connector.connector.spec.model_copy(update={"version": "9.0.0", "auth": auth})
    async with database.transaction() as tx:
        await register_connector(tx, spec, Authority(database=database, keys=keys))

    with pytest.raises(CredentialUnusable, match="enter it again"):
        async with database.reading() as tx:
            await Vault(keys).open(tx, connections[0])
