"""Each environment has its own release of a connector in use: dev the newest one, the others what came to them."""

import pytest

from hub.core.errors import Conflict, Forbidden, NotFound
from hub.identity.accounts import set_roles
from hub.identity.authority import Authority
from hub.identity.enrolment import enrol
from hub.identity.principals import PrincipalKind, Role
from hub.registry import (
    Catalog,
    Environment,
    find_tool,
    get_connection,
    register_connector,
    releases_in_use,
    spec_for,
    versions,
    withdraw_version,
)
from hub.registry.using import get_release, newest_release, put_in_use, take_out_of_use
from hub.storage import Database
from tests.registry.registry_crm import anybody, connect, crm, operation, register, write

pytestmark = pytest.mark.anyio

SECOND = crm(operation(), write(), operation("deal_find"), version="2.0.0", artefact_digest="b" * 64)


async def test_a_new_release_changes_nothing_outside_dev(database: Database, authority: Authority) -> None:
    await register(database, authority, crm(), Environment.PROD)
    for name, place in (("sales", Environment.DEV), ("live", Environment.PROD)):
        await connect(database, authority, name=name, environment=place)

    await register(database, authority, SECOND)

    catalog = Catalog(database)
    in_dev = await catalog.page(server="everything-dev", caller=anybody())
    in_prod = await catalog.page(server="everything-prod", caller=anybody())
    assert [(one.name, one.version.number) for one in in_dev] == [("deal_find", 1), ("deal_get", 2), ("deal_update", 2)]
    assert [(one.name, one.version.number) for one in in_prod] == [("deal_get", 1), ("deal_update", 1)]
    assert {one.connector.artefact_digest for one in in_prod} == {"a" * 64}
    async with database.reading() as tx:
        current = await catalog.current(tx, "deal_get", server="everything-prod", caller=anybody())
        with pytest.raises(NotFound):
            await catalog.current(tx, "deal_find", server="everything-prod", caller=anybody())
    assert (current.version.number, current.connector.artefact_digest) == (1, "a" * 64)


async def test_an_environment_without_a_release_offers_nothing(database: Database, authority: Authority) -> None:
    await register(database, authority)
    await connect(database, authority, name="live", environment=Environment.PROD)

    assert await Catalog(database).page(server="everything-prod", caller=anybody()) == []


async def test_a_release_put_in_use_is_offered_there_as_it_was_registered(
    database: Database, authority: Authority
) -> None:
    await register(database, authority, crm(), Environment.PROD)
    await connect(database, authority, name="live", environment=Environment.PROD)
    await register(database, authority, SECOND)
    catalog = Catalog(database)

    async with database.transaction() as tx:
        first = (await releases_in_use(tx, "crm"))[Environment.PROD]
        gone = await put_in_use(tx, await newest_release(tx, "crm"), Environment.PROD)
    after = await _numbers(catalog, database)
    async with database.transaction() as tx:
        gone_back = await put_in_use(tx, await get_release(tx, first), Environment.PROD)

    assert (after, gone) == ({"deal_find": 1, "deal_get": 2, "deal_update": 2}, [])
    assert await _numbers(catalog, database) == {"deal_get": 1, "deal_update": 1}
    assert [one.name for one in gone_back] == ["deal_find"]


async def test_taken_out_of_use_a_connector_offers_nothing_there(database: Database, authority: Authority) -> None:
    await register(database, authority, crm(), Environment.PROD)
    await connect(database, authority, name="live", environment=Environment.PROD)

    async with database.transaction() as tx:
        await take_out_of_use(tx, "crm", Environment.PROD)
        assert await releases_in_use(tx, "crm") == {Environment.DEV: (await newest_release(tx, "crm")).id}

    assert await _numbers(Catalog(database), database) == {}


async def test_a_withdrawn_version_is_offered_nowhere_and_no_release_brings_it_back(
    database: Database, authority: Authority
) -> None:
    await register(database, authority, crm(), Environment.PROD)
    await connect(database, authority, name="live", environment=Environment.PROD)
    async with database.transaction() as tx:
        tool = await find_tool(tx, "crm", "deal_update")
        assert tool is not None
        (version,) = await versions(tx, tool.id)
        await withdraw_version(tx, version.id, "It books twice.", authority)

        await put_in_use(tx, await newest_release(tx, "crm"), Environment.PROD)

        assert version.used_in == (Environment.DEV, Environment.PROD)
        assert [one.used_in for one in await versions(tx, tool.id)] == [()]
    assert await _numbers(Catalog(database), database) == {"deal_get": 1}


async def test_only_the_console_may_use_a_release_beyond_dev_at_once_and_only_the_first(
    database: Database, authority: Authority
) -> None:
    await register(database, authority, crm(), Environment.PROD)
    async with database.transaction() as tx:
        olga = await enrol(tx, kind=PrincipalKind.USER, name="olga", display_name="Olga")
        await set_roles(tx, olga, frozenset({Role.ADMINISTRATOR}), authority)
        await register_connector(tx, crm(name="books"), authority, owner_id=olga)
    as_olga = Authority(database=database, keys=authority.keys, by=olga)

    async with database.transaction() as tx:
        with pytest.raises(Conflict, match=r"crm 1\.0\.0 is in use in prod.*toolhub promotion ask crm --to prod"):
            await register_connector(tx, SECOND, authority, also=[Environment.PROD])
    async with database.transaction() as tx:
        with pytest.raises(Forbidden, match="ask for its promotion"):
            await register_connector(tx, crm(name="books", version="2.0.0"), as_olga, also=[Environment.STAGING])


async def test_a_connection_is_tried_and_signed_in_as_its_own_environment_has_it(
    database: Database, authority: Authority
) -> None:
    await register(database, authority, crm(), Environment.PROD)
    live = await connect(database, authority, name="live", environment=Environment.PROD)
    trial = await connect(database, authority, name="trial", environment=Environment.STAGING)

    await register(database, authority, SECOND)

    async with database.reading() as tx:
        assert (await spec_for(tx, await get_connection(tx, live.id))).version == "1.0.0"
        assert (await spec_for(tx, await get_connection(tx, trial.id))).version == "2.0.0"


async def _numbers(catalog: Catalog, database: Database) -> dict[str, int]:
    found = dict[str, int]()
    async with database.reading() as tx:
        for name in ("deal_find", "deal_get", "deal_update"):
            try:
                tool = await catalog.current(tx, name, server="everything-prod", caller=anybody())
            except NotFound:
                continue
            found[name] = tool.version.number
    return found
