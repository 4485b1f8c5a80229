"""The inbox: what a person may not answer takes no place in it, however urgent it is, and however little there is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from questions import add_groups, add_person, ask_by
from sqlalchemy import update
from statements import heard, plans_of
from world import World

from hub import approvals
from hub.approvals import Absence, name_deputy
from hub.approvals.tables import QuestionRow
from hub.identity.accounts import set_groups
from hub.identity.directory import get
from hub.identity.owners import give_client
from hub.identity.principals import Principal
from hub.invocations.batch import waiting_together
from hub.invocations.states import State
from hub.invocations.values import Invocation

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)


async def most_urgent(world: World, person: Principal, *, limit: int = 1) -> list[str]:
    async with world.runtime.database.reading() as tx:
        return await approvals.waiting_for(tx, await get(tx, person.id), limit=limit)


async def for_person(world: World, person: Principal | None, number: int = 1) -> Invocation:
    asked = await world.call("ticket_create", {"title": str(number)}, caller=replace(world.caller, on_behalf_of=person))
    assert asked.state is State.AWAITING_APPROVAL, asked.error_message
    return asked


async def wish(world: World, number: int = 1) -> Invocation:
    return await for_person(world, world.rita, number)


async def away(world: World, absent: Principal, deputy: Principal) -> None:
    now = datetime.now(UTC)
    absence = Absence(absent=absent, deputy=deputy.name, starts_at=now - DAY, ends_at=now + DAY)
    async with world.runtime.database.transaction() as tx:
        await name_deputy(tx, absence, world.runtime.authority)


async def test_what_one_asked_for_oneself_hides_nothing(world: World) -> None:
    await for_person(world, world.ann)
    asked = await wish(world, 2)

    assert await most_urgent(world, world.ann) == [asked.id]


async def test_what_ones_own_agent_asked_hides_nothing(world: World) -> None:
    own = await for_person(world, None)
    asked = await wish(world, 2)
    assert await most_urgent(world, world.ann) == [own.id]

    async with world.runtime.database.transaction() as tx:
        await give_client(tx, world.bot.id, world.ann.id, world.runtime.authority)

    assert await most_urgent(world, world.ann) == [asked.id]


async def test_what_one_or_ones_deputy_has_voted_on_hides_nothing(world: World) -> None:
    await ask_by(world, '@require("approvers:3") @ttl("PT4H")')
    dora = await add_person(world, "dora")
    await away(world, world.ann, dora)
    by_deputy, by_absent, asked = [await wish(world, number) for number in (1, 2, 3)]

    await world.vote(by_deputy, dora)
    await world.vote(by_absent, world.ann)

    assert await most_urgent(world, world.ann) == [asked.id]
    assert await most_urgent(world, dora) == [asked.id]


async def test_what_the_absent_may_not_decide_hides_nothing_from_their_deputy(world: World) -> None:
    dora = await add_person(world, "dora")
    await away(world, world.ann, dora)
    await for_person(world, world.ann)
    asked = await wish(world, 2)

    assert await most_urgent(world, dora) == [asked.id]


async def test_what_a_deputy_takes_part_in_hides_nothing(world: World) -> None:
    dora = await add_person(world, "dora")
    await away(world, world.ann, dora)
    await for_person(world, dora)
    asked = await wish(world, 2)

    assert await most_urgent(world, dora) == [asked.id]


async def test_what_asks_for_people_in_more_groups_hides_nothing(world: World) -> None:
    await add_groups(world, "board")
    await ask_by(world, '@require("approvers&board:1") @ttl("PT4H")')
    together = await wish(world)
    await ask_by(world, '@require("approvers:1 board:1") @ttl("PT4H")')
    apart = await wish(world, 2)

    both = await add_person(world, "both", "approvers", "board")
    beside = await add_person(world, "beside", "board")

    assert await most_urgent(world, world.ann) == await most_urgent(world, beside) == [apart.id]
    assert await most_urgent(world, both, limit=2) == [together.id, apart.id], "each takes one place"


async def test_who_has_one_of_the_groups_each_stands_for_nobody_who_must_have_both(world: World) -> None:
    await add_groups(world, "board")
    await ask_by(world, '@require("approvers&board:1") @ttl("PT4H")')
    beside = await add_person(world, "beside", "board")
    await away(world, world.ann, beside)
    await wish(world)

    assert await most_urgent(world, beside) == []


async def test_what_others_are_to_confirm_hides_nothing(world: World) -> None:
    await ask_by(world, '@confirm("requester") @require("approvers:1") @ttl("PT4H")')
    await for_person(world, world.rita)
    asked = await for_person(world, world.ann, 2)

    assert await most_urgent(world, world.ann) == [asked.id]


async def test_a_batch_is_found_behind_more_urgent_questions_of_other_shapes(world: World) -> None:
    await world.call("item_delete", {"id": 1})
    alike = [await wish(world, number) for number in (1, 2)]

    async with world.runtime.database.reading() as tx:
        ((first, _),) = await waiting_together(tx, world.ann)
        found = await approvals.waiting_for(tx, world.ann, shape=first.shape, limit=2)

    assert found == [one.id for one in alike]


async def test_what_is_over_is_not_looked_at(world: World) -> None:
    for number in (1, 2):
        await wish(world, number)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(QuestionRow).values(expires_at=datetime.now(UTC) - DAY))
        await set_groups(tx, world.rita.id, frozenset({"approvers"}), world.runtime.authority)

    with heard(world.runtime.database, "approval_questions") as asked:
        assert await most_urgent(world, world.rita) == []

    plans = await plans_of(world.runtime.database, asked)
    assert "ix_approval_stages_inbox" in plans or "ix_approval_questions_open" in plans
    for table in ("approval_questions", "approval_stages", "approval_barred", "votes"):
        assert f"SCAN {table}'" not in plans
        assert f"Seq Scan on {table}" not in plans
