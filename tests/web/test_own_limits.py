"""Limits of what is mine: owners see and change them on a page without any role, and nobody anything of others."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from sqlalchemy import select
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit.tables import EventRow
from hub.budgets import Demand, Holder, Limit, Measure, NewLimit, Per, limits_now, set_limit, take_place
from hub.identity.accounts import set_roles
from hub.invocations.states import State
from hub.registry import find_tool, set_tool_owner

pytestmark = pytest.mark.anyio

TOO_MANY = NewLimit(per=Per.TOOL, measure=Measure.CALLS, amount=9, seconds=86_400)


async def own_tool(world: World, name: str = "item_get", owner: str = "rita") -> str:
    """Give a tool an owner; return the tool's id."""
    person = {"rita": world.rita, "ann": world.ann}[owner]
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", name)
        assert tool is not None
        await set_tool_owner(tx, tool.id, person.id, world.runtime.authority)
        await set_roles(tx, person.id, frozenset(), world.runtime.authority)
    return tool.id


async def limits(world: World) -> list[Limit]:
    async with world.runtime.database.reading() as tx:
        return list(await limits_now(tx))


async def limited(world: World, new: NewLimit, by: str | None = None) -> Limit:
    """Set a limit, as the hub's console if nobody is named."""
    async with world.runtime.database.transaction() as tx:
        return await set_limit(tx, new, replace(world.runtime.authority, by=by))


@pytest.fixture
async def rita(world: World) -> AsyncGenerator[Visitor]:
    """The agent's owner, logged in."""
    async with browser_of(world.runtime) as opened:
        await opened.log_in("rita", PASSWORD)
        yield opened


async def test_an_owner_without_any_role_sets_changes_and_lifts_a_limit_of_its_tool(
    world: World, rita: Visitor
) -> None:
    tool_id = await own_tool(world)
    await rita.get(f"/limits/own?of={tool_id}")
    await rita.submit("/limits/own", measure="calls", amount="1", window="1 day")
    await rita.follow()
    assert "upstream/item_get" in rita.text
    first = [(await world.call("item_get", {"id": 1})).state for _ in range(2)]

    await rita.get("/limits/own")
    assert "1 of 1" in rita.text
    await rita.submit("/limits/own/change", amount="2")
    await rita.follow()
    assert "1 of 2" in rita.text  # what was used stays used
    then = [(await world.call("item_get", {"id": 1})).state for _ in range(2)]
    await rita.submit("/limits/own/lift")
    await rita.follow()

    assert (first, then) == ([State.SUCCEEDED, State.DENIED], [State.SUCCEEDED, State.DENIED])
    assert "No limit counts for anything of yours." in rita.text
    assert await limits(world) == []
    async with world.runtime.database.reading() as tx:
        query = select(EventRow.kind, EventRow.actor).where(EventRow.kind.like("limit.%")).order_by(EventRow.id)
        kinds = [tuple(one) for one in await tx.execute(query)]
    lifted, put = ("limit.lifted", world.rita.id), ("limit.set", world.rita.id)
    assert sorted(kinds) == sorted([put, lifted, put, lifted])


async def test_calls_under_way_count_for_the_limit_in_the_former_ones_place(world: World, rita: Visitor) -> None:
    tool_id = await own_tool(world)
    at_once = NewLimit(per=Per.TOOL, measure=Measure.AT_ONCE, amount=3, subject=tool_id)
    limit = await limited(world, at_once, by=world.rita.id)
    async with world.runtime.database.transaction() as tx:
        demand = Demand(subjects={Per.TOOL: tool_id}, amounts={(Measure.AT_ONCE, ""): 1})
        for holder in ("inv_1", "inv_2"):
            await take_place(tx, [limit], demand, Holder(id=holder, seconds=600))
    await rita.get("/limits/own")
    assert "2 of 3" in rita.text

    await rita.submit("/limits/own/change", amount="2")
    await rita.follow()

    assert "2 of 2" in rita.text
    assert (await world.call("item_get", {"id": 1})).state is State.DENIED


