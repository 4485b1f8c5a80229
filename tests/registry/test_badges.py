"""A badge speaks of exactly the code that was checked, and proves an undo only if that was tried on a live system."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from registry_crm import anybody, connect, crm, operation, register, write

from connectors.sdk.spec import Compensation
from connectors.sdk.vocabulary import Reversal
from hub.core.errors import Forbidden, NotFound
from hub.identity.accounts import NewUser, create_user
from hub.identity.authority import Authority
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
)
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


async def test_somebody_else_cannot_give_a_badge(database: Database, authority: Authority) -> None:
    await register(database, authority, CRM)
    async with database.transaction() as tx:
        stranger = await create_user(
            tx, NewUser(name="eve", display_name="Eve", password="correct-horse-battery"), authority
        )

    with pytest.raises(Forbidden):
        await keep(database, replace(authority, by=stranger.id), badge())
