"""Connections with their generation, servers with their entries, and who may change them."""

import pytest
from registry_crm import anybody, connect, crm, operation, person, register
from sqlalchemy import insert

from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.principals import Role
from hub.identity.tables import PrincipalRow
from hub.keys import Keyring
from hub.registry import (
    Catalog,
    Connection,
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
    register_connector,
    release,
    renew_connection,
    set_tool_owner,
    unpublish,
)
from hub.registry.connecting import checked_base_url, checked_settings
from hub.registry.names import check_place, check_tool_name
from hub.storage import Database, now

pytestmark = [pytest.mark.anyio]


async def enrol(database: Database, name: str, *roles: Role) -> str:
    """Put a person on record; return its id."""
    who = person(name)
    async with database.transaction() as tx:
        values = {"id": who.id, "kind": "user", "name": name, "display_name": name, "created_at": await now(tx)}
        await tx.execute(insert(PrincipalRow).values(**values, roles=[role.value for role in roles]))
    return who.id


async def change(database: Database, authority: Authority, connection: Connection, **values: object) -> Connection:
    async with database.transaction() as tx:
        return await change_connection(tx, connection.id, ConnectionChange(**values), authority)  # type: ignore[arg-type]  # wrong on purpose


async def test_the_generation_grows_with_every_real_change_and_with_no_other(
    database: Database, authority: Authority
) -> None:
    owner = await enrol(database, "olga")
    await register(database, authority)
    connection = await connect(database, authority)

    same = await change(database, authority, connection, base_url="https://CRM.example/api/", settings={})
    moved = await change(database, authority, connection, base_url="https://crm2.example/api")
    owned = await change(database, authority, connection, owner_id=owner)
    settled = await change(database, authority, connection, settings={"company": 1})
    async with database.transaction() as tx:
        renewed = await renew_connection(tx, connection.id, authority, changed="credentials")

    generations = [each.generation for each in (connection, same, moved, owned, settled, renewed)]
    assert generations == [1, 1, 2, 3, 4, 5]


async def test_a_twin_stands_beside_its_system_and_is_a_change_of_the_connection(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)
    connection = await connect(database, authority)

    twinned = await change(database, authority, connection, settings={"twin": "https://CRM.example/copy/"})

    assert (connection.twin, twinned.twin) == (None, "https://crm.example/copy")
    assert twinned.generation == connection.generation + 1


@pytest.mark.parametrize(
    "twin",
    [
        "https://elsewhere.example/copy",
        "http://crm.example/copy",
        "https://crm.example:8443/copy",
        "file:///copy",
        7,
        "https://crm.example/api",
        "https://CRM.example/api/",
    ],
)
async def test_a_twin_elsewhere_or_the_system_itself_is_refused(
    database: Database, authority: Authority, twin: object
) -> None:
    await register(database, authority)
    connection = await connect(database, authority)

    with pytest.raises(InputError):
        await change(database, authority, connection, settings={"twin": twin})


@pytest.mark.parametrize(
    ("base_url", "limits"),
    [
        ("https://crm.example", 7),
        ("https://crm.example", {"speed": 3}),
        ("https://crm.example", {"calls_at_once": 0}),
        ("https://crm.example", {"calls_at_once": 129}),
        ("https://crm.example", {"calls_at_once": True}),
        ("https://crm.example", {"call_seconds": 1.5}),
        ("https://crm.example", {"answer_bytes": "1 MB"}),
        ("https://crm.example", {"connections": None}),
        ("stdio:sums", {"connections": 4}),
        ("smtp://mail.example", {"answer_bytes": 2048}),
    ],
)
def test_a_limit_that_there_is_not_or_that_is_no_number_it_may_be_is_refused(base_url: str, limits: object) -> None:
    with pytest.raises(InputError, match="limit"):
        checked_settings({"limits": limits}, base_url)


async def test_a_connection_declares_limits_and_has_the_usual_ones_otherwise(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)
    connection = await connect(database, authority)

    narrowed = await change(database, authority, connection, settings={"limits": {"calls_at_once": 2}})

    usual = {"connections": 32, "calls_at_once": 16, "answer_bytes": 10 * 1024 * 1024, "call_seconds": 300}
    assert connection.limits.as_json() == usual
    assert narrowed.limits.as_json() == {**usual, "calls_at_once": 2}
    assert narrowed.generation == connection.generation + 1


