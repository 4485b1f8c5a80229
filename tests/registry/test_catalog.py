"""The catalog: who sees what, in which order, how soon a change is seen, and what a search finds first."""

import asyncio

import pytest
from registry_crm import agent, anybody, connect, crm, operation, register, write
from sqlalchemy import event

from connectors.sdk.vocabulary import Tier
from hub.core.errors import NotFound, Quarantined, Unavailable
from hub.identity.authority import Authority
from hub.registry import (
    Catalog,
    Environment,
    NewServer,
    Offer,
    create_server,
    disable_connection,
    find_tool,
    publish,
    quarantine,
    raise_tier,
    read_current,
    release,
    settle_tier,
)
from hub.storage import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
async def catalog(database: Database, authority: Authority) -> Catalog:
    """A catalog over the connector `crm` with one connection in dev."""
    await register(database, authority)
    await connect(database, authority)
    return Catalog(database)


async def put_on_desk(database: Database, authority: Authority, tool_name: str, *, as_name: str = "") -> None:
    """Publish one tool of `crm` on the server `desk`, which is made for it."""
    from hub.registry import find_connection

    async with database.transaction() as tx:
        await create_server(tx, NewServer(name="desk", environment=Environment.DEV, title="Desk"), authority)
        tool, connection = await find_tool(tx, "crm", tool_name), await find_connection(tx, "sales")
        assert tool
        assert connection
        offer = Offer(server="desk", tool_id=tool.id, connection_id=connection.id, as_name=as_name)
        await publish(tx, offer, authority)


async def tool_id(database: Database, name: str) -> str:
    async with database.reading() as tx:
        tool = await find_tool(tx, "crm", name)
    assert tool
    return tool.id


async def test_an_unknown_tool_and_an_invisible_one_look_the_same(catalog: Catalog) -> None:
    with pytest.raises(NotFound) as unknown:
        await catalog.resolve("nothing", server="everything", caller=agent("everything"))
    with pytest.raises(NotFound) as invisible:
        await catalog.resolve("deal_get", server="everything", caller=agent())

    assert unknown.value.message.replace("nothing", "X") == invisible.value.message.replace("deal_get", "X")


async def test_a_server_an_agent_is_not_allowed_does_not_exist_for_it(
    catalog: Catalog, database: Database, authority: Authority
) -> None:
    await put_on_desk(database, authority, "deal_get")

    with pytest.raises(NotFound) as hidden:
        await catalog.resolve("deal_get", server="desk", caller=agent("elsewhere"))
    with pytest.raises(NotFound) as missing:
        await catalog.resolve("deal_get", server="nowhere", caller=agent("elsewhere"))

    assert hidden.value.message.replace("desk", "X") == missing.value.message.replace("nowhere", "X")
    assert [server.name for server in await catalog.servers(caller=agent("elsewhere"))] == ["everything-dev"]


async def test_the_built_in_server_shows_an_agent_what_it_may_use_elsewhere_and_no_more(
    catalog: Catalog, database: Database, authority: Authority
) -> None:
    await put_on_desk(database, authority, "deal_get", as_name="look")

    offered = await catalog.page(server="everything", caller=agent("desk"))

    assert [tool.name for tool in offered] == ["deal_get"]
    with pytest.raises(NotFound):
        await catalog.resolve("deal_update", server="everything", caller=agent("desk"))


async def test_a_published_tool_has_all_that_a_list_needs(catalog: Catalog) -> None:
    tool = await catalog.resolve("deal_update", server="everything", caller=agent("everything"))

    assert (tool.title, tool.description, tool.server) == ("Deal update", "Change one deal.", "everything-dev")
    assert tool.input_schema["required"] == ["id"]
    assert tool.output_schema["type"] == "object"
    assert tool.output_schema["anyOf"][0] == {"type": "object", "properties": {"id": {"type": "integer"}}}
    assert tool.annotations.destructive
    assert not tool.annotations.read_only
    assert tool.needed_scopes() == ("crm:write",)
    assert tool.needed_scopes(allowed=frozenset({"tool:deal_update"})) == ("tool:deal_update",)


async def test_pages_follow_each_other_in_the_order_of_the_names(
    catalog: Catalog, database: Database, authority: Authority
) -> None:
    names = [f"deal_{letter}" for letter in "cabed"]
    await register(database, authority, crm(*(operation(name) for name in names)))

    first = await catalog.page(server="everything", caller=anybody(), limit=2)
    second = await catalog.page(server="everything", caller=anybody(), after=first[-1].name, limit=2)
    third = await catalog.page(server="everything", caller=anybody(), after=second[-1].name, limit=2)

    assert [tool.name for tool in first + second + third] == sorted(names)


