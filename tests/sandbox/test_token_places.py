"""Where tokens are asked for: below the base URL, at its origin, or at one host named in full, and nowhere else."""

from collections.abc import Mapping

import pytest
from pydantic import ValidationError
from sandbox_broker import channel_to, get, upstream_at
from sandbox_server import Asked, Reply, serving

from connectors.sdk import AuthSpec, ClientCredentials
from connectors.sdk.errors import Unavailable
from sandbox.reach import Reach
from sandbox.tokens import address_of
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio

CLIENT = {"client_id": "hub:1", "client_secret": "s%cret / s3cret"}


def issue(asked: Asked) -> Reply:
    """Give a token to whoever asks for one."""
    return Reply(body={"access_token": "a-token"} if asked.target == "/token" else {})


async def test_a_token_endpoint_elsewhere_is_asked_only_where_the_operator_lets_it_lead() -> None:
    async def secrets() -> Mapping[str, str]:
        return CLIENT

    async with serving(issue) as server:
        auth = ClientCredentials(token_url=f"http://localhost:{server.base_url.rpartition(':')[2]}/token")
        allowed = Upstream(server.base_url, auth, secrets)
        assert (await channel_to(allowed).send(get())).status == 200
        assert server.asked[0].header("host") != server.asked[1].header("host")
        await allowed.close()

        fenced = Upstream(server.base_url, auth, secrets, Reach(private_networks=()))
        with pytest.raises(Unavailable, match="token endpoint is out of reach"):
            await channel_to(fenced).send(get())
        assert len(server.asked) == 2
        await fenced.close()


async def test_an_endpoint_that_does_not_answer_leaves_the_request_unsent() -> None:
    auth = ClientCredentials(token_url="http://127.0.0.1:9/token")
    way = upstream_at("http://127.0.0.1:9", auth, **CLIENT)

    with pytest.raises(Unavailable, match="token endpoint cannot be reached"):
        await channel_to(way).send(get())
    await way.close()


@pytest.mark.parametrize("tenant", ["", ".", "..", "a\nb"])
def test_a_secret_never_leads_the_endpoint_elsewhere(tenant: str) -> None:
    auth = ClientCredentials(token_url="https://login.example.com/{tenant}/token")

    with pytest.raises(Unavailable, match="tenant cannot be part of an address"):
        address_of(auth, {**CLIENT, "tenant": tenant}, "https://crm.example.com")

    address = address_of(auth, {**CLIENT, "tenant": "@evil.example/?#x"}, "https://crm.example.com")
    assert (address.host, address.path) == ("login.example.com", "/%40evil.example%2F%3F%23x/token")


@pytest.mark.parametrize(
    "token_url",
    [
        "http://login.example.com/token",
        "https://{host}/token",
        "https://user@login.example.com/token",
        "https://login.example.com/token?x=1",
        "https://login.example.com/token#x",
        "https://login.example.com\\@evil.example/token",
        "//evil.example/token",
        "{base_url}@evil.example/token",
        "{base_url}.evil.example/token",
        "{origin}:80/token",
        "ftp://login.example.com/token",
        "file:///etc/passwd",
        "",
        "https://login.example.com/{tenant}/token",
    ],
)
def test_a_token_url_that_could_lead_elsewhere_is_refused(token_url: str) -> None:
    declared = {"kind": "client_credentials", "secret_fields": ["client_id", "client_secret"]}

    with pytest.raises(ValidationError, match="token_url"):
        AuthSpec.model_validate({**declared, "parameters": {"token_url": token_url}})
    smuggled = AuthSpec.model_construct(**declared, parameters={"token_url": token_url})
    if "{tenant}" not in token_url:
        with pytest.raises(Unavailable, match="stands where none may"):
            address_of(smuggled, CLIENT, "https://crm.example.com")


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "client_credentials", "secret_fields": ("client_id", "client_secret")},
        {"kind": "client_credentials", "secret_fields": ("client_id",), "parameters": {"token_url": "{base_url}/t"}},
        {
            "kind": "refresh_token",
            "secret_fields": ("client_id", "refresh_token", "other"),
            "parameters": {"token_url": "{base_url}/t"},
        },
        {
            "kind": "jwt_bearer",
            "secret_fields": ("issuer", "private_key"),
            "parameters": {"token_url": "{base_url}/t", "algorithm": "none"},
        },
    ],
)
def test_a_contradictory_declaration_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AuthSpec.model_validate(said)
