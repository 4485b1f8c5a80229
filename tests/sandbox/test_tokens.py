"""Signing in by access token: what each grant asks for, how long a token is used, and where it is never asked for."""

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import pytest
from joserfc import jwk, jwt
from sandbox_broker import channel_to, get, post, upstream_at
from sandbox_server import Asked, Reply, Server, serving

from connectors.sdk import AuthSpec, ClientCredentials, JwtBearer, OnBehalfOfUser, TokenExchange
from connectors.sdk.auth import Algorithm
from connectors.sdk.errors import Unavailable
from sandbox.broker import ChannelKind
from sandbox.sign_in import PAUSE_SECONDS
from sandbox.tokens import ASSERTION_SECONDS
from sandbox.transcript import Fate
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio

Json = Any

CLIENT = {"client_id": "hub:1", "client_secret": "s%cret / s3cret"}
GRANT = ClientCredentials(token_url="{base_url}/oauth/token", scope="deals", audience="crm")


@dataclass(kw_only=True)
class Issuer:
    """A system that gives out tokens at `/api/oauth/token` and answers whoever shows the last one."""

    issued: int = 0
    more: dict[str, Json] = field(
        default_factory=lambda: {"token_type": "Bearer", "expires_in": 3600, "refresh_token": "r"}
    )
    refusal: Reply | None = None
    forms: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def __call__(self, asked: Asked) -> Reply:
        """Answer a request."""
        if asked.target.endswith("/token"):
            self.forms.append(dict(parse_qsl(asked.body.decode())))
            if self.refusal is not None:
                return self.refusal
            self.issued += 1
            return Reply(body={"access_token": self.token, **self.more})
        if asked.header("authorization") != f"Bearer {self.token}":
            return Reply(status=401, body={})
        return Reply(body={"echo": asked.header("authorization")})

    @property
    def token(self) -> str:
        """Return the only token that is accepted."""
        return f"access-token-{self.issued}"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def server(issuer: Issuer, anyio_backend: str) -> AsyncGenerator[Server]:
    del anyio_backend
    async with serving(issuer) as running:
        yield running


@pytest.fixture
async def way(server: Server) -> AsyncGenerator[Upstream]:
    opened = upstream_at(f"{server.base_url}/api", GRANT, **CLIENT)
    yield opened
    await opened.close()


