"""A small hub with an authorization server, an agent and a person, spoken to over HTTP from that person's browser."""

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from hub.identity.authority import Authority
from hub.identity.client_documents import ClientDocuments
from hub.identity.clients import create_agent, issue_secret
from hub.identity.directory import get
from hub.identity.enrolment import enrol
from hub.identity.grants import AuthorizationServer
from hub.identity.principals import PrincipalKind
from hub.identity.sessions import cookie_name, open_session
from hub.identity.tokens import TokenVerifier
from hub.keys import Keyring
from hub.oauth.routes import routes_of
from hub.storage import Database, Tx

sys.path.append(str(Path(__file__).parent))

from oauth_hub import PUBLIC_URL, Hub, agent_of  # found only once this folder is on the path
from outside_clients import DOCUMENT, NEWCOMERS, URL, Outside, Web, at


async def is_published(_tx: Tx, server: str) -> bool:
    return server in {"sales", "everything", "hidden"}


@pytest.fixture
async def hub(database: Database, keys: Keyring) -> AsyncIterator[Hub]:
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        ada_id = await enrol(tx, kind=PrincipalKind.USER, name="ada", display_name="Ada")
        agent = await create_agent(tx, agent_of(ada_id, "clerk"), authority)
        secret = await issue_secret(tx, agent.id, authority)
        ada, cookie = await get(tx, ada_id), await open_session(tx, ada_id)
    server = AuthorizationServer(database=database, keys=keys, public_url=PUBLIC_URL, is_server=is_published)
    verifier = TokenVerifier(database, keys, PUBLIC_URL)
    transport = httpx2.ASGITransport(app=Starlette(routes=routes_of(server)))
    http = httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL, cookies={cookie_name(PUBLIC_URL): cookie})
    async with verifier.listening(), http:
        yield Hub(
            server=server,
            verifier=verifier,
            http=http,
            ada=ada,
            agent=agent,
            secret=secret.value,
            authority=authority,
        )


@pytest.fixture
async def stranger(hub: Hub) -> AsyncIterator[Hub]:
    """The same hub, seen by a browser in which nobody is logged in."""
    transport = httpx2.ASGITransport(app=Starlette(routes=routes_of(hub.server)))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        yield replace(hub, http=http)


@pytest.fixture
async def outside(hub: Hub) -> AsyncIterator[Outside]:
    web, public = Web(), Web()
    documents = ClientDocuments(outbound=web, public=public, newcomers=NEWCOMERS)
    async with hub.database.transaction() as tx:
        cookie = await open_session(tx, hub.ada.id)
    known, stranger = at(hub, documents, cookie), at(hub, documents, None)
    async with known.http, stranger.http:
        web.put(URL, DOCUMENT)
        yield Outside(hub=known, web=web, public=public, stranger=stranger, documents=documents, cookie=cookie)
