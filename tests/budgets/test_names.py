"""What limits and switches are about may be typed by name: one that is meant, by those who may know who there is."""

from dataclasses import replace

import pytest
from sqlalchemy import select
from upstream.connector import connector
from world import World

from hub.budgets import Limit, Measure, NewLimit, Per, StopKind, set_limit, set_stop
from hub.budgets.tables import StopRow
from hub.core.errors import InputError, NotFound
from hub.registry import find_tool, register_connector

pytestmark = pytest.mark.anyio

SEVEN = NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=7, seconds=60)


async def set_by(world: World, by: str | None, new: NewLimit) -> Limit:
    async with world.runtime.database.transaction() as tx:
        return await set_limit(tx, new, replace(world.runtime.authority, by=by))


async def test_an_administrator_names_an_agent_and_its_owner_gives_the_id(world: World) -> None:
    owner = world.rita.id

    named = await set_by(world, None, replace(SEVEN, subject="bot"))
    by_id = await set_by(world, owner, replace(SEVEN, subject=world.bot.id))

    assert named.subject == by_id.subject == world.bot.id
    said = set[str]()
    for name in ("bot", "rita", "nobody-of-this-name"):  # nobody else learns whom there is
        with pytest.raises(NotFound) as told:
            await set_by(world, owner, replace(SEVEN, subject=name))
        said.add(told.value.message.replace(name, ""))
    assert len(said) == 1


async def test_a_name_that_several_tools_have_is_refused_with_the_names_that_tell_them_apart(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        twin = connector.spec.model_copy(update={"name": "twin"})
        await register_connector(tx, twin, world.runtime.authority)
        with pytest.raises(InputError, match=r"write which: twin/item_delete, upstream/item_delete\."):
            await set_stop(tx, StopKind.TOOL, "item_delete", "It misbehaves.", world.runtime.authority)
        await set_stop(tx, StopKind.TOOL, "twin/item_delete", "It misbehaves.", world.runtime.authority)
        tool = await find_tool(tx, "twin", "item_delete")
        stopped = await tx.scalar(select(StopRow.subject))

    assert tool is not None
    assert stopped == tool.id
