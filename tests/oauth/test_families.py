"""Codes and refresh tokens: each is good once, for one client, for what it was given for."""

from dataclasses import replace
from datetime import timedelta

import anyio
import httpx2
import pytest
from oauth_hub import CALLBACK, PUBLIC_URL, VERIFIER, Hub, agent_of, challenge_of, error_in
from sqlalchemy import MetaData, select, update
from starlette.applications import Starlette

from hub.core.errors import Unauthenticated
from hub.identity.access_tokens import read_access_token
from hub.identity.accounts import resume, suspend
from hub.identity.clients import (
    create_agent,
    issue_secret,
    limit_client,
)
from hub.identity.secrets import hash_secret
from hub.identity.tables import AuthorizationCodeRow, GrantRow, RefreshTokenRow
from hub.oauth.routes import routes_of
from hub.storage import Database, now

pytestmark = pytest.mark.anyio


async def test_a_code_without_its_verifier_is_refused(hub: Hub) -> None:
    assert error_in(await hub.redeem(await hub.code(), code_verifier=None)) == "invalid_request"


async def test_a_code_is_worth_nothing_without_the_verifier_it_was_asked_with(hub: Hub) -> None:
    code = await hub.code()

    for verifier in ("x" * 43, "short", challenge_of(VERIFIER), VERIFIER + "\n"):
        assert error_in(await hub.redeem(code, code_verifier=verifier)) == "invalid_grant"
    assert (await hub.redeem(code)).status_code == 200  # whoever guessed did not spoil it for its owner


async def test_a_code_used_twice_gives_nothing_and_takes_back_what_it_gave(hub: Hub) -> None:
    code = await hub.code()
    issued = (await hub.redeem(code)).json()
    await hub.caller(issued["access_token"])

    assert error_in(await hub.redeem(code)) == "invalid_grant"
    with pytest.raises(Unauthenticated):
        await hub.caller(issued["access_token"])
    assert error_in(await hub.refresh(issued["refresh_token"])) == "invalid_grant"


async def test_two_who_redeem_a_code_at_once_end_with_nothing(hub: Hub) -> None:
    code, answers = await hub.code(), list[httpx2.Response]()

    async def redeem() -> None:
        answers.append(await hub.redeem(code))

    async with anyio.create_task_group() as group:
        group.start_soon(redeem)
        group.start_soon(redeem)

    assert sorted(answer.status_code for answer in answers) == [200, 400]
    (issued,) = (answer.json() for answer in answers if answer.status_code == 200)
    with pytest.raises(Unauthenticated):
        await hub.caller(issued["access_token"])


async def test_a_code_is_worth_nothing_to_another_client(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        other = await create_agent(tx, agent_of(hub.ada.id, "other"), hub.authority)
        secret = await issue_secret(tx, other.id, hub.authority)
    code = await hub.code()

    stolen = await hub.redeem(code, client_id=other.id, client_secret=secret.value)

    assert error_in(stolen) == "invalid_grant"
    assert (await hub.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": CALLBACK + "/"}, "invalid_grant"),
        ({"resource": f"{PUBLIC_URL}/mcp"}, "invalid_target"),
    ],
)
async def test_a_code_is_good_for_what_it_was_asked_for_only(
    hub: Hub, changes: dict[str, str | None], error: str
) -> None:
    assert error_in(await hub.redeem(await hub.code(), **changes)) == error


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"code": "cod_unknown", "code_verifier": VERIFIER}, "invalid_grant"),
        ({"code": "x" * 10_000, "code_verifier": VERIFIER}, "invalid_grant"),
        ({"code_verifier": VERIFIER}, "invalid_request"),
    ],
)
async def test_a_code_that_was_never_given_is_refused(hub: Hub, form: dict[str, str], error: str) -> None:
    assert error_in(await hub.token(grant_type="authorization_code", **form)) == error


