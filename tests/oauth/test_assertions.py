"""`private_key_jwt` (RFC 7523): a client proves itself by a key that never leaves it, each proof once."""

import asyncio
import base64
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from doors.holding import Holder
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from oauth_hub import PUBLIC_URL, RESOURCE, Hub, agent_of, error_in

from hub.core.errors import InputError
from hub.identity.accounts import suspend
from hub.identity.assertions import check_keys, claimed_client
from hub.identity.clients import ClientAuthentication, NewAgent, create_agent, issue_secret, set_client_keys
from hub.identity.possession import Place, new_nonce
from hub.identity.sweeping import sweep
from hub.identity.tables import UsedAssertionRow
from hub.storage import now

pytestmark = pytest.mark.anyio
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOT_PROVEN = 401
TOO_LONG = f"e30.eyJzdWIiOiJ4In0.{'x' * 9000}"
"""An assertion of `x`, but for its length."""
HEADERS = {
    "a list": ["alg"],
    "a text": "alg",
    "an algorithm in a list": {"alg": ["ES256"]},
    "a name in a list": {"alg": "ES256", "kid": ["k"]},
    "a name in an object": {"alg": "ES256", "kid": {"k": 1}},
    "a type that is none": {"alg": "ES256", "typ": None},
}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_set(*keys: Key) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def keyed(owner_id: str, jwks: dict[str, Any] | None, name: str = "signer") -> NewAgent:
    usual = agent_of(owner_id, name, ClientAuthentication.KEY)
    return NewAgent(
        name=usual.name,
        display_name=usual.display_name,
        owner_id=owner_id,
        allowed_scopes=usual.allowed_scopes,
        allowed_servers=usual.allowed_servers,
        redirect_uris=usual.redirect_uris,
        authentication=usual.authentication,
        jwks=jwks,
    )


@dataclass(frozen=True)
class Signer:
    """An agent with a key."""

    hub: Hub
    client_id: str
    key: Key

    def assertion(
        self, *, key: Key | None = None, alg: str = "ES256", kid: str | None = None, **changes: object
    ) -> str:
        at = int(time.time())
        usual = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": PUBLIC_URL,
            "jti": secrets.token_hex(8),
            "iat": at,
            "exp": at + 60,
        }
        claims = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        header = {"alg": alg, **({"kid": kid} if kid else {})}
        return jwt.encode(header, claims, key or self.key, algorithms=[alg])

    async def ask(self, assertion: str, *, proof: str | None = None, **changes: str | None) -> httpx2.Response:
        usual = {
            "grant_type": "client_credentials",
            "resource": RESOURCE,
            "client_assertion_type": TYPE,
            "client_assertion": assertion,
        }
        form = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        headers = {} if proof is None else {"DPoP": proof}
        return await self.hub.http.post("/oauth/token", data=form, headers=headers)


@pytest.fixture
async def signer(hub: Hub) -> Signer:
    key = ECKey.generate_key("P-256")
    async with hub.database.transaction() as tx:
        agent = await create_agent(tx, keyed(hub.ada.id, public_set(key)), hub.authority)
    return Signer(hub, agent.id, key)


@ONE_ENGINE
@pytest.mark.parametrize("audience", [PUBLIC_URL, f"{PUBLIC_URL}/oauth/token", ["https://else.example", PUBLIC_URL]])
async def test_a_client_proves_itself_by_its_key(signer: Signer, audience: object) -> None:
    answer = await signer.ask(signer.assertion(aud=audience))

    caller = await signer.hub.caller(answer.json()["access_token"])
    assert caller.actor.id == signer.client_id


@ONE_ENGINE
@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (RSAKey.generate_key(2048), "RS256"),
        (RSAKey.generate_key(2048), "PS256"),
        (OKPKey.generate_key("Ed25519"), "Ed25519"),
    ],
    ids=["RS256", "PS256", "Ed25519"],
)
async def test_other_kinds_of_keys_will_do(signer: Signer, key: Key, alg: str) -> None:
    async with signer.hub.database.transaction() as tx:
        await set_client_keys(tx, signer.client_id, public_set(key), signer.hub.authority)

    assert (await signer.ask(signer.assertion(key=key, alg=alg))).status_code == 200


async def test_an_assertion_proves_once_only_also_when_sent_twice_at_the_same_moment(signer: Signer) -> None:
    assertion = signer.assertion()

    answers = await asyncio.gather(signer.ask(assertion), signer.ask(assertion))
    later = await signer.ask(assertion)

    assert sorted(one.status_code for one in answers) == [200, NOT_PROVEN]
    assert later.status_code == NOT_PROVEN


