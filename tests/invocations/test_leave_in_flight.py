"""Leave that is taken back at the very moment when a call is let in by it: the call is not carried out."""

from contextlib import suppress
from datetime import timedelta

import pytest
from world import World

from hub.core.errors import Conflict, Unauthenticated
from hub.core.ids import new_id
from hub.identity.access_tokens import AccessToken, mint
from hub.identity.acting import stop_acting
from hub.identity.principals import Caller
from hub.identity.tables import ConsentRow, GrantRow
from hub.identity.tokens import TokenVerifier
from hub.invocations.overtaking import Overtaking
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.storage import Database, Tx, now

pytestmark = pytest.mark.anyio


async def token_of(world: World) -> str:
    """Return a token by which bot may act for rita, as she has agreed."""
    async with world.runtime.database.transaction() as tx:
        at = await now(tx)
        shared = {"user_id": world.rita.id, "client_id": world.bot.id, "scopes": ["upstream:write"]}
        resource = f"{world.runtime.public_url}/mcp"
        tx.add(ConsentRow(id=new_id("cns"), resource=resource, given_at=at, **shared))
        until = {"created_at": at, "expires_at": at + timedelta(days=1)}
        grant = GrantRow(
            id=new_id("grt"), kind="authorization_code", resource=resource, server="everything", **until, **shared
        )
        tx.add(grant)
        await tx.flush()
        token = AccessToken(
            id=new_id("tok"),
            issuer=world.runtime.public_url.rstrip("/"),
            grant_id=grant.id,
            client_id=world.bot.id,
            agent_version=world.bot.agent_version,
            user_id=world.rita.id,
            scopes=frozenset(grant.scopes),
            resource=resource,
            issued_at=at,
            expires_at=at + timedelta(minutes=10),
            authenticated_at=None,
        )
    return mint(token, world.runtime.keys)


async def let_in(verifier: TokenVerifier, world: World, token: str) -> Caller:
    return await verifier.verify(token, resource=f"{world.runtime.public_url}/mcp")


async def taken_back(world: World, tx: Tx) -> None:
    await stop_acting(tx, world.rita.id, world.bot.id, world.runtime.authority)


async def nothing_comes_of(world: World, caller: Caller) -> bool:
    """Return whether a call is not carried out, though somebody would agree to it."""
    asked = await world.call("item_delete", {"id": 1}, caller=caller)
    with suppress(Conflict):
        await world.vote(asked, world.ann)
        await resume(asked.id, world.runtime)
    ended = (await current(world.runtime, asked.id)).state
    return ended is State.EXPIRED and world.upstream.store.effects() == []


async def test_who_is_let_in_while_leave_is_being_taken_back(world: World) -> None:
    token = await token_of(world)
    async with world.runtime.database.transaction() as tx:
        await taken_back(world, tx)
        caller = await let_in(world.runtime.verifier, world, token)  # nobody else sees it yet

    assert await nothing_comes_of(world, caller)


async def test_who_is_let_in_by_a_process_that_has_not_heard_of_it_yet(world: World) -> None:
    token = await token_of(world)
    other = Database(world.runtime.database.url.render_as_string(hide_password=False))
    try:
        verifier = TokenVerifier(other, world.runtime.keys, world.runtime.public_url)
        async with verifier.listening():
            await let_in(verifier, world, token)
            async with world.runtime.database.transaction() as tx:
                await taken_back(world, tx)
            try:
                caller = await let_in(verifier, world, token)
            except Unauthenticated:
                return  # it has heard of it, as on PostgreSQL it may
            assert await nothing_comes_of(world, caller)
    finally:
        await other.close()


async def test_a_worker_ends_what_came_by_leave_that_had_ended(world: World) -> None:
    token = await token_of(world)
    async with world.runtime.database.transaction() as tx:
        await taken_back(world, tx)
        caller = await let_in(world.runtime.verifier, world, token)
    await world.call("item_delete", {"id": 1}, caller=caller)

    assert await Overtaking(world.runtime).turn() == 1


async def test_by_leave_that_is_given_again_it_is_carried_out(world: World) -> None:
    await token_of(world)
    async with world.runtime.database.transaction() as tx:
        await taken_back(world, tx)

    caller = await let_in(world.runtime.verifier, world, await token_of(world))

    asked = await world.call("item_delete", {"id": 1}, caller=caller)
    await world.vote(asked, world.ann)
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED
