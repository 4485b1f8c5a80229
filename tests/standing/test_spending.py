"""A budget burns down once for each use, whoever spends at the same time, and never below nothing."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from hub.core.errors import Conflict, NotFound
from hub.standing import (
    Agency,
    NewStandingGrant,
    Spending,
    StandingGrant,
    get_grant,
    has_spent,
    is_good_now,
    open_grants_for,
    put_grant,
    return_unsent,
    revoke_grant,
    spend,
)
from hub.standing.emptying import empty_grants
from hub.standing.tables import StandingGrantRow
from hub.storage import Database, now
from standing.test_covering import GRANT

pytestmark = pytest.mark.anyio

NEW = NewStandingGrant(**{name: getattr(GRANT, name) for name in NewStandingGrant.__dataclass_fields__})
TAKERS = 12


async def granted(database: Database, *, uses: int = 5, money_minor: int = 50_000) -> StandingGrant:
    async with database.transaction() as tx:
        at = await now(tx)
        lasting = replace(NEW, uses=uses, money_minor=money_minor, given_at=at, expires_at=at + timedelta(days=1))
        return await put_grant(tx, lasting)


def use(grant: StandingGrant, number: int, *, money_minor: int = 0) -> Spending:
    return Spending(
        approval_digest=f"{number:064x}",
        grant_id=grant.id,
        invocation_id=f"inv_{number}",
        revision=1,
        terms={},
        summary={},
        money_minor=money_minor,
    )


async def take(database: Database, spending: Spending) -> bool:
    async with database.transaction() as tx:
        return await spend(tx, spending)


async def left(database: Database, grant: StandingGrant) -> tuple[int, int]:
    async with database.reading() as tx:
        found = await get_grant(tx, grant.id)
    return found.uses_left, found.money_left_minor


async def test_many_who_spend_at_once_get_as_many_uses_as_there_are(database: Database) -> None:
    grant = await granted(database, uses=5)
    others = [Database(database.url.render_as_string(hide_password=False)) for _ in range(3)]
    takers = [take([database, *others][number % 4], use(grant, number)) for number in range(TAKERS)]

    taken = await asyncio.gather(*takers)

    for other in others:
        await other.close()
    assert sum(taken) == 5
    assert await left(database, grant) == (0, 50_000)


async def test_money_is_spent_to_the_last_unit_and_not_beyond(database: Database) -> None:
    grant = await granted(database, uses=TAKERS, money_minor=25)

    taken = await asyncio.gather(*(take(database, use(grant, number, money_minor=10)) for number in range(TAKERS)))
    rest = await take(database, use(grant, 99, money_minor=5))

    assert sum(taken) == 2
    assert rest
    assert await left(database, grant) == (TAKERS - 3, 0)


async def test_what_is_given_back_is_given_back_once(database: Database) -> None:
    grant = await granted(database, uses=1, money_minor=10)
    spent = use(grant, 1, money_minor=10)
    assert await take(database, spent)

    async def give_back() -> str | None:
        async with database.transaction() as tx:
            return await return_unsent(tx, spent.approval_digest)

    returned = await asyncio.gather(*(give_back() for _ in range(4)))

    assert sorted(returned, key=str) == [None, None, None, grant.id]
    assert await left(database, grant) == (1, 10)


async def test_a_grant_that_was_revoked_or_has_ended_gives_nothing(database: Database) -> None:
    revoked, ended = await granted(database), await granted(database)
    async with database.transaction() as tx:
        await revoke_grant(tx, revoked.id, by="usr_ann", reason="Enough.")
        past = await now(tx) - timedelta(milliseconds=1)
        await tx.execute(update(StandingGrantRow).where(StandingGrantRow.id == ended.id).values(expires_at=past))

    assert not await take(database, use(revoked, 1))
    assert not await take(database, use(ended, 2))
    async with database.reading() as tx:
        agency = Agency(agent_id=NEW.agent_id, tool_id=NEW.tool_id, connection_id=NEW.connection_id)
        assert await open_grants_for(tx, agency) == []


async def test_the_approval_of_a_grant_is_good_until_it_is_revoked_or_given_back(database: Database) -> None:
    kept, returned = await granted(database), await granted(database)
    assert await take(database, use(kept, 1))
    assert await take(database, use(returned, 2))
    async with database.transaction() as tx:
        await return_unsent(tx, use(returned, 2).approval_digest)
        assert await is_good_now(tx, use(kept, 1).approval_digest)
        assert not await is_good_now(tx, use(returned, 2).approval_digest)
        assert not await is_good_now(tx, "f" * 64)
        assert await has_spent(tx, kept.id) == ["inv_1"]
        assert await has_spent(tx, returned.id) == []

    async with database.transaction() as tx:
        await revoke_grant(tx, kept.id, by="usr_ann", reason="Enough.")

    async with database.transaction() as tx:
        assert not await is_good_now(tx, use(kept, 1).approval_digest)


async def test_a_grant_is_revoked_once_and_an_unknown_one_never(database: Database) -> None:
    grant = await granted(database)
    async with database.transaction() as tx:
        first = await revoke_grant(tx, grant.id, by="usr_ann", reason="Enough.")

    assert (first.revoked_by, first.revoked_reason) == ("usr_ann", "Enough.")
    with pytest.raises(Conflict):
        async with database.transaction() as tx:
            await revoke_grant(tx, grant.id, by="usr_bob", reason="Me too.")
    with pytest.raises(NotFound):
        async with database.transaction() as tx:
            await revoke_grant(tx, "grant_none", by="usr_ann", reason="What?")


async def test_a_grant_whose_example_was_emptied_knows_nobody_any_more(database: Database) -> None:
    grant = await granted(database)
    async with database.transaction() as tx:
        await empty_grants(tx, ["inv_0"])
        kept = await get_grant(tx, grant.id)
        assert (kept.side_effects, kept.not_covered) == (NEW.side_effects, NEW.not_covered)
        await empty_grants(tx, [NEW.like_invocation_id])
        emptied = await get_grant(tx, grant.id)
        assert (emptied.side_effects, emptied.not_covered) == ((), frozenset())