async def test_an_assertion_is_used_with_a_request_that_is_refused_for_its_proof(signer: Signer) -> None:
    nonce = new_nonce(signer.hub.server.keys, Place.AUTHORIZATION)
    used = Holder(nonce=nonce).proof("POST", f"{PUBLIC_URL}/oauth/token")
    assert (await signer.ask(signer.assertion(), proof=used)).status_code == 200
    assertion = signer.assertion()

    refused = await signer.ask(assertion, proof=used)
    later = await signer.ask(assertion)

    assert (refused.status_code, error_in(refused)) == (400, "invalid_dpop_proof")
    assert later.status_code == NOT_PROVEN


@ONE_ENGINE
async def test_two_clients_may_choose_the_same_identifier(signer: Signer) -> None:
    key = ECKey.generate_key("P-256")
    async with signer.hub.database.transaction() as tx:
        other = await create_agent(tx, keyed(signer.hub.ada.id, public_set(key), "other"), signer.hub.authority)
    second = Signer(signer.hub, other.id, key)

    assert (await signer.ask(signer.assertion(jti="one"))).status_code == 200
    assert (await second.ask(second.assertion(jti="one"))).status_code == 200


@ONE_ENGINE
@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://else.example"},
        {"aud": None},
        {"iss": "https://else.example"},
        {"iss": None},
        {"jti": None},
        {"jti": 7},
        {"jti": ""},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**15},
        {"exp": 0},
        {"nbf": 9_999_999_999},
        {"nbf": True},
        {"exp": 9_999_999_999},
    ],
    ids=str,
)
async def test_an_assertion_for_others_or_for_another_time_proves_nothing(
    signer: Signer, changes: dict[str, object]
) -> None:
    assert (await signer.ask(signer.assertion(**changes))).status_code == NOT_PROVEN


@ONE_ENGINE
@pytest.mark.parametrize(
    ("claim", "seconds", "status"),
    [
        ("nbf", 300, NOT_PROVEN),
        ("nbf", 10, 200),  # their clock may be ahead of ours by so much
        ("exp", -300, NOT_PROVEN),
        ("exp", -10, 200),
        ("exp", 540, 200),
        ("exp", 720, NOT_PROVEN),
    ],
)
async def test_an_assertion_is_good_for_ten_minutes_at_most_and_by_clocks_that_differ_a_little(
    signer: Signer, claim: str, seconds: int, status: int
) -> None:
    claims: dict[str, Any] = {claim: int(time.time()) + seconds}

    assert (await signer.ask(signer.assertion(**claims))).status_code == status


@ONE_ENGINE
async def test_the_key_that_an_assertion_names_must_have_signed_it_and_one_without_a_name_may(signer: Signer) -> None:
    one, two = (ECKey.generate_key("P-256", {"kid": name}) for name in ("one", "two"))
    async with signer.hub.database.transaction() as tx:
        keys = public_set(signer.key, one, two)
        await set_client_keys(tx, signer.client_id, keys, signer.hub.authority)

    named = await signer.ask(signer.assertion(key=one, kid="one"))
    misnamed = await signer.ask(signer.assertion(key=one, kid="two"))
    nameless = await signer.ask(signer.assertion(kid="whatever it is called there"))

    assert [reply.status_code for reply in (named, misnamed, nameless)] == [200, NOT_PROVEN, 200]


@ONE_ENGINE
async def test_what_another_key_signed_proves_nothing(signer: Signer) -> None:
    stranger = ECKey.generate_key("P-256")

    assert (await signer.ask(signer.assertion(key=stranger))).status_code == NOT_PROVEN


@ONE_ENGINE
async def test_a_public_key_is_no_shared_secret(signer: Signer) -> None:
    body = signer.assertion().split(".")[1]
    said = encoded(b'{"alg":"HS256"}') + f".{body}"
    forged = f"{said}.{encoded(hmac.digest(signer.key.as_pem(private=False), said.encode(), 'sha256'))}"

    assert (await signer.ask(forged)).status_code == NOT_PROVEN


@ONE_ENGINE
async def test_an_unsigned_assertion_proves_nothing(signer: Signer) -> None:
    header, body, _ = signer.assertion().split(".")
    unsigned = f"eyJhbGciOiJub25lIn0.{body}."

    assert (await signer.ask(unsigned)).status_code == NOT_PROVEN
    assert (await signer.ask(f"{header}.{body}.")).status_code == NOT_PROVEN


