"""Token exchange: an agent that was handed a person's token gets one of its own, for less and not longer."""

import json
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from oauth_hub import PUBLIC_URL, RESOURCE, Hub, agent_of, error_in
from sqlalchemy import insert, select, update

from hub.audit.tables import EventRow
from hub.core.errors import NotFound, Unauthenticated
from hub.core.ids import new_id
from hub.identity.access_tokens import mint, read_access_token
from hub.identity.accounts import suspend
from hub.identity.acting import acting_for, stop_acting
from hub.identity.clients import ClientAuthentication, create_agent, issue_secret, limit_client
from hub.identity.grants_consent import withdraw_consent
from hub.identity.grants_exchange import ACCESS_TOKEN, JWT, MOST_ACTORS, TOKEN_EXCHANGE
from hub.identity.tables import GrantRow
from hub.storage import now

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Two:
    """The hub as its agent `clerk` sees it, and as another agent does, to which the clerk hands its token."""

    first: Hub
    second: Hub

    async def exchange(self, token: str, **changes: str | None) -> httpx2.Response:
        """Let the second agent exchange a token that it was handed."""
        usual = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
        return await self.second.token(**{**usual, **changes})


async def another(hub: Hub, name: str) -> Hub:
    async with hub.database.transaction() as tx:
        agent = await create_agent(tx, agent_of(hub.ada.id, name), hub.authority)
        secret = await issue_secret(tx, agent.id, hub.authority)
    return replace(hub, agent=agent, secret=secret.value)


@pytest.fixture
async def two(hub: Hub) -> Two:
    return Two(hub, await another(hub, "helper"))


async def token_of(hub: Hub, **changes: str | None) -> str:
    token: str = (await hub.redeem(await hub.code(**changes))).json()["access_token"]
    return token


async def exchanged(two: Two, **changes: str | None) -> dict[str, Any]:
    await two.second.code()
    answer = await two.exchange(await token_of(two.first), **changes)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_agent_acts_for_a_person_with_the_token_that_another_handed_on(two: Two) -> None:
    body = await exchanged(two)

    caller = await two.first.caller(body["access_token"])
    assert (caller.actor, caller.on_behalf_of) == (two.second.agent, two.first.ada)
    assert (caller.passed_on_by, caller.issuer) == ((two.first.agent.id,), None)
    assert (body["issued_token_type"], body["token_type"], body["scope"]) == (
        ACCESS_TOKEN,
        "Bearer",
        "tryton:read tryton:write",
    )
    assert "refresh_token" not in body
    said = read_access_token(body["access_token"], two.first.server.keys)
    assert said.actors == (two.first.agent.id,)


async def test_the_event_and_the_introspection_name_everybody(two: Two) -> None:
    body = await exchanged(two)

    proof = {"client_id": two.second.agent.id, "client_secret": two.second.secret}
    seen = (await two.first.http.post("/oauth/introspect", data={**proof, "token": body["access_token"]})).json()
    said = read_access_token(body["access_token"], two.first.server.keys)
    async with two.first.database.reading() as tx:
        events = await tx.scalars(select(EventRow.body).where(EventRow.subject == said.grant_id))
        (facts,) = [json.loads(body)["facts"] for body in events]
    assert seen["sub"] == two.first.ada.id
    assert seen["act"] == {"sub": two.second.agent.id, "act": {"sub": two.first.agent.id}}
    assert (facts["user"], facts["client"], facts["actors"]) == (
        two.first.ada.id,
        two.second.agent.id,
        [two.first.agent.id],
    )


async def test_without_the_persons_consent_to_this_agent_a_handed_token_gives_nothing(two: Two) -> None:
    answer = await two.exchange(await token_of(two.first))

    assert error_in(answer) == "invalid_grant"


