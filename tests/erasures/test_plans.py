"""Erasing what plans have read, shown and passed on: all of it goes, at once, and not before the plan has ended."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from plans.errand import caller_of, calls_of, carried_out, halfway, offer, seen, switch
from upstream.composites import LOOK, PUT, RENAME, changed

from erasures.office import BOTH_ENGINES, TELLING, Office, one
from hub.approvals import Choice
from hub.audit import values_kept
from hub.core.errors import Conflict
from hub.erasures import HoldKind, Keeping, NewHold, Scope, ScopeKind, retain, set_hold
from hub.invocations.journal import load
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import Environment, NewConnection, create_connection

pytestmark = pytest.mark.anyio

COPY = changed(PUT, name={"$from": "/steps/look/name"})
"""A step that writes the name that was read."""
STEPS = [LOOK, COPY, RENAME]


async def asked(office: Office) -> Invocation:
    """Return a plan that has read a telling name, and waits for people."""
    rename = "UPDATE item SET name = ? WHERE id = 1"
    office.world.upstream.store.rows(rename, TELLING)
    await offer(office.world, STEPS)
    plan = await office.world.call("restock", {"id": 40, "name": "x"}, caller=caller_of(office.world), run="r1")
    assert plan.state is State.AWAITING_APPROVAL, (plan.state, plan.error_message)
    return plan


async def done(office: Office) -> Invocation:
    """Return such a plan, carried out."""
    plan = await asked(office)
    await office.world.vote(plan, office.world.ann)
    ended = await carried_out(office.world, plan)
    assert ended.state is State.VERIFIED, (ended.state, ended.error_message)
    return ended


def record(office: Office, number: int) -> Scope:
    return Scope(kind=ScopeKind.RECORD, subject=f"items/{number}", connection_id=office.world.connection_id)


Aim = Callable[[Office, Invocation, Mapping[str, Invocation]], Scope]
AIMS: dict[str, Aim] = {
    "the plan": lambda _office, plan, _calls: one(plan),
    "its read": lambda _office, _plan, calls: one(calls["item_get"]),
    "a write of it": lambda _office, _plan, calls: one(calls["item_put"]),
    "who it was made for": lambda office, _plan, _calls: Scope(kind=ScopeKind.PERSON, subject=office.world.rita.id),
    "a record that it has written": lambda office, _plan, _calls: record(office, 40),
}


@BOTH_ENGINES
@pytest.mark.parametrize("aim", ["its read"])
async def test_what_a_plan_has_read_is_erased_wherever_it_went(office: Office, aim: str) -> None:
    await erased_by(office, aim)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("aim", sorted(set(AIMS) - {"its read"}))
async def test_a_plan_is_erased_with_all_it_has_read_by_way_of(office: Office, aim: str) -> None:
    await erased_by(office, aim)


async def erased_by(office: Office, aim: str) -> None:
    plan = await done(office)
    calls = await calls_of(office.world, plan)
    assert [call.tool_name for call in calls] == ["item_get", "item_get", "item_put", "item_update"]
    assert {"approval_questions", "invocations", "previews"} <= {*await office.tables_with(TELLING)}

    await office.erase(AIMS[aim](office, plan, {call.tool_name: call for call in calls}))

    assert await office.tables_with(TELLING) == []
    async with office.database.reading() as tx:
        left = [await load(tx, each.id) for each in (plan, *calls)]
        assert await values_kept(tx, [each.id for each in left]) == {}
    assert all(each.erased_at is not None for each in left)
    assert (await office.proof()).is_sound


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_read_is_not_erased_while_its_plan_waits_for_people_and_the_plan_is_named(office: Office) -> None:
    plan = await asked(office)
    (read,) = await calls_of(office.world, plan)
    assert read.state is State.SUCCEEDED

    for scope in (one(read), one(plan), Scope(kind=ScopeKind.PERSON, subject=office.world.rita.id)):
        with pytest.raises(Conflict, match=f"must end first: {plan.id}"):
            await office.ask(scope)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_step_is_not_erased_while_its_plan_goes_on(office: Office) -> None:
    plan = await halfway(office.world)
    (put,) = await calls_of(office.world, plan)

    with pytest.raises(Conflict, match=f"must end first: {plan.id}"):
        await office.ask(one(put))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_plan_that_nobody_carried_out_is_found_by_the_records_of_its_steps(office: Office) -> None:
    plan = await asked(office)
    await office.world.vote(plan, office.world.ann, Choice.REJECT)
    new = NewConnection(
        name="other",
        connector="upstream",
        environment=Environment.DEV,
        base_url="https://other.test",
        prefix="other_",
    )
    async with office.database.transaction() as tx:
        elsewhere = await create_connection(tx, new, office.authority(office.adam))

    with pytest.raises(Conflict, match="nothing to erase"):
        await office.ask(replace(record(office, 40), connection_id=elsewhere.id))
    await office.erase(record(office, 40))

    assert await office.tables_with(TELLING) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_hold_on_a_record_keeps_a_plan_that_nobody_carried_out(office: Office) -> None:
    plan = await asked(office)
    await office.world.vote(plan, office.world.ann, Choice.REJECT)
    where = office.world.connection_id
    hold = NewHold(kind=HoldKind.RECORD, reason="A case.", subject="items/40", connection_id=where)
    async with office.database.transaction() as tx:
        await set_hold(tx, hold, office.authority(office.aud))

    with pytest.raises(Conflict, match="legal hold"):
        await office.erase(one(plan))
    assert "previews" in await office.tables_with(TELLING)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_retention_leaves_a_plan_under_way_what_it_still_needs(office: Office) -> None:
    plan = await halfway(office.world)
    await retain(office.database, office.keys, Keeping(bodies=timedelta(0), decisions=timedelta(0)))
    (put,) = await calls_of(office.world, plan)
    assert put.erased_at is None
    await switch(office.world, "item_update", on=False)

    assert (await carried_out(office.world, plan)).state is State.VERIFIED
    await retain(office.database, office.keys, Keeping(bodies=timedelta(0), decisions=timedelta(0)))
    assert (await seen(office.world, plan)).erased_at is not None
    assert all(call.erased_at is not None for call in await calls_of(office.world, plan))
