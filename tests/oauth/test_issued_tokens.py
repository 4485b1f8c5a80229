"""Tokens already issued: ended by their clients (RFC 7009), and described to whom they concern (RFC 7662)."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from joserfc import jwt
from joserfc.jwk import ECKey
from oauth_hub import PUBLIC_URL, RESOURCE, Hub, agent_of, error_in
from sqlalchemy import update

from hub.core.errors import Unauthenticated
from hub.identity.access_tokens import mint, read_access_token
from hub.identity.accounts import suspend
from hub.identity.clients import (
    ClientAuthentication,
    NewService,
    create_agent,
    create_service,
    issue_secret,
    limit_client,
)
from hub.identity.tables import GrantRow, RefreshTokenRow
from hub.keys import Keyring
from hub.storage import now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


MASTER_KEY = bytes(range(32))


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what stands in the header and in the body of a token."""
    header, claims = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in token.split(".")[:2])
    return header, claims


async def post(hub: Hub, what: str, **changes: str | None) -> httpx2.Response:
    usual = {"client_id": hub.agent.id, "client_secret": hub.secret}
    form = {name: value for name, value in {**usual, **changes}.items() if value is not None}
    return await hub.http.post(f"/oauth/{what}", data=form)


async def tokens(hub: Hub) -> tuple[str, str]:
    body = (await hub.redeem(await hub.code())).json()
    return body["access_token"], body["refresh_token"]


async def is_live(hub: Hub, access_token: str) -> bool:
    try:
        await hub.caller(access_token)
    except Unauthenticated:
        return False
    return True


@pytest.mark.parametrize("which", [0, 1], ids=["access token", "refresh token"])
async def test_a_client_that_revokes_one_token_ends_its_whole_family_at_once(hub: Hub, which: int) -> None:
    family = await tokens(hub)
    assert await is_live(hub, family[0])

    answer = await post(hub, "revoke", token=family[which], token_type_hint="whatever")

    assert (answer.status_code, answer.content) == (200, b"")
    assert not await is_live(hub, family[0])
    assert error_in(await hub.refresh(family[1])) == "invalid_grant"


async def test_revoking_twice_or_what_never_was_a_token_is_no_error(hub: Hub) -> None:
    access_token, _ = await tokens(hub)

    asked = [await post(hub, "revoke", token=one) for one in (access_token, access_token, "nothing", "a.b.c")]

    assert [one.status_code for one in asked] == [200] * 4


async def test_nobody_ends_another_clients_tokens_and_nothing_tells_that_they_are_good(hub: Hub) -> None:
    family = await tokens(hub)
    async with hub.database.transaction() as tx:
        other = await create_agent(tx, agent_of(hub.ada.id, "other"), hub.authority)
        secret = await issue_secret(tx, other.id, hub.authority)
    as_other = {"client_id": other.id, "client_secret": secret.value}

    ended = [await post(hub, "revoke", token=one, **as_other) for one in (*family, "nothing")]
    told = [(await post(hub, "introspect", token=one, **as_other)).json() for one in (*family, "nothing")]

    assert {(one.status_code, one.content) for one in ended} == {(200, b"")}
    assert told == [{"active": False}] * 3
    assert await is_live(hub, family[0])
    assert (await hub.refresh(family[1])).status_code == 200


