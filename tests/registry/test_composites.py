"""Declaring composite tools: what contradicts itself is refused, and the rest is bound to the versions of its steps."""

from typing import Any

import pytest
from upstream.composites import COUNT, PUT, RENAME, TELL, changed, restock
from upstream.connector import connector

from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier
from hub.audit import EventKind, events_of
from hub.core.errors import Conflict, Forbidden, HubError, InputError, NotFound
from hub.identity.accounts import NewUser, create_default_groups, create_user
from hub.identity.authority import Authority
from hub.identity.principals import Role
from hub.registry import (
    Declaration,
    Environment,
    NewConnection,
    ToolVersion,
    composite_tools,
    create_connection,
    declare,
    find_tool,
    get_tool,
    register_connector,
    set_tool_owner,
    steps_of,
)
from hub.registry.references import NothingThere, filled, foreseen
from hub.storage import Database, Tx

pytestmark = pytest.mark.anyio
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def database(database: Database, authority: Authority) -> Database:
    """A database with the test upstream's connector, connected in dev."""
    async with database.transaction() as tx:
        await register_connector(tx, connector.spec, authority)
        await connect(tx, authority, "upstream", Environment.DEV)
    return database


async def connect(tx: Tx, authority: Authority, name: str, environment: Environment) -> None:
    new = NewConnection(name=name, connector="upstream", environment=environment, base_url="http://127.0.0.1:9")
    await create_connection(tx, new, authority)


async def declared(database: Database, authority: Authority, declaration: dict[str, Any]) -> ToolVersion | None:
    async with database.transaction() as tx:
        return await declare(tx, Declaration.model_validate(declaration), authority)


async def test_a_composite_tool_is_offered_with_the_risks_of_its_steps(
    database: Database, authority: Authority
) -> None:
    made = await declared(database, authority, restock())

    assert made is not None
    assert (made.spec.effect, made.spec.tier) == (Effect.UPDATE, Tier.MEDIUM)
    assert made.spec.reversal is Reversal.PARTIAL
    assert made.spec.fidelity is Fidelity.SIMULATED
    assert [step.name for step in steps_of(made.spec)] == ["put", "rename", "count"]
    assert [*made.spec.output_schema["properties"]] == ["put", "rename", "count"]
    async with database.reading() as tx:
        assert [one.id for one in await composite_tools(tx, Environment.DEV)] == [made.id]
        assert EventKind.COMPOSITE_DECLARED in {event.kind for event in await events_of(tx, made.tool_id)}


@ONE_ENGINE
async def test_one_step_for_good_makes_the_whole_plan_high_and_for_good(
    database: Database, authority: Authority
) -> None:
    made = await declared(database, authority, restock([PUT, TELL]))

    assert made is not None
    assert (made.spec.effect, made.spec.tier, made.spec.reversal) == (Effect.SEND, Tier.HIGH, Reversal.NONE)
    assert [step.can_be_taken_back for step in steps_of(made.spec)] == [True, False]


@ONE_ENGINE
async def test_the_same_declaration_makes_no_version_until_a_tool_of_a_step_has_changed(
    database: Database, authority: Authority
) -> None:
    first = await declared(database, authority, restock())
    again = await declared(database, authority, restock())
    spec = connector.spec.model_copy(deep=True, update={"artefact_digest": "e" * 64})
    async with database.transaction() as tx:
        await register_connector(tx, spec, authority)
    after = await declared(database, authority, restock())

    assert first is not None
    assert again is None
    assert after is not None
    assert (first.number, after.number) == (1, 2)
    assert first.digest != after.digest


@ONE_ENGINE
async def test_declaring_one_composite_tool_leaves_the_others_as_they_are(
    database: Database, authority: Authority
) -> None:
    first = await declared(database, authority, restock())
    second = await declared(database, authority, restock(name="another"))

    async with database.reading() as tx:
        offered = await composite_tools(tx, Environment.DEV)
    assert first is not None
    assert second is not None
    assert [one.id for one in offered] == [second.id, first.id]


LONE = {"name": "lone", "tool": "item_get", "connection": "upstream", "arguments": {"id": 1}}
BAD: dict[str, tuple[dict[str, Any], type[HubError], str]] = {
    "an unknown tool": (restock([PUT, {**RENAME, "tool": "item_burn"}]), NotFound, "offers no tool 'item_burn'"),
    "an unknown connection": (restock([PUT, {**RENAME, "connection": "erp"}]), NotFound, "no connection 'erp' in dev"),
    "a connection elsewhere": (restock([PUT, {**RENAME, "connection": "live"}]), NotFound, "no connection 'live'"),
    "a step that only reads": (restock([PUT, LONE]), InputError, "'item_get' only reads"),
    "two steps of one name": (restock([PUT, PUT]), InputError, "two steps are called 'put'"),
    "a later step": (restock([PUT, COUNT, RENAME]), InputError, "'rename', which is no step before this one"),
    "itself": (restock([changed(PUT, id={"$from": "/steps/put/id"}), RENAME]), InputError, "no step before this one"),
    "no place at all": (restock([changed(PUT, id={"$from": "/id"}), RENAME]), InputError, "leads nowhere: write"),
    "an unknown input": (restock([changed(PUT, id={"$from": "/input/key"}), RENAME]), InputError, "names no such"),
    "an unknown output": (
        restock([PUT, changed(RENAME, id={"$from": "/steps/put/key"})]),
        InputError,
        "leads nowhere: its schema names no such value",
    ),
    "a type that cannot fit": (
        restock([changed(PUT, id={"$from": "/input/name"}), RENAME]),
        InputError,
        "is of type string, and the tool 'item_put' takes integer or number there",
    ),
    "a missing argument": (
        restock([{**PUT, "arguments": {"id": 2}}, RENAME]),
        InputError,
        "needs the argument 'name'",
    ),
    "an unknown argument": (restock([changed(PUT, colour="red"), RENAME]), InputError, "takes no argument 'colour'"),
    "the name of another tool": (restock(name="item_put"), Conflict, "offers 'item_put' already"),
    "a name of the hub's": (restock(name="hub_restock"), InputError, "begins with 'hub_'"),
    "an example that does not fit": (restock(examples=[{"id": 1}]), InputError, "example 1 breaks"),
    "a secret": (
        restock(input_schema={**restock()["input_schema"], "x-secret": True}),
        InputError,
        "no plan takes secrets",
    ),
}