async def test_a_token_for_the_hub_itself_is_asked_for_once_and_never_shown(
    way: Upstream, server: Server, issuer: Issuer
) -> None:
    answers = [await channel_to(way).send(get()) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert issuer.token not in answers[0].body
    assert issuer.forms == [{"grant_type": "client_credentials", "scope": "deals", "audience": "crm"}]
    asked = server.asked[0]
    assert (asked.method, asked.target) == ("POST", "/api/oauth/token")
    kind, _, pair = str(asked.header("authorization")).partition(" ")
    name, _, secret = base64.b64decode(pair).decode().partition(":")
    assert (kind, unquote_plus(name), unquote_plus(secret)) == ("Basic", "hub:1", CLIENT["client_secret"])


@pytest.mark.parametrize(
    ("auth", "secret", "form"),
    [
        (
            ClientCredentials(token_url="{origin}/login/token", client="body", resource="urn:crm"),
            CLIENT,
            {"grant_type": "client_credentials", "resource": "urn:crm", **CLIENT},
        ),
        (
            OnBehalfOfUser(token_url="{base_url}/token", is_public=True),
            {"client_id": "hub", "refresh_token": "r1"},
            {"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "hub"},
        ),
        (
            TokenExchange(token_url="{base_url}/{tenant}/token", audience="erp"),
            {**CLIENT, "subject_token": "st", "tenant": "a/../b"},
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "audience": "erp",
                "subject_token": "st",
                "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            },
        ),
    ],
)
async def test_each_grant_asks_as_its_rfc_says(
    auth: AuthSpec, secret: dict[str, str], form: dict[str, str], server: Server, issuer: Issuer
) -> None:
    way = upstream_at(f"{server.base_url}/api", auth, **secret)

    assert (await channel_to(way).send(get())).status == 200

    assert issuer.forms == [form]
    targets = {"client_credentials": "/login/token", "refresh_token": "/api/token"}
    assert server.asked[0].target == targets.get(auth.kind, "/api/a%2F..%2Fb/token")
    await way.close()


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", jwk.RSAKey.generate_key(2048)),
        ("ES256", jwk.ECKey.generate_key("P-256")),
        ("Ed25519", jwk.OKPKey.generate_key("Ed25519")),
    ],
    ids=["RS256", "ES256", "Ed25519"],
)
async def test_an_assertion_is_signed_with_the_private_key(
    algorithm: Algorithm, key: jwk.RSAKey | jwk.ECKey | jwk.OKPKey, server: Server, issuer: Issuer
) -> None:
    auth = JwtBearer(
        token_url="{base_url}/token", scope="deals", algorithm=algorithm, more_fields=["subject", "key_id"]
    )
    secret = {
        "issuer": "hub",
        "subject": "robot@example.org",
        "key_id": "k1",
        "private_key": key.as_pem(private=True).decode(),
    }
    way = upstream_at(f"{server.base_url}/api", auth, **secret)

    assert (await channel_to(way).send(get())).status == 200

    (form,) = issuer.forms
    assert (form["grant_type"], form["scope"]) == ("urn:ietf:params:oauth:grant-type:jwt-bearer", "deals")
    signed = jwt.decode(form["assertion"], key, algorithms=[algorithm])
    assert signed.header == {"alg": algorithm, "kid": "k1", "typ": "JWT"}
    assert signed.claims["iss"] == "hub"
    assert signed.claims["sub"] == "robot@example.org"
    assert signed.claims["aud"] == f"{server.base_url}/api/token"
    assert signed.claims["exp"] - signed.claims["iat"] == ASSERTION_SECONDS
    assert server.asked[0].header("authorization") is None
    await way.close()


@pytest.mark.parametrize("as_entered", ["as its file has it", "in one line", "with its line ends written out"])
async def test_a_private_key_is_read_however_it_was_entered(as_entered: str, server: Server, issuer: Issuer) -> None:
    pem = jwk.ECKey.generate_key("P-256").as_pem(private=True).decode()
    entered = {"in one line": pem.replace("\n", " "), "with its line ends written out": pem.replace("\n", "\\n")}
    auth = JwtBearer(token_url="{base_url}/token", algorithm="ES256")
    way = upstream_at(f"{server.base_url}/api", auth, issuer="hub", private_key=entered.get(as_entered, pem))

    assert (await channel_to(way).send(get())).status == 200

    assert issuer.issued == 1
    await way.close()


async def test_a_key_that_is_none_is_not_shown(server: Server) -> None:
    auth = JwtBearer(token_url="{base_url}/token")
    way = upstream_at(server.base_url, auth, issuer="hub", private_key="-----BEGIN NOTHING-----hunter2")

    with pytest.raises(Unavailable, match="no PEM of a key for RS256") as raised:
        await channel_to(way).send(get())

    assert raised.value.__cause__ is None
    assert server.asked == []
    await way.close()


# -- how long a token is used -----------------------------------------------------------------------------------


async def test_a_token_is_renewed_shortly_before_it_expires(way: Upstream, issuer: Issuer) -> None:
    await channel_to(way).send(get())
    proof = way.sign_in._proof
    assert proof is not None
    assert proof.good_until is not None
    assert proof.good_until - proof.made_at == pytest.approx(3540)

    object.__setattr__(proof, "good_until", proof.made_at - 1)
    assert (await channel_to(way).send(get())).status == 200
    assert issuer.issued == 2


