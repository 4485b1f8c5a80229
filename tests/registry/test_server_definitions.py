"""Owns that a server is what its definition says, who may change it, and that in prod it takes two."""

from datetime import UTC, datetime, timedelta

import pytest
from registry_crm import agent, connect, crm, operation, register

from hub.audit import EventKind, events_of
from hub.core.errors import (
    ChangedSinceSeen,
    Conflict,
    Forbidden,
    FreshLoginNeeded,
    InputError,
    NotFound,
)
from hub.identity.accounts import NewUser, create_group, create_user, set_groups
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent
from hub.identity.directory import get
from hub.identity.principals import Caller, Principal, Role
from hub.registry import (
    Catalog,
    DefinedTool,
    Difference,
    Environment,
    Listing,
    NewServer,
    Offer,
    SecondPerson,
    ServerDefinition,
    ServerProposal,
    create_server,
    define_server,
    definition_of,
    differences,
    propose_server,
    publish,
    publish_server,
    reject_proposal,
    rename_entry,
    retire_server,
    server_proposals,
    unpublish,
)
from hub.storage import Database

pytestmark = pytest.mark.anyio

LOOK = DefinedTool(tool="deal_get", connection="sales", name="look_up")
CHANGE = DefinedTool(tool="deal_update", connection="sales")
DESK = ServerDefinition(name="desk", environment=Environment.DEV, title="Desk", tools=(LOOK, CHANGE))


@pytest.fixture(autouse=True)
async def _connected(database: Database, authority: Authority) -> None:
    await register(database, authority, None, Environment.STAGING, Environment.PROD)
    await connect(database, authority)
    await connect(database, authority, name="live", environment=Environment.PROD, base_url="https://live.example/api")


async def someone(database: Database, authority: Authority, name: str, *roles: Role) -> Principal:
    async with database.transaction() as tx:
        new = NewUser(name=name, display_name=name.title(), password="correct-horse-battery", roles=frozenset(roles))
        return await create_user(tx, new, authority)


def by(authority: Authority, person: Principal) -> Authority:
    return Authority(database=authority.database, keys=authority.keys, by=person.id)


async def offered(database: Database, caller: Caller, server: str = "desk") -> list[str]:
    return [one.name for one in await Catalog(database).page(server=server, caller=caller)]