async def test_a_quarantined_tool_is_not_listed_and_says_why_to_those_who_could_use_it(
    catalog: Catalog, database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        await quarantine(tx, await tool_id(database, "deal_get"), "It wrote in a preview.", authority)

    with pytest.raises(Quarantined, match="It wrote in a preview"):
        await catalog.resolve("deal_get", server="everything", caller=agent("everything"))
    with pytest.raises(NotFound):
        await catalog.resolve("deal_get", server="everything", caller=agent())
    assert [tool.name for tool in await catalog.page(server="everything", caller=anybody())] == ["deal_update"]

    async with database.transaction() as tx:
        await release(tx, await tool_id(database, "deal_get"), authority)
    assert await catalog.resolve("deal_get", server="everything", caller=agent("everything"))


async def test_a_disabled_connection_takes_its_tools_off_the_list(
    catalog: Catalog, database: Database, authority: Authority
) -> None:
    tool = await catalog.resolve("deal_get", server="everything", caller=anybody())
    async with database.transaction() as tx:
        await disable_connection(tx, tool.connection.id, authority, reason="It is being moved.")

    with pytest.raises(Unavailable, match="disabled"):
        await catalog.resolve("deal_get", server="everything", caller=anybody())
    assert await catalog.page(server="everything", caller=anybody()) == []


async def test_a_raised_tier_stays_until_its_owner_has_looked(
    catalog: Catalog, database: Database, authority: Authority
) -> None:
    which = await tool_id(database, "deal_update")
    async with database.transaction() as tx:
        await raise_tier(tx, which, "It diverged.", authority)
        await raise_tier(tx, which, "It diverged again.", authority)
    raised = await catalog.resolve("deal_update", server="everything", caller=anybody())
    async with database.transaction() as tx:
        await settle_tier(tx, which, authority)
    settled = await catalog.resolve("deal_update", server="everything", caller=anybody())

    assert (raised.tier, settled.tier) == (Tier.HIGH, Tier.MEDIUM)


async def test_an_unchanged_catalog_answers_without_any_query(database: Database, authority: Authority) -> None:
    await register(database, authority)
    await connect(database, authority)
    still = Catalog(database, clock=lambda: 0.0)
    await still.resolve("deal_get", server="everything", caller=anybody())
    statements = list[str]()
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(str(args[2])))

    await still.resolve("deal_update", server="everything", caller=anybody())
    await still.page(server="everything", caller=anybody())
    await still.search("deal", caller=anybody())

    assert statements == []


async def test_a_change_in_this_process_is_seen_by_the_next_call(database: Database, authority: Authority) -> None:
    await register(database, authority)
    await connect(database, authority)
    catalog = Catalog(database, clock=lambda: 0.0)
    await catalog.page(server="everything", caller=anybody())

    await register(database, authority, crm(operation("deal_list")))

    assert [tool.name for tool in await catalog.page(server="everything", caller=anybody())] == ["deal_list"]


async def test_a_change_that_no_signal_told_of_is_seen_once_the_bound_has_passed(
    database: Database, authority: Authority, database_url: str
) -> None:
    await register(database, authority)
    await connect(database, authority)
    now = [0.0]
    elsewhere = Database(database_url)
    catalog = Catalog(elsewhere, clock=lambda: now[0])
    await catalog.page(server="everything", caller=anybody())

    await register(database, authority, crm(operation("deal_list")))
    within = [tool.name for tool in await catalog.page(server="everything", caller=anybody())]
    now[0] += 1.0
    after = [tool.name for tool in await catalog.page(server="everything", caller=anybody())]

    assert (within, after) == (["deal_get", "deal_update"], ["deal_list"])
    await elsewhere.close()


async def test_what_is_rolled_back_was_never_seen(catalog: Catalog, database: Database, authority: Authority) -> None:
    which = await tool_id(database, "deal_get")

    async with database.transaction() as tx:
        await quarantine(tx, which, "x", authority)
        await tx.rollback()

    assert await catalog.resolve("deal_get", server="everything", caller=anybody())


