"""Answers that are lost: for each upstream class what was promised, counted in the upstream and nowhere else."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from invocations.time_passing import approved, later, settled
from sqlalchemy import update
from upstream.faults import Fault
from upstream.fixtures import running_upstream
from world import World

from hub.audit import EventKind, events_of
from hub.core.errors import Conflict, Forbidden
from hub.identity import directory
from hub.identity.accounts import NewUser, create_user, set_roles
from hub.identity.principals import Principal, Role
from hub.invocations.envelope import envelope
from hub.invocations.queries import current
from hub.invocations.resolve import Resolution, doubtful, resolve
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation

pytestmark = pytest.mark.anyio

LOST_ANSWERS = [Fault.DROP_AFTER, Fault.ERROR_AFTER, Fault.HTML, Fault.REDIRECT, Fault.TRUNCATED, Fault.CUT]
LOST_REQUESTS = [Fault.DROP_BEFORE, Fault.ERROR_BEFORE]


@pytest.mark.parametrize("fault", LOST_ANSWERS + LOST_REQUESTS)
async def test_class_a_is_sent_again_under_the_same_key_and_takes_effect_once(world: World, fault: Fault) -> None:
    world.upstream.store.plan_fault(fault, method="PUT")

    lost = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})
    assert lost.state is State.RESENDING
    found = await settled(world, lost)

    assert found.state is State.VERIFIED
    assert len(world.upstream.store.effects(41)) == 1


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.ERROR_AFTER])
async def test_class_b_that_took_effect_is_found_by_comparing_with_the_prediction(world: World, fault: Fault) -> None:
    world.upstream.store.plan_fault(fault, method="PATCH")

    lost = await world.call("item_update", {"id": 1, "quantity": 90})
    assert lost.state is State.RESENDING
    found = await settled(world, lost)

    assert found.state is State.VERIFIED
    assert len(world.upstream.store.effects(1)) == 1


@pytest.mark.parametrize("fault", LOST_REQUESTS)
async def test_class_b_that_never_arrived_is_sent_again_and_takes_effect_once(world: World, fault: Fault) -> None:
    world.upstream.store.plan_fault(fault, method="PATCH")

    found = await settled(world, await world.call("item_update", {"id": 1, "quantity": 90}))

    assert found.state is State.VERIFIED
    assert len(world.upstream.store.effects(1)) == 1


async def test_class_b_changed_by_somebody_else_meanwhile_stays_in_doubt(world: World) -> None:
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, method="PATCH")
    lost = await world.call("item_update", {"id": 1, "quantity": 90})
    world.edit_by_hand(1, quantity=55)

    found = await settled(world, lost)

    assert found.state is State.IN_DOUBT
    assert world.upstream.store.effects(1) == []


async def test_class_c_that_took_effect_is_found_by_its_reference(world: World) -> None:
    ready = await approved(world, "ticket_create", {"title": "The pencil broke"})
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")

    lost = await resume(ready.id, world.runtime)
    assert lost.state is State.IN_DOUBT
    found = await settled(world, lost)

    assert found.state is State.VERIFIED
    assert len(world.upstream.store.effects()) == 1


async def test_class_c_that_is_not_found_counts_as_not_applied_only_after_the_quarantine(world: World) -> None:
    ready = await approved(world, "ticket_create", {"title": "The pencil broke"})
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, method="POST")
    lost = await resume(ready.id, world.runtime)

    await later(world, lost)
    early = await resume(lost.id, world.runtime)
    await later(world, lost, sent_ago=timedelta(minutes=2))
    late = await resume(lost.id, world.runtime)

    assert early.state is State.IN_DOUBT
    assert late.state is State.NOT_APPLIED
    assert envelope(late, public_url="http://hub").structured["retryable"] is True
    assert world.upstream.store.effects() == []
    assert (await world.call("ticket_create", {"title": "The pencil broke"})).state is State.AWAITING_APPROVAL


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.DROP_BEFORE])
async def test_class_d_is_never_sent_again_and_waits_for_a_person(world: World, fault: Fault) -> None:
    ready = await approved(world, "note_post", {"text": "Back at noon"})
    world.upstream.store.plan_fault(fault, method="POST")

    lost = await resume(ready.id, world.runtime)
    still = await settled(world, lost)

    assert lost.state is still.state is State.IN_DOUBT
    assert len(world.upstream.store.requests("POST")) == 1


async def test_a_refused_first_request_is_failed_and_nothing_happened(world: World) -> None:
    world.upstream.store.plan_fault(Fault.THROTTLED, method="PATCH")

    ended = await world.call("item_update", {"id": 1, "quantity": 90})

    assert ended.state is State.FAILED
    assert world.upstream.store.effects() == []


async def test_a_system_that_is_down_before_sending_leaves_the_approval_as_good_as_it_was(world: World) -> None:
    world_upstream = world.upstream
    ready = await approved(world, "item_delete", {"id": 1})
    world_upstream.kill()

    waiting = await resume(ready.id, world.runtime)

    assert waiting.state is State.APPROVED
    assert waiting.approval_digest == ready.approval_digest
    assert (await current(world.runtime, ready.id)).sends == 0


async def operator(world: World, name: str) -> Principal:
    new = NewUser(name=name, display_name=name.title(), password="long-enough-words", roles=frozenset({Role.OPERATOR}))
    async with world.runtime.database.transaction() as tx:
        return await create_user(tx, new, world.runtime.authority)


def finding(lost: Invocation, by: Principal, *, has_happened: bool) -> Resolution:
    return Resolution(invocation_id=lost.id, operator=by, has_happened=has_happened, reason="I looked at the board.")


async def critical_in_doubt(world: World) -> Invocation:
    """Return a critical write that was done, of which nobody knows it."""
    ready = await approved(world, "note_post", {"text": "Back at noon"})
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")
    lost = await resume(ready.id, world.runtime)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(tier="critical"))
    return lost


@pytest.mark.parametrize("has_happened", [True, False])
async def test_an_operator_settles_what_no_system_can_tell(world: World, *, has_happened: bool) -> None:
    ready = await approved(world, "note_post", {"text": "Back at noon"})
    world.upstream.store.plan_fault(Fault.DROP_AFTER if has_happened else Fault.DROP_BEFORE, method="POST")
    lost = await resume(ready.id, world.runtime)
    omar = await operator(world, "omar")

    assert [one.id for one in await doubtful(world.runtime)] == [lost.id]
    settled_one = await resolve(finding(lost, omar, has_happened=has_happened), world.runtime)

    assert settled_one.state is State.RESOLVED_BY_HUMAN
    assert envelope(settled_one, public_url="http://hub").is_error is not has_happened
    with pytest.raises(Conflict):
        await resolve(finding(lost, omar, has_happened=not has_happened), world.runtime)


@pytest.mark.parametrize("has_happened", [True, False])
async def test_what_an_operator_found_not_done_is_tried_anew_and_what_was_done_is_not(
    world: World, *, has_happened: bool
) -> None:
    ready = await approved(world, "note_post", {"text": "Back at noon"})
    world.upstream.store.plan_fault(Fault.DROP_AFTER if has_happened else Fault.DROP_BEFORE, method="POST")
    lost = await resume(ready.id, world.runtime)
    assert (await world.call("note_post", {"text": "Back at noon"})).id == lost.id
    await resolve(finding(lost, await operator(world, "omar"), has_happened=has_happened), world.runtime)

    again = await world.call("note_post", {"text": "Back at noon"})

    assert (again.id == lost.id) is has_happened


async def test_a_critical_doubt_needs_two_operators_who_agree(world: World) -> None:
    lost = await critical_in_doubt(world)
    omar, olga, otto = [await operator(world, name) for name in ("omar", "olga", "otto")]

    first = await resolve(finding(lost, omar, has_happened=True), world.runtime)
    again = await resolve(finding(lost, omar, has_happened=True), world.runtime)
    with pytest.raises(Conflict, match="opposite"):
        await resolve(finding(lost, olga, has_happened=False), world.runtime)
    second = await resolve(finding(lost, otto, has_happened=True), world.runtime)

    assert first.state is again.state is State.IN_DOUBT
    assert second.state is State.RESOLVED_BY_HUMAN


async def test_the_finding_of_somebody_who_is_no_operator_any_more_does_not_count(world: World) -> None:
    lost = await critical_in_doubt(world)
    omar, olga, otto = [await operator(world, name) for name in ("omar", "olga", "otto")]
    await resolve(finding(lost, omar, has_happened=True), world.runtime)
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, omar.id, frozenset({Role.MEMBER}), world.runtime.authority)

    second = await resolve(finding(lost, olga, has_happened=True), world.runtime)
    third = await resolve(finding(lost, otto, has_happened=True), world.runtime)

    assert second.state is State.IN_DOUBT
    assert third.state is State.RESOLVED_BY_HUMAN


@pytest.mark.parametrize("way_out", ["says so", "is no operator any more", "takes part by now"])
async def test_a_wrong_finding_is_no_dead_end(world: World, way_out: str) -> None:
    lost = await critical_in_doubt(world)
    omar, olga, otto = [await operator(world, name) for name in ("omar", "olga", "otto")]
    await resolve(finding(lost, omar, has_happened=False), world.runtime)
    with pytest.raises(Conflict, match="opposite"):
        await resolve(finding(lost, olga, has_happened=True), world.runtime)

    if way_out == "says so":
        await resolve(finding(lost, omar, has_happened=True), world.runtime)
    async with world.runtime.database.transaction() as tx:
        if way_out == "is no operator any more":
            await set_roles(tx, omar.id, frozenset({Role.MEMBER}), world.runtime.authority)
        if way_out == "takes part by now":
            await tx.execute(update(InvocationRow).values(on_behalf_of_id=omar.id))
    second = await resolve(finding(lost, olga, has_happened=True), world.runtime)
    third = (
        second
        if second.state is not State.IN_DOUBT
        else await resolve(finding(lost, otto, has_happened=True), world.runtime)
    )

    assert second.state is (State.RESOLVED_BY_HUMAN if way_out == "says so" else State.IN_DOUBT)
    assert third.state is State.RESOLVED_BY_HUMAN
    async with world.runtime.database.reading() as tx:
        said = [
            one.facts["has_happened"] for one in await events_of(tx, lost.id) if one.kind is EventKind.COMMIT_RESOLVED
        ]
    assert said == [False, True, True]


async def test_the_owner_of_an_agent_that_acts_for_nobody_does_not_settle_its_doubts(world: World) -> None:
    alone = replace(world.caller, on_behalf_of=None)
    asked = await world.call("note_post", {"text": "Back at noon"}, caller=alone)
    ready = await world.vote(asked, world.ann)
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")
    lost = await resume(ready.id, world.runtime)
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.rita.id, frozenset({Role.OPERATOR}), world.runtime.authority)
        owner = await directory.get(tx, world.rita.id)

    with pytest.raises(Forbidden, match="take part"):
        await resolve(finding(lost, owner, has_happened=True), world.runtime)


async def test_only_operators_who_take_no_part_may_settle_a_doubt(world: World) -> None:
    ready = await approved(world, "note_post", {"text": "Back at noon"})
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")
    lost = await resume(ready.id, world.runtime)
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.rita.id, frozenset({Role.OPERATOR}), world.runtime.authority)
        requester = await directory.get(tx, world.rita.id)

    for person in (world.ann, requester):
        with pytest.raises(Forbidden):
            await resolve(finding(lost, person, has_happened=True), world.runtime)


async def test_class_a_goes_on_trying_while_the_system_is_down_after_a_lost_answer(
    world: World, tmp_path: Path
) -> None:
    """Nothing left with the second attempt, and a third under the same key is as safe as the second was."""
    port = urlsplit(world.upstream.base_url).port or 0
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PUT")
    lost = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})

    world.upstream.kill()
    await later(world, lost)
    unreachable = await resume(lost.id, world.runtime)
    with running_upstream(tmp_path / "upstream", port=port):
        found = await settled(world, unreachable)

    assert unreachable.state is State.RESENDING
    assert found.state is State.VERIFIED
    assert len(world.upstream.store.effects(41)) == 1


async def test_a_doubt_says_that_something_was_sent_however_the_last_attempt_ended(world: World) -> None:
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PUT")
    lost = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})
    world.upstream.kill()

    found = await settled(world, lost)

    assert found.state is State.IN_DOUBT
    assert found.error_message == (
        "It was sent, and the answer was lost. When it was tried again: The system cannot be reached; nothing was sent."
    )
