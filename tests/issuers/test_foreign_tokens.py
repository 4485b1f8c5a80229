"""An external issuer's tokens: which are taken for what at the hub, and that everything else is refused alike."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from doors.holding import Holder
from issuing import CLIENT, Issuing, new_key
from sqlalchemy import update

from hub.core.errors import Unauthenticated
from hub.execution import Reach, judged_by
from hub.identity.accounts import suspend
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent, limit_client, set_binding
from hub.identity.directory import get
from hub.identity.enrolment import enrol
from hub.identity.foreign_people import link, unlink
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.issuer_keys import IssuerLink
from hub.identity.issuers import Issuer
from hub.identity.possession import Asked, Place, new_nonce
from hub.identity.principals import Caller, Principal, PrincipalKind
from hub.identity.tables import PrincipalRow
from hub.identity.tokens import TokenVerifier
from hub.keys import Keyring
from hub.outbound import Outbound
from hub.storage import Database

pytestmark = pytest.mark.anyio

PUBLIC_URL = "https://hub.example"
RESOURCE = f"{PUBLIC_URL}/servers/sales/mcp"
RULES: Mapping[str, Any] = {
    "agents": {"acme-clerk": "clerk", "acme-ada": "ada"},
    "scopes": {"erp.read": ["tryton:read"], "erp.all": ["tryton:read", "tryton:write", "other:write"]},
}


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A hub that takes the tokens of one issuer, at which Ada is known as `s-1`."""

    issuer: Issuing
    link: IssuerLink
    verifier: TokenVerifier
    authority: Authority
    ada: Principal
    agent: Principal

    def token(self, **changes: Any) -> str:  # noqa: ANN401  # claims of any kind
        """Return an access token; a change of None leaves a claim out."""
        now = int(time.time())
        usual = {
            "iss": self.issuer.address,
            "aud": RESOURCE,
            "sub": "s-1",
            "client_id": "acme-clerk",
            "scope": "openid erp.read",
            "jti": "t-1",
            "iat": now,
            "exp": now + 300,
        }
        return self.issuer.sign({**usual, **changes}, typ="at+jwt")

    async def caller(self, token: str, resource: str = RESOURCE) -> Caller:
        """Return who the hub takes the bearer of `token` for."""
        return await self.verifier.verify(token, resource=resource)

    async def refuses(self, token: str, resource: str = RESOURCE) -> bool:
        """Return whether the token is refused, with the words for every bad token."""
        with pytest.raises(Unauthenticated, match="not valid here"):
            await self.caller(token, resource)
        return True


def named(issuer: Issuing, **changes: Any) -> Issuer:  # noqa: ANN401  # settings of any kind
    usual = {"name": "acme", "title": "Acme", "issuer": issuer.address, "client_id": CLIENT, "tokens": RULES}
    return Issuer.model_validate({**usual, **changes})


@pytest.fixture
async def hub(database: Database, keys: Keyring, issuer: Issuing) -> AsyncIterator[Hub]:
    authority = Authority(database=database, keys=keys)
    there = IssuerLink(named(issuer), Outbound(judged_by(Reach())))
    async with database.transaction() as tx:
        ada = await enrol(tx, kind=PrincipalKind.USER, name="ada", display_name="Ada")
        new = NewAgent(
            name="clerk",
            display_name="Clerk",
            owner_id=ada,
            allowed_scopes=frozenset({"tryton:read", "tryton:write"}),
            allowed_servers=frozenset({"sales"}),
        )
        agent = await create_agent(tx, new, authority)
        await link(tx, ada, there.issuer, "s-1", authority)
        person = await get(tx, ada)
    verifier = TokenVerifier(database, keys, PUBLIC_URL, ForeignIssuers([there]))
    async with verifier.listening():
        yield Hub(issuer=issuer, link=there, verifier=verifier, authority=authority, ada=person, agent=agent)


async def test_an_agent_comes_with_the_issuers_token_for_a_person_who_is_known(hub: Hub) -> None:
    caller = await hub.caller(hub.token(auth_time=1_700_000_000))

    assert (caller.actor, caller.on_behalf_of) == (hub.agent, hub.ada)
    assert caller.scopes == {"tryton:read"}
    assert (caller.issuer, caller.passed_on_by) == (hub.issuer.address, ())
    assert (caller.resource, caller.token_id) == (RESOURCE, "t-1")
    assert caller.authenticated_at is not None