async def test_consent_that_was_withdrawn_or_given_elsewhere_is_none(two: Two) -> None:
    token = await token_of(two.first)
    await two.second.code(resource=f"{PUBLIC_URL}/mcp")
    elsewhere = await two.exchange(token)
    await two.second.code()
    async with two.first.database.transaction() as tx:
        await withdraw_consent(tx, two.first.ada.id, two.second.agent.id, two.first.authority)
    withdrawn = await two.exchange(token)

    assert (error_in(elsewhere), error_in(withdrawn)) == ("invalid_grant", "invalid_grant")


@pytest.mark.parametrize("narrow", ["subject", "consent", "request", "agent"])
async def test_an_exchanged_token_has_no_more_than_each_of_them_allows(two: Two, narrow: str) -> None:
    await two.second.code(scope="tryton:read" if narrow == "consent" else "tryton:read tryton:write")
    token = await token_of(two.first, scope="tryton:read" if narrow == "subject" else "tryton:read tryton:write")
    if narrow == "agent":
        async with two.first.database.transaction() as tx:
            servers, less = two.second.agent.allowed_servers, frozenset({"tryton:read"})
            await limit_client(tx, two.second.agent.id, scopes=less, servers=servers, authority=two.first.authority)

    answer = await two.exchange(token, scope="tryton:read" if narrow == "request" else "tryton:read tryton:write")

    assert answer.json()["scope"] == "tryton:read"
    if narrow != "request":
        assert error_in(await two.exchange(token, scope="tryton:write")) == "invalid_scope"


async def test_an_exchanged_token_is_for_the_same_resource_only(two: Two) -> None:
    await two.second.code()
    await two.second.code(resource=f"{PUBLIC_URL}/mcp")
    token = await token_of(two.first)

    for word in ("resource", "audience"):
        assert error_in(await two.exchange(token, **{word: f"{PUBLIC_URL}/mcp"})) == "invalid_target"
        assert (await two.exchange(token, **{word: RESOURCE})).status_code == 200


async def test_an_agent_that_may_not_use_the_server_exchanges_nothing_for_it(two: Two) -> None:
    await two.second.code()
    token = await token_of(two.first)
    async with two.first.database.transaction() as tx:
        scopes = two.second.agent.allowed_scopes
        await limit_client(
            tx, two.second.agent.id, scopes=scopes, servers=frozenset({"other"}), authority=two.first.authority
        )

    assert error_in(await two.exchange(token)) == "invalid_target"


async def test_an_exchanged_token_lives_no_longer_than_the_one_it_was_made_from(two: Two) -> None:
    await two.second.code()
    subject = read_access_token(await token_of(two.first), two.first.server.keys)
    ends = subject.issued_at + timedelta(seconds=100)

    answer = await two.exchange(mint(replace(subject, expires_at=ends), two.first.server.keys))

    said = read_access_token(answer.json()["access_token"], two.first.server.keys)
    assert said.expires_at <= ends
    assert answer.json()["expires_in"] <= 100


@pytest.mark.parametrize("how", ["revoked", "consent", "first", "second", "person"])
async def test_an_exchanged_token_ends_at_once_with_whatever_it_stands_on(two: Two, how: str) -> None:
    await two.second.code()
    token = await token_of(two.first)
    body = (await two.exchange(token)).json()
    await two.first.caller(body["access_token"])

    first, second = two.first.agent.id, two.second.agent.id
    async with two.first.database.transaction() as tx:
        match how:
            case "consent":
                await withdraw_consent(tx, two.first.ada.id, first, two.first.authority)
            case "revoked":
                pass
            case _:
                whom = {"first": first, "second": second, "person": two.first.ada.id}[how]
                await suspend(tx, whom, "stop", two.first.authority)
    if how == "revoked":
        proof = {"client_id": first, "client_secret": two.first.secret}
        await two.first.http.post("/oauth/revoke", data={**proof, "token": token})

    with pytest.raises(Unauthenticated):
        await two.first.caller(body["access_token"])


