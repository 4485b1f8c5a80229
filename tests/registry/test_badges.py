"""A badge speaks of exactly the code that was checked, and proves an undo only if that was tried on a live system."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from registry_crm import anybody, connect, crm, operation, register, write
from sqlalchemy import update

from connectors.sdk.spec import Compensation
from connectors.sdk.vocabulary import Reversal
from hub.audit import EventKind, events_of
from hub.core.errors import Forbidden, NotFound
from hub.identity.authority import Authority
from hub.identity.enrolment import enrol
from hub.identity.principals import PrincipalKind
from hub.registry import (
    Badge,
    BadgeLine,
    BadgeVerdict,
    Catalog,
    Grade,
    Promise,
    PublishedTool,
    badge_for,
    keep_badge,
    proof_digest,
    read_current,
    register_connector,
)
from hub.registry.tables import ConnectorRow
from hub.storage import Database

pytestmark = pytest.mark.anyio

UNDO = Compensation(tool="deal_update", arguments={"id": "/input/id"}, kind=Reversal.EXACT)
CRM = crm(operation(), write(reversal="exact", compensation=UNDO))


def line(**changes: object) -> BadgeLine:
    proven = BadgeLine(
        operation="deal_update",
        promise=Promise.UNDO,
        verdict=BadgeVerdict.PASSED,
        grade=Grade.LIVE,
        reason="It was tried.",
    )
    return replace(proven, **changes)


def badge(*lines: BadgeLine, digest: str = CRM.artefact_digest) -> Badge:
    return Badge(
        connector="crm",
        version="1.0.0",
        artefact_digest=digest,
        system="a CRM",
        checked_at=datetime(2026, 11, 21, tzinfo=UTC),
        covers={one.operation: proof_digest(CRM, CRM.operation(one.operation)) for one in lines or (line(),)},
        lines=lines or (line(),),
    )


async def keep(database: Database, authority: Authority, kept: Badge) -> None:
    async with database.transaction() as tx:
        await keep_badge(tx, kept, authority)


async def offered(database: Database) -> PublishedTool:
    return await Catalog(database).resolve("deal_update", server="everything", caller=anybody())


async def test_a_badge_is_kept_and_its_tools_carry_it(database: Database, authority: Authority) -> None:
    await register(database, authority, CRM)
    await connect(database, authority)
    catalog = Catalog(database)
    before = await catalog.resolve("deal_update", server="everything", caller=anybody())

    await keep(database, authority, badge())

    assert not before.undo_proven
    tool = await catalog.resolve("deal_update", server="everything", caller=anybody())
    assert tool.badge == badge()
    assert tool.undo_proven
    async with database.reading() as tx:
        assert await badge_for(tx, CRM) == badge()
        exactly = await read_current(
            tx, tool.version.id, tool.connection.id, server="everything-dev", name="deal_update"
        )
        assert exactly.undo_proven
        assert (await catalog.current(tx, "deal_update", server="everything", caller=anybody())).undo_proven


async def test_other_code_is_not_proven_by_it(database: Database, authority: Authority) -> None:
    await register(database, authority, CRM)
    await connect(database, authority)
    await keep(database, authority, badge())

    await register(database, authority, CRM.model_copy(update={"artefact_digest": "b" * 64}))

    tool = await offered(database)
    assert tool.badge is None
    assert not tool.undo_proven


async def test_the_same_code_with_another_declaration_is_not_proven_by_it(
    database: Database, authority: Authority
) -> None:
    """Where tools come from a manifest or a document, the code stays the same and the declaration is the program."""
    await register(database, authority, CRM)
    await connect(database, authority)
    await keep(database, authority, badge())
    read, changed = CRM.operations

    other = changed.model_copy(update={"binding": {"sql": "DELETE FROM deal"}})
    await register(database, authority, CRM.model_copy(update={"operations": (read, other)}))

    tool = await offered(database)
    assert not tool.is_checked
    assert not tool.undo_proven


async def test_lines_about_what_is_declared_otherwise_now_are_not_told_of_it(
    database: Database, authority: Authority
) -> None:
    await register(database, authority, CRM)
    await keep(database, authority, badge(line(), line(operation="deal_get", promise=Promise.ERRORS)))
    read, changed = CRM.operations
    release = CRM.model_copy(update={"operations": (read, changed.model_copy(update={"description": "Another one."}))})

    async with database.reading() as tx:
        before, after = await badge_for(tx, CRM), await badge_for(tx, release)
        neither = await badge_for(tx, release.model_copy(update={"operations": (release.operations[1],)}))

    assert before is not None
    assert after is not None
    assert [one.operation for one in before.lines] == ["deal_update", "deal_get"]
    assert [one.operation for one in after.lines] == ["deal_get"]
    assert neither is None


def test_another_undo_is_not_proven_by_it() -> None:
    back = write(name="deal_back")
    undone = write(reversal="exact", compensation=UNDO.model_copy(update={"tool": "deal_back"}))
    once, later = crm(undone, back), crm(undone, back.model_copy(update={"binding": {"sql": "SELECT 1"}}))

    assert proof_digest(once, undone) != proof_digest(later, undone)


@pytest.mark.parametrize(
    "unproven",
    [
        line(verdict=BadgeVerdict.FAILED),
        line(verdict=BadgeVerdict.NOT_APPLICABLE),
        line(grade=Grade.RECORDED),
        line(grade=Grade.ELSEWHERE),
        line(operation="deal_get"),
        line(promise=Promise.ONCE),
    ],
)
async def test_an_undo_is_proven_only_by_its_own_line_on_a_live_system(
    database: Database, authority: Authority, unproven: BadgeLine
) -> None:
    await register(database, authority, CRM)
    await connect(database, authority)

    await keep(database, authority, badge(unproven))

    assert not (await offered(database)).undo_proven


async def test_code_that_is_not_registered_gets_no_badge(database: Database, authority: Authority) -> None:
    await register(database, authority, CRM)

    with pytest.raises(NotFound, match="publish it first"):
        await keep(database, authority, badge(digest="c" * 64))


async def enrolled(database: Database, kind: PrincipalKind, name: str, *, owner: str | None = None) -> str:
    async with database.transaction() as tx:
        return await enrol(tx, kind=kind, name=name, display_name=name.title(), owner_id=owner)


async def test_its_owner_may_give_a_badge_and_a_stranger_may_not(database: Database, authority: Authority) -> None:
    owner, stranger = [await enrolled(database, PrincipalKind.USER, name) for name in ("tom", "eve")]
    async with database.transaction() as tx:
        await register_connector(tx, CRM, authority, owner_id=owner)

    with pytest.raises(Forbidden, match="Only its owner or an administrator"):
        await keep(database, replace(authority, by=stranger), badge())
    await keep(database, replace(authority, by=owner), badge())

    async with database.reading() as tx:
        assert await badge_for(tx, CRM) == badge()
        (told,) = [event for event in await events_of(tx, "crm") if event.kind is EventKind.CONNECTOR_CHECKED]
    assert told.actor == owner


async def test_an_agent_cannot_give_a_badge_even_where_it_stands_as_the_owner(
    database: Database, authority: Authority
) -> None:
    owner = await enrolled(database, PrincipalKind.USER, "tom")
    agent = await enrolled(database, PrincipalKind.AGENT, "bot", owner=owner)
    async with database.transaction() as tx:
        await register_connector(tx, CRM, authority, owner_id=owner)
        await tx.execute(update(ConnectorRow).values(owner_id=agent))  # no way leads there any more

    with pytest.raises(Forbidden, match="Only a person"):
        await keep(database, replace(authority, by=agent), badge())

    async with database.reading() as tx:
        assert await badge_for(tx, CRM) is None