async def test_limits_of_each_are_shown_with_what_has_used_most_and_are_not_the_owners_to_change(
    world: World, rita: Visitor
) -> None:
    await own_tool(world)
    await own_tool(world, "item_put", owner="ann")
    await limited(world, TOO_MANY)
    await limited(world, replace(TOO_MANY, per=Per.SERVER))
    await world.call("item_get", {"id": 1})

    await rita.get("/limits/own")

    assert "1 of 9, most by upstream/item_get" in rita.text
    assert "by administrators" in rita.text
    assert "Lift it" not in rita.text
    assert "one server" not in rita.text


async def test_an_owner_sees_what_an_administrator_has_set_and_cannot_loosen_it(world: World, rita: Visitor) -> None:
    tool_id = await own_tool(world)
    limit = await limited(world, replace(TOO_MANY, subject=tool_id))
    await rita.get("/limits/own")
    assert "9 calls" in rita.text
    assert "Change it" not in rita.text

    told = [
        (await press(rita, path, [("limit", limit.id), ("amount", "99")]), rita.text)
        for path in ("/limits/own/change", "/limits/own/lift")
    ]

    assert all(status == 400 and "Somebody else has set this limit" in text for status, text in told)
    assert [one.amount for one in await limits(world)] == [9]


async def press(visitor: Visitor, path: str, fields: list[tuple[str, str]]) -> int:
    """Send fields that no form of the page would send, with the page's token."""
    token = dict(visitor.form("/logout").fields)["csrf_token"]
    return (await visitor.post(path, [("csrf_token", token), *fields])).status_code


async def test_nothing_of_others_is_seen_limited_changed_or_lifted(world: World, rita: Visitor) -> None:
    await own_tool(world)
    theirs = await own_tool(world, "item_put", owner="ann")
    limit = await limited(world, replace(TOO_MANY, subject=theirs), by=world.ann.id)
    await rita.get("/limits/own")
    assert "item_put" not in rita.text
    assert limit.words not in rita.text

    new = [("of", theirs), ("measure", "calls"), ("amount", "0"), ("window", "60")]
    own = [("limit", limit.id), ("amount", "0")]
    unknown = [("limit", "lim_unknown"), ("amount", "0")]
    seen = [
        (await press(rita, path, fields), "no such limit on anything of yours" in rita.text)
        for path in ("/limits/own/change", "/limits/own/lift")
        for fields in (own, unknown)
    ]
    assert await press(rita, "/limits/own", new) == 400
    assert "Choose one of what is yours." in rita.text

    assert seen == [(400, True)] * 4
    assert await limits(world) == [limit]


async def test_whoever_owns_nothing_finds_nothing_and_no_way_there(ann: Visitor, rita: Visitor) -> None:
    await ann.get("/servers")
    assert "My limits" not in ann.text
    await rita.get("/servers")
    assert "My limits" in rita.text

    await ann.get("/limits/own")

    assert "You own no agent and no tool" in ann.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"measure": "calls", "amount": "many", "window": "60"}, "whole numbers"),
        ({"measure": "money", "amount": "1", "window": "60"}, "have a unit"),
        ({"measure": "time", "amount": "1", "window": ""}, "Only a run has a time"),
    ],
)
async def test_what_contradicts_itself_is_told_and_what_was_typed_stays(
    world: World, rita: Visitor, typed: dict[str, str], said: str
) -> None:
    await rita.get("/limits/own")

    await rita.submit("/limits/own", **typed)

    assert rita.page.status_code == 400
    assert said in rita.text
    assert f'value="{typed["amount"]}"' in rita.html
    assert await limits(world) == []


async def test_a_tools_page_leads_its_owner_there_and_nobody_else(world: World, rita: Visitor, ann: Visitor) -> None:
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        await set_tool_owner(tx, tool.id, world.rita.id, world.runtime.authority)
    link = f'href="/limits/own?of={tool.id}"'

    found = [link in (await one.get("/servers/everything/tools/item_get")).text for one in (rita, ann)]

    assert found == [True, False]


async def test_what_was_typed_stays_beside_what_stood_against_it(world: World, rita: Visitor) -> None:
    await own_tool(world)
    await rita.get("/limits/own")

    typed = {"measure": "writes", "amount": "5", "window": "fortnight"}
    await rita.submit("/limits/own", **typed)

    form = dict(rita.form("/limits/own").fields)
    assert {name: form[name] for name in typed} == typed
    assert rita.html.index('<h2 id="set">') < rita.html.index("7 days.") < rita.html.index('id="measure"')