async def test_narrowing_the_agent_that_handed_a_token_on_narrows_what_it_was_exchanged_for(two: Two) -> None:
    token = (await exchanged(two))["access_token"]
    first, less = two.first.agent, frozenset({"tryton:read"})
    async with two.first.database.transaction() as tx:
        await limit_client(tx, first.id, scopes=less, servers=first.allowed_servers, authority=two.first.authority)
    assert (await two.first.caller(token)).scopes == less

    async with two.first.database.transaction() as tx:
        await limit_client(tx, first.id, scopes=less, servers=frozenset({"other"}), authority=two.first.authority)
    with pytest.raises(Unauthenticated):
        await two.first.caller(token)


async def test_what_a_person_unticks_for_the_first_agent_leaves_the_tokens_of_the_second(two: Two) -> None:
    token = (await exchanged(two))["access_token"]

    await two.first.consent(await two.first.ask(), "tryton:read")

    assert (await two.first.caller(token)).scopes == {"tryton:read"}


async def test_what_is_over_is_exchanged_no_more(two: Two) -> None:
    await two.second.code()
    token = await token_of(two.first)
    async with two.first.database.transaction() as tx:
        await suspend(tx, two.first.agent.id, "stop", two.first.authority)

    assert error_in(await two.exchange(token)) == "invalid_request"


async def test_a_suspended_agent_exchanges_nothing(two: Two) -> None:
    await two.second.code()
    token = await token_of(two.first)
    async with two.first.database.transaction() as tx:
        await suspend(tx, two.second.agent.id, "stop", two.first.authority)

    assert (await two.exchange(token)).status_code == 401


async def test_a_token_of_nobody_or_no_token_is_no_subject(two: Two) -> None:
    await two.second.code()
    own = (await two.first.own_token()).json()["access_token"]
    refresh = (await two.first.redeem(await two.first.code())).json()["refresh_token"]

    for value in (own, refresh, "nonsense"):
        assert error_in(await two.exchange(value)) == "invalid_request"


async def test_an_actor_token_has_to_be_the_clients_own(two: Two) -> None:
    await two.second.code()
    token = await token_of(two.first)
    own = (await two.second.own_token()).json()["access_token"]
    foreign = (await two.first.own_token()).json()["access_token"]

    fine = await two.exchange(token, actor_token=own, actor_token_type=ACCESS_TOKEN)
    assert fine.status_code == 200, fine.text
    for actor in (foreign, token, "nonsense"):
        wrong = await two.exchange(token, actor_token=actor, actor_token_type=JWT)
        assert error_in(wrong) == "invalid_request"


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"subject_token_type": None},
        {"subject_token": None},
        {"actor_token": "x"},
        {"actor_token_type": ACCESS_TOKEN},
        {"actor_token": "x", "actor_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
    ],
    ids=str,
)
async def test_a_request_that_is_not_one_is_refused(two: Two, changes: dict[str, str | None]) -> None:
    await two.second.code()

    assert error_in(await two.exchange(await token_of(two.first), **changes)) == "invalid_request"


async def test_a_public_client_exchanges_nothing(two: Two) -> None:
    hub = two.first
    async with hub.database.transaction() as tx:
        public = await create_agent(tx, agent_of(hub.ada.id, "app", ClientAuthentication.NONE), hub.authority)

    answer = await two.exchange(await token_of(hub), client_id=public.id, client_secret=None)

    assert error_in(answer) == "unauthorized_client"


async def test_the_chain_of_agents_is_bounded(two: Two) -> None:
    token = await token_of(two.first)
    for number in range(1, MOST_ACTORS):
        next_one = Two(two.first, await another(two.first, f"agent-{number}"))
        await next_one.second.code()
        token = (await next_one.exchange(token)).json()["access_token"]
    said = read_access_token(token, two.first.server.keys)
    assert len({said.client_id, *said.actors}) == MOST_ACTORS

    await two.second.code()

    assert error_in(await two.exchange(token)) == "invalid_request"