async def test_a_system_does_not_move_away_from_its_twin(database: Database, authority: Authority) -> None:
    await register(database, authority)
    connection = await connect(database, authority)
    await change(database, authority, connection, settings={"twin": "https://crm.example/copy"})

    with pytest.raises(InputError, match="beside"):
        await change(database, authority, connection, base_url="https://crm2.example/api")
    moved = await change(database, authority, connection, base_url="https://crm2.example/api", settings={})

    assert moved.twin is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://crm.example",
        "crm.example",
        "https://",
        "https://user:secret@crm.example",
        "https://crm.example/?key=1",
        "https://crm.example/#part",
        "https://crm.example:99999",
        "https://crm.example/\napi",
        "https://crm.example/ä",
    ],
)
def test_a_base_url_that_is_not_plainly_one_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        checked_base_url(url)


async def test_a_connection_is_made_with_a_checked_base_url(database: Database, authority: Authority) -> None:
    await register(database, authority)

    with pytest.raises(InputError, match=r"will not do: write 'https://host' or 'http://host'.* or 'stdio:NAME'"):
        await connect(database, authority, base_url="ftp://crm.example")
    connection = await connect(database, authority, base_url="https://CRM.example/api/")

    assert connection.base_url == "https://crm.example/api"


async def test_a_second_account_needs_a_prefix_and_the_refusal_says_so(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)
    await connect(database, authority)

    with pytest.raises(Conflict, match=r"offers 'deal_get' already, for the connection 'sales'.*prefix, such as"):
        await connect(database, authority, name="sales2")
    await connect(database, authority, name="sales2", prefix="b_")

    offered = await Catalog(database).page(server="everything", caller=anybody())
    assert [tool.name for tool in offered] == ["b_deal_get", "b_deal_update", "deal_get", "deal_update"]


async def test_accounts_in_different_environments_do_not_clash(database: Database, authority: Authority) -> None:
    await register(database, authority, crm(), Environment.PROD)
    await connect(database, authority)

    await connect(database, authority, name="sales-prod", environment=Environment.PROD)

    in_prod = await Catalog(database).page(server="everything-prod", caller=anybody())
    assert {tool.connection.name for tool in in_prod} == {"sales-prod"}


async def test_a_server_offers_a_tool_under_the_name_it_is_given(database: Database, authority: Authority) -> None:
    await register(database, authority)
    connection = await connect(database, authority)
    async with database.transaction() as tx:
        await create_server(tx, NewServer(name="desk", environment=Environment.DEV, title="Desk"), authority)
        tool = await find_tool(tx, "crm", "deal_get")
        assert tool
        offer = Offer(server="desk", tool_id=tool.id, connection_id=connection.id, as_name="deal_look")

        await publish(tx, offer, authority)

    catalog = Catalog(database)
    (offered,) = await catalog.page(server="desk", caller=anybody())
    assert (offered.name, offered.tool.name, offered.server) == ("deal_look", "deal_get", "desk")
    async with database.transaction() as tx:
        with pytest.raises(Conflict, match="offers this tool already, as 'deal_look'"):
            await publish(tx, Offer(server="desk", tool_id=tool.id, connection_id=connection.id), authority)
        await unpublish(tx, "desk", "deal_look", authority)
    assert await catalog.page(server="desk", caller=anybody()) == []


async def test_a_server_takes_no_connection_of_another_environment(database: Database, authority: Authority) -> None:
    await register(database, authority)
    connection = await connect(database, authority)
    async with database.transaction() as tx:
        await create_server(tx, NewServer(name="live", environment=Environment.STAGING, title="Live"), authority)
        tool = await find_tool(tx, "crm", "deal_get")
        assert tool

        with pytest.raises(InputError, match="choose a connection of that environment"):
            await publish(tx, Offer(server="live", tool_id=tool.id, connection_id=connection.id), authority)


async def test_a_server_takes_no_connection_of_another_connector(database: Database, authority: Authority) -> None:
    await register(database, authority)
    await register(database, authority, crm(operation("party_get"), name="erp"))
    connection = await connect(database, authority)
    async with database.transaction() as tx:
        await create_server(tx, NewServer(name="desk", environment=Environment.DEV, title="Desk"), authority)
        tool = await find_tool(tx, "erp", "party_get")
        assert tool

        with pytest.raises(InputError, match="an account of 'crm', not of 'erp'"):
            await publish(tx, Offer(server="desk", tool_id=tool.id, connection_id=connection.id), authority)


