"""The words in which tests speak of clients with metadata documents, and of the web where those stand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
from oauth_hub import CALLBACK, PUBLIC_URL, Hub
from sqlalchemy import update
from starlette.applications import Starlette

from hub.identity.client_documents import LARGEST, ClientDocuments
from hub.identity.newcomers import Newcomers
from hub.identity.sessions import SECURE_SESSION_COOKIE
from hub.identity.tables import ClientDocumentRow
from hub.oauth.routes import routes_of
from hub.outbound import Answer, NotFetched, Outbound
from hub.storage import now

URL = "https://agents.example.org/oauth/client.json"
DOCUMENT: Mapping[str, Any] = {
    "client_id": URL,
    "client_name": "Traveller",
    "redirect_uris": [CALLBACK],
    "logo_uri": "https://agents.example.org/logo.png",
}
NEWCOMERS = Newcomers(
    owner="ada",
    scopes=frozenset({"tryton:read"}),
    servers=frozenset({"sales"}),
    documents_from=frozenset({"agents.example.org"}),
)


KEYS = "https://agents.example.org/keys"
BY_KEY: Mapping[str, Any] = {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": KEYS}


class Web(Outbound):
    """The network's edge: what stands at which address, and who asked for it."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[str] = []

    def put(self, url: str, body: object, *, status: int = 200, **headers: str) -> None:
        """Put a page there."""
        said = {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        self.pages[url] = Answer(status=status, headers=said, body=json.dumps(body).encode())

    async def get(self, url: str, *, largest: int = LARGEST) -> Answer:
        """Answer what was put there, within the bound that was asked for."""
        self.asked.append(url)
        if url not in self.pages or len(self.pages[url].body) > largest:
            raise NotFetched("nothing there")
        return self.pages[url]


@dataclass(frozen=True, kw_only=True)
class Outside:
    """A hub that takes newcomers, seen by a browser in which Ada is logged in, and one in which nobody is."""

    hub: Hub
    web: Web
    public: Web
    stranger: Hub
    documents: ClientDocuments
    cookie: str = field(repr=False)

    async def ask(self, **changes: str | None) -> httpx2.Response:
        """Let Ada's browser ask for the traveller."""
        return await self.hub.ask(**{"client_id": URL, "scope": "tryton:read tryton:write", **changes})


def at(hub: Hub, documents: ClientDocuments, cookie: str | None, *, source: str = "127.0.0.1") -> Hub:
    server = replace(hub.server, documents=documents)
    headers = {"Cookie": f"{SECURE_SESSION_COOKIE}={cookie}"} if cookie else {}
    transport = httpx2.ASGITransport(app=Starlette(routes=routes_of(server)), client=(source, 4711))
    return replace(
        hub, server=server, http=httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers)
    )


async def grow_old(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        await tx.execute(update(ClientDocumentRow).values(fresh_until=await now(tx)))