async def test_who_narrows_its_own_token_is_named_once(two: Two) -> None:
    again = Two(two.first, two.first)

    body = (await again.exchange(await token_of(two.first), scope="tryton:read")).json()

    said = read_access_token(body["access_token"], two.first.server.keys)
    assert (said.client_id, said.actors, said.scopes) == (two.first.agent.id, (), {"tryton:read"})


async def test_who_passed_its_leave_on_is_told_to_the_person(two: Two) -> None:
    await exchanged(two)

    async with two.first.database.reading() as tx:
        found = {one.agent.id: one for one in await acting_for(tx, two.first.ada.id)}

    assert [leave.passed_on_by for leave in found[two.first.agent.id].leaves] == [None]
    assert {leave.passed_on_by for leave in found[two.second.agent.id].leaves} == {None, two.first.agent}


async def test_the_latest_leave_that_was_passed_on_is_told_until_it_is_over_and_to_its_person_alone(two: Two) -> None:
    ada, passed_on = two.first.ada.id, GrantRow.parent_id.is_not(None)
    await exchanged(two)
    async with two.first.database.transaction() as tx:
        await tx.execute(update(GrantRow).where(passed_on).values(created_at=await now(tx) - timedelta(minutes=5)))
    await exchanged(two, scope="tryton:read")

    async def told_to(person: str) -> list[tuple[str, ...]]:
        async with two.first.database.reading() as tx:
            leaves = [leave for one in await acting_for(tx, person) for leave in one.leaves]
        return [leave.scopes for leave in leaves if leave.passed_on_by]

    assert await told_to(ada) == [("tryton:read",)]
    assert await told_to(two.second.agent.id) == []
    async with two.first.database.transaction() as tx:
        await tx.execute(update(GrantRow).where(passed_on).values(expires_at=await now(tx)))
    assert await told_to(ada) == []


async def test_an_agent_acts_no_longer_once_the_person_takes_it_back_and_one_that_does_not_is_not_found(
    two: Two,
) -> None:
    ada, authority = two.first.ada.id, two.first.authority
    token = (await exchanged(two))["access_token"]
    async with two.first.database.transaction() as tx:
        await stop_acting(tx, ada, two.second.agent.id, authority)
    with pytest.raises(Unauthenticated):
        await two.second.caller(token)
    with pytest.raises(NotFound):
        async with two.first.database.transaction() as tx:
            await stop_acting(tx, ada, two.second.agent.id, authority)
    async with two.first.database.reading() as tx:
        assert [one.agent.id for one in await acting_for(tx, ada)] == [two.first.agent.id]


async def stretched(two: Two) -> str:
    """Return the last grant of a chain longer than calls may stand in each other, as an agent makes it for itself."""
    subject = (await exchanged(two))["access_token"]
    parent = read_access_token((await two.exchange(subject)).json()["access_token"], two.first.server.keys).grant_id
    async with two.first.database.transaction() as tx:
        last = await tx.get_one(GrantRow, parent)
        assert last.parent_id is not None  # its own token, exchanged by itself
        values = {column.name: getattr(last, column.name) for column in GrantRow.__table__.columns}
        ids = [parent, *(new_id("grt") for _ in range(sys.getrecursionlimit()))]
        rows = [{**values, "id": own, "parent_id": above} for above, own in pairwise(ids)]
        await tx.execute(insert(GrantRow), rows)
    return ids[-1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_whoever_exchanges_its_own_tokens_for_ever_is_stopped_all_the_same(two: Two) -> None:
    last = await stretched(two)

    async with two.first.database.transaction() as tx:
        await suspend(tx, two.first.agent.id, "stop", two.first.authority)

    async with two.first.database.reading() as tx:
        assert (await tx.get_one(GrantRow, last)).revoked_at is not None


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_whoever_exchanges_its_own_tokens_for_ever_is_narrowed_all_the_same(two: Two) -> None:
    last = await stretched(two)

    await two.first.consent(await two.first.ask(), "tryton:read")

    async with two.first.database.reading() as tx:
        assert (await tx.get_one(GrantRow, last)).scopes == ["tryton:read"]
