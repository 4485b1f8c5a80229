"""DPoP at the authorization server (RFC 9449): which proofs count, and that what is bound to a key stays bound."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from doors.holding import Holder
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from oauth_hub import PUBLIC_URL, RESOURCE, VERIFIER, Hub, agent_of, error_in, query_of
from sqlalchemy import func, select, update
from starlette.applications import Starlette

from hub.core.errors import Unauthenticated
from hub.identity.clients import ClientAuthentication, create_agent, issue_secret, set_binding
from hub.identity.possession import NONCE_HEADER, Place, new_nonce
from hub.identity.sweeping import sweep
from hub.identity.tables import UsedProofRow
from hub.keys import Keyring
from hub.oauth.routes import routes_of
from hub.storage import now

pytestmark = pytest.mark.anyio

TOKEN_URL = f"{PUBLIC_URL}/oauth/token"
MASTER_KEY = bytes(range(32))
"""The one that the fixture `keys` was opened with."""

Json = Any
"""Any JSON value."""
Form = str | None


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A hub, and its agent as one that holds a key."""

    hub: Hub
    holder: Holder

    async def token(
        self, proofs: list[str] | None = None, *, by: Holder | None = None, **form: Form
    ) -> httpx2.Response:
        """Ask the token endpoint, with a proof made for this very request unless others are given."""
        sent = [self.proof(by)] if proofs is None else proofs
        usual = {"client_id": self.hub.agent.id, "client_secret": self.hub.secret}
        data = {name: value for name, value in {**usual, **form}.items() if value is not None}
        return await self.hub.http.post("/oauth/token", data=data, headers=[(b"DPoP", one.encode()) for one in sent])

    def proof(self, by: Holder | None = None, header: Mapping[str, Json] | None = None, **claims: Json) -> str:
        """Return a proof for the token endpoint, with a nonce of it, by the agent or somebody else."""
        told = {"nonce": new_nonce(self.hub.server.keys, Place.AUTHORIZATION), **claims}
        return (by or self.holder).proof("POST", **{"url": TOKEN_URL, "header": header, **told})

    async def own(self, *proofs: str, by: Holder | None = None, **form: Form) -> httpx2.Response:
        """Ask for a token by which the agent acts for nobody."""
        wanted = {"grant_type": "client_credentials", "resource": RESOURCE, **form}
        return await self.token([*proofs] or None, by=by, **wanted)

    async def redeem(self, code: str, *, by: Holder | None = None, **form: Form) -> httpx2.Response:
        """Exchange a code for tokens."""
        wanted = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, **form}
        return await self.token(by=by, **wanted)

    async def refresh(self, refresh_token: str, *, by: Holder | None = None, **form: Form) -> httpx2.Response:
        """Rotate a refresh token."""
        return await self.token(by=by, grant_type="refresh_token", refresh_token=refresh_token, **form)

    async def refuses(self, *proofs: str) -> bool:
        """Return whether proofs are refused as ones that will not do."""
        answer = await self.own(*proofs)
        return answer.status_code == 400 and error_in(answer) == "invalid_dpop_proof"

    async def introspected(self, token: str) -> dict[str, Json]:
        """Return what the hub says of a token of the agent."""
        form = {"client_id": self.hub.agent.id, "client_secret": self.hub.secret, "token": token}
        return (await self.hub.http.post("/oauth/introspect", data=form)).json()

    async def bound_to(self, token: str) -> str | None:
        """Return the thumbprint of the key that a token is bound to, if it is."""
        return (await self.introspected(token)).get("cnf", {}).get("jkt")

    async def public(self) -> dict[str, Form]:
        """Register a client that can keep no secret, and return what it sends in the place of one."""
        async with self.hub.database.transaction() as tx:
            new = agent_of(self.hub.ada.id, "desktop", ClientAuthentication.NONE)
            return {"client_id": (await create_agent(tx, new, self.hub.authority)).id, "client_secret": None}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One engine is enough: where proofs are remembered, `mcp/test_bound_tokens.py` looks at both."""
    return sqlite_url


@pytest.fixture
def bound(hub: Hub) -> Bound:
    return Bound(hub=hub, holder=Holder())


# --------------------------------------------------------------------------------------------------- which proofs count


async def test_a_token_asked_for_with_a_proof_is_bound_to_its_key(bound: Bound) -> None:
    answer = await bound.own()

    body = answer.json()
    assert body["token_type"] == "DPoP"
    told = await bound.introspected(body["access_token"])
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": bound.holder.thumbprint})


async def test_without_a_proof_tokens_are_as_they_were(bound: Bound) -> None:
    body = (await bound.hub.own_token()).json()

    assert body["token_type"] == "Bearer"
    assert "cnf" not in await bound.introspected(body["access_token"])


async def test_keys_of_every_kind_that_is_announced_count(bound: Bound) -> None:
    announced = (await bound.hub.http.get("/.well-known/oauth-authorization-server")).json()
    holders = [
        Holder(),
        Holder(key=RSAKey.generate_key(2048), algorithm="RS256"),
        Holder(key=RSAKey.generate_key(2048), algorithm="PS256"),
        Holder(key=OKPKey.generate_key("Ed25519"), algorithm="Ed25519"),
    ]

    answers = [await bound.own(by=holder) for holder in holders]
    with pytest.warns(SecurityWarning):  # the older name of Ed25519, which most clients still use
        older = await bound.own(by=Holder(key=OKPKey.generate_key("Ed25519"), algorithm="EdDSA"))

    assert [answer.status_code for answer in (*answers, older)] == [200] * 5
    assert set(announced["dpop_signing_alg_values_supported"]) == {"EdDSA", *(holder.algorithm for holder in holders)}


async def test_only_one_well_formed_proof_counts(bound: Bound) -> None:
    once, again = bound.proof(), bound.proof()

    assert await bound.refuses(once, again)
    assert await bound.refuses(f"{once}, {again}")
    for garbage in ("", "a.b.c", "\u00e9", "x" * 5000, once.rpartition(".")[0] + ".AAAA"):
        assert await bound.refuses(garbage)


async def test_a_proof_that_not_every_reader_can_read_is_refused(bound: Bound) -> None:
    deep = b"[" * 2500
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": bound.holder.key.as_dict(private=False)}
    signed = jws.serialize_compact(header, deep, bound.holder.key, algorithms=["ES256"])

    assert await bound.refuses(signed)
    assert await bound.refuses(base64.urlsafe_b64encode(deep).rstrip(b"=").decode() + ".e30.AAAA")
    assert await bound.refuses(base64.urlsafe_b64encode(b'["alg"]').rstrip(b"=").decode() + ".e30.AAAA")
    assert await bound.refuses(bound.proof(jti="\ud800"))


async def test_a_proof_is_of_its_own_type(bound: Bound) -> None:
    for wrong in ("JWT", "at+jwt", None):
        assert await bound.refuses(bound.proof(header={"typ": wrong}))


async def test_a_proof_is_signed_by_the_key_it_shows(bound: Bound) -> None:
    other = ECKey.generate_key("P-256").as_dict(private=False)

    assert await bound.refuses(bound.proof(header={"jwk": other}))


async def test_a_proof_that_shows_no_key_or_a_private_one_is_refused(bound: Bound) -> None:
    private = bound.holder.key.as_dict(private=True)

    assert await bound.refuses(bound.proof(header={"jwk": private}))
    assert await bound.refuses(bound.proof(header={"jwk": None}))


async def test_no_shared_secret_and_no_missing_signature_is_a_proof(bound: Bound) -> None:
    secret = Holder(key=OctKey.import_key("a secret that is shared, of 32 bytes"), algorithm="HS256")
    shown = secret.key.as_dict(private=True)

    assert await bound.refuses(bound.proof(secret, {"jwk": shown}))
    assert await bound.refuses(bound.proof(secret, {"jwk": bound.holder.key.as_dict(private=False)}))
    head, claims, _ = bound.proof().split(".")
    for algorithm in ("none", "HS256"):
        said = json.loads(base64.urlsafe_b64decode(head + "=="))
        forged = base64.urlsafe_b64encode(json.dumps({**said, "alg": algorithm}).encode()).rstrip(b"=").decode()
        assert await bound.refuses(f"{forged}.{claims}.")


async def test_small_keys_and_other_curves_are_refused(bound: Bound) -> None:
    curve = Holder(key=ECKey.generate_key("P-384"), algorithm="ES384")

    assert await bound.refuses(bound.proof(curve))


async def test_a_proof_for_another_request_is_refused(bound: Bound) -> None:
    elsewhere = (
        f"{PUBLIC_URL}/oauth/revoke",
        f"{PUBLIC_URL}:8443/oauth/token",
        "https://hub.example.org/oauth/token",
        "http://hub.example/oauth/token",
        f"{TOKEN_URL}/",
        "https://somebody@hub.example/oauth/token",
        "https://hub.example:port/oauth/token",
        "/oauth/token",
        7,
    )

    assert await bound.refuses(bound.proof(htm="GET"))
    assert await bound.refuses(bound.proof(htm="post"))
    for address in elsewhere:
        assert await bound.refuses(bound.proof(htu=address)), address


async def test_the_same_address_in_other_letters_is_the_same(bound: Bound) -> None:
    for address in ("HTTPS://Hub.Example:443/oauth/%74oken", f"{TOKEN_URL}?a=b#c"):
        assert (await bound.own(bound.proof(htu=address))).status_code == 200, address


async def test_a_proof_is_of_this_moment(bound: Bound) -> None:
    at = int(time.time())

    for made_at in (at - 200, at + 200, "now", None, True, 1e300):
        assert await bound.refuses(bound.proof(iat=made_at)), made_at


async def test_a_proof_counts_once(bound: Bound) -> None:
    proof = bound.proof()

    assert (await bound.own(proof)).status_code == 200
    assert await bound.refuses(proof)
    for identifier in (None, "", 7, "x" * 256):
        assert await bound.refuses(bound.proof(jti=identifier))


async def test_two_keys_may_choose_the_same_identifier(bound: Bound) -> None:
    answers = [await bound.own(bound.proof(holder, jti="1")) for holder in (Holder(), Holder())]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_proof_counts_once_whichever_process_sees_it(bound: Bound) -> None:
    keys = await Keyring.open(bound.hub.database, MASTER_KEY)
    transport = httpx2.ASGITransport(app=Starlette(routes=routes_of(replace(bound.hub.server, keys=keys))))
    proof = bound.proof()

    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        other = replace(bound, hub=replace(bound.hub, http=http))
        first = await bound.own(proof)
        repeated = await other.refuses(proof)

    assert first.status_code == 200
    assert repeated


async def test_proofs_are_forgotten_when_they_cannot_be_sent_again(bound: Bound) -> None:
    await bound.own()
    await bound.own()
    async with bound.hub.database.transaction() as tx:
        newest = select(func.max(UsedProofRow.hash)).scalar_subquery()
        await tx.execute(update(UsedProofRow).where(UsedProofRow.hash == newest).values(expires_at=await now(tx)))
        await sweep(tx)

    async with bound.hub.database.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(UsedProofRow)) == 1


# ------------------------------------------------------------------------------------------------------------- nonces


async def test_a_proof_without_a_nonce_is_told_one_that_does(bound: Bound) -> None:
    asked = await bound.own(bound.proof(nonce=None))
    told = asked.headers[NONCE_HEADER]

    assert error_in(asked) == "use_dpop_nonce"
    assert "DPoP-Nonce" in asked.headers["access-control-expose-headers"]
    answer = await bound.own(bound.proof(nonce=told))
    assert answer.status_code == 200
    assert (await bound.own(bound.proof(nonce=answer.headers[NONCE_HEADER]))).status_code == 200


async def test_a_nonce_that_is_forged_too_old_or_of_the_other_server_is_none(bound: Bound) -> None:
    keys = bound.hub.server.keys
    old = await Keyring.open(bound.hub.database, MASTER_KEY, clock=lambda: time.time() - 400)
    nonces = ("made-up", 7, new_nonce(keys, Place.RESOURCE), new_nonce(old, Place.AUTHORIZATION))

    for nonce in nonces:
        assert error_in(await bound.own(bound.proof(nonce=nonce))) == "use_dpop_nonce", nonce


async def test_being_asked_for_a_nonce_uses_nothing_up(bound: Bound) -> None:
    code = await bound.hub.code()
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}

    assert error_in(await bound.token([bound.proof(nonce=None)], **form)) == "use_dpop_nonce"
    assert (await bound.token(**form)).status_code == 200


# ---------------------------------------------------------------------------------------------- what is bound stays so


async def test_a_refreshed_token_of_a_public_client_is_for_the_same_key_alone(bound: Bound) -> None:
    public = await bound.public()
    first = (await bound.redeem(await bound.hub.code(client_id=public["client_id"]), **public)).json()

    stolen = await bound.refresh(first["refresh_token"], by=Holder(), **public)
    plain = await bound.hub.refresh(first["refresh_token"], **public)
    again = await bound.refresh(first["refresh_token"], **public)

    assert (error_in(stolen), error_in(plain)) == ("invalid_grant", "invalid_dpop_proof")
    assert again.json()["token_type"] == "DPoP"


async def test_a_client_that_proves_itself_may_change_its_key_but_not_go_without(bound: Bound) -> None:
    first = (await bound.redeem(await bound.hub.code())).json()
    other = Holder()

    plain = await bound.hub.refresh(first["refresh_token"])
    again = (await bound.refresh(first["refresh_token"], by=other)).json()

    assert error_in(plain) == "invalid_dpop_proof"
    assert await bound.bound_to(again["access_token"]) == other.thumbprint


async def test_a_code_asked_for_with_a_thumbprint_is_redeemed_by_that_key_alone(bound: Bound) -> None:
    code = await bound.hub.code(dpop_jkt=bound.holder.thumbprint)

    assert error_in(await bound.redeem(code, by=Holder())) == "invalid_grant"
    assert error_in(await bound.hub.redeem(code)) == "invalid_grant"
    assert (await bound.redeem(code)).status_code == 200


async def test_what_is_no_thumbprint_is_refused_at_the_authorization_endpoint(bound: Bound) -> None:
    answer = await bound.hub.ask(dpop_jkt="short")

    assert query_of(answer.headers["location"])["error"] == "invalid_request"


async def test_a_client_that_needs_bound_tokens_gets_no_others_and_those_that_are_out_stop(bound: Bound) -> None:
    plain = (await bound.hub.own_token()).json()["access_token"]
    async with bound.hub.database.transaction() as tx:
        await set_binding(tx, bound.hub.agent.id, bound.hub.authority, is_needed=True)

    assert error_in(await bound.hub.own_token()) == "invalid_dpop_proof"
    assert (await bound.own()).status_code == 200
    with pytest.raises(Unauthenticated):
        await bound.hub.caller(plain)


async def test_exchange_takes_no_binding_off(bound: Bound) -> None:
    hub, second_key = bound.hub, Holder()
    async with hub.database.transaction() as tx:
        second = await create_agent(tx, agent_of(hub.ada.id, "helper"), hub.authority)
        secret = (await issue_secret(tx, second.id, hub.authority)).value
    await hub.code(client_id=second.id)  # so that Ada has allowed it
    subject = (await bound.redeem(await hub.code())).json()["access_token"]
    form: dict[str, Form] = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": subject,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    as_second: dict[str, Form] = {**form, "client_id": second.id, "client_secret": secret}

    assert error_in(await hub.token(**as_second)) == "invalid_dpop_proof"
    assert error_in(await bound.token(by=second_key, **form)) == "invalid_request"  # its own, bound to another key
    exchanged = (await bound.token(by=second_key, **as_second)).json()
    assert exchanged["token_type"] == "DPoP"
    with pytest.raises(Unauthenticated):
        await hub.caller(exchanged["access_token"])
