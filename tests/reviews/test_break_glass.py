"""Break-glass: who may, what it is bound to, who is told, what ends it, and that it is reviewed by somebody else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from questions import ask_by, rules
from sqlalchemy import select, update
from world import World

from connectors.sdk.vocabulary import Tier
from hub import audit
from hub.audit import EventKind
from hub.bundles import Publication, publish_bundle
from hub.core.errors import (
    ChangedSinceSeen,
    Conflict,
    Forbidden,
    FreshLoginNeeded,
    HubError,
    InputError,
    NotFound,
)
from hub.identity.accounts import NewUser, create_user, set_roles, suspend
from hub.identity.owners import give_client
from hub.identity.principals import Caller, Principal, Role
from hub.invocations.break_glass import GLASS_BROKEN, Breaking, break_glass
from hub.invocations.commit import claim, send
from hub.invocations.queries import cancel
from hub.invocations.recheck import Holds, recheck
from hub.invocations.replay import replay
from hub.invocations.resume import resume
from hub.invocations.reviewing import Remark, remark
from hub.invocations.states import DONE, State
from hub.invocations.values import ApprovedBy, Invocation
from hub.outbox.tables import MessageRow
from hub.registry import find_tool, set_owner_tier
from hub.reviews import Verdict, waiting_for
from hub.reviews.tables import ReviewRow
from hub.storage import Tx, now

pytestmark = pytest.mark.anyio

Change = Callable[[World, Tx, Principal], Awaitable[object]]
ASKS = '@require("approvers:1")\n@ttl("PT24H")'
CONFIRMED_FIRST = '@confirm("requester")\n@require("approvers:1")\n@ttl("PT24H")'
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def operator(world: World, name: str = "omar", *groups: str) -> Principal:
    new = NewUser(
        name=name,
        display_name=name.title(),
        password="long-enough-words",
        roles=frozenset({Role.OPERATOR}),
        groups=frozenset(groups),
    )
    async with world.runtime.database.transaction() as tx:
        return await create_user(tx, new, world.runtime.authority)


async def asked(world: World, title: str = "The roof leaks") -> Invocation:
    waiting = await world.call("ticket_create", {"title": title})
    assert waiting.state is State.AWAITING_APPROVAL
    return waiting


def breaking(waiting: Invocation, by: Principal, **more: Any) -> Breaking:  # noqa: ANN401  # what a test wants otherwise
    assert waiting.question is not None
    ordinary: dict[str, Any] = {
        "invocation_id": waiting.id,
        "digest": waiting.question.digest,
        "breaker": by,
        "authenticated_at": datetime.now(UTC),
        "reason": "It is raining in, and nobody answers.",
    }
    return Breaking(**{**ordinary, **more})


async def reviewed(world: World, by: Principal, verdict: Verdict = Verdict.FINE) -> None:
    """Let somebody review what waits for them, all of it."""
    async with world.runtime.database.reading() as tx:
        waiting = await waiting_for(tx, by)
    assert waiting
    for one in waiting:
        await remark(Remark(review_id=one.id, reviewer=by, verdict=verdict, reason="I looked."), world.runtime)


async def test_an_operator_lets_a_write_go_and_it_is_marked_told_and_reviewed_by_another(world: World) -> None:
    omar, waiting = await operator(world, "omar", "approvers"), await asked(world)

    let_go = await break_glass(breaking(waiting, omar), world.runtime)
    done = await resume(let_go.id, world.runtime)

    assert let_go.state is State.APPROVED
    assert done.state in DONE
    assert done.approved_by is ApprovedBy.NOBODY
    assert len(world.upstream.store.effects()) == 1
    async with world.runtime.database.reading() as tx:
        told = (await tx.scalars(select(MessageRow).where(MessageRow.topic == GLASS_BROKEN))).one()
        (event,) = [one for one in await audit.events_of(tx, done.id) if one.kind is EventKind.GLASS_BROKEN]
        assert await waiting_for(tx, omar) == []  # in the group that is asked, and not about himself
        assert await waiting_for(tx, world.rita) == []
        (review,) = await waiting_for(tx, world.ann)
    assert told.payload == {
        "invocation_id": done.id,
        "by": omar.id,
        "owners": [world.rita.id],
        "approval_digest": done.approval_digest,
    }
    assert (event.actor, event.facts["approved_by"], event.facts["action"]) == (omar.id, "nobody", "break_glass")
    assert (review.invocation_id, review.why) == (done.id, "It is raining in, and nobody answers.")
    again = await replay(world.runtime.database, world.runtime.keys, datetime.now(UTC) - timedelta(hours=1))
    assert again.decisions == again.same


@ONE_ENGINE
async def test_whoever_owns_the_agent_by_now_does_not_review_what_was_let_go_for_it(world: World) -> None:
    omar, alone = await operator(world), replace(world.caller, on_behalf_of=None)
    waiting = await world.call("ticket_create", {"title": "The roof leaks"}, caller=alone)
    await break_glass(breaking(waiting, omar), world.runtime)

    async with world.runtime.database.transaction() as tx:
        assert [one.invocation_id for one in await waiting_for(tx, world.ann)] == [waiting.id]
        await give_client(tx, world.bot.id, world.ann.id, world.runtime.authority)
        assert await waiting_for(tx, world.ann) == []


async def test_nobody_breaks_the_glass_twice_before_somebody_else_has_looked(world: World) -> None:
    omar = await operator(world)
    first, second = await asked(world), await asked(world, "The cellar is wet")
    await break_glass(breaking(first, omar), world.runtime)

    with pytest.raises(Conflict, match=first.id):
        await break_glass(breaking(second, omar), world.runtime)
    await reviewed(world, world.ann)

    assert (await break_glass(breaking(second, omar), world.runtime)).state is State.APPROVED


async def test_of_two_that_one_operator_lets_go_at_once_one_is_refused(world: World) -> None:
    omar = await operator(world)
    waiting = [await asked(world, f"Leak {number}") for number in range(3)]

    async def told(one: Invocation) -> str:
        try:
            return (await break_glass(breaking(one, omar), world.runtime)).state.value
        except HubError as refusal:
            return refusal.code

    ends = await asyncio.gather(*(told(one) for one in waiting))

    assert sorted(ends) == ["APPROVED", Conflict.code, Conflict.code]


@ONE_ENGINE
async def test_whoever_may_not_is_refused_and_that_is_on_record(world: World) -> None:
    omar, waiting = await operator(world), await asked(world)
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    async with world.runtime.database.transaction() as tx:
        roles = frozenset({Role.OPERATOR, Role.MEMBER})
        rita = await set_roles(tx, world.rita.id, roles, world.runtime.authority)

    for more, error in (
        ({"breaker": world.ann}, Forbidden),
        ({"breaker": rita}, Forbidden),
        ({"digest": "0" * 64}, ChangedSinceSeen),
        ({"reason": "  "}, InputError),
        ({"reason": "x" * 2001}, InputError),
        ({"authenticated_at": long_ago}, FreshLoginNeeded),
        ({"invocation_id": "inv_none"}, NotFound),
    ):
        with pytest.raises(error):
            await break_glass(breaking(waiting, omar, **more), world.runtime)
    async with world.runtime.database.reading() as tx:
        refused = [one for one in await audit.events_of(tx, waiting.id) if one.kind is EventKind.GLASS_REFUSED]
    assert [one.facts["code"] for one in refused] == [
        Forbidden.code,
        Forbidden.code,
        ChangedSinceSeen.code,
        InputError.code,
        InputError.code,
        FreshLoginNeeded.code,
    ]


@ONE_ENGINE
async def test_what_was_overtaken_cannot_be_let_go(world: World) -> None:
    waiting, omar = await asked(world), await operator(world)
    secret = {"token": world.upstream.token}
    async with world.runtime.database.transaction() as tx:
        await world.runtime.vault.put(tx, world.connection_id, secret, world.runtime.authority)

    with pytest.raises(Conflict, match="overtaken before you decided: the connection has been changed"):
        await break_glass(breaking(waiting, omar), world.runtime)


async def test_what_does_not_wait_any_more_cannot_be_let_go(world: World) -> None:
    omar, waiting = await operator(world), await asked(world)
    await cancel(world.runtime, world.caller, waiting.id, reason="not needed")

    with pytest.raises(Conflict):
        await break_glass(breaking(waiting, omar), world.runtime)


@ONE_ENGINE
@pytest.mark.parametrize(
    "annotations", ['@confirm("requester")\n@ttl("PT24H")', CONFIRMED_FIRST], ids=["alone", "first"]
)
async def test_broken_glass_does_not_stand_for_the_requesters_confirmation(world: World, annotations: str) -> None:
    await ask_by(world, annotations)
    omar, waiting = await operator(world), await asked(world)

    with pytest.raises(Forbidden, match="has yet to confirm it"):
        await break_glass(breaking(waiting, omar), world.runtime)

    assert (await resume(waiting.id, world.runtime)).state is State.AWAITING_APPROVAL


@ONE_ENGINE
async def test_what_its_requester_has_confirmed_may_be_let_go_without_the_others(world: World) -> None:
    await ask_by(world, CONFIRMED_FIRST)
    omar, waiting = await operator(world), await asked(world)
    confirmed = await world.vote(waiting, world.rita)

    await break_glass(breaking(confirmed, omar), world.runtime)

    assert (await resume(waiting.id, world.runtime)).state in DONE


@ONE_ENGINE
async def test_what_was_let_go_is_not_sent_once_who_confirmed_it_may_no_longer(world: World) -> None:
    await ask_by(world, CONFIRMED_FIRST)
    alone = Caller(actor=world.bot, scopes=world.caller.scopes, client_id=world.bot.id)  # its owner confirms
    omar, waiting = await operator(world), await world.call("ticket_create", {"title": "A leak"}, caller=alone)
    await break_glass(breaking(await world.vote(waiting, world.rita), omar), world.runtime)
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.rita.id, "left", world.runtime.authority)

    after = await resume(waiting.id, world.runtime)

    assert (after.state, world.upstream.store.effects()) == (State.STALE, [])
    assert "somebody who approved it may no longer do so" in (after.error_message or "")


async def policy_forbids_it(world: World, tx: Tx, _omar: Principal) -> None:
    rule = '@id("no-glass") @why("Never here.") forbid (principal, action == Action::"break_glass", resource);'
    publication = Publication(environment="dev", text=f"{rules(ASKS)}\n{rule}", by=None)
    await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def policy_asks_the_requester_first(world: World, tx: Tx, _omar: Principal) -> None:
    publication = Publication(environment="dev", text=rules(CONFIRMED_FIRST), by=None)
    await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def it_becomes_critical(world: World, tx: Tx, _omar: Principal) -> None:
    tool = await find_tool(tx, "upstream", "ticket_create")
    assert tool is not None
    await set_owner_tier(tx, tool.id, Tier.CRITICAL, world.runtime.authority)


async def the_operator_is_one_no_more(world: World, tx: Tx, omar: Principal) -> None:
    await set_roles(tx, omar.id, frozenset({Role.MEMBER}), world.runtime.authority)


async def the_operator_is_suspended(world: World, tx: Tx, omar: Principal) -> None:
    await suspend(tx, omar.id, "left", world.runtime.authority)


async def the_review_is_removed(_world: World, tx: Tx, _omar: Principal) -> None:
    await tx.execute(update(ReviewRow).values(approval_digest="0" * 64))


async def it_is_disputed(world: World, tx: Tx, _omar: Principal) -> None:
    said = {"verdict": "disputed", "reviewer_id": world.ann.id, "reason": "No.", "reviewed_at": await now(tx)}
    await tx.execute(update(ReviewRow).values(said))


@ONE_ENGINE
@pytest.mark.parametrize(
    "change",
    [
        policy_forbids_it,
        policy_asks_the_requester_first,
        it_becomes_critical,
        the_operator_is_one_no_more,
        the_operator_is_suspended,
        the_review_is_removed,
        it_is_disputed,
    ],
)
async def test_what_was_let_go_is_not_sent_when(world: World, change: Change) -> None:
    omar, waiting = await operator(world), await asked(world)
    await break_glass(breaking(waiting, omar), world.runtime)
    async with world.runtime.database.transaction() as tx:
        await change(world, tx, omar)

    after = await resume(waiting.id, world.runtime)

    assert after.state is State.STALE
    assert after.error_message
    assert world.upstream.store.effects() == []


@ONE_ENGINE
@pytest.mark.parametrize("change", [it_is_disputed, the_operator_is_one_no_more, the_operator_is_suspended])
async def test_a_dispute_after_the_last_check_still_comes_before_the_first_byte(world: World, change: Change) -> None:
    omar, waiting = await operator(world), await asked(world)
    await break_glass(breaking(waiting, omar), world.runtime)
    claimed = await claim(waiting.id, world.runtime)
    assert claimed is not None
    held = await recheck(claimed, world.runtime)
    assert isinstance(held, Holds)
    async with world.runtime.database.transaction() as tx:
        await change(world, tx, omar)

    after = await send(claimed, held.tool, world.runtime)

    assert after.state is State.APPROVED  # nothing was sent; the next look finds it void
    assert (await resume(waiting.id, world.runtime)).state is State.STALE
    assert world.upstream.store.effects() == []


@ONE_ENGINE
@pytest.mark.parametrize("change", [policy_forbids_it, it_becomes_critical])
async def test_policy_may_forbid_it(world: World, change: Change) -> None:
    omar = await operator(world)
    async with world.runtime.database.transaction() as tx:
        await change(world, tx, omar)
    waiting = await asked(world)

    with pytest.raises(Forbidden, match="Policy does not permit it"):
        await break_glass(breaking(waiting, omar), world.runtime)
