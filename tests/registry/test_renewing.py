"""Owns that a catalog which follows changes one by one is the one that would be read in one go, and no more work."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from registry_crm import agent, anybody, connect, crm, operation, register, write
from sqlalchemy import event, text
from world import MASTER_KEY

from connectors.sdk.vocabulary import Tier
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.registry import (
    Catalog,
    ConnectionChange,
    Environment,
    NewServer,
    Offer,
    change_connection,
    create_server,
    disable_connection,
    enable_connection,
    find_tool,
    publish,
    quarantine,
    release,
    set_owner_tier,
    unpublish,
    versions,
    withdraw_version,
)
from hub.registry.snapshot import Snapshot, read_snapshot, renewed
from hub.registry.stewardship import Touched, outdate_catalog, touched_since
from hub.registry.stock import Specs
from hub.registry.tables import CatalogChangeRow
from hub.storage import Database, Tx

pytestmark = pytest.mark.anyio

Change = Callable[[Tx], Awaitable[object]]


async def tool_id(database: Database, name: str, connector: str = "crm") -> str:
    async with database.reading() as tx:
        found = await find_tool(tx, connector, name)
    assert found is not None
    return found.id


async def test_every_change_leaves_the_catalog_that_would_be_read_anew(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)
    await register(database, authority, crm(operation("note_get"), name="notes"))
    first = await connect(database, authority)
    await connect(database, authority, connector="notes", name="notes")
    deal, note = await tool_id(database, "deal_get"), await tool_id(database, "note_get", "notes")
    async with database.reading() as tx:
        known, specs = await read_snapshot(tx, Specs()), Specs()
        (version,) = await versions(tx, deal)
    sales = NewServer(name="sales", environment=Environment.DEV, title="Sales")
    changes: Sequence[Change] = [
        lambda tx: quarantine(tx, deal, "odd", authority),
        lambda tx: release(tx, deal, authority),
        lambda tx: set_owner_tier(tx, deal, Tier.HIGH, authority),
        lambda tx: create_server(tx, sales, authority),
        lambda tx: publish(tx, Offer(server="sales", tool_id=deal, connection_id=first.id, as_name="look"), authority),
        lambda tx: disable_connection(tx, first.id, authority, reason="odd"),
        lambda tx: enable_connection(tx, first.id, authority),
        lambda tx: change_connection(tx, first.id, ConnectionChange(base_url="http://127.0.0.1:9"), authority),
        lambda tx: quarantine(tx, note, "odd", authority),
        lambda tx: unpublish(tx, "sales", "look", authority),
        lambda tx: withdraw_version(tx, version.id, "wrong", authority),
    ]
    for number, change in enumerate(changes):
        async with database.transaction() as tx:
            await change(tx)
        known = await _followed(database, known, specs, f"change {number}")

    await register(database, authority, crm(operation(), operation("deal_find"), write(), version="1.1.0"))
    known = await _followed(database, known, specs, "another release")
    await connect(database, authority, name="second", prefix="second_")
    await _followed(database, known, specs, "another connection")


async def _followed(database: Database, known: Snapshot, specs: Specs, what: str) -> Snapshot:
    async with database.reading() as tx:
        followed, anew = await renewed(tx, known, specs), await read_snapshot(tx, Specs())
    assert followed.generation == anew.generation
    assert followed.servers == anew.servers, what
    assert {name: dict(shelf.entries) for name, shelf in followed.shelves.items() if shelf.entries} == {
        name: dict(shelf.entries) for name, shelf in anew.shelves.items()
    }, what
    assert all(list(shelf.names) == sorted(shelf.entries) for shelf in followed.shelves.values())
    return followed


async def test_no_table_is_gone_through_for_a_change_of_one_tool(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    authority = Authority(database=database, keys=await Keyring.open(database, MASTER_KEY))
    await register(database, authority)
    await connect(database, authority)
    async with database.reading() as tx:
        known, specs = await read_snapshot(tx, Specs()), Specs()
    async with database.transaction() as tx:
        await quarantine(tx, await tool_id(database, "deal_get"), "odd", authority)
    asked = list[tuple[str, Any]]()
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])))

    async with database.reading() as tx:
        await renewed(tx, known, specs)
        connection, queries = await tx.connection(), [one for one in asked if one[0].startswith("SELECT")]
        plans = [
            row.detail
            for query, values in queries
            for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)
        ]

    assert any("server_entries" in plan for plan in plans)
    large = ("server_entries", "tools", "tool_versions", "versions_in_use")
    assert [plan for plan in plans if plan.startswith(tuple(f"SCAN {table}" for table in large))] == []
    await database.close()


async def test_a_change_of_one_tool_leaves_every_other_entry_alone(database: Database, authority: Authority) -> None:
    await register(database, authority, crm())
    await connect(database, authority)
    async with database.reading() as tx:
        before = await read_snapshot(tx, Specs())
    async with database.transaction() as tx:
        await quarantine(tx, await tool_id(database, "deal_get"), "odd", authority)

    async with database.reading() as tx:
        after = await renewed(tx, before, Specs())

    was, became = before.shelves["everything-dev"].entries, after.shelves["everything-dev"].entries
    assert became["deal_update"] is was["deal_update"]
    assert became["deal_get"].tool.quarantined == "odd"


async def test_what_somebody_sees_is_mended_and_not_only_for_those_who_ask_first(
    database: Database, authority: Authority
) -> None:
    await register(database, authority, crm())
    await connect(database, authority)
    catalog = Catalog(database)
    everybody, elsewhere = anybody(), agent("desk")
    await catalog.page(server="everything", caller=everybody)
    assert await catalog.page(server="everything", caller=elsewhere) == []
    tool = await tool_id(database, "deal_get")

    async with database.transaction() as tx:
        await quarantine(tx, tool, "odd", authority)
    held = [one.name for one in await catalog.page(server="everything", caller=everybody)]
    async with database.transaction() as tx:
        await release(tx, tool, authority)

    assert held == ["deal_update"]
    assert [one.name for one in await catalog.page(server="everything", caller=everybody)] == [
        "deal_get",
        "deal_update",
    ]
    assert await catalog.page(server="everything", caller=elsewhere) == []


async def test_what_changed_cannot_be_told_when_one_change_says_nothing_or_is_forgotten(
    database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        await outdate_catalog(tx, authority, Touched(tools=frozenset({"a"})))
        await outdate_catalog(tx, authority, Touched(tools=frozenset({"b"}), servers=frozenset({"s"})))
        told = await touched_since(tx, 0, 2)
        await outdate_catalog(tx, authority)
        silent = await touched_since(tx, 0, 3)
        await tx.execute(text("DELETE FROM catalog_changes WHERE generation = 1"))
        forgotten = await touched_since(tx, 0, 2)

    assert told == Touched(tools=frozenset({"a", "b"}), servers=frozenset({"s"}))
    assert silent is None
    assert forgotten is None


async def test_only_so_many_changes_are_remembered(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        tx.add(CatalogChangeRow(generation=0, touched={}))
        await tx.flush()
        await tx.execute(text("INSERT INTO catalog_generation (id, generation) VALUES (1, 5000)"))
        await outdate_catalog(tx, authority)
        kept = (await tx.execute(text("SELECT generation FROM catalog_changes"))).scalars().all()

    assert kept == [5001]
