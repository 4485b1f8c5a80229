"""The first administrator: one link, once, for a while, and only on an empty database."""

from dataclasses import replace

import anyio
import pytest
from sqlalchemy import select, update

from hub.core.errors import InputError, NotFound
from hub.identity.accounts import NewUser, groups
from hub.identity.authority import Authority
from hub.identity.bootstrap import (
    LINK_LIFETIME,
    account_create,
    create_first_administrator,
    is_offered,
    offer_first_administrator,
)
from hub.identity.principals import Principal, Role
from hub.identity.secrets import hash_secret
from hub.identity.tables import BootstrapRow
from hub.keys import Keyring
from hub.storage import Database, now

pytestmark = pytest.mark.anyio


def person(name: str) -> NewUser:
    return NewUser(name=name, display_name=name.title(), password="correct horse battery")


async def offered(database: Database) -> str:
    async with database.transaction() as tx:
        link = await offer_first_administrator(tx, database, "https://hub.example/")
    assert link is not None
    assert link.startswith("https://hub.example/setup/adm_")
    return link.rpartition("/")[2]


async def claim(database: Database, keys: Keyring, token: str, new: NewUser) -> Principal:
    async with database.transaction() as tx:
        return await create_first_administrator(tx, token, new, Authority(database=database, keys=keys))


async def test_the_link_makes_an_administrator_once(database: Database, keys: Keyring) -> None:
    token = await offered(database)

    first = await claim(database, keys, token, person("ada"))

    assert first.roles == {Role.ADMINISTRATOR, Role.MEMBER}
    with pytest.raises(NotFound):
        await claim(database, keys, token, person("eve"))
    async with database.transaction() as tx:
        assert await offer_first_administrator(tx, database, "https://hub.example") is None
        assert set(await groups(tx)) == {"approvers", "controllers"}


async def test_a_mistake_on_the_page_does_not_use_the_link_up(database: Database, keys: Keyring) -> None:
    token = await offered(database)

    with pytest.raises(InputError):
        await claim(database, keys, token, replace(person("ada"), password="short"))

    async with database.reading() as tx:
        assert await is_offered(tx, token)
    assert await claim(database, keys, token, person("ada"))


async def test_only_the_last_link_printed_works_and_only_for_a_while(database: Database, keys: Keyring) -> None:
    older, newer = await offered(database), await offered(database)
    with pytest.raises(NotFound):
        await claim(database, keys, older, person("eve"))
    async with database.transaction() as tx:
        assert await is_offered(tx, newer)
        await tx.execute(update(BootstrapRow).values(expires_at=await now(tx)))
        assert not await is_offered(tx, newer)

    with pytest.raises(NotFound):
        await claim(database, keys, newer, person("eve"))


async def test_of_two_who_use_the_link_at_once_one_is_administrator(database: Database, keys: Keyring) -> None:
    token, made = await offered(database), list[Principal]()

    async def try_it(name: str) -> None:
        try:
            made.append(await claim(database, keys, token, person(name)))
        except NotFound:
            return

    async with anyio.create_task_group() as group:
        group.start_soon(try_it, "ada")
        group.start_soon(try_it, "eve")

    assert len(made) == 1


async def test_replicas_that_start_at_once_leave_one_link_open(postgresql_url: str) -> None:
    """An older link stands there, so that both have something to replace: that is when each would keep its own."""
    replicas = [Database(postgresql_url) for _ in range(4)]
    await offered(replicas[0])

    async with anyio.create_task_group() as group:
        for replica in replicas * 3:
            group.start_soon(offered, replica)

    async with replicas[0].reading() as tx:
        links = list(await tx.scalars(select(BootstrapRow.token_hash)))
    assert len(links) == 1
    for replica in replicas:
        await replica.close()


async def test_two_links_left_open_by_an_older_release_make_one_administrator(
    database: Database, keys: Keyring
) -> None:
    token, made = await offered(database), list[Principal]()
    async with database.transaction() as tx:
        tx.add(BootstrapRow(token_hash=hash_secret("adm_other"), expires_at=await now(tx) + LINK_LIFETIME))

    async def try_it(name: str, link: str) -> None:
        try:
            made.append(await claim(database, keys, link, person(name)))
        except NotFound:
            return

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(try_it, f"ada{number}", token)
            group.start_soon(try_it, f"eve{number}", "adm_other")

    assert len(made) == 1


async def test_the_first_account_made_at_the_console_becomes_administrator_and_no_other(
    database: Database, keys: Keyring
) -> None:
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        first = await account_create(tx, person("ada"), authority)
        second = await account_create(tx, person("eve"), authority)

    assert first.roles == {Role.ADMINISTRATOR, Role.MEMBER}
    assert second.roles == {Role.MEMBER}


async def test_an_account_made_at_the_console_closes_the_link(database: Database, keys: Keyring) -> None:
    token = await offered(database)
    async with database.transaction() as tx:
        await account_create(tx, person("ada"), Authority(database=database, keys=keys))

    with pytest.raises(NotFound):
        await claim(database, keys, token, person("eve"))
