"""Secrets of agents that end: which an agent has, and who is told in time."""

from datetime import timedelta

import anyio
import pytest
from sqlalchemy import select

from hub.identity.accounts import suspend
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent, issue_secret, revoke_secret
from hub.identity.enrolment import enrol
from hub.identity.expiring import SECRET_ENDS_SOON, held_secrets, warn_of_secrets
from hub.identity.principals import Principal, PrincipalKind
from hub.keys import Keyring
from hub.outbox.tables import MessageRow
from hub.storage import Database

pytestmark = pytest.mark.anyio

SOON = timedelta(days=10)
LATER = timedelta(days=60)


@pytest.fixture
def authority(database: Database, keys: Keyring) -> Authority:
    return Authority(database=database, keys=keys)


@pytest.fixture
async def agent(database: Database, authority: Authority) -> Principal:
    async with database.transaction() as tx:
        owner = await enrol(tx, kind=PrincipalKind.USER, name="ada", display_name="Ada")
        return await create_agent(tx, NewAgent(name="clerk", display_name="Clerk", owner_id=owner), authority)


async def issued(database: Database, agent: Principal, authority: Authority, lifetime: timedelta) -> str:
    async with database.transaction() as tx:
        return (await issue_secret(tx, agent.id, authority, lifetime=lifetime)).id


async def told(database: Database) -> list[dict[str, object]]:
    async with database.transaction() as tx:
        await warn_of_secrets(tx)
    async with database.reading() as tx:
        return list(await tx.scalars(select(MessageRow.payload).where(MessageRow.topic == SECRET_ENDS_SOON)))


async def test_the_owner_is_told_once_before_the_last_secret_ends(
    database: Database, authority: Authority, agent: Principal
) -> None:
    secret = await issued(database, agent, authority, SOON)

    (first,) = await told(database)

    assert (first["agent_id"], first["secret_id"], first["owners"]) == (agent.id, secret, [agent.owner_id])
    assert await told(database) == [first]


async def test_of_workers_at_the_same_moment_one_tells(
    database: Database, authority: Authority, agent: Principal
) -> None:
    await issued(database, agent, authority, SOON)
    counts = list[int]()

    async def warn() -> None:
        async with database.transaction() as tx:
            counts.append(await warn_of_secrets(tx))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(warn)

    assert sorted(counts) == [0, 0, 0, 1]


async def test_nobody_is_told_of_a_secret_with_a_successor_or_time_left_or_no_use(
    database: Database, authority: Authority, agent: Principal
) -> None:
    await issued(database, agent, authority, SOON)
    successor = await issued(database, agent, authority, LATER)
    assert await told(database) == []

    async with database.transaction() as tx:
        await revoke_secret(tx, agent.id, successor, authority)
        await suspend(tx, agent.id, "stop", authority)
    assert await told(database) == []


async def test_a_revoked_successor_is_none(database: Database, authority: Authority, agent: Principal) -> None:
    await issued(database, agent, authority, SOON)
    successor = await issued(database, agent, authority, LATER)
    async with database.transaction() as tx:
        await revoke_secret(tx, agent.id, successor, authority)

    assert len(await told(database)) == 1


async def test_the_secrets_of_an_agent_are_listed_by_their_end_without_those_that_are_over(
    database: Database, authority: Authority, agent: Principal
) -> None:
    later = await issued(database, agent, authority, LATER)
    soon = await issued(database, agent, authority, SOON)
    over = await issued(database, agent, authority, LATER)
    async with database.transaction() as tx:
        await revoke_secret(tx, agent.id, over, authority)
        both = await held_secrets(tx, agent.id)
        await revoke_secret(tx, agent.id, later, authority)
        last = await held_secrets(tx, agent.id)

    assert [(one.id, one.ends_soon) for one in both] == [(soon, False), (later, False)]
    assert [(one.id, one.ends_soon) for one in last] == [(soon, True)]
