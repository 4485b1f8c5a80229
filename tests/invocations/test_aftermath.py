"""What became of writes that were undone, and of the undos, in chains of any length: each is told and none is lost."""

from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import insert
from world import World

from hub.audit import EventKind, events_of
from hub.core.errors import NotFound
from hub.identity.principals import Caller
from hub.invocations.aftermath import may_be_undone, taken_back_by, undoing_among
from hub.invocations.looking import note_looks
from hub.invocations.queries import current, look_at
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
LONG = 1200
"""More than Python calls within calls."""


async def done_by(world: World) -> Invocation:
    done = await world.call("item_update", {"id": 1, "quantity": 11})
    assert done.state is State.VERIFIED
    return done


async def chain_on_record(world: World, done: Invocation, length: int) -> list[str]:
    """Let the record say that `done` was undone, that was undone, and so on; return the ids, `done` first."""
    ids = [done.id, *(f"inv_9{number:05}" for number in range(length))]
    async with world.runtime.database.transaction() as tx:
        row = await tx.get_one(InvocationRow, done.id)
        columns = {one.key: getattr(row, one.key) for one in InvocationRow.__table__.columns}
        undos = [{**columns, "id": undo, "undoes": of} for of, undo in pairwise(ids)]
        await tx.execute(insert(InvocationRow), undos)
    return ids


async def test_every_second_of_a_chain_of_any_length_is_taken_back(world: World) -> None:
    done = await done_by(world)
    chain = [replace(done, id=f"inv_{at}", undoes=f"inv_{at - 1}") for at in range(1, LONG + 1)]
    first = replace(done, id="inv_0")

    assert [one.id for one in undoing_among(first, chain)] == [one.id for one in chain]
    assert (taken_back_by(first, chain), may_be_undone(first, chain)) == ("", False)
    assert (taken_back_by(chain[0], chain), may_be_undone(chain[0], chain)) == (chain[1].id, True)
    assert (taken_back_by(first, chain[:-1]), may_be_undone(first, chain[:-1])) == (chain[0].id, True)


async def test_of_several_undos_the_one_that_stands_is_told(world: World) -> None:
    done = await done_by(world)
    first, again, doubted, second = (
        replace(done, id="inv_1", undoes=done.id),
        replace(done, id="inv_2", undoes="inv_1"),
        replace(done, id="inv_3", undoes="inv_1", state=State.IN_DOUBT),
        replace(done, id="inv_4", undoes=done.id),
    )

    assert taken_back_by(done, [first, again, second]) == second.id
    assert taken_back_by(done, [first, second]) == first.id
    assert taken_back_by(done, [first, doubted]) == ""
    assert may_be_undone(done, [first, doubted])
    assert undoing_among(done, [first, again, doubted, second]) == [first, second, again, doubted]


async def test_a_chain_of_any_length_is_looked_at_from_both_ends(world: World) -> None:
    ids = await chain_on_record(world, await done_by(world), LONG // 2)
    carl = Caller(actor=world.carl)

    assert (await current(world.runtime, ids[0])).taken_back_by == ""
    last = await current(world.runtime, ids[-1])
    with pytest.raises(NotFound):
        await look_at(world.runtime, carl, last.id)
    await note_looks(carl, [last], world.runtime.authority, world.runtime)

    async with world.runtime.database.reading() as tx:
        (look,) = await events_of(tx, last.id)
    assert (look.kind, look.actor) == (EventKind.BODIES_READ, None)
