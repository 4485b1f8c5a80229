"""Newcomers that nobody used go by themselves; whatever anybody did with one keeps it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from hub.identity.accounts import create_group, set_groups, suspend
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent, issue_secret, limit_client
from hub.identity.directory import get_many
from hub.identity.enrolment import enrol
from hub.identity.grants import AuthorizationServer, NewGrant, issue, open_grant
from hub.identity.principals import PrincipalKind
from hub.identity.tables import ClientDocumentRow, ClientRegistrationRow, ClientRow, ConsentRow, PrincipalRow
from hub.identity.unused import forget_unused
from hub.keys import Keyring
from hub.storage import Database, Tx, now

pytestmark = pytest.mark.anyio

KEPT = timedelta(days=30)
RESOURCE = "https://hub.example/mcp"


@pytest.fixture
def authority(database: Database, keys: Keyring) -> Authority:
    return Authority(database=database, keys=keys)


async def come(tx: Tx, authority: Authority, name: str, *, is_newcomer: bool = True, by_document: bool = False) -> str:
    """Let an agent come that is older than newcomers are kept, with all that comes with one."""
    owner = await enrol(tx, kind=PrincipalKind.USER, name=f"owner-of-{name}", display_name="Owner")
    new = NewAgent(name=name, display_name=name, owner_id=owner, is_newcomer=is_newcomer)
    agent, at = await create_agent(tx, new, authority), await now(tx)
    await issue_secret(tx, agent.id, authority)
    url = f"https://{name}.example/client.json"
    came = {"principal_id": agent.id, **({"url": url, "fresh_until": at} if by_document else {"token_hash": name})}
    row = ClientDocumentRow(**came) if by_document else ClientRegistrationRow(**came, registered_at=at)
    tx.add(row)
    await tx.execute(update(PrincipalRow).where(PrincipalRow.id == agent.id).values(created_at=at - 2 * KEPT))
    await tx.flush()
    return agent.id


async def test_a_newcomer_that_nobody_used_goes_with_all_that_was_its_own(
    database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        await come(tx, authority, "registered")
        await come(tx, authority, "known", by_document=True)

        assert await forget_unused(tx, KEPT, authority) == 2

        for table in (ClientRow, ClientRegistrationRow, ClientDocumentRow):
            assert await tx.scalar(select(func.count()).select_from(table)) == 0


async def use(tx: Tx, agent_id: str, authority: Authority) -> None:
    agent = (await get_many(tx, [agent_id]))[agent_id]
    new = NewGrant(
        kind="authorization_code",
        client=agent,
        user_id=None,
        scopes=frozenset(),
        resource=RESOURCE,
        server="everything",
        authenticated_at=None,
        lifetime=timedelta(minutes=1),
    )
    server = AuthorizationServer(
        database=authority.database, keys=authority.keys, public_url="https://hub.example", is_server=_any
    )
    grant = await open_grant(tx, new)
    await issue(tx, server, grant, frozenset(), with_refresh=False)
    await tx.delete(grant)  # as the sweep does, once it is over


async def _any(_tx: Tx, _server: str) -> bool:
    return True


async def allow(tx: Tx, agent_id: str, _authority: Authority) -> None:
    person = await enrol(tx, kind=PrincipalKind.USER, name="ada", display_name="Ada")
    given = ConsentRow(
        id="con_1", user_id=person, client_id=agent_id, resource=RESOURCE, scopes=[], given_at=await now(tx)
    )
    tx.add(given)


async def limit(tx: Tx, agent_id: str, authority: Authority) -> None:
    await limit_client(tx, agent_id, scopes=frozenset({"tryton:read"}), servers=frozenset(), authority=authority)


async def group(tx: Tx, agent_id: str, authority: Authority) -> None:
    await create_group(tx, "clerks", "Clerks", authority)
    await set_groups(tx, agent_id, frozenset({"clerks"}), authority)


async def be_young(tx: Tx, agent_id: str, _authority: Authority) -> None:
    await tx.execute(update(PrincipalRow).where(PrincipalRow.id == agent_id).values(created_at=await now(tx)))


async def own(tx: Tx, agent_id: str, _authority: Authority) -> None:
    """Let something else be about it, of which this room knows nothing."""
    other = await enrol(tx, kind=PrincipalKind.SERVICE, name="other", display_name="Other", owner_id=agent_id)
    assert other


@pytest.mark.parametrize("done", [use, allow, limit, group, be_young, own])
async def test_whatever_was_done_with_a_newcomer_keeps_it(
    database: Database, authority: Authority, done: Callable[[Tx, str, Authority], Awaitable[None]]
) -> None:
    async with database.transaction() as tx:
        agent_id = await come(tx, authority, "traveller")
        await done(tx, agent_id, authority)

        assert await forget_unused(tx, KEPT, authority) == 0

        assert await tx.get(ClientRow, agent_id) is not None


async def test_a_suspended_newcomer_is_not_brought_back_by_its_document(
    database: Database, authority: Authority
) -> None:
    async with database.transaction() as tx:
        for name, by_document in (("known", True), ("registered", False)):
            await suspend(tx, await come(tx, authority, name, by_document=by_document), "strange", authority)

        assert await forget_unused(tx, KEPT, authority) == 1  # a registration cannot come back as the same one

        assert await tx.scalar(select(func.count()).select_from(ClientDocumentRow)) == 1


async def test_agents_that_an_administrator_registered_stay(database: Database, authority: Authority) -> None:
    async with database.transaction() as tx:
        await come(tx, authority, "own", is_newcomer=False)

        assert await forget_unused(tx, KEPT, authority) == 0
