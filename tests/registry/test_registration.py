"""Registering connectors: immutable versions, one for every difference and none for a repetition."""

from typing import Final

import pytest
from registry_crm import anybody, connect, crm, operation, register, write
from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Tier
from hub.audit.tables import EventRow
from hub.core.errors import Conflict, Forbidden, InputError
from hub.identity.accounts import set_roles
from hub.identity.authority import Authority
from hub.identity.enrolment import enrol
from hub.identity.principals import PrincipalKind, Role
from hub.registry import (
    Catalog,
    Declared,
    Undeclared,
    connectors,
    find_tool,
    proof_digest,
    register_as_declared,
    register_connector,
    tools,
    versions,
    withdraw_version,
)
from hub.registry.digests import NOT_BROUGHT
from hub.registry.tables import ToolRow
from hub.storage import Database

pytestmark = pytest.mark.anyio


async def events(database: Database) -> list[str]:
    async with database.reading() as tx:
        return list(await tx.scalars(select(EventRow.kind).order_by(EventRow.id)))


async def test_registering_the_same_connector_again_makes_no_version_and_no_event(
    database: Database, authority: Authority
) -> None:
    assert await register(database, authority) == ["deal_get", "deal_update"]
    before = await events(database)

    again = await register(database, authority)

    assert again == []
    assert await events(database) == before
    assert sorted(before) == ["connector.registered", "tool.version_published", "tool.version_published"]


async def test_each_release_of_a_federated_server_has_a_version_of_its_own_that_grows(
    database: Database, authority: Authority
) -> None:
    other = write(description="Change a deal, please.")
    versions_after = list[str]()
    for spec in (
        crm(rpc="mcp"),
        crm(operation(), other, rpc="mcp"),
        crm(operation(), other, rpc="mcp"),  # the same again
        crm(rpc="mcp"),  # and back to what it said first
        crm(rpc="mcp", version="2.0.0", title="Deals"),
    ):
        await register(database, authority, spec)
        async with database.reading() as tx:
            versions_after += [one.version for one in await connectors(tx)]

    assert versions_after == ["1.0.0", "1.0.1", "1.0.1", "1.0.2", "2.0.0"]


async def test_who_writes_a_connector_numbers_its_releases(database: Database, authority: Authority) -> None:
    await register(database, authority)
    await register(database, authority, crm(operation(), write(description="Change a deal, please.")))

    async with database.reading() as tx:
        assert [one.version for one in await connectors(tx)] == ["1.0.0"]


async def test_a_changed_operation_makes_a_new_version_and_the_old_one_stays(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)

    changed = await register(database, authority, crm(operation(), write(description="Change a deal, please.")))

    assert changed == ["deal_update"]
    async with database.reading() as tx:
        tool = await find_tool(tx, "crm", "deal_update")
        assert tool
        newest, oldest = await versions(tx, tool.id)
    assert (newest.number, newest.is_current, newest.spec.description) == (2, True, "Change a deal, please.")
    assert (oldest.number, oldest.is_current, oldest.spec.description) == (1, False, "Change one deal.")
    assert newest.digest != oldest.digest


async def test_changed_code_or_a_changed_safe_rule_makes_new_versions_of_every_tool(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)

    by_code = await register(database, authority, crm(artefact_digest="b" * 64))
    by_rule = await register(database, authority, crm(artefact_digest="b" * 64, safe=[{"method": "GET"}]))

    assert by_code == by_rule == ["deal_get", "deal_update"]