@ONE_ENGINE
@pytest.mark.parametrize("what", sorted(BAD))
async def test_a_contradiction_is_refused_when_it_is_declared(
    database: Database, authority: Authority, what: str
) -> None:
    declaration, error, message = BAD[what]
    async with database.transaction() as tx:
        await connect(tx, authority, "live", Environment.PROD)

    with pytest.raises(error, match=message):
        await declared(database, authority, declaration)

    async with database.reading() as tx:
        assert await composite_tools(tx, Environment.DEV) == []


@ONE_ENGINE
async def test_no_step_is_a_composite_tool(database: Database, authority: Authority) -> None:
    await declared(database, authority, restock())
    nested = {"name": "all", "tool": "restock", "connection": "composite-dev", "arguments": {"id": 2, "name": "pen"}}

    with pytest.raises(NotFound, match="no connection 'composite-dev'"):
        await declared(database, authority, restock([nested, RENAME], name="nested"))


@ONE_ENGINE
async def test_a_step_whose_tool_takes_secrets_is_refused(database: Database, authority: Authority) -> None:
    spec = connector.spec.model_copy(deep=True, update={"version": "1.0.1"})
    spec.operation("item_put").input_schema["properties"]["name"]["x-secret"] = True
    async with database.transaction() as tx:
        await register_connector(tx, spec, authority)

    with pytest.raises(InputError, match="'item_put' takes or returns secrets"):
        await declared(database, authority, restock())


@ONE_ENGINE
async def test_only_who_owns_the_tools_of_every_step_or_an_administrator_declares(
    database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        await create_default_groups(tx)
        olga = await create_user(tx, NewUser(name="olga", display_name="Olga", password="a long password"), authority)
        admin = NewUser(
            name="ada", display_name="Ada", password="a long password", roles=frozenset({Role.ADMINISTRATOR})
        )
        ada = await create_user(tx, admin, authority)
        put = await find_tool(tx, "upstream", "item_put")
        assert put is not None
        await set_tool_owner(tx, put.id, olga.id, authority)
    hers, of_ada = (Authority(database=database, keys=authority.keys, by=one.id) for one in (olga, ada))

    with pytest.raises(Forbidden, match="what is made of the tool 'item_update'"):
        await declared(database, hers, restock())
    async with database.transaction() as tx:
        update = await find_tool(tx, "upstream", "item_update")
        assert update is not None
        await set_tool_owner(tx, update.id, olga.id, authority)
    made = await declared(database, hers, restock())
    assert made is not None
    async with database.reading() as tx:
        assert (await get_tool(tx, made.tool_id)).owner_id == olga.id
    assert await declared(database, of_ada, restock(name="of_ada")) is not None
    with pytest.raises(Forbidden, match="the composite tool 'of_ada'"):
        await declared(database, hers, restock(name="of_ada"))


@ONE_ENGINE
async def test_nobody_registers_a_connector_in_the_place_of_composite_tools(
    database: Database, authority: Authority
) -> None:
    await declared(database, authority, restock())
    by_hand = Authority(database=database, keys=authority.keys, by="usr_somebody")
    async with database.transaction() as tx:
        with pytest.raises(Forbidden, match="declared, not registered"):
            await register_connector(tx, connector.spec.model_copy(update={"name": "composite_dev"}), by_hand)


def test_a_template_is_filled_with_what_is_known_and_keeps_the_rest() -> None:
    template = {"id": {"$from": "/steps/put/id"}, "lines": [{"name": {"$from": "/input/name"}}], "count": 1}

    assert foreseen(template, {"input": {"name": "pen"}, "steps": {}}) == {
        "id": {"$from": "/steps/put/id"},
        "lines": [{"name": "pen"}],
        "count": 1,
    }
    assert filled(template, {"input": {}, "steps": {"put": {"id": 7}}}) == {"id": 7, "lines": [{}], "count": 1}


def test_a_value_that_a_step_did_not_answer_is_never_left_out() -> None:
    with pytest.raises(NothingThere, match="the step 'put' answered nothing at /id"):
        filled({"id": {"$from": "/steps/put/id"}}, {"input": {}, "steps": {"put": {}}})
