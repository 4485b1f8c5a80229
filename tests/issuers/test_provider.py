"""The hub with a real OpenID provider, certified and not ours: signing in, its access tokens, and its keys rotating."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio.to_thread
import httpx2
import pytest
from doors.agents import open_door
from doors.working_hub import PUBLIC_URL, WorkingHub, settle, working_hub
from providing import Provider, free_port, install, new_key, running
from settled import settled_by
from starlette.applications import Starlette
from upstream.fixtures import Upstream
from web.web_visitor import Visitor

from hub.core.errors import Unauthenticated
from hub.execution import Reach, judged_by
from hub.identity.foreign_people import link
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.issuer_keys import REFETCH_SECONDS, IssuerLink
from hub.identity.issuers import Issuer
from hub.identity.tokens import TokenVerifier
from hub.keys import Keyring
from hub.outbound import Outbound
from hub.storage import Database
from hub.web import web_routes

pytestmark = [pytest.mark.anyio, pytest.mark.more]

sqlite_template, postgresql_template = settled_by(settle)

RESOURCE = f"{PUBLIC_URL}/mcp"
SECRET = "a-secret-of-the-hub-at-the-provider"
BACK = f"{PUBLIC_URL}/login/acme/back"
CALLBACK = "http://127.0.0.1:8765/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CLIENTS: list[dict[str, Any]] = [
    {"client_id": "hub", "client_secret": SECRET, "redirect_uris": [BACK], "id_token_signed_response_alg": "ES256"},
    {
        "client_id": "front",
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "redirect_uris": [CALLBACK],
        "id_token_signed_response_alg": "ES256",
    },
]
KEY = new_key("first")


@pytest.fixture(scope="module")
def folder() -> Path:
    return install(Path(".venvs"))


@pytest.fixture(scope="module")
def provider(folder: Path) -> Generator[Provider]:
    with running(folder, free_port(), CLIENTS, [KEY]) as started:
        yield started


@dataclass
class Clock:
    """A clock that a test moves."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True, kw_only=True)
class Linked:
    """A hub that takes the provider's word, the person `ada` there being the requester here."""

    hub: WorkingHub
    link: IssuerLink
    clock: Clock


async def linked(hub: WorkingHub, issuer: str) -> Linked:
    clock = Clock()
    named = Issuer.model_validate(
        {
            "name": "acme",
            "title": "Acme",
            "issuer": issuer,
            "client_id": "hub",
            "client_secret": SECRET,
            "groups": {"acme-finance": "controllers"},
            "tokens": {"agents": {"front": "assistant"}, "scopes": {"erp.read": ["upstream:read"]}},
        }
    )
    there = IssuerLink(named, Outbound(judged_by(Reach()), seconds=60), clock)
    issuers = ForeignIssuers([there])
    verifier = TokenVerifier(hub.database, hub.runtime.keys, PUBLIC_URL, issuers)
    async with hub.database.transaction() as tx:
        await link(tx, hub.people["requester"].id, named, "ada", hub.authority)
    runtime = replace(hub.runtime, issuers=issuers, verifier=verifier)
    return Linked(hub=replace(hub, runtime=runtime), link=there, clock=clock)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    """One engine is enough for what a door does."""
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def hub(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[WorkingHub]:
    async with working_hub(database, keys, upstream) as opened:
        yield opened


async def back_from(provider: Provider, url: str, name: str) -> str:
    return await anyio.to_thread.run_sync(provider.authorize, url, name)


async def access_token(provider: Provider, name: str) -> str:
    """Let the agent's own client get a token of the provider for the hub."""
    asked = {
        "response_type": "code",
        "client_id": "front",
        "redirect_uri": CALLBACK,
        "scope": "openid erp.read",
        "resource": RESOURCE,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    back = await back_from(provider, f"{provider.issuer}/auth?{urlencode(asked)}", name)
    (code,) = parse_qs(urlsplit(back).query)["code"]
    form = {"grant_type": "authorization_code", "client_id": "front", "redirect_uri": CALLBACK, "resource": RESOURCE}
    async with httpx2.AsyncClient(timeout=60) as http:
        answer = await http.post(f"{provider.issuer}/token", data={**form, "code": code, "code_verifier": VERIFIER})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


async def test_somebody_signs_in_at_the_provider_and_again_for_what_needs_it(
    hub: WorkingHub, provider: Provider
) -> None:
    there = await linked(hub, provider.issuer)
    app = Starlette(routes=web_routes(there.hub.runtime))
    async with Visitor(app, base_url=PUBLIC_URL) as browser:
        for start in ("/login/acme?next=/approvals", "/fresh-login/acme?next=/approvals"):
            await browser.get(start)
            back = urlsplit(await back_from(provider, browser.page.headers["location"], "ada"))
            await browser.get(f"{back.path}?{back.query}")
            assert (browser.page.status_code, browser.page.headers["location"]) == (303, "/approvals"), browser.text
        await browser.get("/login/acme")
        back = urlsplit(await back_from(provider, browser.page.headers["location"], "eve"))
        assert (await browser.get(f"{back.path}?{back.query}")).status_code == 403


async def test_the_providers_access_tokens_open_the_door_for_agents(hub: WorkingHub, provider: Provider) -> None:
    there = await linked(hub, provider.issuer)
    token, strangers = await access_token(provider, "ada"), await access_token(provider, "eve")

    caller = await there.hub.runtime.verifier.verify(token, resource=RESOURCE)
    async with open_door(there.hub.runtime) as app:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
            metadata = (await http.get("/.well-known/oauth-protected-resource/mcp")).json()

    assert (caller.actor.name, caller.on_behalf_of) == ("assistant", hub.people["requester"])
    assert caller.scopes == {"upstream:read"}
    assert provider.issuer in metadata["authorization_servers"]
    with pytest.raises(Unauthenticated):
        await there.hub.runtime.verifier.verify(strangers, resource=RESOURCE)
    with pytest.raises(Unauthenticated):
        await there.hub.runtime.verifier.verify(token, resource=f"{PUBLIC_URL}/servers/other/mcp")


async def test_the_providers_keys_rotate_while_the_hub_runs(hub: WorkingHub, folder: Path) -> None:
    port = free_port()
    with running(folder, port, CLIENTS, [KEY]) as before:
        there = await linked(hub, before.issuer)
        old = await access_token(before, "ada")
        await there.hub.runtime.verifier.verify(old, resource=RESOURCE)
    with running(folder, port, CLIENTS, [new_key("second"), KEY]) as after:
        new = await access_token(after, "ada")
        with pytest.raises(Unauthenticated):
            await there.hub.runtime.verifier.verify(new, resource=RESOURCE)  # it has looked a moment ago
        there.clock.seconds += REFETCH_SECONDS
        for token in (new, old):
            await there.hub.runtime.verifier.verify(token, resource=RESOURCE)
