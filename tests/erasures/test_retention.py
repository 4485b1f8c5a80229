"""Retention: what was kept long enough is deleted once, in parts, and exports say and prove so."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from doomed import KILLED, Doomed
from sqlalchemy import select, update

from erasures.office import BOTH_ENGINES, TELLING, Office, one
from hub.audit import AuditEvent, EventKind, page_of_events
from hub.audit.tables import EventRow, ValueRow
from hub.erasures import Keeping, retain
from hub.erasures.retention import Retired
from hub.invocations.emptying import LONGEST_WINDOW
from hub.invocations.journal import load
from hub.invocations.tables import AmountRow, InvocationRow
from hub.invocations.values import Invocation
from hub.storage import now

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def let_pass(office: Office, days: int, *invocations: Invocation) -> None:
    """Move the stored times of everything, or of some invocations and their events, so many days back."""
    ids = [each.id for each in invocations]
    async with office.database.transaction() as tx:
        moment = await now(tx) - days * DAY
        rows, events = update(InvocationRow).values(updated_at=moment), update(EventRow).values(at=moment)
        if ids:
            rows, events = rows.where(InvocationRow.id.in_(ids)), events.where(EventRow.subject.in_(ids))
        await tx.execute(rows)
        await tx.execute(events)


async def retire(office: Office, *, batch: int = 200, **days: int) -> Retired:
    keeping = Keeping(bodies=days.get("bodies", 90) * DAY, decisions=days.get("decisions", 2557) * DAY)
    return await retain(office.database, office.keys, keeping, batch=batch)


async def retirements(office: Office) -> list[AuditEvent]:
    async with office.database.reading() as tx:
        found = await page_of_events(tx, limit=1000)
    return [each for each in found if each.kind is EventKind.VALUES_ERASED]


async def fields_left(office: Office) -> set[str]:
    async with office.database.reading() as tx:
        return set(await tx.scalars(select(ValueRow.field)))


@BOTH_ENGINES
async def test_bodies_go_after_their_time_and_what_decisions_rest_on_stays(office: Office) -> None:
    done = await office.written()
    await let_pass(office, 91)

    retired = await retire(office)
    proof = await office.proof()

    assert await office.tables_with(TELLING) == []
    assert retired.invocations == 1
    assert await fields_left(office) == {"decided_on"}
    assert (proof.is_sound, proof.erased, proof.retired) == (True, retired.values, retired.values)
    async with office.database.reading() as tx:
        left = await load(tx, done.id)
    assert (left.state, left.erased_at is not None) == (done.state, True)


async def test_before_their_time_nothing_goes(office: Office) -> None:
    await office.written()
    await let_pass(office, 89)
    tables = await office.tables_with(TELLING)

    assert await retire(office) == Retired()
    assert await office.tables_with(TELLING) == tables


async def test_the_settings_say_how_long_and_decisions_go_after_theirs(office: Office) -> None:
    await office.written()
    await let_pass(office, 8)

    await retire(office, bodies=7, decisions=9)
    kept = await fields_left(office)
    await retire(office, bodies=7, decisions=7)

    assert kept == {"decided_on"}
    assert await fields_left(office) == set()
    assert (await office.proof()).is_sound


async def test_there_is_an_event_for_each_day_and_class_with_counts_and_no_values(office: Office) -> None:
    older, newer = await office.written(7), await office.written(9)
    await let_pass(office, 95, older)
    await let_pass(office, 92, newer)

    await retire(office)
    found = await retirements(office)

    days: list[dict[str, Any]] = [dict(each.facts) for each in reversed(found)]
    assert [(one["because"], one["class"], one["invocations"]) for one in days] == [("retention", "bodies", 1)] * 2
    assert days[0]["day"] < days[1]["day"]
    assert all(one["values_erased"] == sum(map(len, one["values"].values())) > 0 for one in days)
    assert TELLING not in str(days)


async def test_a_call_that_waits_is_left_alone_however_old_it_is(office: Office) -> None:
    waiting = await office.world.call("item_put", {"id": 7, "name": TELLING, "quantity": 600_000})
    await let_pass(office, 400, waiting)

    await retire(office)

    assert {"audit_events", "invocations", "previews"} & {*await office.tables_with(TELLING)} == {
        "invocations",
        "previews",
    }
    async with office.database.reading() as tx:
        assert (await load(tx, waiting.id)).erased_at is None


async def test_it_goes_part_by_part_and_misses_nothing(office: Office) -> None:
    for number in (7, 8, 9):
        await office.written(number)
    await let_pass(office, 91)

    retired = await retire(office, batch=1)

    assert retired.invocations == 3
    assert await office.tables_with(TELLING) == []
    assert await fields_left(office) == {"decided_on"}
    assert (await office.proof()).is_sound


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_workers_at_once_delete_everything_once(office: Office) -> None:
    for number in (7, 8, 9):
        await office.written(number)
    await let_pass(office, 91)

    ends = await asyncio.gather(retire(office, batch=1), retire(office, batch=1))
    named = [
        (event, name)
        for one in await retirements(office)
        for event, names in one.facts["values"].items()
        for name in names
    ]

    assert sum(end.invocations for end in ends) == 3
    assert len(named) == len({*named}) == sum(end.values for end in ends)
    assert (await office.proof()).is_sound


async def test_numbers_that_limits_count_stay_until_no_window_reaches_back_to_them(office: Office) -> None:
    done = await office.written()
    await office.erase(one(done))
    await retire(office)
    async with office.database.reading() as tx:
        early = (await tx.scalars(select(AmountRow.name))).all()

    await let_pass(office, LONGEST_WINDOW.days + 1)
    await retire(office)

    async with office.database.reading() as tx:
        late = (await tx.scalars(select(AmountRow.name))).all()
    assert (list(early), list(late)) == (["quantity"], [])


@BOTH_ENGINES
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_that_dies_while_it_retires_leaves_no_value_without_its_event(
    office: Office, doomed: Doomed, moment: str
) -> None:
    for number in (7, 8):
        await office.written(number)
    await let_pass(office, 91)

    process = doomed.start(office.database, moment, 2, "retain")
    assert doomed.end_of(process) == KILLED
    halfway = await office.proof()
    await retire(office, batch=1)

    assert (halfway.is_sound, halfway.erased > 0) == (True, True)
    assert await office.tables_with(TELLING) == []
    assert (await office.proof()).is_sound


@BOTH_ENGINES
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_that_dies_while_it_erases_has_erased_all_or_nothing(
    office: Office, doomed: Doomed, moment: str
) -> None:
    asked = await office.ask(one(await office.written()))

    process = doomed.start(office.database, moment, 1, "erase", asked.id)
    assert doomed.end_of(process) == KILLED
    proof = await office.proof()

    is_done = moment == "after"
    assert (await office.tables_with(TELLING) == []) is is_done
    assert (proof.is_sound, proof.erased > 0) == (True, is_done)
    if not is_done:
        await office.grant(asked)
    assert await office.tables_with(TELLING) == []
