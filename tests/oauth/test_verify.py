"""Verifying access tokens: every forgery, and every change that has to count at the next request."""

import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from oauth_hub import PUBLIC_URL, RESOURCE, Hub
from sqlalchemy import event
from starlette.applications import Starlette

from hub.core.errors import Unauthenticated, Unavailable
from hub.identity.accounts import set_groups, suspend
from hub.identity.clients import limit_client
from hub.identity.grants import revoke_grant
from hub.identity.tokens import TokenVerifier
from hub.keys import Keyring
from hub.oauth.routes import routes_of
from hub.storage import Database

pytestmark = pytest.mark.anyio

MASTER_KEY = bytes(range(32))
"""The one that the fixture `keys` was opened with."""


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(header), json.loads(claims)


def signed(hub: Hub, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a token signed with the hub's own current key, whatever it says."""
    key = hub.server.keys.signing_key("tokens")
    assert isinstance(key.private, EllipticCurvePrivateKey)
    return jwt.encode(
        {"alg": "ES256", "kid": key.id, **header}, claims, ECKey.import_key(key.private), default_type=None
    )


async def is_accepted(hub: Hub, token: str) -> bool:
    try:
        await hub.caller(token)
    except Unauthenticated:
        return False
    return True


@pytest.fixture
async def token(hub: Hub) -> str:
    return (await hub.redeem(await hub.code())).json()["access_token"]


# ---------------------------------------------------------------------------------------------------------- forgeries


async def test_a_token_says_what_rfc_9068_asks_for(hub: Hub, token: str) -> None:
    header, claims = parts_of(token)

    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert (claims["iss"], claims["aud"]) == (PUBLIC_URL, RESOURCE)
    assert (claims["sub"], claims["client_id"], claims["act"]) == (hub.ada.id, hub.agent.id, {"sub": hub.agent.id})
    assert claims["exp"] - claims["iat"] == 600
    assert {"jti", "scope", "auth_time", "grant"} <= claims.keys()


async def test_a_token_of_the_agent_itself_has_it_as_subject_and_no_actor(hub: Hub) -> None:
    _, claims = parts_of((await hub.own_token()).json()["access_token"])

    assert claims["sub"] == claims["client_id"] == hub.agent.id
    assert "act" not in claims


async def test_a_token_signed_by_the_hub_as_it_stands_is_accepted(hub: Hub, token: str) -> None:
    header, claims = parts_of(token)

    caller = await hub.caller(signed(hub, {"typ": header["typ"]}, claims))  # so the refusals below are the change's

    assert caller.on_behalf_of == hub.ada


async def test_a_token_that_says_something_else_is_refused(hub: Hub, token: str) -> None:
    _, claims = parts_of(token)
    changes: list[dict[str, Any]] = [
        {"exp": 1},
        {"exp": "9999999999"},
        {"exp": 1e300},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"iss": "https://elsewhere.example"},
        {"aud": f"{PUBLIC_URL}/mcp"},
        {"aud": [RESOURCE, f"{PUBLIC_URL}/mcp"]},
        {"sub": "usr_somebody_else"},
        {"client_id": "agt_somebody_else"},
        {"act": {"sub": "agt_somebody_else"}},
        {"act": "agt"},
        {"grant": "grt_unknown"},
        {"jti": None},
        {"scope": None},
    ]

    accepted = [
        change for change in changes if await is_accepted(hub, signed(hub, {"typ": "at+jwt"}, {**claims, **change}))
    ]

    assert accepted == []


async def test_a_token_that_leaves_something_out_is_refused(hub: Hub, token: str) -> None:
    _, claims = parts_of(token)
    needed = ["iss", "aud", "sub", "client_id", "exp", "iat", "jti", "scope", "grant", "act"]
    without = {name: {key: value for key, value in claims.items() if key != name} for name in needed}

    accepted = [name for name in needed if await is_accepted(hub, signed(hub, {"typ": "at+jwt"}, without[name]))]

    assert accepted == []


async def test_only_an_access_token_is_one(hub: Hub, token: str) -> None:
    _, claims = parts_of(token)
    headers: list[dict[str, Any]] = [{}, {"typ": "JWT"}, {"typ": "at+jwt", "crit": ["b64"], "b64": False}]

    accepted = [header for header in headers if await is_accepted(hub, signed(hub, header, claims))]

    assert accepted == []


async def test_a_token_without_a_signature_is_refused(hub: Hub, token: str) -> None:
    header, claims = parts_of(token)

    for algorithm in ("none", "None", "NONE"):
        with pytest.raises(Unauthenticated):
            await hub.caller(f"{encoded({**header, 'alg': algorithm})}.{encoded(claims)}.")


