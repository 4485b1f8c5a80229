"""An issuer that is unlinked from a person at the very moment when its token is exchanged: nothing of that is left."""

import asyncio

import pytest
from meeting import waits_or_ends
from test_foreign_tokens import PUBLIC_URL, RESOURCE, Hub, hub

from hub.identity.clients import ClientProof, NewAgent, authenticate_client, create_agent, issue_secret
from hub.identity.foreign_people import unlink
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.grants import AuthorizationServer, Issued
from hub.identity.grants_exchange import JWT, TOKEN_EXCHANGE, prepare_exchange
from hub.identity.grants_types import exchange
from hub.identity.tables import ConsentRow
from hub.keys import Keyring
from hub.storage import Tx, now

__all__ = ["hub"]

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """The only engine on which two change anything at the same moment."""
    return postgresql_url


async def is_published(_tx: Tx, _server: str) -> bool:
    return True


async def helper_of(hub: Hub) -> ClientProof:
    """Make an agent that Ada lets read, and return how it proves itself."""
    new = NewAgent(
        name="helper",
        display_name="Helper",
        owner_id=hub.ada.id,
        allowed_scopes=frozenset({"tryton:read"}),
        allowed_servers=frozenset({"sales"}),
    )
    async with hub.authority.database.transaction() as tx:
        agent = await create_agent(tx, new, hub.authority)
        secret = await issue_secret(tx, agent.id, hub.authority)
        consent = {"user_id": hub.ada.id, "client_id": agent.id, "resource": RESOURCE, "scopes": ["tryton:read"]}
        tx.add(ConsentRow(id="cns_1", **consent, given_at=await now(tx)))
    return ClientProof(client_id=agent.id, method="client_secret_post", secret=secret.value)


async def test_an_issuer_unlinked_while_its_token_is_exchanged_takes_the_exchanged_one_with_it(
    hub: Hub, keys: Keyring
) -> None:
    database, proof = hub.authority.database, await helper_of(hub)
    issuers = ForeignIssuers([hub.link])
    server = AuthorizationServer(
        database=database, keys=keys, public_url=PUBLIC_URL, is_server=is_published, issuers=issuers
    )
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": hub.token(),
        "subject_token_type": JWT,
        "resource": RESOURCE,
    }
    await prepare_exchange(server, form)

    async def unlinked() -> None:
        async with database.transaction() as tx:
            await unlink(tx, hub.ada.id, hub.link.issuer.issuer, hub.authority)

    async with database.transaction() as tx:
        client = await authenticate_client(tx, proof)
        assert client is not None
        issued = await exchange(tx, server, client, form)
        other = asyncio.create_task(unlinked())
        await waits_or_ends(database, other)
    await other

    assert isinstance(issued, Issued)
    assert await hub.refuses(issued.access_token)