@pytest.mark.parametrize("expires_in", [None, "soon", True, -5, 0, "3600"])
async def test_a_strange_expiry_is_no_reason_to_fail(expires_in: Json, way: Upstream, issuer: Issuer) -> None:
    issuer.more = {"expires_in": expires_in}

    assert [(await channel_to(way).send(get())).status for _ in range(2)] == [200, 200]
    assert issuer.issued == (2 if expires_in in {-5, 0} and expires_in is not False else 1)


async def test_a_read_answered_401_is_sent_once_more_with_a_new_token(
    way: Upstream, issuer: Issuer, server: Server
) -> None:
    await channel_to(way).send(get())
    issuer.issued += 1  # the system has revoked the token

    answer = await channel_to(way).send(get())

    assert answer.status == 200
    assert len([asked for asked in server.asked if asked.method == "GET"]) == 3


async def test_a_read_refused_twice_is_not_tried_for_ever(way: Upstream, server: Server, issuer: Issuer) -> None:
    def refuse(asked: Asked) -> Reply:
        return issuer(asked) if asked.target.endswith("/token") else Reply(status=401, body={})

    server.answer = refuse

    assert (await channel_to(way).send(get())).status == 401
    assert issuer.issued == 2


async def test_a_token_that_is_not_enough_is_not_renewed(way: Upstream, server: Server, issuer: Issuer) -> None:
    def refuse(asked: Asked) -> Reply:
        return issuer(asked) if asked.target.endswith("/token") else Reply(status=403, body={})

    server.answer = refuse

    assert (await channel_to(way).send(get())).status == 403
    assert issuer.issued == 1


async def test_a_write_answered_401_is_never_sent_again_by_itself(
    way: Upstream, issuer: Issuer, server: Server
) -> None:
    await channel_to(way).send(get())
    issuer.issued += 1

    assert (await channel_to(way, ChannelKind.WRITE).send(post())).status == 401

    assert len([asked for asked in server.asked if asked.target == "/api/notes"]) == 1
    assert (await channel_to(way, ChannelKind.WRITE).send(post())).status == 200


# -- refresh tokens ---------------------------------------------------------------------------------------------


class Kept:
    """A vault with one refresh token, which may be out of order."""

    def __init__(self) -> None:
        self.token = "r0"
        self.is_broken = False

    async def secrets(self) -> Mapping[str, str]:
        """Return the credential."""
        return {"client_id": "hub", "client_secret": "s", "refresh_token": self.token}

    async def keep(self, old: str, new: str) -> None:
        """Keep the new token in place of the old one."""
        if self.is_broken:
            raise Unavailable("The vault is shut.")
        assert old == self.token
        self.token = new


async def test_a_rotated_refresh_token_is_kept_and_used_the_next_time(server: Server, issuer: Issuer) -> None:
    kept = Kept()
    auth = OnBehalfOfUser(token_url="{base_url}/token")
    way = Upstream(server.base_url, auth, kept.secrets, keep=kept.keep)
    issuer.more = {"expires_in": 0, "refresh_token": "r1"}
    await channel_to(way).send(get())
    assert kept.token == "r1"

    issuer.more = {"expires_in": 0, "refresh_token": "r2"}
    await channel_to(way).send(get())

    assert [form["refresh_token"] for form in issuer.forms] == ["r0", "r1"]
    assert kept.token == "r2"
    await way.close()


async def test_a_rotated_refresh_token_that_cannot_be_kept_is_not_lost(server: Server, issuer: Issuer) -> None:
    kept = Kept()
    kept.is_broken = True
    way = Upstream(server.base_url, OnBehalfOfUser(token_url="{base_url}/token"), kept.secrets, keep=kept.keep)
    for number in (1, 2):
        issuer.more = {"refresh_token": f"r{number}"}
        with pytest.raises(Unavailable, match="vault is shut"):
            await channel_to(way).send(get())

    kept.is_broken = False
    issuer.more = {"refresh_token": "r3"}
    await channel_to(way).send(get())

    assert [form["refresh_token"] for form in issuer.forms] == ["r0", "r1", "r2"]
    assert kept.token == "r3"
    await way.close()