async def test_an_expired_code_is_refused(hub: Hub) -> None:
    code = await hub.code()
    async with hub.database.transaction() as tx:
        await tx.execute(update(AuthorizationCodeRow).values(expires_at=await now(tx)))

    assert error_in(await hub.redeem(code)) == "invalid_grant"


async def test_a_code_is_good_for_ten_minutes_at_most(hub: Hub) -> None:
    await hub.code()

    async with hub.database.reading() as tx:
        row = (await tx.scalars(select(AuthorizationCodeRow))).one()
        assert row.expires_at <= await now(tx) + timedelta(minutes=10)  # RFC 6749 section 4.1.2


async def test_the_store_alone_gives_nobody_a_code_or_a_token(hub: Hub) -> None:
    code, other = await hub.code(), await hub.code()
    issued = (await hub.redeem(code)).json()
    renewed = (await hub.refresh(issued["refresh_token"])).json()

    async with hub.database.reading() as tx:
        tables = MetaData()
        await (await tx.connection()).run_sync(tables.reflect)
        rows = [(await tx.execute(select(table))).all() for table in tables.sorted_tables]
    held = repr(rows)

    given = [code, other, *(one[kind] for one in (issued, renewed) for kind in ("access_token", "refresh_token"))]
    assert [one for one in given if one in held] == []
    assert all(hash_secret(one) in held for one in (code, other, renewed["refresh_token"]))


async def test_a_code_is_refused_once_the_person_is_suspended(hub: Hub) -> None:
    code = await hub.code()
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.ada.id, "left", hub.authority)

    assert error_in(await hub.redeem(code)) == "invalid_grant"


# ---------------------------------------------------------------------------------------------------- refresh tokens


async def test_a_refresh_token_is_replaced_each_time_it_is_used(hub: Hub) -> None:
    first = (await hub.redeem(await hub.code())).json()

    second = (await hub.refresh(first["refresh_token"])).json()
    third = (await hub.refresh(second["refresh_token"])).json()

    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert (await hub.caller(third["access_token"])).on_behalf_of == hub.ada
    await hub.caller(first["access_token"])  # still good until it expires


async def test_a_refresh_token_used_twice_ends_the_whole_family(hub: Hub) -> None:
    first = (await hub.redeem(await hub.code())).json()
    second = (await hub.refresh(first["refresh_token"])).json()

    assert error_in(await hub.refresh(first["refresh_token"])) == "invalid_grant"
    assert error_in(await hub.refresh(second["refresh_token"])) == "invalid_grant"
    for token in (first["access_token"], second["access_token"]):
        with pytest.raises(Unauthenticated):
            await hub.caller(token)


