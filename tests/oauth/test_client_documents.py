"""Clients known by a metadata document: which are read, what has to stand there, and who may be made to read them."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from oauth_hub import CALLBACK, PUBLIC_URL, Hub, agent_of, error_in, query_of, request_id_in
from sqlalchemy import func, select, update
from starlette.applications import Starlette

from hub.core.errors import InputError, NotFound
from hub.identity.accounts import suspend
from hub.identity.client_documents import (
    LARGEST,
    ClientDocuments,
    register_document,
)
from hub.identity.clients import NewAgent, create_agent, find_client, limit_client
from hub.identity.grants_consent import consent_question
from hub.identity.newcomers import Newcomers
from hub.identity.sessions import SECURE_SESSION_COOKIE, open_session
from hub.identity.tables import ClientDocumentRow, ClientRow, PrincipalRow
from hub.oauth.routes import routes_of
from hub.outbound import Answer, NotFetched, Outbound
from hub.storage import now

pytestmark = pytest.mark.anyio

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


async def agents(hub: Hub) -> int:
    async with hub.database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(ClientRow)) or 0


async def test_a_client_that_nobody_registered_acts_for_a_person_who_allows_it(outside: Outside) -> None:
    asked = await outside.ask()
    async with outside.hub.database.transaction() as tx:
        question = await consent_question(tx, request_id_in(asked), outside.hub.ada)
    code = query_of(await outside.hub.consent(asked))["code"]
    token = (await outside.hub.redeem(code, client_id=URL, client_secret=None)).json()

    assert (question.agent.display_name, question.document, question.scopes) == ("Traveller", URL, ("tryton:read",))
    caller = await outside.hub.caller(token["access_token"])
    assert (caller.actor.owner_id, caller.on_behalf_of) == (outside.hub.ada.id, outside.hub.ada)
    assert caller.scopes == {"tryton:read"}
    again = await outside.hub.refresh(token["refresh_token"], client_id=URL, client_secret=None)
    assert again.status_code == 200


async def test_it_never_acts_for_itself(outside: Outside) -> None:
    await outside.ask()

    answer = await outside.hub.own_token(client_id=URL, client_secret=None)

    assert answer.json()["error"] == "unauthorized_client"


async def test_nobody_from_the_street_makes_the_hub_ask_others(outside: Outside) -> None:
    answer = await outside.stranger.ask(client_id=URL)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{PUBLIC_URL}/login?next=%2Foauth%2Fauthorize%3F")
    assert "client_id%3Dhttps" in answer.headers["location"]
    assert (outside.web.asked, await agents(outside.hub)) == ([], 1)


async def test_hosts_that_nobody_named_are_never_asked(outside: Outside) -> None:
    for url in ("https://evil.example/client.json", "https://agents.example.org:8443/client.json"):
        answer = await outside.ask(client_id=url)
        assert answer.status_code == 400
        assert "No agent is registered" in answer.text
    assert (outside.web.asked, outside.public.asked) == ([], [])


async def test_where_every_public_host_is_admitted_only_public_addresses_are_asked(outside: Outside) -> None:
    open_to_all = NEWCOMERS.model_copy(update={"documents_from": frozenset({"*"})})
    documents = replace(outside.documents, newcomers=open_to_all)
    outside.public.put(URL, DOCUMENT)
    hub = at(outside.hub, documents, outside.cookie)

    async with hub.http:
        assert (await hub.ask(client_id=URL)).headers["location"].startswith(f"{PUBLIC_URL}/consent/")
    assert (outside.web.asked, outside.public.asked) == ([], [URL])


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": f"{URL}/"},
        {"client_id": None},
        {"client_id": "https://agents.example.org/other.json"},
        {"client_name": None},
        {"client_name": "a\nb"},
        {"redirect_uris": None},
        {"redirect_uris": []},
        {"redirect_uris": CALLBACK},
        {"redirect_uris": [CALLBACK, 5]},
        {"redirect_uris": ["http://evil.example/callback"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"client_secret": "x"},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
        {"grant_types": ["client_credentials"]},
        {"response_types": ["token"]},
        {"padding": "x" * LARGEST},
    ],
    ids=lambda changes: str(changes)[:60],
)
async def test_a_document_that_will_not_do_makes_no_agent(outside: Outside, changes: dict[str, Any]) -> None:
    outside.web.put(URL, {name: value for name, value in {**DOCUMENT, **changes}.items() if value is not None})

    answer = await outside.ask()

    assert (answer.status_code, await agents(outside.hub)) == (400, 1)
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_page_an_error_or_a_redirect_is_no_document_and_is_not_kept(outside: Outside) -> None:
    outside.web.put(URL, DOCUMENT, content_type="text/html")
    assert (await outside.ask()).status_code == 400
    for status in (301, 302, 404, 500):
        outside.web.put(URL, DOCUMENT, status=status, location=URL)
        assert (await outside.ask()).status_code == 400
    outside.web.put(URL, DOCUMENT, content_type="application/cimd+json; charset=utf-8")
    assert (await outside.ask()).status_code == 303


async def test_a_redirect_uri_that_its_document_does_not_name_is_never_followed(outside: Outside) -> None:
    answer = await outside.ask(redirect_uri="https://evil.example/callback")

    assert (answer.status_code, "letter by letter" in answer.text) == (400, True)


async def test_a_document_is_read_again_when_it_is_too_old_and_what_it_says_then_counts(outside: Outside) -> None:
    await outside.ask()
    await outside.ask()
    assert outside.web.asked == [URL]
    async with outside.hub.database.transaction() as tx:
        await tx.execute(update(ClientDocumentRow).values(fresh_until=await now(tx)))
    outside.web.put(URL, {**DOCUMENT, "redirect_uris": ["https://agent.example/new"], "client_name": "Renamed"})

    assert (await outside.ask()).status_code == 400
    assert (await outside.ask(redirect_uri="https://agent.example/new")).status_code == 303
    async with outside.hub.database.reading() as tx:
        client = await find_client(tx, URL)
    assert client is not None
    assert (client.principal.display_name, client.principal.agent_version) == ("Renamed", 2)


async def test_what_is_too_old_and_cannot_be_read_again_is_not_relied_on(outside: Outside) -> None:
    await outside.ask()
    async with outside.hub.database.transaction() as tx:
        await tx.execute(update(ClientDocumentRow).values(fresh_until=await now(tx)))
        client = await find_client(tx, URL)
    outside.web.pages.clear()
    assert client is not None

    assert (await outside.ask()).status_code == 400
    assert (await outside.ask(client_id=client.principal.id)).status_code == 400  # nor by its other name


async def test_an_administrators_word_stands_whatever_the_document_says(outside: Outside) -> None:
    await outside.ask()
    async with outside.hub.database.transaction() as tx:
        client = await find_client(tx, URL)
        assert client is not None
        agent_id, servers = client.principal.id, frozenset({"sales"})
        wider = frozenset({"tryton:read", "tryton:write"})
        await limit_client(tx, agent_id, scopes=wider, servers=servers, authority=outside.hub.authority)
        await tx.execute(update(ClientDocumentRow).values(fresh_until=await now(tx)))
    assert (await outside.ask()).status_code == 303
    async with outside.hub.database.transaction() as tx:
        client = await find_client(tx, URL)
        assert client is not None
        assert client.principal.allowed_scopes == wider
        await suspend(tx, agent_id, "stop", outside.hub.authority)
    assert (await outside.ask()).status_code == 400


async def test_a_client_that_an_administrator_registered_is_read_though_nobody_else_is(outside: Outside) -> None:
    documents = replace(outside.documents, newcomers=None)
    hub = at(outside.hub, documents, outside.cookie)
    async with hub.database.transaction() as tx:
        new = NewAgent(
            name="traveller",
            display_name="Traveller",
            owner_id=hub.ada.id,
            allowed_scopes=frozenset({"tryton:write"}),
            allowed_servers=frozenset({"sales"}),
        )
        agent = await create_agent(tx, new, hub.authority)
        await register_document(tx, agent, URL)
        with pytest.raises(InputError):
            await register_document(tx, hub.agent, URL)
        with pytest.raises(InputError):
            await register_document(tx, hub.agent, "https://agents.example.org")

    async with hub.http:
        asked = await hub.ask(client_id=URL)
        other = await hub.ask(client_id="https://agents.example.org/other.json")
    assert (asked.status_code, other.status_code) == (303, 400)
    assert await agents(outside.hub) == 2


async def test_two_who_meet_a_client_at_once_make_one_agent(outside: Outside) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(outside.ask)

    assert await agents(outside.hub) == 2


async def test_one_person_makes_the_hub_ask_so_many_times_and_no_more(outside: Outside) -> None:
    outside.web.pages.clear()
    answers = [(await outside.ask()).status_code for _ in range(22)]

    assert answers.count(429) >= 1
    assert len(outside.web.asked) <= 21


async def signed(hub: Hub, identifier: str, signer: ECKey) -> dict[str, str | None]:
    """Return how the traveller proves itself by a key."""
    async with hub.database.reading() as tx:
        ends = int((await now(tx)).timestamp()) + 60
    claims = {"iss": URL, "sub": URL, "aud": PUBLIC_URL, "jti": identifier, "exp": ends}
    return {
        "client_id": None,
        "client_secret": None,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "ES256"}, claims, signer, algorithms=["ES256"]),
    }


async def grow_old(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        await tx.execute(update(ClientDocumentRow).values(fresh_until=await now(tx)))


async def test_a_client_proves_itself_by_the_key_in_its_document(outside: Outside) -> None:
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    public = {"keys": [key.as_dict(private=False)]}
    outside.public.put(KEYS, public)
    outside.web.put(URL, {**DOCUMENT, **BY_KEY})
    first, second = [query_of(await outside.hub.consent(await outside.ask()))["code"] for _ in range(2)]

    public_alone = await outside.hub.redeem(first, client_id=URL, client_secret=None)
    forged = await outside.hub.redeem(first, **await signed(outside.hub, "a", ECKey.generate_key("P-256")))
    fine = await outside.hub.redeem(first, **await signed(outside.hub, "b", key))
    assert (public_alone.status_code, forged.status_code, fine.status_code) == (401, 401, 200)

    renewed = ECKey.generate_key("P-256", {"kid": "k2"})
    outside.public.put(KEYS, {"keys": [renewed.as_dict(private=False)]})
    await grow_old(outside.hub)
    assert (await outside.hub.redeem(second, **await signed(outside.hub, "c", key))).status_code == 401
    assert (await outside.hub.redeem(second, **await signed(outside.hub, "d", renewed))).status_code == 200
    own = await outside.hub.own_token(**await signed(outside.hub, "e", renewed))
    assert error_in(own) == "unauthorized_client"


async def test_a_newcomer_is_read_again_at_public_addresses_alone(outside: Outside) -> None:
    open_to_all = NEWCOMERS.model_copy(update={"documents_from": frozenset({"*"})})
    hub = at(outside.hub, replace(outside.documents, newcomers=open_to_all), outside.cookie)
    outside.public.put(URL, DOCUMENT)
    async with hub.http:
        assert (await hub.ask(client_id=URL)).status_code == 303
        await grow_old(hub)
        assert (await hub.ask(client_id=URL)).status_code == 303

    assert (outside.web.asked, outside.public.asked) == ([], [URL, URL])


async def test_keys_of_a_newcomer_are_read_at_public_addresses_alone(outside: Outside) -> None:
    outside.web.put(URL, {**DOCUMENT, **BY_KEY})  # its host is one that the operator named
    outside.web.put(KEYS, {"keys": []})

    assert (await outside.ask()).status_code == 400
    assert (outside.web.asked, outside.public.asked) == ([URL], [KEYS])


@pytest.mark.parametrize("where", ["http://127.0.0.1:9/keys", "http://localhost/keys", "", "file:///etc/passwd"])
async def test_keys_are_read_by_https_alone(outside: Outside, where: str) -> None:
    outside.web.put(URL, {**DOCUMENT, **BY_KEY, "jwks_uri": where})

    answer = await outside.ask()

    assert (answer.status_code, "https" in answer.text) == (400, True)
    assert (outside.web.asked, outside.public.asked) == ([URL], [])


async def test_a_client_that_an_administrator_registered_has_its_keys_wherever_the_operator_allows(
    outside: Outside,
) -> None:
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    outside.web.put(URL, {**DOCUMENT, **BY_KEY})
    outside.web.put(KEYS, {"keys": [key.as_dict(private=False)]})
    async with outside.hub.database.transaction() as tx:
        agent = await create_agent(tx, agent_of(outside.hub.ada.id, "traveller"), outside.hub.authority)
        await register_document(tx, agent, URL)

    own = await outside.hub.own_token(**await signed(outside.hub, "a", key))

    assert own.status_code == 200, own.text
    assert (outside.web.asked, outside.public.asked) == ([URL, KEYS], [])


async def test_strangers_cannot_use_up_what_a_client_may_have_read(outside: Outside) -> None:
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    document = {**DOCUMENT, **BY_KEY, "jwks": {"keys": [key.as_dict(private=False)]}}
    outside.web.put(URL, document)
    code = query_of(await outside.hub.consent(await outside.ask()))["code"]
    await grow_old(outside.hub)
    outside.web.pages.clear()
    outside.web.asked.clear()
    street = at(outside.hub, outside.documents, None, source="192.0.2.66")
    async with street.http:
        for number in range(24):
            forged = await signed(outside.hub, str(number), ECKey.generate_key("P-256"))
            assert (await street.own_token(**forged)).status_code == 400
    assert len(outside.web.asked) <= 21

    outside.web.put(URL, document)
    assert (await outside.hub.redeem(code, **await signed(outside.hub, "own", key))).status_code == 200


async def test_a_code_goes_to_no_address_that_the_document_has_ceased_to_name(outside: Outside) -> None:
    waiting, decided = await outside.ask(), await outside.ask()
    code = query_of(await outside.hub.consent(decided))["code"]
    await grow_old(outside.hub)
    outside.web.put(URL, {**DOCUMENT, "redirect_uris": ["https://agent.example/new"]})
    assert (await outside.ask(redirect_uri="https://agent.example/new")).status_code == 303

    with pytest.raises(NotFound):
        await outside.hub.consent(waiting)
    assert error_in(await outside.hub.redeem(code, client_id=URL, client_secret=None)) == "invalid_grant"


async def test_a_login_under_way_survives_that_a_document_is_read_again(outside: Outside) -> None:
    waiting = await outside.ask()
    await grow_old(outside.hub)
    outside.web.put(URL, {**DOCUMENT, "client_name": "Renamed"})
    assert (await outside.ask()).status_code == 303

    assert (await outside.hub.consent(waiting)).startswith(CALLBACK)


async def test_the_owner_that_the_settings_name_has_to_be_there(outside: Outside) -> None:
    nobody = replace(outside.documents, newcomers=NEWCOMERS.model_copy(update={"owner": "nobody"}))
    hub = at(outside.hub, nobody, outside.cookie)
    async with hub.http:
        answer = await hub.ask(client_id=URL)

    assert (answer.status_code, "nobody here answers" in answer.text) == (400, True)


async def test_the_metadata_say_whether_documents_are_taken(outside: Outside) -> None:
    where = "/.well-known/oauth-authorization-server"
    taken = (await outside.hub.http.get(where)).json()
    closed = at(outside.hub, replace(outside.documents, newcomers=None), None)
    async with closed.http:
        without = (await closed.http.get(where)).json()

    assert taken["client_id_metadata_document_supported"] is True
    assert without["client_id_metadata_document_supported"] is False
    assert "registration_endpoint" not in taken


async def test_names_of_agents_come_from_their_host_and_never_collide(outside: Outside) -> None:
    other = "https://agents.example.org/other.json"
    outside.web.put(other, {**DOCUMENT, "client_id": other})
    await outside.ask()
    await outside.ask(client_id=other)
    async with outside.hub.database.reading() as tx:
        names = (await tx.scalars(select(PrincipalRow.name).where(PrincipalRow.name.like("agents.example%")))).all()

    assert len(set(names)) == 2
