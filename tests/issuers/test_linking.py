"""Linking people with an issuer's subjects by the API, and exchanging the issuer's tokens."""

import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import httpx2
import pytest
from doors.people import api_of
from doors.working_hub import ALL_SCOPES, PUBLIC_URL, WorkingHub, settle, working_hub
from issuing import CLIENT, Issuing
from settled import settled_by
from starlette.applications import Starlette
from upstream.fixtures import Upstream

from hub.core.errors import Unauthenticated
from hub.execution import Reach, judged_by
from hub.identity.accounts import suspend
from hub.identity.clients import issue_secret
from hub.identity.foreign_people import link, person_of, unlink
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.grants_exchange import ACCESS_TOKEN, JWT, TOKEN_EXCHANGE
from hub.identity.issuer_keys import IssuerLink
from hub.identity.issuers import Issuer
from hub.identity.sessions import SESSION_COOKIE, open_session, session_of
from hub.identity.tables import ConsentRow
from hub.keys import Keyring
from hub.mcp import mcp_door
from hub.oauth import oauth_routes
from hub.outbound import Outbound
from hub.storage import Database, now

pytestmark = pytest.mark.anyio

sqlite_template, postgresql_template = settled_by(settle)

RESOURCE = f"{PUBLIC_URL}/mcp"


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    """One engine is enough for what a door does."""
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def hub(database: Database, keys: Keyring, upstream: Upstream, issuer: Issuing) -> AsyncGenerator[WorkingHub]:
    tokens = {
        "agents": {"acme-front": "front", "acme-nobody": "nobody-here"},
        "scopes": {"all": sorted(ALL_SCOPES), "read": ["upstream:read"]},
    }
    named = Issuer.model_validate(
        {"name": "acme", "title": "Acme", "issuer": issuer.address, "client_id": CLIENT, "tokens": tokens}
    )
    issuers = ForeignIssuers([IssuerLink(named, Outbound(judged_by(Reach())))])
    async with working_hub(database, keys, upstream) as running:
        yield replace(running, runtime=replace(running.runtime, issuers=issuers))


async def subject(hub: WorkingHub, value: str) -> str | None:
    (there,) = hub.runtime.issuers
    async with hub.database.reading() as tx:
        person = await person_of(tx, there.issuer.issuer, value)
    return person.name if person else None


async def test_an_administrator_links_and_unlinks_and_a_subject_is_one_person(hub: WorkingHub) -> None:
    app, _ = api_of(hub.runtime)
    ann, rita = hub.people["approver"].id, hub.people["requester"].id
    async with hub.database.transaction() as tx:
        cookie = await open_session(tx, hub.people["administrator"].id)
        session = await session_of(tx, cookie)
    assert session is not None
    headers = {"Cookie": f"{SESSION_COOKIE}={cookie}", "X-CSRF-Token": session.csrf_token}
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url=f"{PUBLIC_URL}/api/v1", headers=headers) as http:
        linked = await http.put(f"/users/{ann}/identities/acme", json={"subject": "s-1"})
        taken = await http.put(f"/users/{rita}/identities/acme", json={"subject": "s-1"})
        second = await http.put(f"/users/{ann}/identities/acme", json={"subject": "s-2"})
        listed = await http.get(f"/users/{ann}/identities")
        unknown = await http.put(f"/users/{rita}/identities/other", json={"subject": "s-1"})
        agents = await http.put(f"/users/{hub.agent.id}/identities/acme", json={"subject": "s-3"})
        odd = await http.put(f"/users/{rita}/identities/acme", json={"subject": "s\n1"})
        assert await subject(hub, "s-1") == "approver"
        gone = await http.delete(f"/users/{ann}/identities/acme")
        again = await http.delete(f"/users/{ann}/identities/acme")

    assert (linked.status_code, linked.json()["subject"]) == (200, "s-1")
    assert (taken.status_code, second.status_code) == (409, 409)
    assert [one["subject"] for one in listed.json()["items"]] == ["s-1"]
    assert (unknown.status_code, agents.status_code, odd.status_code) == (404, 404, 400)
    assert (gone.status_code, again.status_code) == (204, 404)
    assert await subject(hub, "s-1") is None


async def test_clients_learn_that_the_issuers_tokens_are_taken(hub: WorkingHub, issuer: Issuing) -> None:
    door = mcp_door(hub.runtime)
    async with door.running():
        transport = httpx2.ASGITransport(Starlette(routes=[*door.routes]))
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
            document = (await http.get("/.well-known/oauth-protected-resource/mcp")).json()

    assert document["authorization_servers"] == [PUBLIC_URL, issuer.address]


