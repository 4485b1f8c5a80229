"""Identity assertions: a trusted issuer's word for a person's consent, for one agent, once, within every bound."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx2
import pytest
from doors.holding import Holder
from doors.working_hub import ALL_SCOPES, PUBLIC_URL, WorkingHub, settle, working_hub
from issuing import CLIENT, Issuing, new_key
from settled import settled_by
from sqlalchemy import text
from starlette.applications import Starlette
from upstream.fixtures import Upstream

from hub.core.errors import Unauthenticated
from hub.execution import Reach, judged_by
from hub.identity.accounts import suspend
from hub.identity.acting import acting_for, stop_acting
from hub.identity.clients import ClientAuthentication, NewAgent, create_agent, issue_secret, limit_client
from hub.identity.foreign_people import link, unlink
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.grants_assertion import ID_JAG, JWT_BEARER
from hub.identity.grants_exchange import ACCESS_TOKEN, TOKEN_EXCHANGE
from hub.identity.issuer_keys import IssuerLink
from hub.identity.issuers import Issuer
from hub.identity.possession import Place, new_nonce
from hub.identity.tables import ConsentRow
from hub.keys import Keyring
from hub.oauth import oauth_routes
from hub.outbound import Outbound
from hub.storage import Database, now

pytestmark = pytest.mark.anyio

sqlite_template, postgresql_template = settled_by(settle)

RESOURCE = f"{PUBLIC_URL}/mcp"


@dataclass(frozen=True, kw_only=True)
class Trusting:
    """A hub that takes an issuer's word for consent, and its agent at the token endpoint."""

    hub: WorkingHub
    issuer: Issuing
    http: httpx2.AsyncClient
    secret: str = field(repr=False)

    def assertion(self, *, typ: str = "oauth-id-jag+jwt", **changes: Any) -> str:  # noqa: ANN401  # claims of any kind
        """Return an assertion; a change of None leaves a claim out."""
        at = int(time.time())
        usual = {
            "iss": self.issuer.address,
            "aud": PUBLIC_URL,
            "sub": "s-1",
            "client_id": self.hub.agent.id,
            "jti": f"j-{time.monotonic_ns()}",
            "scope": "upstream:read other:read",
            "resource": RESOURCE,
            "iat": at,
            "exp": at + 300,
        }
        return self.issuer.sign({**usual, **changes}, typ=typ)

    async def redeem(self, assertion: str, **changes: str) -> httpx2.Response:
        """Send an assertion as the agent."""
        proof = {"client_id": self.hub.agent.id, "client_secret": self.secret}
        form = {"grant_type": JWT_BEARER, "assertion": assertion, **proof, **changes}
        return await self.http.post("/oauth/token", data={name: value for name, value in form.items() if value})

    async def error(self, assertion: str, **changes: str) -> str:
        """Return why an assertion was refused."""
        answer = await self.redeem(assertion, **changes)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"])


async def trusting(hub: WorkingHub, issuer: Issuing, *, asserts: bool = True) -> Trusting:
    said = {"name": "acme", "title": "Acme", "issuer": issuer.address, "client_id": CLIENT, "asserts": asserts}
    issuers = ForeignIssuers([IssuerLink(Issuer.model_validate(said), Outbound(judged_by(Reach())))])
    there = replace(hub, runtime=replace(hub.runtime, issuers=issuers))
    async with hub.database.transaction() as tx:
        secret = await issue_secret(tx, hub.agent.id, hub.authority)
    transport = httpx2.ASGITransport(Starlette(routes=oauth_routes(there.runtime)))
    http = httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL)
    return Trusting(hub=there, issuer=issuer, http=http, secret=secret.value)