@ONE_ENGINE
async def test_keys_rotate_without_a_moment_in_which_none_is_good(signer: Signer) -> None:
    new = ECKey.generate_key("P-256", {"kid": "new"})
    both, only_new = public_set(signer.key, new), public_set(new)

    async with signer.hub.database.transaction() as tx:
        await set_client_keys(tx, signer.client_id, both, signer.hub.authority)
    during = [await signer.ask(signer.assertion()), await signer.ask(signer.assertion(key=new, kid="new"))]
    async with signer.hub.database.transaction() as tx:
        await set_client_keys(tx, signer.client_id, only_new, signer.hub.authority)

    assert [one.status_code for one in during] == [200, 200]
    assert (await signer.ask(signer.assertion())).status_code == NOT_PROVEN
    assert (await signer.ask(signer.assertion(key=new, kid="new"))).status_code == 200


@ONE_ENGINE
async def test_a_client_proves_itself_in_one_way_only(signer: Signer) -> None:
    as_public = await signer.ask("x", client_assertion=None, client_assertion_type=None, client_id=signer.client_id)
    twice = await signer.ask(signer.assertion(), client_secret=signer.hub.secret)
    other = await signer.ask(signer.assertion(), client_id=signer.hub.agent.id)
    wrong_type = await signer.ask(signer.assertion(), client_assertion_type="password")
    by_secret = Signer(signer.hub, signer.hub.agent.id, signer.key)

    assert as_public.status_code == NOT_PROVEN
    assert [one.json()["error"] for one in (twice, other, wrong_type)] == ["invalid_request"] * 3
    assert (await by_secret.ask(by_secret.assertion())).status_code == NOT_PROVEN


@ONE_ENGINE
async def test_a_suspended_client_proves_nothing(signer: Signer) -> None:
    async with signer.hub.database.transaction() as tx:
        await suspend(tx, signer.client_id, "leaked", signer.hub.authority)

    assert (await signer.ask(signer.assertion())).status_code == NOT_PROVEN


@ONE_ENGINE
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_what_has_a_header_of_another_shape_is_no_assertion(signer: Signer, path: str, header: object) -> None:
    claims = {"iss": signer.client_id, "sub": signer.client_id}
    assertion = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}.AAAA"
    form = {"client_assertion_type": TYPE, "client_assertion": assertion, "token": "x"}

    answer = await signer.hub.http.post(path, data={"grant_type": "client_credentials", **form})

    assert error_in(answer) == "invalid_request"


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é.é.é", "e30.e30.", "eyJhbGciOiJub25lIn0.WzFd.", TOO_LONG])
def test_what_is_no_assertion_names_no_client(text: str) -> None:
    assert claimed_client(text) is None


@ONE_ENGINE
@pytest.mark.parametrize(
    "jwks",
    [
        None,
        {},
        {"keys": []},
        {"keys": ["x"]},
        {"keys": [{"kty": "EC"}]},
        {"keys": [ECKey.generate_key("P-256").as_dict(private=True)]},
        {"keys": [OctKey.generate_key(256).as_dict(private=True)]},
        public_set(ECKey.generate_key("P-384")),
        public_set(OKPKey.generate_key("X25519")),
        public_set(*(ECKey.generate_key("P-256") for _ in range(11))),
    ],
    ids=["none", "empty", "no-key", "text", "half", "private", "secret", "P-384", "X25519", "eleven"],
)
async def test_keys_that_will_not_do_are_refused_when_they_are_set(hub: Hub, jwks: dict[str, Any] | None) -> None:
    async with hub.database.transaction() as tx:
        with pytest.raises(InputError):
            await create_agent(tx, keyed(hub.ada.id, jwks), hub.authority)


def test_a_key_that_is_too_short_will_not_do() -> None:
    with pytest.warns(SecurityWarning):
        short = public_set(RSAKey.generate_key(1024))

    with pytest.warns(SecurityWarning), pytest.raises(InputError, match="2048 bits or more"):
        check_keys(short)


@ONE_ENGINE
async def test_a_client_with_keys_has_no_secret_and_one_with_a_secret_no_keys(signer: Signer) -> None:
    hub = signer.hub
    async with hub.database.transaction() as tx:
        with pytest.raises(InputError, match="no secret"):
            await issue_secret(tx, signer.client_id, hub.authority)
        with pytest.raises(InputError, match="no keys"):
            await set_client_keys(tx, hub.agent.id, public_set(signer.key), hub.authority)


@ONE_ENGINE
async def test_used_assertions_are_forgotten_once_they_are_over(signer: Signer) -> None:
    await signer.ask(signer.assertion())
    async with signer.hub.database.transaction() as tx:
        (used,) = (await tx.scalars(UsedAssertionRow.__table__.select())).all()
        assert used
        await sweep(tx)
        row = await tx.get_one(UsedAssertionRow, used)
        assert row.expires_at > await now(tx)
        row.expires_at = row.expires_at.replace(year=2020)
        await tx.flush()
        await sweep(tx)
        assert (await tx.scalars(UsedAssertionRow.__table__.select())).all() == []
