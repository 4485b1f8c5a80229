"""Clients known by a metadata document: which are read, what has to stand there, and who may be made to read them."""

from dataclasses import replace
from typing import Any

import anyio
import pytest
from joserfc.jwk import ECKey
from oauth_hub import CALLBACK, PUBLIC_URL, Hub, query_of, request_id_in
from outside_clients import BY_KEY, DOCUMENT, KEYS, NEWCOMERS, URL, Outside, at
from sqlalchemy import func, select, update

from hub.core.errors import InputError
from hub.execution import Reach, judged_by
from hub.identity.accounts import suspend
from hub.identity.client_documents import LARGEST, register_document
from hub.identity.clients import NewAgent, create_agent, find_client, limit_client
from hub.identity.grants_consent import consent_question
from hub.identity.tables import ClientDocumentRow, ClientRow, PrincipalRow
from hub.outbound import Outbound
from hub.storage import now

pytestmark = pytest.mark.anyio


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


async def test_keys_that_come_with_an_error_are_none(outside: Outside) -> None:
    keys = {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}
    outside.web.put(URL, {**DOCUMENT, **BY_KEY})
    outside.public.put(KEYS, keys, status=404)
    refused = await outside.ask()
    outside.public.put(KEYS, keys)

    assert refused.status_code == 400
    assert (await outside.ask()).status_code == 303


@pytest.mark.parametrize("where", ["document", "keys"])
async def test_a_host_that_no_resolver_can_be_asked_for_is_a_reason_to_refuse(outside: Outside, where: str) -> None:
    nowhere = "https://a..b.example/x"
    way = Outbound(judged_by(Reach(private_networks=())))
    open_to_all = NEWCOMERS.model_copy(update={"documents_from": frozenset({"*", "agents.example.org"})})
    outside.web.put(URL, {**DOCUMENT, **BY_KEY, "jwks_uri": nowhere})
    hub = at(outside.hub, replace(outside.documents, public=way, newcomers=open_to_all), outside.cookie)

    async with hub.http:
        answer = await hub.ask(client_id=nowhere if where == "document" else URL)

    assert answer.status_code == 400
    assert "a..b.example cannot be asked" in answer.text


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
        {"token_endpoint_auth_method": {}},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://["},
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


async def test_an_agent_on_a_persons_machine_listens_on_any_port_whichever_its_document_names(outside: Outside) -> None:
    outside.web.put(URL, {**DOCUMENT, "redirect_uris": ["http://localhost:3118/done", "http://[::1]/done"]})

    for uri in ("http://localhost:49152/done", "http://[::1]:49152/done"):
        assert (await outside.hub.consent(await outside.ask(redirect_uri=uri))).startswith(f"{uri}?code=")
    for uri in ("http://127.0.0.1:49152/done", "http://localhost:49152/other"):
        assert (await outside.ask(redirect_uri=uri)).status_code == 400


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