async def test_nobody_proves_who_they_are_after_their_token_was_made(hub: Hub) -> None:
    now = int(time.time())

    assert (await hub.caller(hub.token(auth_time=now))).authenticated_at is not None
    for later in (now + 3600, 4_000_000_000, now * 1000):
        assert (await hub.caller(hub.token(auth_time=later))).authenticated_at is None
    assert (await hub.caller(hub.token(iat=None, nbf=now, auth_time=now))).authenticated_at is not None


async def test_scopes_are_those_that_were_mapped_and_that_the_agent_may_hold(hub: Hub) -> None:
    assert (await hub.caller(hub.token(scope="erp.all"))).scopes == {"tryton:read", "tryton:write"}
    assert (await hub.caller(hub.token(scope="tryton:write openid"))).scopes == frozenset()
    assert (await hub.caller(hub.token(scope=None))).scopes == frozenset()


async def test_a_client_that_calls_for_nobody_is_the_agent_itself(hub: Hub) -> None:
    own = await hub.caller(hub.token(sub="acme-clerk"))
    of_entra = await hub.caller(hub.token(sub="s-9", idtyp="app"))

    assert (own.actor, own.on_behalf_of) == (hub.agent, None)
    assert of_entra.on_behalf_of is None


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://somebody.example"},
        {"aud": f"{PUBLIC_URL}/mcp"},
        {"aud": CLIENT},
        {"aud": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"nbf": 1_700_000_000, "iat": 4_000_000_000},
        {"sub": "s-2"},
        {"sub": "ada"},
        {"sub": None},
        {"sub": ["s-1"]},
        {"client_id": "somebody"},
        {"client_id": "clerk"},
        {"client_id": "acme-ada"},
        {"client_id": None},
        {"nonce": "n"},
    ],
    ids=str,
)
async def test_a_token_that_says_something_else_is_refused(hub: Hub, changes: dict[str, Any]) -> None:
    assert await hub.refuses(hub.token(**changes))


async def test_a_little_difference_between_clocks_is_borne(hub: Hub) -> None:
    assert await hub.caller(hub.token(nbf=int(time.time()) + 20))


async def test_an_id_token_or_one_without_a_type_is_no_access_token(hub: Hub) -> None:
    claims = json.loads(base64.urlsafe_b64decode(hub.token().split(".")[1] + "=="))

    for header in ({"typ": "JWT"}, {}, {"typ": "at+jwt", "kid": "k9"}):
        assert await hub.refuses(hub.issuer.sign(claims, **header))


async def test_no_signature_a_foreign_one_and_a_public_key_as_a_secret_are_refused(hub: Hub) -> None:
    header, claims, signature = hub.token().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt","kid":"k1"}').rstrip(b"=").decode()
    foreign = hub.issuer.sign(json.loads(base64.urlsafe_b64decode(claims + "==")), key=new_key("k1"), typ="at+jwt")
    shared = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"at+jwt","kid":"k1"}').rstrip(b"=").decode()
    mac = hmac.digest(hub.issuer.keys[0].as_pem(private=False), f"{shared}.{claims}".encode(), "sha256")
    confused = f"{shared}.{claims}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    for token in (
        f"{none}.{claims}.",
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature[::-1]}",
        foreign,
        confused,
    ):
        assert await hub.refuses(token)


async def test_keys_rotate_and_what_the_new_one_signs_is_taken(hub: Hub) -> None:
    hub.issuer.keys.append(new_key("k2"))

    assert (await hub.caller(hub.token())).actor == hub.agent


async def test_a_token_opens_the_servers_of_its_agent_alone(hub: Hub) -> None:
    elsewhere = f"{PUBLIC_URL}/servers/hidden/mcp"

    assert await hub.refuses(hub.token(), elsewhere)
    assert await hub.refuses(hub.token(aud=elsewhere), elsewhere)


@pytest.mark.parametrize("who", ["person", "agent"])
async def test_a_suspension_stops_the_issuers_tokens_at_once(hub: Hub, who: str) -> None:
    token = hub.token()
    await hub.caller(token)
    async with hub.authority.database.transaction() as tx:
        await suspend(tx, hub.ada.id if who == "person" else hub.agent.id, "stop", hub.authority)

    assert await hub.refuses(token)


