"""What events say openly, to every feed and for ever: codes, ids, names and counts; never what systems said."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from talking import talk, talkative_world
from telling import kept_privately, told_openly
from upstream.fixtures import Upstream
from world import World

from hub.invocations.granting import Wanted, give
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.keys import Keyring
from hub.standing import Limit
from hub.storage import Database

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

TELLING = "Zacharias Quillfeather"
"""A name that stands nowhere unless a system or an agent said it."""


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    async with talkative_world(database, keys, upstream) as opened:
        yield opened


def rename(world: World, name: str = TELLING) -> None:
    world.upstream.store.rows("UPDATE item SET name = ?, version = version + 1 WHERE id = 1", name)


async def a_read_is_refused(world: World) -> State:
    rename(world)
    return (await talk(world, "refuses_to_read")).state


async def a_preview_is_refused(world: World) -> State:
    return (await talk(world, "refuses_to_look_ahead", name=TELLING)).state


async def a_write_is_refused(world: World) -> State:
    asked = await talk(world, "refuses_to_write", name=TELLING)
    await world.vote(asked, world.ann)
    return (await resume(asked.id, world.runtime)).state


async def a_record_changes_until_it_is_given_up(world: World) -> State:
    asked = await world.call("item_delete", {"id": 1})
    for number in range(4):
        await world.vote(asked, world.ann)
        rename(world, f"{TELLING} {number}")
        stale = await resume(asked.id, world.runtime)
        assert stale.state is State.STALE
        asked = await resume(asked.id, world.runtime)
        if asked.state is not State.AWAITING_APPROVAL:
            break
    return asked.state


async def a_grant_names_somebody(world: World) -> State:
    asked = await talk(world, "refuses_to_write", name=TELLING)
    wanted = Wanted(
        like=asked.id,
        giver=world.ann,
        authenticated_at=datetime.now(UTC),
        reason="Always the same.",
        uses=2,
        lasts=timedelta(days=7),
        limits={"name": Limit(one_of=(TELLING,))},
    )
    await give(wanted, world.runtime)
    return (await talk(world, "refuses_to_write", name=TELLING, id=2)).state


Ending = Callable[[World], Awaitable[State]]
ENDINGS: dict[str, tuple[Ending, State]] = {
    "a read is refused": (a_read_is_refused, State.FAILED),
    "a preview is refused": (a_preview_is_refused, State.PREVIEW_FAILED),
    "a write is refused before it is sent": (a_write_is_refused, State.STALE),
    "a record changes until it is given up": (a_record_changes_until_it_is_given_up, State.EXPIRED),
    "a grant names somebody": (a_grant_names_somebody, State.STALE),
}


@pytest.mark.parametrize("what", sorted(ENDINGS))
async def test_what_systems_and_agents_said_stands_openly_in_no_event(world: World, what: str) -> None:
    happen, ending = ENDINGS[what]

    assert await happen(world) is ending

    assert await told_openly(world, TELLING) == []
    assert await kept_privately(world, TELLING) != []  # on record all the same, until it is erased