@pytest.mark.parametrize(
    "changes",
    [
        {"refusals": [{"method": "PATCH", "template": "/deals/{id}", "empty": "/warnings"}]},
        {"speaks": "smtp"},
        {"rate": {"requests": 5}},
        {"headers": ["x-tenant"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_whatever_a_connector_brings_to_its_tools_makes_new_versions_of_them_unproven(
    database: Database, authority: Authority, changes: dict[str, object]
) -> None:
    """A rule about refusals, for one, says that an answer of success means that nothing was done."""
    await register(database, authority)
    changed = crm(version="1.0.1", **changes)

    assert await register(database, authority, changed) == ["deal_get", "deal_update"]
    assert proof_digest(changed, changed.operation("deal_update")) != proof_digest(
        crm(), crm().operation("deal_update")
    )


async def owned_by_rita(database: Database, authority: Authority, spec: ConnectorSpec) -> Authority:
    """Register `spec` as Rita's, and return what she acts with."""
    async with database.transaction() as tx:
        rita = await enrol(tx, kind=PrincipalKind.USER, name="rita", display_name="Rita")
        await register_connector(tx, spec, authority, owner_id=rita)
    return Authority(database=database, keys=authority.keys, by=rita)


OTHER_WORDS = {
    "another effect": crm(operation(), write(effect="create", tier="high")),
    "a lower tier": crm(operation(), write()),
    "more that is safe": crm(operation(), write(tier="high"), safe=[{"method": "POST"}]),
    "a refusal where there was success": crm(
        operation(),
        write(tier="high"),
        refusals=[{"method": "PATCH", "template": "/deals/{id}", "empty": "/warnings"}],
    ),
}


STRICT: Final = crm(operation(), write(tier="high"))


async def declare(
    database: Database, authority: Authority, spec: ConnectorSpec, *, said: ConnectorSpec | Undeclared
) -> list[str]:
    """Register `spec` once its code has said `said`, and return the tools that have a new version."""
    word = said if isinstance(said, Undeclared) else Declared(spec=said.model_dump(mode="json"))
    async with database.transaction() as tx:
        return [version.spec.name for version in await register_as_declared(tx, spec, word, authority)]


@pytest.mark.parametrize("words", OTHER_WORDS.values(), ids=OTHER_WORDS)
@pytest.mark.parametrize("code", ["a" * 64, "b" * 64], ids=["known code", "new code"])
async def test_an_owner_cannot_have_code_declare_something_else(
    database: Database, authority: Authority, words: ConnectorSpec, code: str
) -> None:
    """Who owns a tool may only raise its tier; registering its connector anew is no way around that."""
    by_rita = await owned_by_rita(database, authority, STRICT)
    update = {"artefact_digest": code}

    with pytest.raises(Forbidden, match="declares something else, in '/"):
        await declare(database, by_rita, words.model_copy(update=update), said=STRICT.model_copy(update=update))


async def test_an_owner_hears_where_the_code_says_something_else(database: Database, authority: Authority) -> None:
    by_rita = await owned_by_rita(database, authority, STRICT)

    with pytest.raises(Forbidden, match=r"something else, in '/operations/deal_update/tier', so only an admin"):
        await declare(database, by_rita, crm(operation(), write()), said=STRICT)


@pytest.mark.parametrize(
    "said",
    [
        {"operations": 7},
        {"operations": [{"name": ["deal_get"]}, 7, {}]},
        {"safe": float("inf")},
        {"\ud800": "\ud800", "operations": None},
        {},
    ],
    ids=["a number", "odd names", "infinity", "half a pair", "nothing"],
)
async def test_what_code_says_need_be_no_spec(
    database: Database, authority: Authority, said: dict[str, object]
) -> None:
    by_rita = await owned_by_rita(database, authority, STRICT)

    async with database.transaction() as tx:
        with pytest.raises(Forbidden, match="declares something else"):
            await register_as_declared(tx, STRICT, Declared(spec=said), by_rita)


async def test_code_that_nobody_asked_or_that_says_nothing_declares_nothing(
    database: Database, authority: Authority
) -> None:
    by_rita = await owned_by_rita(database, authority, STRICT)

    with pytest.raises(Forbidden, match="in vain: nobody asked it; so only an administrator"):
        await register(database, by_rita, STRICT)
    with pytest.raises(Forbidden, match="in vain: it is not here; so only an administrator"):
        await declare(database, by_rita, STRICT, said=Undeclared(why="it is not here"))


async def test_an_owner_may_register_what_the_code_says_and_call_it_otherwise(
    database: Database, authority: Authority
) -> None:
    by_rita = await owned_by_rita(database, authority, STRICT)
    other = crm(artefact_digest="b" * 64)

    assert await declare(database, by_rita, STRICT, said=STRICT) == []
    assert await declare(database, by_rita, crm(*STRICT.operations, version="1.0.1", title="Deals"), said=STRICT) == []
    assert await declare(database, by_rita, other, said=other) == ["deal_get", "deal_update"]


async def test_who_does_not_own_a_connector_registers_nothing_whatever_its_code_says(
    database: Database, authority: Authority
) -> None:
    await owned_by_rita(database, authority, STRICT)
    async with database.transaction() as tx:
        bob = await enrol(tx, kind=PrincipalKind.USER, name="bob", display_name="Bob")
    by_bob = Authority(database=database, keys=authority.keys, by=bob)

    with pytest.raises(Forbidden, match="Only its owner or an administrator"):
        await declare(database, by_bob, STRICT, said=STRICT)


async def test_the_owner_of_a_connector_without_code_may_declare_it_anew(
    database: Database, authority: Authority
) -> None:
    by_rita = await owned_by_rita(database, authority, crm(operation(), write(tier="high"), runs="direct"))

    assert await register(database, by_rita, crm(runs="direct")) == ["deal_update"]


async def test_an_administrator_may_have_the_same_code_declare_something_else(
    database: Database, authority: Authority
) -> None:
    await owned_by_rita(database, authority, crm(operation(), write(tier="high")))
    async with database.transaction() as tx:
        ada = await enrol(tx, kind=PrincipalKind.USER, name="ada", display_name="Ada")
        await set_roles(tx, ada, frozenset({Role.ADMINISTRATOR}), authority)

    by_ada = Authority(database=database, keys=authority.keys, by=ada)

    assert await register(database, by_ada, crm()) == ["deal_update"]


def test_what_is_added_to_a_connectors_declaration_is_brought_to_its_tools_unless_it_is_named_here() -> None:
    brought = {*ConnectorSpec.model_fields} - NOT_BROUGHT

    assert sorted(NOT_BROUGHT) == ["description", "operations", "spec_version", "title", "version"]
    assert len(brought) == len(ConnectorSpec.model_fields) - len(NOT_BROUGHT)


async def test_a_new_title_of_the_connector_alone_is_no_new_version_of_its_tools(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)

    assert await register(database, authority, crm(version="1.0.1", title="The CRM")) == []

    async with database.reading() as tx:
        assert [spec.version for spec in await connectors(tx)] == ["1.0.1"]


async def test_going_back_to_earlier_code_goes_back_to_its_versions(database: Database, authority: Authority) -> None:
    await register(database, authority)
    await register(database, authority, crm(artefact_digest="b" * 64))

    assert await register(database, authority) == []

    async with database.reading() as tx:
        tool = await find_tool(tx, "crm", "deal_get")
        assert tool
        assert [version.is_current for version in await versions(tx, tool.id)] == [False, True]


async def test_an_operation_that_is_gone_is_no_longer_offered_and_stays_on_record(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)
    await connect(database, authority)

    await register(database, authority, crm(operation()))

    offered = await Catalog(database).page(server="everything", caller=anybody())
    assert [tool.name for tool in offered] == ["deal_get"]
    async with database.reading() as tx:
        assert [tool.name for tool in await tools(tx)] == ["deal_get", "deal_update"]


async def test_a_withdrawn_version_does_not_come_back_by_registering_it_again(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)
    await connect(database, authority)
    catalog = Catalog(database)
    version = (await catalog.resolve("deal_get", server="everything", caller=anybody())).version
    async with database.transaction() as tx:
        await withdraw_version(tx, version.id, "It leaked.", authority)

    await register(database, authority, crm(version="1.0.1"))

    assert [tool.name for tool in await catalog.page(server="everything", caller=anybody())] == ["deal_update"]


async def test_a_new_operation_appears_on_every_connection_of_its_connector(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)
    await connect(database, authority)
    await connect(database, authority, name="second", prefix="b_")

    await register(database, authority, crm(operation(), write(), operation("deal_find")))

    offered = [tool.name for tool in await Catalog(database).page(server="everything-dev", caller=anybody())]
    assert offered == [f"{prefix}{name}" for prefix in ("b_", "") for name in ("deal_find", "deal_get", "deal_update")]


async def test_a_new_operation_whose_name_another_connector_has_is_refused_with_what_to_do(
    database: Database, authority: Authority
) -> None:
    await register(database, authority)
    await connect(database, authority)
    await register(database, authority, crm(operation("party_get"), name="erp"))
    await connect(database, authority, name="books", connector="erp")

    with pytest.raises(Conflict, match=r"'deal_get' already, for the connection 'sales'.*prefix"):
        await register(database, authority, crm(operation("party_get"), operation("deal_get"), name="erp"))

    async with database.reading() as tx:
        assert await find_tool(tx, "erp", "deal_get") is None


async def test_every_problem_of_every_operation_is_named_at_once(database: Database, authority: Authority) -> None:
    unbounded = operation("one", input_schema={"type": "object", "properties": {"id": {"type": "integer"}}})
    noisy = operation("two", input_schema={"type": "object", "properties": {"Idempotency-Key": {"type": "string"}}})
    wrong_example = operation("three", examples=[{"id": 0}])
    rootless = operation("four", output_schema={"type": "array"})
    reserved = operation("hub_five")

    async with database.transaction() as tx:
        with pytest.raises(InputError) as refused:
            await register_connector(tx, crm(unbounded, noisy, wrong_example, rootless, reserved), authority)

    for problem in (
        "one: input schema /properties/id: an integer needs a minimum",
        "two: input schema /properties/Idempotency-Key: this belongs to the request",
        "three: example 1 breaks the input schema: /id",
        "four: output schema /: the root must say type: object",
        "'hub_five' begins with 'hub_'",
    ):
        assert problem in refused.value.message


@pytest.mark.parametrize(
    ("said", "applies"),
    [
        (("medium", None, None), Tier.MEDIUM),
        (("medium", "high", None), Tier.HIGH),
        (("high", "low", None), Tier.HIGH),
        (("medium", "low", "critical"), Tier.CRITICAL),
        (("medium", "tomorrow", None), Tier.HIGH),
    ],
)
async def test_the_tier_is_the_highest_that_anybody_says_and_an_unknown_one_is_high(
    database: Database, authority: Authority, said: tuple[str, str | None, str | None], applies: Tier
) -> None:
    declared, owner, raised = said
    await register(database, authority, crm(write(tier=declared)))
    async with database.transaction() as tx:
        row = (await tx.scalars(select(ToolRow))).one()
        row.owner_tier, row.raised_tier = owner, raised
    await connect(database, authority)

    tool = await Catalog(database).resolve("deal_update", server="everything", caller=anybody())

    assert tool.tier is applies