@pytest.mark.parametrize("name", ["everything", "everything-dev", "everything-else", "Desk", "", "a" * 49])
def test_a_server_takes_no_reserved_or_malformed_name(name: str) -> None:
    with pytest.raises(InputError):
        check_place(name, what="a server")


async def test_a_server_is_made_with_a_checked_name_that_is_free(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        with pytest.raises(InputError, match="kept for the built-in servers"):
            await create_server(tx, NewServer(name="everything", environment=Environment.DEV, title="x"), authority)
        await create_server(tx, NewServer(name="desk", environment=Environment.DEV, title="x"), authority)

        with pytest.raises(Conflict, match="choose another name"):
            await create_server(tx, NewServer(name="desk", environment=Environment.DEV, title="x"), authority)


async def test_a_built_in_server_is_not_edited_by_hand(database: Database, authority: Authority) -> None:
    await register(database, authority)
    await connect(database, authority)
    async with database.transaction() as tx:
        with pytest.raises(InputError, match="built in"):
            await unpublish(tx, "everything-dev", "deal_get", authority)


@pytest.mark.parametrize("name", ["hub_find", "Deal", "1deal", "deal-get", "", "a" * 49])
def test_a_tool_is_published_under_no_reserved_or_malformed_name(name: str) -> None:
    with pytest.raises(InputError):
        check_tool_name(name)


async def test_only_the_owner_or_an_administrator_changes_what_is_there(database: Database, keys: Keyring) -> None:
    owner, admin = await enrol(database, "olga"), await enrol(database, "adam", Role.ADMINISTRATOR)
    other = await enrol(database, "otto", Role.MEMBER)
    by = {who: Authority(database=database, keys=keys, by=who) for who in (owner, admin, other)}
    hub = Authority(database=database, keys=keys)
    await register(database, hub)
    connection = await connect(database, hub, owner_id=owner)

    with pytest.raises(Forbidden, match="Only its owner or an administrator may change the connection 'sales'"):
        await change(database, by[other], connection, settings={"a": 1})
    await change(database, by[owner], connection, settings={"a": 1})
    changed = await change(database, by[admin], connection, settings={"a": 2})

    assert changed.generation == 3


async def test_nothing_is_given_to_an_owner_who_is_no_user(database: Database, authority: Authority) -> None:
    await register(database, authority)
    connection = await connect(database, authority)
    async with database.reading() as tx:
        tool = await find_tool(tx, "crm", "deal_get")

    with pytest.raises(InputError, match="'usr_none' is none"):
        await connect(database, authority, name="second", owner_id="usr_none")
    with pytest.raises(InputError, match="has to be a user"):
        await change(database, authority, connection, owner_id="usr_none")
    async with database.transaction() as tx:
        with pytest.raises(InputError, match="has to be a user"):
            await register_connector(tx, crm(name="other"), authority, owner_id="usr_none")
        with pytest.raises(InputError, match="has to be a user"):
            await create_server(
                tx, NewServer(name="desk", environment=Environment.DEV, title="Desk", owner_id="usr_none"), authority
            )
        with pytest.raises(InputError, match="has to be a user"):
            await set_tool_owner(tx, tool.id, "usr_none", authority)


async def test_an_operator_may_stop_a_tool_and_only_its_owner_starts_it_again(
    database: Database, keys: Keyring
) -> None:
    operator = await enrol(database, "opal", Role.OPERATOR)
    hub, by = Authority(database=database, keys=keys), Authority(database=database, keys=keys, by=operator)
    await register(database, hub)
    connection = await connect(database, hub)
    async with database.transaction() as tx:
        tool = await find_tool(tx, "crm", "deal_get")
        assert tool
        stopped = await quarantine(tx, tool.id, "It misbehaves.", by)
        paused = await disable_connection(tx, connection.id, by, reason="Maintenance.")

        with pytest.raises(Forbidden):
            await release(tx, tool.id, by)
        resumed = await enable_connection(tx, connection.id, by)

    assert (stopped.quarantined, paused.is_enabled, resumed.is_enabled) == ("It misbehaves.", False, True)


async def test_what_does_not_exist_cannot_be_changed(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await renew_connection(tx, "con_none", authority, changed="credentials")
        with pytest.raises(NotFound):
            await quarantine(tx, "tool_none", "x", authority)
    with pytest.raises(NotFound, match="register it first"):
        await connect(database, authority)
