"""Stored bundles: published with an event, refused when their examples fail, seen everywhere within the bound."""

import asyncio

import pytest
from dawdling import first_reader_of
from sqlalchemy import event, insert, select, update

from hub.audit.tables import EventRow
from hub.bundles import (
    Bundles,
    Publication,
    Second,
    default_bundle_text,
    propose_bundle,
    publish_bundle,
    publish_default,
    publish_proposal,
)
from hub.bundles.tables import BundleRow
from hub.core.errors import Conflict, Forbidden
from hub.identity.tables import PrincipalRow
from hub.keys import Keyring
from hub.policy import Bundle, BundleInvalid
from hub.storage import Database, now

pytestmark = pytest.mark.anyio

OTHER = '@id("p") permit (principal, action, resource);'


async def publish(database: Database, keys: Keyring, text: str, *, by: str | None = None) -> Bundle:
    async with database.transaction() as tx:
        return await publish_bundle(tx, database, keys, Publication(environment="dev", text=text, by=by))


async def test_an_empty_hub_decides_by_the_default_bundle_and_puts_it_on_record_once(
    database: Database, keys: Keyring
) -> None:
    bundles = Bundles(database)
    before = await bundles.active("dev")
    for _ in range(2):
        async with database.transaction() as tx:
            await publish_default(tx, database, keys, environment="dev")

    async with database.reading() as tx:
        recorded = (await tx.scalars(select(BundleRow))).all()
    assert [row.digest for row in recorded] == [before.digest]
    assert (await bundles.active("dev")).digest == before.digest == Bundle.parse(default_bundle_text()).digest


async def test_a_published_bundle_decides_from_the_next_call_on_and_only_in_its_environment(
    database: Database, keys: Keyring
) -> None:
    bundles = Bundles(database, clock=lambda: 0.0)
    default = await bundles.active("dev")

    published = await publish(database, keys, OTHER)

    assert (await bundles.active("dev")).digest == published.digest != default.digest
    assert (await bundles.active("prod")).digest == default.digest
    async with database.reading() as tx:
        kinds = (await tx.scalars(select(EventRow.kind))).all()
    assert list(kinds) == ["bundle.published"]


async def test_who_read_before_a_publication_and_hears_of_it_later_does_not_bring_the_old_bundle_back(
    database: Database, keys: Keyring
) -> None:
    bundles = Bundles(database, clock=lambda: 0.0)
    with first_reader_of(database, "policy_bundles") as held:
        slow = asyncio.create_task(bundles.active("dev"))
        await held.has_read.wait()
        published = await publish(database, keys, OTHER)
        await bundles.active("dev")
        held.may_go.set()
        await slow

    assert (await bundles.active("dev")).digest == published.digest


async def test_a_bundle_whose_example_fails_is_not_published(database: Database, keys: Keyring) -> None:
    failing = OTHER + '\n//? {"example": "x", "action": "commit", "expect": "denied"}\n'

    with pytest.raises(BundleInvalid, match="should be denied and is allowed"):
        await publish(database, keys, failing)

    async with database.reading() as tx:
        assert await tx.scalar(select(BundleRow.id)) is None


async def test_only_an_administrator_publishes(database: Database, keys: Keyring) -> None:
    async with database.transaction() as tx:
        common = {"kind": "user", "created_at": await now(tx)}
        for name, roles in (("ada", ["administrator"]), ("bob", ["operator"])):
            values = {"id": f"usr_{name}", "name": name, "display_name": name, "roles": roles}
            await tx.execute(insert(PrincipalRow).values(**common, **values))

    with pytest.raises(Forbidden):
        await publish(database, keys, OTHER, by="usr_bob")
    assert await publish(database, keys, OTHER, by="usr_ada")


async def test_what_is_known_is_asked_for_no_more(database: Database) -> None:
    bundles = Bundles(database, clock=lambda: 0.0)
    await bundles.active("dev")
    statements = list[str]()
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(str(args[2])))

    await bundles.active("dev")

    assert statements == []


async def test_a_publication_that_no_signal_told_of_is_seen_once_the_bound_has_passed(
    database: Database, keys: Keyring, database_url: str
) -> None:
    moment = [0.0]
    elsewhere = Database(database_url)
    bundles = Bundles(elsewhere, clock=lambda: moment[0])
    default = await bundles.active("dev")

    published = await publish(database, keys, OTHER)
    within = await bundles.active("dev")
    async with elsewhere.reading() as tx:
        asked = await bundles.fresh(tx, "dev")
    moment[0] = 1.0
    after = await bundles.active("dev")

    assert [each.digest for each in (within, asked, after)] == [default.digest, published.digest, published.digest]
    await elsewhere.close()


async def test_a_bundle_read_with_another_schema_is_put_on_record_again(database: Database, keys: Keyring) -> None:
    published = await publish(database, keys, OTHER)
    async with database.transaction() as tx:
        await tx.execute(update(BundleRow).values(digest="0" * 64))  # as an earlier release wrote it

    async with database.transaction() as tx:
        await publish_default(tx, database, keys, environment="dev")

    async with database.reading() as tx:
        rows = (await tx.scalars(select(BundleRow).order_by(BundleRow.published_at))).all()
    assert [(row.digest, row.is_active, row.text) for row in rows] == [
        ("0" * 64, False, OTHER),
        (published.digest, True, OTHER),
    ]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_of_two_proposals_that_are_published_at_the_same_moment_one_is_looked_at_again(
    database: Database, keys: Keyring
) -> None:
    """Only there do two transactions write at once; the second would replace what nobody has seen decide."""
    proposed = list[tuple[str, str]]()
    async with database.transaction() as tx:
        common = {"kind": "user", "created_at": await now(tx), "roles": ["administrator"]}
        for name in ("ada", "bob"):
            values = {"id": f"usr_{name}", "name": name, "display_name": name}
            await tx.execute(insert(PrincipalRow).values(**common, **values))
        await publish_default(tx, database, keys, environment="prod")
        for rule, by, other in (("p", "usr_ada", "usr_bob"), ("q", "usr_bob", "usr_ada")):
            wanted = Publication(environment="prod", text=OTHER.replace('"p"', f'"{rule}"'), by=by)
            proposed.append(((await propose_bundle(tx, keys, wanted, by=by)).id, other))

    async def published(proposal_id: str, by: str) -> str:
        async with database.transaction() as tx:
            second = Second(person_id=by, authenticated_at=await now(tx))
            return (await publish_proposal(tx, database, keys, proposal_id, second)).id

    ends = await asyncio.gather(*(published(*one) for one in proposed), return_exceptions=True)

    refused = [one for one in ends if isinstance(one, BaseException)]
    (done,) = [one for one in ends if isinstance(one, str)]
    assert [(type(one), str(one)[:40]) for one in refused] == [(Conflict, "Another policy has been published since ")]
    async with database.reading() as tx:
        active = (
            await tx.scalars(select(BundleRow.id).where(BundleRow.is_active, BundleRow.environment == "prod"))
        ).all()
    assert list(active) == [done]