@pytest.fixture
async def hub(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[WorkingHub]:
    async with working_hub(database, keys, upstream) as opened:
        yield opened


@pytest.fixture
async def there(hub: WorkingHub, issuer: Issuing) -> AsyncGenerator[Trusting]:
    made = await trusting(hub, issuer)
    (known,) = made.hub.runtime.issuers
    async with hub.database.transaction() as tx:
        await link(tx, hub.people["requester"].id, known.issuer, "s-1", hub.authority)
    async with made.http:
        yield made


async def test_the_issuers_word_lets_an_agent_act_for_a_person(there: Trusting) -> None:
    answer = await there.redeem(there.assertion())

    body = answer.json()
    caller = await there.hub.runtime.verifier.verify(body["access_token"], resource=RESOURCE)
    assert (caller.actor.id, caller.on_behalf_of) == (there.hub.agent.id, there.hub.people["requester"])
    assert (caller.issuer, caller.passed_on_by) == (there.issuer.address, ())
    assert (body["scope"], "refresh_token" in body) == ("upstream:read", False)
    metadata = (await there.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["authorization_grant_profiles_supported"] == [ID_JAG]


async def test_what_is_made_of_it_by_exchange_stands_on_the_issuers_word_as_well(there: Trusting) -> None:
    consent = {"user_id": there.hub.people["requester"].id, "client_id": there.hub.agent.id, "resource": RESOURCE}
    async with there.hub.database.transaction() as tx:
        tx.add(ConsentRow(id="cns_1", **consent, scopes=sorted(ALL_SCOPES), given_at=await now(tx)))
    token = (await there.redeem(there.assertion())).json()["access_token"]
    proof = {"client_id": there.hub.agent.id, "client_secret": there.secret}
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN, **proof}

    answer = await there.http.post("/oauth/token", data=form)

    caller = await there.hub.runtime.verifier.verify(answer.json()["access_token"], resource=RESOURCE)
    assert (caller.issuer, caller.passed_on_by) == (there.issuer.address, ())


async def test_what_an_assertion_gave_ends_with_the_link_of_its_person(there: Trusting) -> None:
    token = (await there.redeem(there.assertion())).json()["access_token"]
    await there.hub.runtime.verifier.verify(token, resource=RESOURCE)
    (known,) = there.hub.runtime.issuers

    async with there.hub.database.transaction() as tx:
        await unlink(tx, there.hub.people["requester"].id, known.issuer.issuer, there.hub.authority)

    with pytest.raises(Unauthenticated):
        await there.hub.runtime.verifier.verify(token, resource=RESOURCE)


async def test_an_assertion_that_is_redeemed_while_its_person_is_unlinked_gives_nothing(there: Trusting) -> None:
    (known,) = there.hub.runtime.issuers
    answers = list[httpx2.Response]()

    async def redeem() -> None:
        answers.append(await there.redeem(there.assertion()))

    async with anyio.create_task_group() as group, there.hub.database.transaction() as tx:
        await unlink(tx, there.hub.people["requester"].id, known.issuer.issuer, there.hub.authority)
        group.start_soon(redeem)
        while not there.hub.database.is_sqlite and not answers:
            async with there.hub.database.reading() as looking:
                if await looking.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                    break

    assert [(one.status_code, one.json()["error"]) for one in answers] == [(400, "invalid_grant")]


async def test_a_person_sees_on_whose_word_an_agent_acts_and_stops_it(there: Trusting) -> None:
    token = (await there.redeem(there.assertion())).json()["access_token"]
    requester = there.hub.people["requester"]

    async with there.hub.database.transaction() as tx:
        (acting,) = await acting_for(tx, requester.id)
        await stop_acting(tx, requester.id, acting.agent.id, there.hub.authority)

    assert (acting.agent, [leave.issuer for leave in acting.leaves]) == (there.hub.agent, [there.issuer.address])
    with pytest.raises(Unauthenticated):
        await there.hub.runtime.verifier.verify(token, resource=RESOURCE)


async def test_an_assertion_that_names_a_key_is_redeemed_by_who_holds_it_alone(there: Trusting) -> None:
    holder = Holder(nonce=new_nonce(there.hub.runtime.keys, Place.AUTHORIZATION))
    assertion = there.assertion(cnf={"jkt": holder.thumbprint})

    assert await there.error(assertion) == "invalid_grant"
    there.http.headers["DPoP"] = Holder(nonce=holder.nonce).proof("POST", f"{PUBLIC_URL}/oauth/token")
    assert await there.error(assertion) == "invalid_grant"
    there.http.headers["DPoP"] = holder.proof("POST", f"{PUBLIC_URL}/oauth/token")
    assert (await there.redeem(assertion)).json()["token_type"] == "DPoP"


async def test_an_assertion_is_good_once_also_when_sent_twice_at_the_same_moment(there: Trusting) -> None:
    assertion, answers = there.assertion(), list[int]()

    async def redeem() -> None:
        answers.append((await there.redeem(assertion)).status_code)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(redeem)

    assert sorted(answers) == [200, 400, 400]


async def test_an_assertion_that_says_something_else_is_refused(there: Trusting) -> None:
    at = int(time.time())
    wrong: list[dict[str, Any]] = [
        {"iss": "https://somebody.example"},
        {"aud": f"{PUBLIC_URL}/"},
        {"aud": [PUBLIC_URL, "https://other.example"]},
        {"aud": RESOURCE},
        {"sub": "s-2"},
        {"sub": None},
        {"client_id": "agt_other"},
        {"client_id": None},
        {"jti": None},
        {"exp": at - 1},
        {"exp": at + 3600},
        {"exp": None},
        {"iat": at + 3600},
        {"scope": None},
        {"resource": 5},
        {"typ": "at+jwt"},
        {"typ": "JWT"},
    ]

    assert [await there.error(there.assertion(**one)) for one in wrong] == ["invalid_grant"] * len(wrong)
    there.issuer.keys.append(new_key("k1"))  # the same name, another key; the hub has read the first
    assert await there.error(there.assertion()) == "invalid_grant"


async def test_an_assertion_gives_nothing_beyond_its_resource_its_scopes_and_the_agents_bounds(there: Trusting) -> None:
    everything = {"scope": " ".join(sorted(ALL_SCOPES))}
    less = await there.redeem(there.assertion(**everything), scope="upstream:read")
    assert less.json()["scope"] == "upstream:read"
    assert await there.error(there.assertion(), scope="upstream:write") == "invalid_scope"
    assert await there.error(there.assertion(), resource=f"{PUBLIC_URL}/api/v1") == "invalid_target"
    assert await there.error(there.assertion(resource=None)) == "invalid_target"
    assert (await there.redeem(there.assertion(resource=None), resource=RESOURCE)).status_code == 200
    async with there.hub.database.transaction() as tx:
        agent, none = there.hub.agent, frozenset[str]()
        await limit_client(tx, agent.id, scopes=none, servers=agent.allowed_servers, authority=there.hub.authority)
    assert await there.error(there.assertion(**everything)) == "invalid_scope"


async def test_who_is_suspended_or_unlinked_is_asserted_in_vain(there: Trusting) -> None:
    person, (known,) = there.hub.people["requester"], there.hub.runtime.issuers
    async with there.hub.database.transaction() as tx:
        await suspend(tx, person.id, "stop", there.hub.authority)
    assert await there.error(there.assertion()) == "invalid_grant"
    async with there.hub.database.transaction() as tx:
        await unlink(tx, person.id, known.issuer.issuer, there.hub.authority)
    assert await there.error(there.assertion()) == "invalid_grant"


async def test_a_public_client_redeems_no_assertion(there: Trusting) -> None:
    async with there.hub.database.transaction() as tx:
        new = NewAgent(
            name="app",
            display_name="App",
            owner_id=there.hub.people["owner"].id,
            allowed_scopes=ALL_SCOPES,
            allowed_servers=frozenset({"everything"}),
            authentication=ClientAuthentication.NONE,
        )
        app = await create_agent(tx, new, there.hub.authority)

    asserted = there.assertion(client_id=app.id)
    assert await there.error(asserted, client_id=app.id, client_secret="") == "unauthorized_client"


async def test_an_issuer_whose_word_is_not_taken_asserts_nothing(hub: WorkingHub, issuer: Issuing) -> None:
    silent = await trusting(hub, issuer, asserts=False)
    (known,) = silent.hub.runtime.issuers
    async with hub.database.transaction() as tx:
        await link(tx, hub.people["requester"].id, known.issuer, "s-1", hub.authority)
    async with silent.http:
        assert await silent.error(silent.assertion()) == "invalid_grant"
        metadata = (await silent.http.get("/.well-known/oauth-authorization-server")).json()
    assert "authorization_grant_profiles_supported" not in metadata