async def test_a_public_key_is_never_taken_for_a_shared_secret(hub: Hub, token: str) -> None:
    header, claims = parts_of(token)
    (public,) = hub.server.keys.public_keys("tokens")
    secret = OctKey.import_key(json.dumps(dict(public)))
    forged = jwt.encode({**header, "alg": "HS256"}, claims, secret, algorithms=["HS256"])

    with pytest.raises(Unauthenticated):
        await hub.caller(forged)


async def test_a_token_signed_with_a_foreign_key_is_refused_whatever_key_it_names(hub: Hub, token: str) -> None:
    header, claims = parts_of(token)
    foreign = ECKey.generate_key("P-256")

    for kid in (header["kid"], "key_unknown"):
        forged = jwt.encode({**header, "kid": kid, "jwk": foreign.as_dict(private=False)}, claims, foreign)
        with pytest.raises(Unauthenticated):
            await hub.caller(forged)


async def test_a_changed_token_is_refused(hub: Hub, token: str) -> None:
    header, claims, signature = token.split(".")
    more = encoded({**parts_of(token)[1], "scope": "tryton:read tryton:write sap:write"})

    for forged in (f"{header}.{more}.{signature}", f"{header}.{claims}.{signature[:-4]}AAAA", f"{header}.{claims}."):
        with pytest.raises(Unauthenticated):
            await hub.caller(forged)


async def test_what_is_no_token_is_refused(hub: Hub) -> None:
    for garbage in ("", ".", "..", "a.b.c", "x" * 10_000, "é.é.é", "eyJhbGciOiJFUzI1NiJ9.e30.AA"):
        with pytest.raises(Unauthenticated):
            await hub.caller(garbage)


async def test_a_token_for_one_server_opens_no_other(hub: Hub, token: str) -> None:
    await hub.caller(token)

    for resource in (f"{PUBLIC_URL}/mcp", f"{RESOURCE}/", PUBLIC_URL):
        with pytest.raises(Unauthenticated):
            await hub.caller(token, resource)


async def test_another_hub_with_the_same_keys_is_another_issuer(hub: Hub, token: str) -> None:
    other = TokenVerifier(hub.database, hub.server.keys, "https://other.example")

    with pytest.raises(Unauthenticated):
        await other.verify(token, resource=RESOURCE)


# ----------------------------------------------------------------------------------------------- changes count at once


async def test_a_token_of_a_suspended_agent_stops_at_once(hub: Hub, token: str) -> None:
    await hub.caller(token)

    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)

    with pytest.raises(Unauthenticated):
        await hub.caller(token)


async def test_a_token_for_a_suspended_person_stops_at_once(hub: Hub, token: str) -> None:
    await hub.caller(token)

    async with hub.database.transaction() as tx:
        await suspend(tx, hub.ada.id, "left the company", hub.authority)

    with pytest.raises(Unauthenticated):
        await hub.caller(token)


async def test_a_token_of_a_revoked_grant_stops_at_once(hub: Hub, token: str) -> None:
    await hub.caller(token)

    async with hub.database.transaction() as tx:
        assert await revoke_grant(tx, parts_of(token)[1]["grant"], "asked for", hub.authority)

    with pytest.raises(Unauthenticated):
        await hub.caller(token)


async def test_narrower_limits_narrow_the_tokens_that_are_out(hub: Hub, token: str) -> None:
    assert (await hub.caller(token)).scopes == {"tryton:read", "tryton:write"}

    async with hub.database.transaction() as tx:
        fewer, same = frozenset({"tryton:read"}), frozenset({"sales"})
        await limit_client(tx, hub.agent.id, scopes=fewer, servers=same, authority=hub.authority)
    assert (await hub.caller(token)).scopes == {"tryton:read"}

    async with hub.database.transaction() as tx:
        await limit_client(tx, hub.agent.id, scopes=fewer, servers=frozenset(), authority=hub.authority)
    with pytest.raises(Unauthenticated):
        await hub.caller(token)


async def test_a_caller_has_the_groups_of_this_moment(hub: Hub, token: str) -> None:
    assert (await hub.caller(token)).subject.groups == frozenset()

    async with hub.database.transaction() as tx:
        await set_groups(tx, hub.ada.id, frozenset({"approvers"}), hub.authority)

    assert (await hub.caller(token)).subject.groups == {"approvers"}


@pytest.fixture
async def other_process(hub: Hub) -> AsyncIterator[TokenVerifier]:
    """A verifier with its own engine: no signal of the hub under test reaches it."""
    database = Database(hub.database.url.render_as_string(hide_password=False))
    verifier = TokenVerifier(database, hub.server.keys, PUBLIC_URL)
    yield verifier
    await database.close()


async def test_another_process_that_hears_nothing_looks_before_each_answer(
    hub: Hub, token: str, other_process: TokenVerifier
) -> None:
    await other_process.verify(token, resource=RESOURCE)

    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)

    with pytest.raises(Unauthenticated):
        await other_process.verify(token, resource=RESOURCE)


