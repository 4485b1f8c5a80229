"""The token endpoint: what each grant type issues, and everything it refuses."""

import base64

import httpx2
import pytest
from oauth_hub import PUBLIC_URL, RESOURCE, Hub, agent_of, error_in
from sqlalchemy import update

from hub.identity.accounts import suspend
from hub.identity.clients import (
    ClientAuthentication,
    NewService,
    create_agent,
    create_service,
    issue_secret,
    revoke_secret,
)
from hub.identity.tables import ClientSecretRow
from hub.storage import now

pytestmark = pytest.mark.anyio


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


async def test_an_agent_gets_a_token_of_its_own(hub: Hub) -> None:
    answer = await hub.own_token(scope="tryton:read")

    body = answer.json()
    caller = await hub.caller(body["access_token"])
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["scope"]) == ("Bearer", "tryton:read")
    assert 0 < body["expires_in"] <= 600
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert (caller.actor, caller.on_behalf_of, caller.subject) == (hub.agent, None, hub.agent)
    assert (caller.scopes, caller.resource, caller.client_id) == ({"tryton:read"}, RESOURCE, hub.agent.id)


async def test_an_agent_that_does_not_say_gets_all_it_may_have(hub: Hub) -> None:
    assert (await hub.own_token()).json()["scope"] == "tryton:read tryton:write"


async def test_a_code_becomes_a_token_by_which_the_agent_acts_for_the_person(hub: Hub) -> None:
    body = (await hub.redeem(await hub.code())).json()

    caller = await hub.caller(body["access_token"])
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (caller.actor, caller.on_behalf_of, caller.subject) == (hub.agent, hub.ada, hub.ada)
    assert caller.authenticated_at is not None


async def test_a_service_gets_tokens_but_never_asks_people(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        new = NewService(
            name="nightly",
            display_name="Nightly",
            owner_id=hub.ada.id,
            allowed_scopes=frozenset({"tryton:read"}),
            allowed_servers=frozenset({"sales"}),
        )
        service = await create_service(tx, new, hub.authority)
        secret = await issue_secret(tx, service.id, hub.authority)

    answer = await hub.own_token(client_id=service.id, client_secret=secret.value)

    assert (await hub.caller(answer.json()["access_token"])).actor == service
    assert (await hub.ask(client_id=service.id)).status_code == 400


# ------------------------------------------------------------------------------------------------ proving the client


async def test_a_client_may_prove_itself_by_http_basic(hub: Hub) -> None:
    form = {"grant_type": "client_credentials", "resource": RESOURCE}
    headers = {"Authorization": basic(hub.agent.id, hub.secret)}

    answer = await hub.http.post("/oauth/token", data=form, headers=headers)

    assert answer.status_code == 200


async def test_a_client_that_cannot_prove_itself_is_refused_without_saying_why(hub: Hub) -> None:
    proofs: list[dict[str, str | None]] = [
        {"client_secret": "wrong"},
        {"client_id": "agt_nobody"},
        {"client_secret": None},
        {"client_secret": ""},
    ]

    for proof in proofs:
        answer = await hub.own_token(**proof)

        assert answer.status_code == 401
        assert answer.json() == {
            "error": "invalid_client",
            "error_description": "The client could not be authenticated.",
        }
        assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_a_client_proves_itself_once(hub: Hub) -> None:
    form = {"grant_type": "client_credentials", "client_id": hub.agent.id, "client_secret": hub.secret}

    answer = await hub.http.post("/oauth/token", data=form, headers={"Authorization": basic(hub.agent.id, hub.secret)})

    assert error_in(answer) == "invalid_request"


async def test_a_header_that_is_no_proof_is_refused(hub: Hub) -> None:
    for header in ("Bearer abc", "Basic !!!", "Basic", "Basic w6k=", "Basic YWJj", "Basic /w=="):
        answer = await hub.http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, headers={"Authorization": header}
        )

        assert error_in(answer) == "invalid_request"


async def test_a_client_id_that_cannot_be_one_is_as_unknown_as_any_other(hub: Hub) -> None:
    answer = await hub.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": basic("agt%00", "secret%00")},
    )

    assert answer.status_code == 401