async def test_a_public_client_ends_its_own_tokens_but_is_told_of_none(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        new = agent_of(hub.ada.id, "open", ClientAuthentication.NONE)
        public = await create_agent(tx, new, hub.authority)
    code = await hub.code(client_id=public.id)
    body = (await hub.redeem(code, client_id=public.id, client_secret=None)).json()

    told = await post(hub, "introspect", token=body["access_token"], client_id=public.id, client_secret=None)
    ended = await post(hub, "revoke", token=body["access_token"], client_id=public.id, client_secret=None)

    assert (told.status_code, ended.status_code) == (401, 200)
    assert not await is_live(hub, body["access_token"])


async def test_a_client_is_told_what_its_access_token_stands_for(hub: Hub) -> None:
    access_token, _ = await tokens(hub)
    answer = await post(hub, "introspect", token=access_token)

    told = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert told.pop("exp") - told.pop("iat") == 600
    assert told.pop("jti").startswith("tok_")
    assert told == {
        "active": True,
        "iss": PUBLIC_URL,
        "aud": RESOURCE,
        "client_id": hub.agent.id,
        "sub": hub.ada.id,
        "act": {"sub": hub.agent.id},
        "scope": "tryton:read tryton:write",
        "token_type": "Bearer",
    }


async def test_a_client_is_told_what_its_refresh_token_stands_for_until_it_is_used(hub: Hub) -> None:
    _, refresh_token = await tokens(hub)
    before = (await post(hub, "introspect", token=refresh_token)).json()
    await hub.refresh(refresh_token)

    assert (before["active"], before["sub"], "token_type" in before) == (True, hub.ada.id, False)
    assert (await post(hub, "introspect", token=refresh_token)).json() == {"active": False}


async def test_a_token_is_described_as_it_counts_now(hub: Hub) -> None:
    access_token, refresh_token = await tokens(hub)
    async with hub.database.transaction() as tx:
        await limit_client(
            tx,
            hub.agent.id,
            scopes=frozenset({"tryton:read"}),
            servers=frozenset({"sales"}),
            authority=hub.authority,
        )

    told = [(await post(hub, "introspect", token=one)).json()["scope"] for one in (access_token, refresh_token)]

    assert told == ["tryton:read"] * 2


async def test_no_token_of_somebody_suspended_is_active(hub: Hub) -> None:
    family = await tokens(hub)
    async with hub.database.transaction() as tx:
        # Suspending revokes the grants, too; here only the person's standing is looked at.
        await suspend(tx, hub.ada.id, "left", hub.authority)
        await tx.execute(update(GrantRow).values(revoked_at=None))

    assert [(await post(hub, "introspect", token=one)).json() for one in family] == [{"active": False}] * 2


async def test_no_token_whose_grant_is_over_is_active(hub: Hub) -> None:
    family = await tokens(hub)
    async with hub.database.transaction() as tx:
        await tx.execute(update(GrantRow).values(revoked_at=await now(tx)))

    assert [(await post(hub, "introspect", token=one)).json() for one in family] == [{"active": False}] * 2


@pytest.mark.parametrize("change", ["not yet", "no more", "another hub's"])
async def test_no_access_token_of_another_time_or_another_hub_is_active(hub: Hub, change: str) -> None:
    access_token, _ = await tokens(hub)
    said = read_access_token(access_token, hub.authority.keys)
    at, minute = said.issued_at, timedelta(minutes=1)
    changed = {
        "not yet": replace(said, issued_at=at + minute),
        "no more": replace(said, issued_at=at - 2 * minute, expires_at=at - minute),
        "another hub's": replace(said, issuer="https://else.example"),
    }
    other = mint(changed[change], hub.authority.keys)

    assert (await post(hub, "introspect", token=access_token)).json()["active"]
    assert (await post(hub, "introspect", token=other)).json() == {"active": False}


async def test_an_access_token_that_is_to_count_later_is_not_active_yet(hub: Hub) -> None:
    access_token, _ = await tokens(hub)
    header, claims = parts_of(access_token)
    key = hub.authority.keys.signing_key("tokens")
    assert isinstance(key.private, EllipticCurvePrivateKey)
    later, now_on = (
        jwt.encode(header, {**claims, "nbf": claims["iat"] + seconds}, ECKey.import_key(key.private))
        for seconds in (60, 0)
    )

    assert (await post(hub, "introspect", token=later)).json() == {"active": False}
    assert (await post(hub, "introspect", token=now_on)).json()["active"]


async def test_a_token_under_a_key_that_another_process_has_just_made_is_known_and_under_no_key_of_ours_is_not(
    hub: Hub,
) -> None:
    access_token, _ = await tokens(hub)
    said = read_access_token(access_token, hub.authority.keys)
    elsewhere = await Keyring.open(hub.database, MASTER_KEY)
    async with hub.database.transaction() as tx:
        await elsewhere.rotate(tx, "tokens")
    await elsewhere.reload()
    newer = mint(said, elsewhere)
    header, claims = parts_of(newer)
    key = elsewhere.signing_key("tokens")
    assert isinstance(key.private, EllipticCurvePrivateKey)
    strange = jwt.encode({**header, "kid": "key_of_nobody"}, claims, ECKey.import_key(key.private))

    assert (await post(hub, "introspect", token=newer)).json()["active"]
    answer = await post(hub, "introspect", token=strange)
    assert (answer.status_code, answer.json()) == (200, {"active": False})


@pytest.mark.parametrize("row", [GrantRow, RefreshTokenRow], ids=["grant", "token"])
async def test_no_refresh_token_is_active_whose_time_or_whose_grants_is_over(
    hub: Hub, row: type[GrantRow | RefreshTokenRow]
) -> None:
    _, refresh_token = await tokens(hub)
    async with hub.database.transaction() as tx:
        await tx.execute(update(row).values(expires_at=await now(tx) - timedelta(milliseconds=1)))

    assert (await post(hub, "introspect", token=refresh_token)).json() == {"active": False}


async def test_a_service_is_told_of_access_tokens_for_the_servers_it_may_use(hub: Hub) -> None:
    access_token, refresh_token = await tokens(hub)
    told = []
    for name, servers in (("gateway", {"sales"}), ("stranger", {"hidden"})):
        async with hub.database.transaction() as tx:
            new = NewService(
                name=name,
                display_name=name,
                owner_id=hub.ada.id,
                allowed_scopes=hub.agent.allowed_scopes,
                allowed_servers=frozenset(servers),
            )
            service = await create_service(tx, new, hub.authority)
            secret = await issue_secret(tx, service.id, hub.authority)
        for token in (access_token, refresh_token):
            as_service = {"client_id": service.id, "client_secret": secret.value}
            told.append((await post(hub, "introspect", token=token, **as_service)).json()["active"])

    assert told == [True, False, False, False]


@pytest.mark.parametrize("what", ["revoke", "introspect"])
async def test_who_proves_nothing_or_sends_no_token_is_told_so(hub: Hub, what: str) -> None:
    assert (await post(hub, what, token="x", client_secret="wrong")).status_code == 401
    assert error_in(await post(hub, what)) == "invalid_request"
    assert error_in(await hub.http.post(f"/oauth/{what}?token=x", data={})) == "invalid_request"
    assert (await hub.http.get(f"/oauth/{what}")).status_code == 405
    assert (await hub.http.options(f"/oauth/{what}")).status_code == 204


@pytest.mark.parametrize("lost", ["servers", "scopes"])
async def test_a_refresh_token_that_gives_nothing_any_more_is_not_good(hub: Hub, lost: str) -> None:
    _, refresh = await tokens(hub)
    left = {"scopes": frozenset({"tryton:read"}), "servers": frozenset({"sales"}), lost: frozenset[str]()}
    async with hub.database.transaction() as tx:
        await limit_client(tx, hub.agent.id, **left, authority=hub.authority)

    assert (await post(hub, "introspect", token=refresh)).json() == {"active": False}
    assert (await hub.refresh(refresh)).status_code == 400
