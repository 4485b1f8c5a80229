"""Made-up requests at the authorization server: every answer is one of OAuth, and tells nothing of the inside."""

import json
from dataclasses import replace
from typing import Any, Final

import anyio
import pytest
from fuzzing import (
    AT_LENGTH,
    EVERY_DAY,
    encoded,
    examples,
    header_values,
    in_form_of_a_jwt,
    is_sound,
    jwt_headers,
    jwts,
    texts,
    values,
    whole,
)
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from oauth_hub import CALLBACK, PUBLIC_URL, RESOURCE, Hub, agent_of
from outside_clients import NEWCOMERS, Outside, at
from sqlalchemy import delete

from hub.core.errors import Unauthenticated
from hub.identity.clients import ClientAuthentication, create_agent
from hub.identity.tables import LoginBudgetRow
from hub.oauth.proof import ASSERTION_TYPE

Json = Any

pytestmark = pytest.mark.anyio

LONGEST_SECONDS: Final = 120
_GRANTS: Final = (
    "authorization_code",
    "client_credentials",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
)
_POSTED: Final = ("/oauth/token", "/oauth/revoke", "/oauth/introspect")
_PARAMETERS: Final = (
    "client_id",
    "client_secret",
    "code",
    "code_verifier",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "refresh_token",
    "response_type",
    "resource",
    "scope",
    "state",
    "subject_token",
    "subject_token_type",
    "token",
    "token_type_hint",
    "client_assertion",
    "client_assertion_type",
    "assertion",
    "prompt",
)
told = st.one_of(
    texts, jwts, st.sampled_from(["code", "S256", CALLBACK, RESOURCE, "tryton:read", "https://a.example/c.json"])
)
pairs = st.lists(st.tuples(st.one_of(st.sampled_from(_PARAMETERS), texts), told), max_size=8)


async def _posted(hub: Hub, path: str, form: list[tuple[str, str]], said: dict[str, str]) -> None:
    data = dict[str, list[str]]()
    for name, one in form:
        data.setdefault(whole(name), []).append(whole(one))
    raw = [(name.encode(), value.strip().encode("latin-1")) for name, value in said.items()]
    with anyio.fail_after(LONGEST_SECONDS):
        assert is_sound(await hub.http.post(path, data=data, headers=raw), hub.secret)


_SAID = st.fixed_dictionaries(
    {}, optional={"Authorization": header_values, "DPoP": st.one_of(header_values, jwts), "Origin": header_values}
)


@given(path=st.sampled_from(_POSTED), grant=st.sampled_from(_GRANTS), form=pairs, said=_SAID)
@examples(EVERY_DAY)
async def test_whatever_is_posted_is_answered(
    hub: Hub, path: str, grant: str, form: list[tuple[str, str]], said: dict[str, str]
) -> None:
    await _posted(hub, path, [("grant_type", grant), *form], said)


@given(path=st.sampled_from(_POSTED), form=pairs)
@examples(EVERY_DAY)
async def test_whatever_a_known_client_posts_is_answered(hub: Hub, path: str, form: list[tuple[str, str]]) -> None:
    known = [("client_id", hub.agent.id), ("client_secret", hub.secret)]

    await _posted(hub, path, [*known, *(pair for pair in form if pair[0] not in {"client_id", "client_secret"})], {})


@pytest.mark.more
@given(path=st.sampled_from(_POSTED), grant=st.sampled_from(_GRANTS), form=pairs, said=_SAID)
@examples(AT_LENGTH)
async def test_whatever_is_posted_for_longer_is_answered_all_the_same(
    hub: Hub, path: str, grant: str, form: list[tuple[str, str]], said: dict[str, str]
) -> None:
    await _posted(hub, path, [("grant_type", grant), *form], said)


@given(form=pairs, is_known=st.booleans())
@examples(EVERY_DAY)
async def test_whatever_a_browser_is_sent_with_is_answered_and_leads_nowhere_else(
    hub: Hub,
    form: list[tuple[str, str]],
    is_known: bool,  # noqa: FBT001  # made up like all else
) -> None:
    named = [("client_id", hub.agent.id), ("response_type", "code")] if is_known else []
    query = [(name, whole(one)) for name, one in [*named, *form] if name.isidentifier()]

    with anyio.fail_after(LONGEST_SECONDS):
        answer = await hub.http.get("/oauth/authorize", params=query)

    assert is_sound(answer)
    leads = answer.headers.get("location", "/")
    assert leads.startswith(("/", "https://hub.example/", CALLBACK)), leads


@pytest.fixture
async def signer_id(hub: Hub) -> str:
    keys = {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}
    new = replace(agent_of(hub.ada.id, "signer", ClientAuthentication.KEY), jwks=keys)
    async with hub.database.transaction() as tx:
        return (await create_agent(tx, new, hub.authority)).id


_ODD_CLAIMS: Final = st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "jti"]), values, max_size=2)


@given(path=st.sampled_from(_POSTED), header=jwt_headers, odd=_ODD_CLAIMS)
@examples(EVERY_DAY)
async def test_whatever_a_client_is_said_to_have_signed_is_refused(
    hub: Hub, signer_id: str, path: str, header: bytes, odd: dict[str, Json]
) -> None:
    claims = {"iss": signer_id, "sub": signer_id, "aud": PUBLIC_URL, "jti": "1", "exp": 2**31, **odd}
    assertion = in_form_of_a_jwt(header, json.dumps(claims).encode(), b"signed")
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, "token": "x"}

    answer = await hub.http.post(path, data={"grant_type": "client_credentials", "resource": RESOURCE, **form})

    assert is_sound(answer)
    assert answer.status_code in {400, 401}


METADATA: Final[dict[str, Json]] = {
    "client_name": "Traveller",
    "redirect_uris": [CALLBACK],
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "dpop_bound_access_tokens": False,
    "jwks": {"keys": []},
}
odd = st.dictionaries(st.sampled_from(sorted(METADATA)), values, min_size=1, max_size=2)


@given(body=st.one_of(odd.map(lambda some: {**METADATA, **some}), values).map(encoded))
@examples(EVERY_DAY)
async def test_whatever_is_to_be_registered_is_answered(outside: Outside, body: bytes) -> None:
    open_to_all = NEWCOMERS.model_copy(update={"registration": "open"})
    hub = at(outside.hub, replace(outside.documents, newcomers=open_to_all), None)

    async with hub.database.transaction() as tx:  # or only the first few would be read
        await tx.execute(delete(LoginBudgetRow))
    async with hub.http:
        answer = await hub.http.post("/oauth/register", content=body, headers={"Content-Type": "application/json"})

    assert is_sound(answer)
    assert answer.status_code in {201, 400}


@given(bearer=jwts)
@examples(EVERY_DAY)
async def test_whatever_looks_like_a_token_is_refused(hub: Hub, bearer: str) -> None:
    with pytest.raises(Unauthenticated):
        await hub.caller(bearer)


@given(proof=jwts)
@examples(EVERY_DAY)
async def test_whatever_looks_like_a_proof_is_answered(hub: Hub, proof: str) -> None:
    await _posted(
        hub, "/oauth/token", [("grant_type", "client_credentials"), ("client_id", hub.agent.id)], {"DPoP": proof}
    )