async def test_an_issuers_token_is_exchanged_for_one_of_the_hub_where_the_person_allowed_it(
    hub: WorkingHub, issuer: Issuing
) -> None:
    front = await hub.make_agent("front", servers=frozenset({"everything"}))
    person, (there,) = hub.people["requester"], hub.runtime.issuers
    async with hub.database.transaction() as tx:
        await link(tx, person.id, there.issuer, "s-1", hub.authority)
        secret = await issue_secret(tx, hub.agent.id, hub.authority)
    at = int(time.time())
    said = {"iss": issuer.address, "aud": RESOURCE, "sub": "s-1", "client_id": "acme-front", "scope": "read"}
    said |= {"iat": at, "exp": at + 100}
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "client_id": hub.agent.id,
        "client_secret": secret.value,
        "subject_token": issuer.sign(said, typ="at+jwt"),
        "subject_token_type": JWT,
        "resource": RESOURCE,
    }
    transport = httpx2.ASGITransport(Starlette(routes=oauth_routes(hub.runtime)))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        before = await http.post("/oauth/token", data=form)
        async with hub.database.transaction() as tx:
            consent = ConsentRow(
                id="cns_1",
                user_id=person.id,
                client_id=hub.agent.id,
                resource=RESOURCE,
                scopes=sorted(ALL_SCOPES),
                given_at=await now(tx),
            )
            tx.add(consent)
        after = await http.post("/oauth/token", data=form)
        wrong = [
            {"sub": "s-2"},
            {"aud": f"{PUBLIC_URL}/servers/other/mcp"},
            {"client_id": "acme-nobody"},
            {"sub": "acme-front"},
            {"exp": at - 1},
        ]
        refused = [
            await http.post("/oauth/token", data={**form, "subject_token": issuer.sign({**said, **one}, typ="at+jwt")})
            for one in wrong
        ]
        elsewhere = await http.post("/oauth/token", data={key: form[key] for key in form if key != "resource"})

    assert before.json()["error"] == "invalid_grant"
    body = after.json()
    assert (body["scope"], body["issued_token_type"]) == ("upstream:read", ACCESS_TOKEN)
    assert body["expires_in"] <= 100
    caller = await hub.runtime.verifier.verify(body["access_token"], resource=RESOURCE)
    assert (caller.actor.id, caller.on_behalf_of) == (hub.agent.id, person)
    assert (caller.passed_on_by, caller.issuer) == ((front.id,), issuer.address)
    assert [one.json()["error"] for one in [*refused, elsewhere]] == ["invalid_request"] * 6
    assert front.id not in after.text


@pytest.mark.parametrize("how", ["agent", "link"])
async def test_what_an_issuers_token_was_exchanged_for_ends_with_its_agent_and_with_the_link(
    hub: WorkingHub, issuer: Issuing, how: str
) -> None:
    front = await hub.make_agent("front", servers=frozenset({"everything"}))
    person, (there,) = hub.people["requester"], hub.runtime.issuers
    async with hub.database.transaction() as tx:
        await link(tx, person.id, there.issuer, "s-1", hub.authority)
        secret = await issue_secret(tx, hub.agent.id, hub.authority)
        consent = {"user_id": person.id, "client_id": hub.agent.id, "resource": RESOURCE}
        tx.add(ConsentRow(id="cns_1", **consent, scopes=sorted(ALL_SCOPES), given_at=await now(tx)))
    at = int(time.time())
    said = {"iss": issuer.address, "aud": RESOURCE, "sub": "s-1", "client_id": "acme-front", "scope": "read"}
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "client_id": hub.agent.id,
        "client_secret": secret.value,
        "subject_token": issuer.sign({**said, "iat": at, "exp": at + 500}, typ="at+jwt"),
        "subject_token_type": JWT,
        "resource": RESOURCE,
    }
    transport = httpx2.ASGITransport(Starlette(routes=oauth_routes(hub.runtime)))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        token = (await http.post("/oauth/token", data=form)).json()["access_token"]
    await hub.runtime.verifier.verify(token, resource=RESOURCE)

    async with hub.database.transaction() as tx:
        if how == "agent":
            await suspend(tx, front.id, "stolen", hub.authority)
        else:
            await unlink(tx, person.id, there.issuer.issuer, hub.authority)

    with pytest.raises(Unauthenticated):
        await hub.runtime.verifier.verify(token, resource=RESOURCE)