async def test_a_server_is_made_and_changed_to_what_its_definition_says(
    database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        made = await define_server(tx, DESK, authority)
    first = await offered(database, agent("desk"))
    wanted = DESK.model_copy(update={"tools": (LOOK,), "instructions": "Look first.", "listing": Listing.SEARCH})
    async with database.transaction() as tx:
        changed = await define_server(tx, wanted, authority)
        again = await define_server(tx, wanted, authority)
        found = await definition_of(tx, "desk")

    assert [one.what for one in made] == ["title", "listing", "tool deal_update", "tool look_up"]
    assert first == ["deal_update", "look_up"]
    assert {one.what for one in changed} == {"instructions", "listing", "tool deal_update"}
    assert again == ()
    assert found is not None
    assert found.digest == wanted.digest
    assert await offered(database, agent("desk")) == ["look_up"]


async def test_two_tools_may_change_places(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        await define_server(tx, DESK, authority)
        swapped = (
            DefinedTool(tool="deal_update", connection="sales", name="look_up"),
            DefinedTool(tool="deal_get", connection="sales", name="deal_update"),
        )
        changed = await define_server(tx, DESK.model_copy(update={"tools": swapped}), authority)

    assert {(one.what, one.before, one.after) for one in changed} == {
        ("name of deal_get of sales", "look_up", "deal_update"),
        ("name of deal_update of sales", "deal_update", "look_up"),
    }
    tool = await Catalog(database).resolve("look_up", server="desk", caller=agent("desk"))
    assert tool.tool.name == "deal_update"


async def test_a_difference_tells_a_renamed_tool_from_one_that_came_and_one_that_went() -> None:
    after = DESK.model_copy(update={"tools": (LOOK.model_copy(update={"name": "look"}),), "groups": ("sellers",)})

    assert differences(DESK, after) == (
        Difference(what="group sellers", before="", after="its agents may use it"),
        Difference(what="name of deal_get of sales", before="look_up", after="look"),
        Difference(what="tool deal_update", before="deal_update of sales", after=""),
    )
    assert differences(DESK, DESK) == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tools": (LOOK, LOOK.model_copy(update={"name": "again"}))}, "stands there twice"),
        ({"tools": (LOOK, CHANGE.model_copy(update={"name": "look_up"}))}, "two tools are called 'look_up'"),
        ({"tools": (LOOK.model_copy(update={"name": "hub_look"}),)}, "kept for the hub's own tools"),
        ({"tools": (LOOK.model_copy(update={"name": "Look up"}),)}, "is no tool name"),
        (
            {"tools": (LOOK.model_copy(update={"tool": "nothing"}),)},
            "has no tool 'nothing'; it has deal_get, deal_update",
        ),
        ({"tools": (LOOK.model_copy(update={"connection": "nowhere"}),)}, "no connection 'nowhere' in dev"),
        ({"tools": (LOOK.model_copy(update={"connection": "live"}),)}, "no connection 'live' in dev"),
        ({"groups": ("strangers",)}, "no group 'strangers'"),
        ({"owner_group": "strangers"}, "no group 'strangers'"),
        ({"owner": "stranger"}, "nobody called 'stranger'"),
        ({"name": "everything-dev"}, "built in"),
        ({"name": "everything-desk"}, "kept for the built-in servers"),
    ],
    ids=[
        "twice",
        "clash",
        "reserved",
        "name",
        "tool",
        "connection",
        "elsewhere",
        "group",
        "team",
        "owner",
        "in",
        "like",
    ],
)
async def test_what_cannot_be_is_refused_with_the_reason(
    database: Database, authority: Authority, changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        async with database.transaction() as tx:
            await define_server(tx, DESK.model_copy(update=changes), authority)

    async with database.reading() as tx:
        assert await definition_of(tx, "desk") is None


async def test_a_server_stays_in_its_environment(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        await define_server(tx, DESK, authority)

    with pytest.raises(Conflict, match="make another one for staging"):
        async with database.transaction() as tx:
            await define_server(tx, DESK.model_copy(update={"environment": Environment.STAGING}), authority)


async def test_only_administrators_make_servers_and_only_those_who_look_after_one_change_it(
    database: Database, authority: Authority
) -> None:
    owner, member, stranger = [await someone(database, authority, name) for name in ("olga", "mia", "sam")]
    async with database.transaction() as tx:
        await create_group(tx, "desk-team", "The desk's team", authority)
        await set_groups(tx, member.id, frozenset({"desk-team"}), authority)
        with pytest.raises(Forbidden):
            await define_server(tx, DESK, by(authority, owner))
        await define_server(tx, DESK.model_copy(update={"owner": "olga", "owner_group": "desk-team"}), authority)

    wanted = DESK.model_copy(update={"owner": "olga", "owner_group": "desk-team", "title": "Front desk"})
    with pytest.raises(Forbidden):
        async with database.transaction() as tx:
            await define_server(tx, wanted, by(authority, stranger))
    for person in (member, owner):
        async with database.transaction() as tx:
            wanted = wanted.model_copy(update={"description": f"Changed by {person.name}."})
            await define_server(tx, wanted, by(authority, person))


async def test_a_group_s_agents_may_use_what_is_open_to_them_and_no_others(
    database: Database, authority: Authority
) -> None:
    owner = await someone(database, authority, "olga")
    async with database.transaction() as tx:
        await create_group(tx, "sellers", "Sellers", authority)
        new = NewAgent(name="seller", display_name="Seller", owner_id=owner.id)
        seller = await create_agent(tx, new, authority)
        await define_server(tx, DESK.model_copy(update={"groups": ("sellers",)}), authority)

    async def sees() -> list[str]:
        async with database.reading() as tx:
            return await offered(database, Caller(actor=await get(tx, seller.id)))

    with pytest.raises(NotFound):
        await sees()
    async with database.transaction() as tx:
        await set_groups(tx, seller.id, frozenset({"sellers"}), authority)
    assert await sees() == ["deal_update", "look_up"]
    async with database.transaction() as tx:
        await define_server(tx, DESK, authority)
    with pytest.raises(NotFound):
        await sees()


async def test_a_tool_gets_another_name(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        await define_server(tx, DESK, authority)
        changed = await rename_entry(tx, "desk", "look_up", "deal_look", authority)
        with pytest.raises(NotFound):
            await rename_entry(tx, "desk", "look_up", "deal_see", authority)
        with pytest.raises(InputError, match="two tools are called"):
            await rename_entry(tx, "desk", "deal_look", "deal_update", authority)

    assert changed == (Difference(what="name of deal_get of sales", before="look_up", after="deal_look"),)
    assert await offered(database, agent("desk")) == ["deal_look", "deal_update"]


async def test_a_retired_server_is_answered_no_more_and_its_name_stays_taken(
    database: Database, authority: Authority
) -> None:
    catalog = Catalog(database)
    async with database.transaction() as tx:
        await define_server(tx, DESK, authority)
        with pytest.raises(InputError, match="Say why"):
            await retire_server(tx, "desk", " ", authority)
    assert await offered(database, agent("desk"), "everything-dev") == ["deal_get", "deal_update"]
    async with database.transaction() as tx:
        await retire_server(tx, "desk", "Nobody uses it.", authority)

    with pytest.raises(NotFound):
        await catalog.server("desk")
    with pytest.raises(NotFound):
        await catalog.page(server="desk", caller=agent("desk"))
    assert await offered(database, agent("desk"), "everything-dev") == []  # what it brought there went with it
    assert "desk" not in [one.name for one in await catalog.servers(caller=agent("desk"))]
    with pytest.raises(Conflict, match="stays taken"):
        async with database.transaction() as tx:
            await define_server(tx, DESK, authority)
    async with database.reading() as tx:
        assert (await events_of(tx, "desk"))[-1].kind == EventKind.SERVER_RETIRED


LIVE = ServerDefinition(
    name="counter",
    environment=Environment.PROD,
    title="Counter",
    tools=(DefinedTool(tool="deal_get", connection="live"),),
)


def looked(proposal: ServerProposal, *, minutes_ago: int = 0) -> SecondPerson:
    return SecondPerson(digest=proposal.digest, authenticated_at=datetime.now(UTC) - timedelta(minutes=minutes_ago))


async def proposed(database: Database, wanted: ServerDefinition, authority: Authority) -> ServerProposal:
    async with database.transaction() as tx:
        return await propose_server(tx, wanted, "It is time.", authority)


async def test_in_prod_a_second_person_publishes_what_was_proposed(database: Database, authority: Authority) -> None:
    ada, bob = [await someone(database, authority, name, Role.ADMINISTRATOR) for name in ("ada", "bob")]
    with pytest.raises(Forbidden, match="takes two people"):
        async with database.transaction() as tx:
            await define_server(tx, LIVE, by(authority, ada))
    proposal = await proposed(database, LIVE, by(authority, ada))
    with pytest.raises(NotFound):
        await Catalog(database).server("counter")

    async with database.transaction() as tx:
        await publish_server(tx, proposal.id, looked(proposal), by(authority, bob))

    assert [one.what for one in proposal.changes] == ["title", "listing", "tool deal_get"]
    assert await offered(database, agent("counter"), "counter") == ["deal_get"]
    async with database.reading() as tx:
        assert await server_proposals(tx) == []
        kinds = [one.kind for one in await events_of(tx, "counter")]
    assert kinds == [EventKind.SERVER_PROPOSED, EventKind.SERVER_CHANGED]


async def test_nobody_is_their_own_second_person_and_no_stranger_the_console_or_stale_login_is_one(
    database: Database, authority: Authority
) -> None:
    ada, bob = [await someone(database, authority, name, Role.ADMINISTRATOR) for name in ("ada", "bob")]
    sam = await someone(database, authority, "sam")
    proposal = await proposed(database, LIVE, by(authority, ada))

    for person, second, error in [
        (by(authority, ada), looked(proposal), Forbidden),
        (by(authority, sam), looked(proposal), Forbidden),
        (authority, looked(proposal), Forbidden),
        (by(authority, bob), looked(proposal, minutes_ago=11), FreshLoginNeeded),
        (by(authority, bob), SecondPerson(digest=proposal.digest), FreshLoginNeeded),
        (by(authority, bob), SecondPerson(digest="0" * 64, authenticated_at=datetime.now(UTC)), ChangedSinceSeen),
    ]:
        with pytest.raises(error):
            async with database.transaction() as tx:
                await publish_server(tx, proposal.id, second, person)
    with pytest.raises(NotFound):
        await Catalog(database).server("counter")


async def test_a_proposal_about_what_has_changed_since_is_not_published(
    database: Database, authority: Authority
) -> None:
    ada, bob = [await someone(database, authority, name, Role.ADMINISTRATOR) for name in ("ada", "bob")]
    first = await proposed(database, LIVE, by(authority, ada))
    other = await proposed(database, LIVE.model_copy(update={"title": "Till"}), by(authority, ada))
    async with database.transaction() as tx:
        await publish_server(tx, first.id, looked(first), by(authority, bob))

    with pytest.raises(ChangedSinceSeen):
        async with database.transaction() as tx:
            await publish_server(tx, other.id, looked(other), by(authority, bob))
    (looked_again,) = await _waiting(database)
    with pytest.raises(Conflict, match="propose again"):
        async with database.transaction() as tx:
            await publish_server(tx, other.id, looked(looked_again), by(authority, bob))


async def test_a_proposal_can_be_rejected_once_and_says_why(database: Database, authority: Authority) -> None:
    ada = await someone(database, authority, "ada", Role.ADMINISTRATOR)
    proposal = await proposed(database, LIVE, by(authority, ada))
    async with database.transaction() as tx:
        with pytest.raises(InputError, match="why not"):
            await reject_proposal(tx, proposal.id, "", by(authority, ada))
        await reject_proposal(tx, proposal.id, "Too early.", by(authority, ada))
        with pytest.raises(Conflict):
            await reject_proposal(tx, proposal.id, "Too early.", by(authority, ada))

    assert await _waiting(database) == []


async def test_in_prod_nothing_is_added_alone_and_everything_can_be_taken_away_alone(
    database: Database, authority: Authority
) -> None:
    ada, bob = [await someone(database, authority, name, Role.ADMINISTRATOR) for name in ("ada", "bob")]
    proposal = await proposed(database, LIVE, by(authority, ada))
    offer = Offer(server="counter", tool_id="tol_x", connection_id="con_x")
    new = NewServer(name="other", environment=Environment.PROD, title="Other")
    async with database.transaction() as tx:
        await publish_server(tx, proposal.id, looked(proposal), by(authority, bob))
        with pytest.raises(Forbidden, match="takes two"):
            await rename_entry(tx, "counter", "deal_get", "look", by(authority, ada))
        with pytest.raises(Forbidden, match="takes two"):
            await publish(tx, offer, by(authority, ada))
        with pytest.raises(Forbidden, match="takes two"):
            await create_server(tx, new, by(authority, ada))

        await unpublish(tx, "counter", "deal_get", by(authority, ada))
        await retire_server(tx, "counter", "Closed.", by(authority, ada))


async def test_a_tool_that_is_withdrawn_stays_in_the_definition_and_is_not_offered(
    database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        await define_server(tx, DESK, authority)
    await register(database, authority, crm(operation(), version="2.0.0"))  # without deal_update

    async with database.reading() as tx:
        found = await definition_of(tx, "desk")

    assert found is not None
    assert set(found.by_name()) == {"look_up", "deal_update"}
    assert await offered(database, agent("desk")) == ["look_up"]


async def _waiting(database: Database) -> list[ServerProposal]:
    async with database.reading() as tx:
        return await server_proposals(tx)