async def test_a_commit_reads_past_the_cache(database: Database, authority: Authority, database_url: str) -> None:
    await register(database, authority)
    await connect(database, authority)
    elsewhere = Database(database_url)
    catalog = Catalog(elsewhere, clock=lambda: 0.0)
    cached = await catalog.resolve("deal_get", server="everything", caller=anybody())

    await register(database, authority, crm(artefact_digest="b" * 64))

    async with elsewhere.reading() as tx:
        current = await catalog.current(tx, "deal_get", server="everything", caller=anybody())
        pinned = await read_current(tx, cached.version.id, cached.connection.id, server=cached.server, name="deal_get")
    assert current.version.number == 2
    assert current.connector.artefact_digest == "b" * 64
    assert (pinned.version.number, pinned.version.is_current) == (1, False)
    assert pinned.connector.artefact_digest == "a" * 64
    await elsewhere.close()


async def test_what_is_held_back_or_disabled_is_not_found_by_a_commit(
    catalog: Catalog, database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        await quarantine(tx, await tool_id(database, "deal_get"), "It wrote in a preview.", authority)

    async with database.reading() as tx:
        with pytest.raises(NotFound, match="It wrote in a preview"):
            await catalog.current(tx, "deal_get", server="everything", caller=agent("everything"))
        with pytest.raises(NotFound, match="list the tools"):
            await catalog.current(tx, "deal_get", server="everything", caller=agent())


async def test_a_search_ranks_names_before_descriptions_and_rare_words_before_common_ones(
    database: Database, authority: Authority
) -> None:
    tools = (
        operation("invoice_post", effect="update", tier="high", description="Post an invoice."),
        operation("party_find", description="Find customers and suppliers."),
        operation("sale_quote", effect="update", tier="high", description="Quote a sale; an invoice comes later."),
    )
    await register(database, authority, crm(*tools))
    await connect(database, authority)
    catalog = Catalog(database)

    async def found(text: str) -> list[str]:
        return [tool.name for tool in await catalog.search(text, caller=anybody())]

    assert await found("invoices") == ["invoice_post", "sale_quote"]
    assert await found("INVOICE póst") == ["invoice_post", "sale_quote"]
    assert await found("custom") == ["party_find"]
    assert await found("the supplier") == ["party_find"]
    assert await found("zebra") == []
    assert await found("") == []


async def test_a_search_reads_schema_fields_and_examples(database: Database, authority: Authority) -> None:
    schema = {"type": "object", "properties": {"vat_code": {"type": "string"}}}
    tools = (
        operation("one", input_schema=schema, examples=[{"vat_code": "BE0897290877"}]),
        operation("two"),
    )
    await register(database, authority, crm(*tools))
    await connect(database, authority)
    catalog = Catalog(database)

    assert [tool.name for tool in await catalog.search("vat", caller=anybody())] == ["one"]
    assert [tool.name for tool in await catalog.search("be0897290877", caller=anybody())] == ["one"]


async def test_a_search_finds_nothing_that_the_caller_may_not_see(
    catalog: Catalog, database: Database, authority: Authority
) -> None:
    await put_on_desk(database, authority, "deal_get")

    assert [tool.name for tool in await catalog.search("deal", caller=agent("desk"))] == ["deal_get"]
    assert await catalog.search("deal", caller=agent()) == []


async def test_hints_never_say_less_than_the_effect(database: Database, authority: Authority) -> None:
    await register(
        database,
        authority,
        crm(
            operation(),
            write("deal_new", effect="create"),
            write("deal_drop", effect="delete", tier="high"),
            write("deal_pay", upstream_class="A", idempotency={"kind": "header", "name": "Idempotency-Key"}),
            write("deal_number", effect="create", upstream_class="A", idempotency={"kind": "natural"}),
        ),
    )
    await connect(database, authority)
    hints = {
        tool.name: tool.annotations for tool in await Catalog(database).page(server="everything", caller=anybody())
    }

    assert (hints["deal_get"].read_only, hints["deal_get"].destructive) == (True, False)
    assert (hints["deal_new"].destructive, hints["deal_new"].idempotent) == (False, False)
    assert (hints["deal_drop"].destructive, hints["deal_drop"].idempotent) == (True, False)
    assert not hints["deal_pay"].idempotent, "another call has another key, and another effect"
    assert hints["deal_number"].idempotent, "the same request twice has the effect of one"


async def test_who_asks_while_it_is_read_anew_waits_for_what_is_new(
    database: Database, authority: Authority, catalog: Catalog
) -> None:
    before = await catalog.generation()
    async with database.transaction() as tx:
        await create_server(tx, NewServer(name="till", environment=Environment.DEV, title="Till"), authority)

    found = await asyncio.gather(catalog.generation(), catalog.generation())

    assert min(found) > before