async def test_a_body_that_names_another_client_than_the_header_is_refused(hub: Hub) -> None:
    answer = await hub.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "client_id": "agt_other"},
        headers={"Authorization": basic(hub.agent.id, hub.secret)},
    )

    assert error_in(answer) == "invalid_request"


async def test_a_secret_ends_by_expiry_and_by_revocation_while_another_goes_on(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        await tx.execute(update(ClientSecretRow).values(expires_at=await now(tx)))
        second = await issue_secret(tx, hub.agent.id, hub.authority)
        third = await issue_secret(tx, hub.agent.id, hub.authority)
        await revoke_secret(tx, hub.agent.id, third.id, hub.authority)

    answers = [await hub.own_token(client_secret=value) for value in (hub.secret, second.value, third.value)]

    assert [answer.status_code for answer in answers] == [401, 200, 401]


async def test_a_suspended_agent_gets_nothing(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)

    assert (await hub.own_token()).status_code == 401


async def test_a_public_client_redeems_codes_but_cannot_act_for_itself(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        public = await create_agent(tx, agent_of(hub.ada.id, "desktop", ClientAuthentication.NONE), hub.authority)
    named: dict[str, str | None] = {"client_id": public.id, "client_secret": None}

    issued = await hub.redeem(await hub.code(client_id=public.id), **named)

    assert issued.status_code == 200
    assert error_in(await hub.own_token(**named)) == "unauthorized_client"
    assert (await hub.own_token(client_id=public.id, client_secret="x")).status_code == 401


# ------------------------------------------------------------------------------------------------ malformed requests


async def test_a_repeated_parameter_is_refused(hub: Hub) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": hub.agent.id,
        "client_secret": hub.secret,
        "resource": RESOURCE,
        "scope": "tryton:read",
        "unheard_of": "x",
    }
    for name in ("grant_type", "client_id", "client_secret", "scope", "unheard_of"):
        body = httpx2.QueryParams(form).add(name, form[name])

        answer = await hub.http.post(
            "/oauth/token", content=str(body), headers={"Content-Type": "application/x-www-form-urlencoded"}
        )

        assert error_in(answer) == "invalid_request"


async def test_a_token_is_for_one_resource(hub: Hub) -> None:
    form = {"grant_type": "client_credentials", "client_id": hub.agent.id, "client_secret": hub.secret}
    body = httpx2.QueryParams(form).add("resource", RESOURCE).add("resource", f"{PUBLIC_URL}/mcp")

    answer = await hub.http.post(
        "/oauth/token", content=str(body), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert error_in(answer) == "invalid_target"


async def test_a_body_that_is_no_form_is_refused(hub: Hub) -> None:
    bodies = [
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", "text/plain"),
        (b"grant_type=%ff", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"client_id=a%00b", "application/x-www-form-urlencoded"),
        (b"x=" + b"y" * 20_000, "application/x-www-form-urlencoded"),
        (b"&".join(b"p%d=1" % n for n in range(60)), "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
    ]

    for content, kind in bodies:
        answer = await hub.http.post("/oauth/token", content=content, headers={"Content-Type": kind})

        assert error_in(answer) == "invalid_request"


async def test_parameters_in_the_url_are_refused(hub: Hub) -> None:
    answer = await hub.http.post("/oauth/token?client_secret=leaked", data={"grant_type": "client_credentials"})

    assert error_in(answer) == "invalid_request"


async def test_only_the_grant_types_of_the_table_exist(hub: Hub) -> None:
    assert error_in(await hub.token(grant_type=None)) == "invalid_request"
    assert error_in(await hub.token(grant_type="password")) == "unsupported_grant_type"


async def test_an_agent_gets_no_token_beyond_its_bounds(hub: Hub) -> None:
    cases: list[tuple[dict[str, str | None], str]] = [
        ({"resource": None}, "invalid_target"),
        ({"resource": f"{PUBLIC_URL}/servers/hidden/mcp"}, "invalid_target"),
        ({"resource": f"{PUBLIC_URL}/servers/everything/mcp"}, "invalid_target"),
        ({"resource": f"{PUBLIC_URL}/mcp#x"}, "invalid_target"),
        ({"resource": f"{PUBLIC_URL}.evil.example/mcp"}, "invalid_target"),
        ({"scope": "sap:read"}, "invalid_scope"),
    ]

    for changes, error in cases:
        assert error_in(await hub.own_token(**changes)) == error