async def test_another_process_whose_signal_gets_lost_notices_within_the_bound(
    hub: Hub, token: str, other_process: TokenVerifier
) -> None:
    async with other_process.listening():
        await other_process.verify(token, resource=RESOURCE)
        async with hub.database.transaction() as tx:
            await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)
        reading = other_process._reading
        assert reading is not None

        other_process._reading = replace(reading, taken_at=reading.taken_at - 1.1)  # the bound has passed

        with pytest.raises(Unauthenticated):
            await other_process.verify(token, resource=RESOURCE)


async def test_while_nothing_changes_a_known_token_costs_no_query(hub: Hub, token: str) -> None:
    await hub.caller(token)
    statements = list[str]()

    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(hub.database.engine.sync_engine, "before_cursor_execute", count)

    callers = [await hub.caller(token) for _ in range(50)]

    assert callers == [callers[0]] * 50
    assert len(statements) <= 4  # at most one look at the generation, should the bound pass just now


async def test_a_remembered_token_still_expires(hub: Hub, token: str) -> None:
    await hub.caller(token)
    reading = hub.verifier._reading
    assert reading is not None

    hub.verifier._reading = replace(reading, database_time=reading.database_time.replace(year=2099))

    with pytest.raises(Unauthenticated):
        await hub.caller(token)


# --------------------------------------------------------------------------------------------------- keys and metadata


async def test_a_new_key_signs_and_the_old_one_still_verifies(hub: Hub, token: str) -> None:
    async with hub.database.transaction() as tx:
        await hub.server.keys.rotate(tx, "tokens")
    await hub.server.keys.reload()

    newer = (await hub.own_token()).json()["access_token"]

    assert parts_of(newer)[0]["kid"] != parts_of(token)[0]["kid"]
    assert (await hub.caller(token)).on_behalf_of == hub.ada
    assert (await hub.caller(newer)).actor == hub.agent
    published = (await hub.http.get("/oauth/jwks.json")).json()["keys"]
    assert {key["kid"] for key in published} == {parts_of(token)[0]["kid"], parts_of(newer)[0]["kid"]}


async def test_a_key_made_by_another_process_is_found(hub: Hub, token: str) -> None:
    elsewhere = await Keyring.open(hub.database, MASTER_KEY)
    async with hub.database.transaction() as tx:
        await elsewhere.rotate(tx, "tokens")
    await elsewhere.reload()
    header, claims = parts_of(token)
    key = elsewhere.signing_key("tokens")
    assert isinstance(key.private, EllipticCurvePrivateKey)
    minted = jwt.encode({**header, "kid": key.id}, claims, ECKey.import_key(key.private))

    assert (await hub.caller(minted)).on_behalf_of == hub.ada


async def test_the_published_keys_verify_a_token_and_hold_nothing_private(hub: Hub, token: str) -> None:
    answer = await hub.http.get("/oauth/jwks.json")

    (published,) = answer.json()["keys"]
    assert published.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert jwt.decode(token, ECKey.import_key(published)).claims["sub"] == hub.ada.id
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_metadata_is_found_wherever_clients_look(hub: Hub) -> None:
    places = ("", "/mcp", "/servers/sales/mcp")

    answers = [await hub.http.get(f"/.well-known/oauth-authorization-server{place}") for place in places]

    documents = [answer.json() for answer in answers]
    assert documents[0] == documents[1] == documents[2]
    assert documents[0]["issuer"] == PUBLIC_URL
    assert documents[0]["token_endpoint"] == f"{PUBLIC_URL}/oauth/token"
    assert documents[0]["code_challenge_methods_supported"] == ["S256"]
    assert documents[0]["grant_types_supported"] == [
        "authorization_code",
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ]
    assert documents[0]["authorization_response_iss_parameter_supported"] is True
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}


async def test_a_page_in_a_browser_may_ask_for_tokens(hub: Hub) -> None:
    answer = await hub.http.options("/oauth/token", headers={"Origin": "https://inspector.example"})

    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]


async def test_without_the_database_nobody_is_let_in(hub: Hub, token: str, tmp_path: Path) -> None:
    gone = Database(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/hub.db")
    server = replace(hub.server, database=gone)
    transport = httpx2.ASGITransport(app=Starlette(routes=routes_of(server)))

    with pytest.raises(Unavailable):
        await TokenVerifier(gone, hub.server.keys, PUBLIC_URL).verify(token, resource=RESOURCE)
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        form = {"grant_type": "client_credentials", "client_id": hub.agent.id, "client_secret": hub.secret}
        issued = await http.post("/oauth/token", data=form)
        asked = await http.get("/oauth/authorize", params={"client_id": hub.agent.id})
    await gone.close()
    assert (issued.status_code, issued.json()["error"]) == (503, "temporarily_unavailable")
    assert asked.status_code == 503
