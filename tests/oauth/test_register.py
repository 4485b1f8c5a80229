"""Dynamic registration: off unless the operator turns it on, bounded when it is, and ended by its own token alone."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey
from oauth_hub import CALLBACK, PUBLIC_URL, Hub, error_in, query_of, request_id_in
from pydantic import SecretStr, ValidationError
from sqlalchemy import func, select
from starlette.applications import Starlette

from hub.identity.client_documents import ClientDocuments
from hub.identity.grants_consent import consent_question
from hub.identity.newcomers import Newcomers
from hub.identity.tables import ClientRow
from hub.oauth.metadata import metadata_of
from hub.oauth.routes import routes_of
from hub.outbound import NotFetched, Outbound

pytestmark = pytest.mark.anyio

TOKEN = "a token of twenty-four characters or more"
SAID: dict[str, Any] = {"client_name": "Traveller", "redirect_uris": [CALLBACK]}

Open = Callable[..., Hub]


def terms(registration: str) -> Newcomers:
    return Newcomers.model_validate(
        {
            "owner": "ada",
            "scopes": ["tryton:read"],
            "servers": ["sales"],
            "registration": registration,
            "registration_token": TOKEN if registration == "token" else None,
        }
    )


def nobody() -> Any:  # noqa: ANN401  # it never returns
    raise NotFetched("nobody is asked")


@pytest.fixture
async def opened(hub: Hub) -> AsyncIterator[Open]:
    """Returns the hub with clients that may register on these terms."""
    clients = list[httpx2.AsyncClient]()

    def open_to(registration: str) -> Hub:
        outbound = Outbound(nobody)
        documents = ClientDocuments(outbound=outbound, public=outbound, newcomers=terms(registration))
        server = replace(hub.server, documents=documents)
        transport = httpx2.ASGITransport(app=Starlette(routes=routes_of(server)), client=("192.0.2.7", 4711))
        http = httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL, cookies=hub.http.cookies)
        clients.append(http)
        return replace(hub, server=server, http=http)

    yield open_to
    for one in clients:
        await one.aclose()


async def register(hub: Hub, token: str = "", **changes: Any) -> httpx2.Response:  # noqa: ANN401  # metadata of any kind
    said = {name: value for name, value in {**SAID, **changes}.items() if value is not None}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await hub.http.post("/oauth/register", json=said, headers=headers)


async def agents(hub: Hub) -> int:
    async with hub.database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(ClientRow)) or 0


async def test_where_the_operator_says_nothing_nobody_registers(hub: Hub, opened: Open) -> None:
    for closed in (hub, opened("off")):
        answer = await register(closed)
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
        assert "registration_endpoint" not in metadata_of(closed.server)
    assert await agents(hub) == 1


async def test_a_client_that_registered_acts_for_a_person_within_the_operators_bounds(opened: Open) -> None:
    hub = opened("open")

    answer = await register(hub, logo_uri="https://evil.example/logo.png")

    body = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert (body["client_name"], body["redirect_uris"]) == ("Traveller", [CALLBACK])
    assert (body["token_endpoint_auth_method"], "logo_uri" in body) == ("client_secret_basic", False)
    proof = {"client_id": body["client_id"], "client_secret": body["client_secret"]}
    asked = await hub.ask(client_id=body["client_id"])
    async with hub.database.transaction() as tx:
        assert (await consent_question(tx, request_id_in(asked), hub.ada)).has_registered_itself
    code = query_of(await hub.consent(asked))["code"]
    token = (await hub.redeem(code, **proof)).json()
    caller = await hub.caller(token["access_token"])
    assert (caller.on_behalf_of, caller.scopes) == (hub.ada, {"tryton:read"})
    assert metadata_of(hub.server)["registration_endpoint"] == f"{PUBLIC_URL}/oauth/register"


async def test_a_client_that_registered_one_port_of_its_machine_may_listen_on_another(opened: Open) -> None:
    hub = opened("open")
    client_id = (await register(hub, redirect_uris=["http://127.0.0.1:3118/done"])).json()["client_id"]

    asked = await hub.ask(client_id=client_id, redirect_uri="http://127.0.0.1:49152/done")
    location = await hub.consent(asked)
    elsewhere = await hub.ask(client_id=client_id, redirect_uri="http://127.0.0.1:49152/other")

    assert location.startswith("http://127.0.0.1:49152/done?code=")
    assert elsewhere.status_code == 400


async def test_a_client_that_registered_never_acts_without_a_person(opened: Open) -> None:
    hub = opened("open")
    body = (await register(hub)).json()

    answer = await hub.own_token(client_id=body["client_id"], client_secret=body["client_secret"])

    assert error_in(answer) == "unauthorized_client"


async def test_a_public_client_and_one_with_a_key_get_no_secret(opened: Open) -> None:
    hub, key = opened("open"), ECKey.generate_key("P-256", {"kid": "k1"})
    public = await register(hub, token_endpoint_auth_method="none")
    with_key = await register(
        hub, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key.as_dict(private=False)]}
    )

    assert "client_secret" not in public.json()
    assert "client_secret" not in with_key.json()
    assert with_key.json()["jwks"]["keys"][0]["kid"] == "k1"


async def test_with_a_token_only_its_bearer_registers(opened: Open) -> None:
    hub = opened("token")

    for wrong in ("", "x", TOKEN[:-1]):
        answer = await register(hub, wrong)
        assert (answer.status_code, "www-authenticate" in answer.headers) == (401, True)
    assert (await register(hub, TOKEN)).status_code == 201
    assert await agents(hub) == 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://evil.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"{CALLBACK}{number}" for number in range(21)]}, "invalid_redirect_uri"),
        ({"client_name": None}, "invalid_client_metadata"),
        ({"client_name": "x" * 121}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": []}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"padding": "x" * 20_000}, "invalid_client_metadata"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_metadata_that_will_not_do_register_nobody(opened: Open, changes: dict[str, Any], error: str) -> None:
    hub = opened("open")

    answer = await register(hub, **changes)

    assert (answer.status_code, answer.json()["error"], await agents(hub)) == (400, error, 1)


async def test_what_is_no_json_object_registers_nobody(opened: Open) -> None:
    hub = opened("open")

    for body in (b"", b"[]", b"nonsense", b'{"a":1,"a":2}'):
        assert (await hub.http.post("/oauth/register", content=body)).status_code == 400


async def test_so_many_register_from_one_address_and_no_more(opened: Open) -> None:
    hub = opened("open")

    statuses = [(await register(hub)).status_code for _ in range(12)]

    assert statuses[:10] == [201] * 10
    assert 429 in statuses[10:]


async def test_a_registration_is_read_and_ended_by_its_own_token_alone(opened: Open) -> None:
    hub = opened("open")
    mine, other = (await register(hub)).json(), (await register(hub)).json()
    path = mine["registration_client_uri"].removeprefix(PUBLIC_URL)

    def bearing(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    for wrong in ({}, bearing("x"), bearing(other["registration_access_token"])):
        assert (await hub.http.get(path, headers=wrong)).status_code == 401
        assert (await hub.http.delete(path, headers=wrong)).status_code == 401
    own = bearing(mine["registration_access_token"])
    assert (await hub.http.get(f"/oauth/register/{hub.agent.id}", headers=own)).status_code == 401
    read = await hub.http.get(path, headers=own)
    assert (read.json()["client_name"], "client_secret" in read.json()) == ("Traveller", False)
    assert (await hub.http.delete(path, headers=own)).status_code == 204
    assert (await hub.http.get(path, headers=own)).status_code == 401
    proof = {"client_id": mine["client_id"], "client_secret": mine["client_secret"]}
    assert (await hub.own_token(**proof)).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"registration": "token"},
        {"registration": "open", "registration_token": TOKEN},
        {"registration": "token", "registration_token": "short"},
        {"registration": "anybody"},
        {"scopes": ["everything"]},
        {"owner": ""},
        {"colour": "blue"},
    ],
    ids=str,
)
def test_terms_that_cannot_be_meant_are_refused_and_show_no_token(changes: dict[str, Any]) -> None:
    usual = {"owner": "ada", "scopes": ["tryton:read"], "servers": ["sales"]}
    assert TOKEN not in repr(Newcomers.model_validate({**usual, "registration": "token", "registration_token": TOKEN}))

    with pytest.raises(ValidationError) as caught:
        Newcomers.model_validate({**usual, **changes})
    assert SecretStr(TOKEN).get_secret_value() not in str(caught.value)


async def test_a_client_may_register_as_one_that_needs_bound_tokens(opened: Open) -> None:
    hub = opened("open")

    made = (await register(hub, dpop_bound_access_tokens=True)).json()
    usual = (await register(hub)).json()
    refused = await register(hub, dpop_bound_access_tokens="yes")
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": made["client_id"]}
    asked = await hub.http.post("/oauth/token", data={**form, "client_secret": made["client_secret"]})

    assert (made["dpop_bound_access_tokens"], usual["dpop_bound_access_tokens"]) == (True, False)
    assert refused.json()["error"] == "invalid_client_metadata"
    assert error_in(asked) == "invalid_dpop_proof"
