"""Legal holds: what they stand over is neither erased nor retired, whoever asks and whatever happens at once."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from erasures.office import TELLING, Office, one
from hub.audit import EventKind, events_of, open_values
from hub.core.errors import Conflict, InputError, NotFound
from hub.erasures import (
    Hold,
    HoldKind,
    Keeping,
    NewHold,
    Scope,
    ScopeKind,
    Stage,
    get_erasure,
    holds_now,
    lift_hold,
    retain,
    set_hold,
)
from hub.invocations.journal import load
from hub.storage import now

pytestmark = pytest.mark.anyio

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
AT_ONCE = Keeping(bodies=timedelta(0), decisions=timedelta(0))


async def hold(office: Office, new: NewHold) -> Hold:
    async with office.database.transaction() as tx:
        return await set_hold(tx, new, office.authority(office.otto))


async def lift(office: Office, held: Hold) -> None:
    async with office.database.transaction() as tx:
        await lift_hold(tx, held.id, "The case is closed.", office.authority(office.otto))


async def a_hold_of_each_kind(office: Office, invocation_id: str) -> list[NewHold]:
    async with office.database.reading() as tx:
        moment = await now(tx)
    return [
        NewHold(kind=HoldKind.INVOCATION, subject=invocation_id, reason="A dispute."),
        NewHold(kind=HoldKind.PERSON, subject=office.world.rita.id, reason="A dispute."),
        NewHold(kind=HoldKind.RECORD, subject="items/7", connection_id=office.world.connection_id, reason="A dispute."),
        NewHold(kind=HoldKind.SINCE, since=moment - timedelta(hours=1), reason="A dispute."),
    ]


@pytest.mark.parametrize("kind", list(HoldKind))
async def test_a_hold_forbids_every_erasure_that_touches_what_it_covers(office: Office, kind: HoldKind) -> None:
    done = await office.written()
    (new,) = [each for each in await a_hold_of_each_kind(office, done.id) if each.kind is kind]
    asked = await office.ask(one(done))
    held = await hold(office, new)

    with pytest.raises(Conflict, match=held.id):
        await office.grant(asked)
    async with office.database.reading() as tx:
        assert (await get_erasure(tx, asked.id)).stage is Stage.ASKED
    assert "invocations" in await office.tables_with(TELLING)
    await lift(office, held)
    assert (await office.grant(asked)).stage is Stage.DONE


@pytest.mark.parametrize("kind", list(HoldKind))
async def test_retention_spares_what_is_held_and_takes_it_once_the_hold_is_lifted(
    office: Office, kind: HoldKind
) -> None:
    done = await office.written()
    (new,) = [each for each in await a_hold_of_each_kind(office, done.id) if each.kind is kind]
    held = await hold(office, new)

    await retain(office.database, office.keys, AT_ONCE)
    async with office.database.reading() as tx:
        spared = await load(tx, done.id)
        first, *_ = await events_of(tx, done.id)
        values = await open_values(tx, first.id, office.keys)
    await lift(office, held)
    await retain(office.database, office.keys, AT_ONCE)

    assert (spared.erased_at, spared.arguments["name"]) == (None, TELLING)
    assert values["decided_on"]
    assert await office.tables_with(TELLING) == []
    assert (await office.proof()).is_sound


async def test_a_hold_on_one_invocation_lets_others_go(office: Office) -> None:
    held, other = await office.written(7), await office.written(9)
    await hold(office, NewHold(kind=HoldKind.INVOCATION, subject=held.id, reason="A dispute."))

    await office.erase(one(other))
    with pytest.raises(Conflict, match="legal hold"):
        await office.erase(Scope(kind=ScopeKind.PERSON, subject=office.world.rita.id))

    async with office.database.reading() as tx:
        assert (await load(tx, held.id)).erased_at is None


async def test_a_hold_on_a_person_covers_their_account_too(office: Office) -> None:
    await hold(office, NewHold(kind=HoldKind.PERSON, subject=office.world.carl.id, reason="A dispute."))

    with pytest.raises(Conflict, match="legal hold"):
        await office.erase(Scope(kind=ScopeKind.PERSON, subject=office.world.carl.id))


async def test_what_happened_before_the_moment_of_a_hold_is_not_held(office: Office) -> None:
    done = await office.written()
    async with office.database.reading() as tx:
        moment = await now(tx)
    await hold(office, NewHold(kind=HoldKind.SINCE, since=moment, reason="A dispute."))

    assert (await office.erase(one(done))).stage is Stage.DONE


async def test_setting_and_lifting_are_events_with_a_reason_that_is_private(office: Office) -> None:
    done = await office.written()
    held = await hold(office, NewHold(kind=HoldKind.INVOCATION, subject=done.id, reason="A dispute."))

    async with office.database.reading() as tx:
        assert await holds_now(tx) == [held]
    await lift(office, held)

    async with office.database.reading() as tx:
        was_set, was_lifted = await events_of(tx, held.id)
        reasons = [(await open_values(tx, each.id, office.keys))["reason"] for each in (was_set, was_lifted)]
        assert await holds_now(tx) == []
    assert [each.kind for each in (was_set, was_lifted)] == [EventKind.HOLD_SET, EventKind.HOLD_LIFTED]
    assert {each.actor for each in (was_set, was_lifted)} == {office.otto.id}
    assert reasons == ["A dispute.", "The case is closed."]
    assert "dispute" not in str(was_set.facts)


async def test_a_hold_that_makes_no_sense_is_refused(office: Office) -> None:
    async with office.database.reading() as tx:
        moment = await now(tx)
    done = await office.written()
    authority = office.authority(office.otto)
    async with office.database.transaction() as tx:
        with pytest.raises(InputError, match="why"):
            await set_hold(tx, NewHold(kind=HoldKind.INVOCATION, subject=done.id, reason=" "), authority)
        with pytest.raises(InputError, match="since when"):
            await set_hold(tx, NewHold(kind=HoldKind.SINCE, reason="x"), authority)
        with pytest.raises(InputError, match="nothing else"):
            await set_hold(tx, NewHold(kind=HoldKind.SINCE, since=moment, subject=done.id, reason="x"), authority)
        with pytest.raises(Conflict, match="not come yet"):
            await set_hold(tx, NewHold(kind=HoldKind.SINCE, since=moment + timedelta(days=1), reason="x"), authority)
        with pytest.raises(NotFound):
            await set_hold(tx, NewHold(kind=HoldKind.PERSON, subject="usr_none", reason="x"), authority)
        with pytest.raises(NotFound):
            await lift_hold(tx, "hld_none", "x", authority)
        with pytest.raises(InputError, match="why"):
            await lift_hold(tx, "hld_none", "", authority)


async def somebody_waits_for_a_lock(office: Office, task: "asyncio.Task[object]") -> bool:
    """Return whether somebody waits for a lock before `task` has ended."""
    while not task.done():
        async with office.database.reading() as tx:
            if await tx.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                return True
    return False


@ON_POSTGRESQL
async def test_an_erasure_that_meets_a_hold_being_set_waits_and_is_refused(office: Office) -> None:
    done = await office.written()
    asked = await office.ask(one(done))
    new = NewHold(kind=HoldKind.INVOCATION, subject=done.id, reason="A dispute.")

    async with office.database.transaction() as tx:
        held = await set_hold(tx, new, office.authority(office.otto))
        granting: asyncio.Task[object] = asyncio.create_task(office.grant(asked))
        assert await somebody_waits_for_a_lock(office, granting)
    with pytest.raises(Conflict, match=held.id):
        await granting

    assert "invocations" in await office.tables_with(TELLING)


@ON_POSTGRESQL
async def test_retention_that_meets_a_hold_being_set_waits_and_spares_what_is_held(office: Office) -> None:
    done = await office.written()
    new = NewHold(kind=HoldKind.INVOCATION, subject=done.id, reason="A dispute.")

    async with office.database.transaction() as tx:
        await set_hold(tx, new, office.authority(office.otto))
        retiring: asyncio.Task[object] = asyncio.create_task(retain(office.database, office.keys, AT_ONCE))
        assert await somebody_waits_for_a_lock(office, retiring)
    await retiring

    async with office.database.reading() as tx:
        assert (await load(tx, done.id)).erased_at is None


@ON_POSTGRESQL
async def test_two_auditors_who_grant_at_once_erase_once(office: Office) -> None:
    asked = await office.ask(one(await office.written()))

    ends = await asyncio.gather(
        office.grant(asked, office.aud), office.grant(asked, office.otto), return_exceptions=True
    )

    assert sorted(isinstance(end, Conflict) for end in ends) == [False, True]
    async with office.database.reading() as tx:
        kinds = [event.kind for event in await events_of(tx, asked.id)]
    assert kinds.count(EventKind.ERASURE_GRANTED) == kinds.count(EventKind.VALUES_ERASED) == 1