async def test_of_many_rotations_at_once_one_wins_and_the_family_ends(hub: Hub) -> None:
    first, answers = (await hub.redeem(await hub.code())).json(), list[httpx2.Response]()

    async def rotate() -> None:
        answers.append(await hub.refresh(first["refresh_token"]))

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(rotate)

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]
    (won,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert error_in(await hub.refresh(won["refresh_token"])) == "invalid_grant"
    with pytest.raises(Unauthenticated):
        await hub.caller(won["access_token"])


async def test_of_two_processes_that_rotate_at_once_one_wins_and_both_see_the_family_end(
    hub: Hub, database_url: str
) -> None:
    first = (await hub.redeem(await hub.code())).json()
    elsewhere = Database(database_url)  # as another process would have it
    other = replace(hub.server, database=elsewhere)
    transport = httpx2.ASGITransport(app=Starlette(routes=routes_of(other)))
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
        there, answers = replace(hub, server=other, http=http), list[httpx2.Response]()

        async def rotate(process: Hub) -> None:
            answers.append(await process.refresh(first["refresh_token"]))

        async with anyio.create_task_group() as group:
            for process in (hub, there):
                group.start_soon(rotate, process)
        (won,) = (answer.json() for answer in answers if answer.status_code == 200)
        after = [await process.refresh(won["refresh_token"]) for process in (hub, there)]
    await elsewhere.close()

    assert sorted(answer.status_code for answer in answers) == [200, 400]
    assert [error_in(answer) for answer in after] == ["invalid_grant", "invalid_grant"]
    with pytest.raises(Unauthenticated):
        await hub.caller(won["access_token"])


async def test_a_refreshed_token_may_have_less_but_never_more_or_elsewhere(hub: Hub) -> None:
    first = (await hub.redeem(await hub.code(scope="tryton:read"))).json()

    assert error_in(await hub.refresh(first["refresh_token"], scope="tryton:write")) == "invalid_scope"
    assert error_in(await hub.refresh(first["refresh_token"], resource=f"{PUBLIC_URL}/mcp")) == "invalid_target"
    second = await hub.refresh(first["refresh_token"], scope="tryton:read tryton:write")
    assert second.json()["scope"] == "tryton:read"


async def test_a_refresh_token_is_worth_nothing_to_another_client(hub: Hub) -> None:
    async with hub.database.transaction() as tx:
        other = await create_agent(tx, agent_of(hub.ada.id, "other"), hub.authority)
        secret = await issue_secret(tx, other.id, hub.authority)
    first = (await hub.redeem(await hub.code())).json()

    stolen = await hub.refresh(first["refresh_token"], client_id=other.id, client_secret=secret.value)

    assert error_in(stolen) == "invalid_grant"
    assert (await hub.refresh(first["refresh_token"])).status_code == 200


@pytest.mark.parametrize("table", [RefreshTokenRow, GrantRow])
async def test_a_refresh_token_ends_by_disuse_and_with_its_grant(
    hub: Hub, table: type[RefreshTokenRow | GrantRow]
) -> None:
    first = (await hub.redeem(await hub.code())).json()
    async with hub.database.transaction() as tx:
        await tx.execute(update(table).values(expires_at=await now(tx)))

    assert error_in(await hub.refresh(first["refresh_token"])) == "invalid_grant"


async def test_no_token_outlives_its_grant_which_could_not_be_ended_any_more(hub: Hub) -> None:
    first = (await hub.redeem(await hub.code())).json()
    async with hub.database.transaction() as tx:
        ends_at = await now(tx) + timedelta(seconds=100)
        await tx.execute(update(GrantRow).values(expires_at=ends_at))

    last = (await hub.refresh(first["refresh_token"])).json()

    assert last["expires_in"] <= 100
    assert read_access_token(last["access_token"], hub.server.keys).expires_at <= ends_at


async def test_once_the_agent_may_not_use_the_server_neither_a_code_nor_a_refresh_token_gives_anything(
    hub: Hub,
) -> None:
    code, issued = await hub.code(), (await hub.redeem(await hub.code())).json()
    scopes = frozenset({"tryton:read", "tryton:write"})
    async with hub.database.transaction() as tx:
        await limit_client(tx, hub.agent.id, scopes=scopes, servers=frozenset(), authority=hub.authority)

    assert error_in(await hub.redeem(code)) == "invalid_grant"
    assert error_in(await hub.refresh(issued["refresh_token"])) == "invalid_grant"


async def test_a_refresh_gives_no_more_than_the_agent_may_have_by_now(hub: Hub) -> None:
    first = (await hub.redeem(await hub.code())).json()
    async with hub.database.transaction() as tx:
        await limit_client(
            tx,
            hub.agent.id,
            scopes=frozenset({"tryton:read"}),
            servers=frozenset({"sales"}),
            authority=hub.authority,
        )

    second = (await hub.refresh(first["refresh_token"])).json()
    assert second["scope"] == "tryton:read"


async def test_tokens_from_before_a_suspension_stay_dead_after_it(hub: Hub) -> None:
    first = (await hub.redeem(await hub.code())).json()
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "strange behaviour", hub.authority)
        await resume(tx, hub.agent.id, hub.authority)

    with pytest.raises(Unauthenticated):
        await hub.caller(first["access_token"])
    assert error_in(await hub.refresh(first["refresh_token"])) == "invalid_grant"
    assert (await hub.own_token()).status_code == 200
