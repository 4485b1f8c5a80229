"""Documents of known clients: by which way they and their keys are read again, at whose cost, and what ends then."""

from dataclasses import replace

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from oauth_hub import CALLBACK, PUBLIC_URL, Hub, agent_of, error_in, query_of
from outside_clients import BY_KEY, DOCUMENT, KEYS, NEWCOMERS, URL, Outside, at, grow_old

from hub.core.errors import NotFound, Unauthenticated
from hub.identity.client_documents import register_document
from hub.identity.clients import create_agent
from hub.storage import now

pytestmark = pytest.mark.anyio


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


async def test_a_document_that_asks_for_bound_tokens_stops_those_at_once_that_are_not(outside: Outside) -> None:
    code = query_of(await outside.hub.consent(await outside.ask()))["code"]
    token = (await outside.hub.redeem(code, client_id=URL, client_secret=None)).json()["access_token"]
    await outside.hub.caller(token)
    await grow_old(outside.hub)
    outside.web.put(URL, {**DOCUMENT, "dpop_bound_access_tokens": True})
    assert (await outside.ask()).status_code == 303

    with pytest.raises(Unauthenticated):
        await outside.hub.caller(token)