async def test_a_refresh_token_that_another_process_has_renewed_is_read_again(server: Server, issuer: Issuer) -> None:
    kept = Kept()
    way = Upstream(server.base_url, OnBehalfOfUser(token_url="{base_url}/token"), kept.secrets, keep=kept.keep)

    def refuse_the_old(asked: Asked) -> Reply:
        if b"refresh_token=r0" in asked.body:
            kept.token = "r1"  # the other process has just kept it
            return Reply(status=400, body={"error": "invalid_grant"})
        return issuer(asked)

    server.answer = refuse_the_old
    issuer.more = {"refresh_token": "r2"}

    assert (await channel_to(way).send(get())).status == 200
    assert [form["refresh_token"] for form in issuer.forms] == ["r1"]
    assert kept.token == "r2"
    await way.close()


# -- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=400, body={"error": "invalid_grant"}), "its? owner must grant it again|must grant it again"),
        (Reply(status=401, body={"error": "invalid_client"}), r"no token \(invalid_client\)"),
        (Reply(status=400, body={"error": "s%cret / s3cret"}), "no token; check"),
        (Reply(status=400, body={"error": ["a"]}), "no token; check"),
        (Reply(status=302, headers={"location": "http://elsewhere.invalid/token"}), "no token; check"),
        (Reply(body="<html>"), "no token; check"),
        (Reply(body={"access_token": 7}), "no token; check"),
        (Reply(body={"access_token": "t", "token_type": "mac"}), "no token; check"),
        (Reply(body={"access_token": "x" * 100_000}), "no token; check"),
        (Reply(body={"access_token": "a\r\nb: c"}), "no header can carry"),
        (Reply(status=503, body={}), "cannot answer at the moment"),
        (Reply(status=429, body={}), "cannot answer at the moment"),
    ],
)
async def test_a_refused_token_says_what_to_do_and_shows_no_secret(
    reply: Reply, said: str, way: Upstream, issuer: Issuer
) -> None:
    issuer.refusal = reply
    channel = channel_to(way, ChannelKind.WRITE)

    with pytest.raises(Unavailable, match=said) as raised:
        await channel.send(post())

    assert "s3cret" not in raised.value.message
    assert [channel.transcript.entries[0].name, channel.transcript.entries[1].fate] == ["sign in", Fate.NOT_SENT]


async def test_a_refused_token_is_not_asked_for_again_at_once(way: Upstream, issuer: Issuer) -> None:
    issuer.refusal = Reply(status=401, body={"error": "invalid_client"})
    for _ in range(3):
        with pytest.raises(Unavailable):
            await channel_to(way).send(get())
    assert len(issuer.forms) == 1

    issuer.refusal = None
    assert way.sign_in._refused_at is not None
    way.sign_in._refused_at -= PAUSE_SECONDS

    assert (await channel_to(way).send(get())).status == 200


async def test_no_secret_shows_in_what_can_be_printed(way: Upstream, issuer: Issuer) -> None:
    answer = await channel_to(way).send(get())
    proof = await way.sign_in.proof()

    shown = f"{way!r} {way.sign_in!r} {way.sign_in._ways!r} {proof!r} {answer!r}"

    assert issuer.token not in shown
    assert "s3cret" not in shown


def test_what_is_posted_shows_in_no_repr() -> None:
    from sandbox.tokens import token_in, token_request

    request = token_request(GRANT, CLIENT, "https://crm.example.com/api", now=0)
    token = token_in(200, json.dumps({"access_token": "hunter2", "refresh_token": "hunter3"}).encode())

    assert "s3cret" not in repr(request)
    assert "hunter" not in repr(token)