async def test_who_is_no_longer_linked_or_allowed_is_stopped_at_once(hub: Hub) -> None:
    token = hub.token()
    await hub.caller(token)
    async with hub.authority.database.transaction() as tx:
        await limit_client(
            tx, hub.agent.id, scopes=frozenset(), servers=hub.agent.allowed_servers, authority=hub.authority
        )
    assert (await hub.caller(token)).scopes == frozenset()
    async with hub.authority.database.transaction() as tx:
        await unlink(tx, hub.ada.id, hub.issuer.address, hub.authority)

    assert await hub.refuses(token)


async def test_a_token_that_its_issuer_bound_to_a_key_counts_with_a_proof_alone(hub: Hub, keys: Keyring) -> None:
    holder = Holder(nonce=new_nonce(keys, Place.RESOURCE))
    token = hub.token(cnf={"jkt": holder.thumbprint})
    held, stolen = (one.proof("POST", RESOURCE, token, nonce=holder.nonce) for one in (holder, Holder()))

    with pytest.raises(Unauthenticated, match="bound to a key"):
        await hub.caller(token)
    with pytest.raises(Unauthenticated, match="not valid here"):
        await hub.verifier.verify_held(token, Asked(method="POST", url=RESOURCE, proofs=(stolen,)), resource=RESOURCE)
    caller = await hub.verifier.verify_held(
        token, Asked(method="POST", url=RESOURCE, proofs=(held,)), resource=RESOURCE
    )
    assert caller.actor == hub.agent


async def test_a_token_bound_in_a_way_that_cannot_be_checked_is_refused(hub: Hub) -> None:
    thumbprint = Holder().thumbprint

    for bound in ({}, "key", {"jkt": "short"}, {"x5t#S256": thumbprint}, {"jkt": thumbprint, "x5t#S256": thumbprint}):
        assert await hub.refuses(hub.token(cnf=bound))


async def test_an_agent_that_needs_bound_tokens_brings_no_others_of_its_issuer(hub: Hub) -> None:
    await hub.caller(hub.token())
    async with hub.authority.database.transaction() as tx:
        await set_binding(tx, hub.agent.id, hub.authority, is_needed=True)

    assert await hub.refuses(hub.token())


async def test_a_name_or_an_address_is_nobodys_identity(hub: Hub) -> None:
    async with hub.authority.database.transaction() as tx:
        await tx.execute(update(PrincipalRow).where(PrincipalRow.id == hub.ada.id).values(email="ada@example.org"))

    assert await hub.refuses(hub.token(sub="s-2", preferred_username="ada", email="ada@example.org"))


async def test_an_issuer_is_taken_at_its_word_only_where_the_settings_say_so(
    database: Database, keys: Keyring, hub: Hub
) -> None:
    silent = IssuerLink(named(hub.issuer, tokens=None), hub.link.outbound)
    for issuers in (ForeignIssuers([silent]), ForeignIssuers(), None):
        verifier = TokenVerifier(database, keys, PUBLIC_URL, issuers)
        with pytest.raises(Unauthenticated):
            await verifier.verify(hub.token(), resource=RESOURCE)


async def test_an_audience_scopes_and_types_of_entras_kind_are_taken_where_the_settings_say_so(
    database: Database, keys: Keyring, hub: Hub
) -> None:
    rules = {**RULES, "audience": "api://hub", "client_claim": "appid", "scope_claim": "scp", "takes_plain_jwt": True}
    there = IssuerLink(named(hub.issuer, tokens=rules, subject_claim="oid"), hub.link.outbound)
    verifier = TokenVerifier(database, keys, PUBLIC_URL, ForeignIssuers([there]))
    now = int(time.time())
    claims = {"iss": hub.issuer.address, "aud": "api://hub", "sub": "pairwise", "oid": "s-1", "appid": "acme-clerk"}
    claims |= {"scp": "erp.read", "iat": now, "exp": now + 300, "uti": "u-1"}

    caller = await verifier.verify(hub.issuer.sign(claims, typ="JWT"), resource=RESOURCE)

    assert (caller.on_behalf_of, caller.scopes, caller.token_id) == (hub.ada, {"tryton:read"}, "u-1")
    with pytest.raises(Unauthenticated):
        await verifier.verify(hub.issuer.sign({**claims, "aud": RESOURCE}, typ="JWT"), resource=RESOURCE)
