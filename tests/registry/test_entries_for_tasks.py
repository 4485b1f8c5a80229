"""Owns that a definition says which tools are for clients alone that know tasks, and that the catalog hears of it."""

import pytest
from registry_crm import agent, connect, register

from hub.identity.authority import Authority
from hub.registry import (
    Catalog,
    DefinedTool,
    Difference,
    Environment,
    ServerDefinition,
    define_server,
    definition_of,
    differences,
    rename_entry,
)
from hub.storage import Database

pytestmark = pytest.mark.anyio

LOOK = DefinedTool(tool="deal_get", connection="sales")
SLOW = LOOK.model_copy(update={"needs_tasks": True})
CHANGE = DefinedTool(tool="deal_update", connection="sales")
WITH_TASKS = "only those that know tasks"


def desk(*tools: DefinedTool) -> ServerDefinition:
    return ServerDefinition(name="desk", environment=Environment.DEV, title="Desk", tools=tools)


def test_who_may_call_a_tool_is_a_difference_and_part_of_the_digest() -> None:
    renamed = SLOW.model_copy(update={"name": "look"})

    assert differences(desk(LOOK), desk(SLOW)) == (
        Difference(what="clients of deal_get", before="all", after=WITH_TASKS),
    )
    assert differences(desk(SLOW), desk(LOOK, CHANGE))[1:] == (
        Difference(what="clients of deal_get", before=WITH_TASKS, after="all"),
    )
    assert [one.what for one in differences(desk(LOOK), desk(renamed))] == [
        "name of deal_get of sales",
        "clients of look",
    ]
    assert [one.what for one in differences(desk(), desk(SLOW))] == ["tool deal_get", "clients of deal_get"]
    assert differences(desk(SLOW), desk(SLOW)) == ()
    assert desk(LOOK).digest != desk(SLOW).digest


async def test_a_server_keeps_it_and_a_catalog_that_is_open_hears_of_it(
    database: Database, authority: Authority
) -> None:
    await register(database, authority, None, Environment.STAGING, Environment.PROD)
    await connect(database, authority)
    catalog, said = Catalog(database), list[bool]()

    async def needs(name: str) -> bool:
        one = await catalog.resolve(name, server="desk", caller=agent("desk"))
        async with database.reading() as tx:
            now = await catalog.current(tx, name, server="desk", caller=agent("desk"))
        assert one.needs_tasks is now.needs_tasks
        return one.needs_tasks

    for wanted in (desk(LOOK, CHANGE), desk(SLOW, CHANGE), desk(LOOK, CHANGE), desk(SLOW, CHANGE)):
        async with database.transaction() as tx:
            await define_server(tx, wanted, authority)
            assert await definition_of(tx, "desk") == wanted
        said.append(await needs("deal_get"))
    async with database.transaction() as tx:
        await rename_entry(tx, "desk", "deal_get", "look", authority)
    said.append(await needs("look"))

    assert said == [False, True, False, True, True]
    assert not await needs("deal_update")
