"""Limits and kill switches on the pages: for those who may stop things, on record, and at once."""

import re
from dataclasses import replace

import pytest
from sqlalchemy import select
from upstream.connector import connector
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from connectors.sdk.spec import Cost
from hub.audit.tables import EventRow
from hub.budgets import Measure, NewLimit, Per, set_limit, stops_now
from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.invocations.states import State
from hub.registry import register_connector

pytestmark = pytest.mark.anyio


async def become(world: World, *roles: Role) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({*roles, Role.MEMBER}), world.runtime.authority)


async def test_an_operator_stops_the_hub_and_lets_it_go_on(world: World, ann: Visitor) -> None:
    await become(world, Role.OPERATOR)
    await ann.get("/limits")
    assert "Set a limit" not in ann.text

    await ann.submit("/limits/stops", kind="hub", subject="", reason="We look into it.")
    await ann.follow()
    stopped = await world.call("item_get", {"id": 1})
    assert "hub We look into it." in ann.text
    await ann.submit("/limits/stops/lift")
    await ann.follow()
    going = await world.call("item_get", {"id": 1})

    assert (stopped.error_code, going.state) == ("stopped", State.SUCCEEDED)
    assert "Nothing is stopped." in ann.text
    async with world.runtime.database.reading() as tx:
        kinds = (await tx.execute(select(EventRow.kind, EventRow.actor).where(EventRow.kind.like("stop.%")))).all()
    assert [tuple(one) for one in kinds] == [("stop.set", world.ann.id), ("stop.lifted", world.ann.id)]


async def test_an_administrator_sets_a_limit_and_lifts_it(world: World, ann: Visitor) -> None:
    await become(world, Role.ADMINISTRATOR)
    await ann.get("/limits")

    await ann.submit("/limits", measure="calls", amount="1", window="86400", per="agent")
    await ann.follow()
    assert "1 call in a day for one agent" in ann.text
    assert "nothing yet" in ann.text
    assert '<option value="bot">agent</option>' in ann.html
    states = [(await world.call("item_get", {"id": 1})).state for _ in range(2)]
    await ann.get("/limits")
    assert "1 of 1, most by bot frees" in ann.text
    await ann.submit("/limits/lift")
    await ann.follow()

    assert states == [State.SUCCEEDED, State.DENIED]
    assert "There is no limit." in ann.text


async def test_a_cost_is_limited_in_a_unit_that_is_spelled_as_a_currency_is(world: World, ann: Visitor) -> None:
    await become(world, Role.ADMINISTRATOR)
    cost = Cost(amount=3, unit="all")
    costly = [
        one.model_copy(update={"cost": cost}) if one.name == "item_get" else one for one in connector.spec.operations
    ]
    release = connector.spec.model_copy(update={"version": "1.0.1", "operations": tuple(costly)})
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, release, world.runtime.authority)
    await ann.get("/limits")

    await ann.submit("/limits", measure="cost", unit="all", amount="5", window="1 day", per="agent")
    await ann.follow()

    assert "5 all of cost in a day for one agent" in ann.text
    states = [(await world.call("item_get", {"id": 1})).state for _ in range(2)]
    assert states == [State.SUCCEEDED, State.DENIED]


async def test_lifting_is_offered_to_whoever_may_lift_that_limit_and_to_nobody_else(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.rita.id, frozenset({Role.OPERATOR, Role.MEMBER}), world.runtime.authority)
        own = NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=7, seconds=60, subject=world.bot.id)
        await set_limit(tx, own, replace(world.runtime.authority, by=world.rita.id))  # who owns the agent
        for more in (replace(own, amount=8), replace(own, amount=9, subject="")):
            await set_limit(tx, more, world.runtime.authority)

    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get("/limits")
        offered = re.findall("Lift it : ([0-9]+ calls)", rita.text)
        await rita.submit("/limits/lift")
        await rita.follow()

    assert offered == ["7 calls"]
    assert ("7 calls" in rita.text, "8 calls" in rita.text) == (False, True)
    assert "Lift it" not in rita.text


@pytest.mark.parametrize(
    ("kind", "name"),
    [("agent", "bot"), ("tool", "item_get"), ("tool", "upstream/item_get"), ("connection", "upstream")],
    ids=["agent", "tool", "tool-of-connector", "connection"],
)
async def test_a_switch_takes_the_name_that_pages_show_and_stops_what_is_called_so(
    world: World, ann: Visitor, kind: str, name: str
) -> None:
    await become(world, Role.OPERATOR)
    await ann.get("/limits")

    await ann.submit("/limits/stops", kind=kind, subject=name, reason="We look into it.")
    await ann.follow()
    stopped = await world.call("item_get", {"id": 1})
    named = name in ann.text
    await ann.submit("/limits/stops/lift")
    going = await world.call("item_get", {"id": 1})

    assert (stopped.error_code, named) == ("stopped", True)
    assert going.state is State.SUCCEEDED


@pytest.mark.parametrize("kind", ["agent", "tool", "connection"])
@pytest.mark.parametrize("name", ["nobody", "no/thing", "nö"], ids=["name", "slash", "no-name"])
async def test_a_switch_of_what_there_is_not_is_refused_and_told(
    world: World, ann: Visitor, kind: str, name: str
) -> None:
    await become(world, Role.OPERATOR)
    await ann.get("/limits")

    await ann.submit("/limits/stops", kind=kind, subject=name, reason="We look into it.")

    assert ann.page.status_code == 400
    assert f"There is no {kind}" in ann.text
    async with world.runtime.database.reading() as tx:
        assert await stops_now(tx) == ()


async def test_a_limit_takes_names_and_shows_them(world: World, ann: Visitor) -> None:
    await become(world, Role.ADMINISTRATOR)
    await ann.get("/limits")

    await ann.submit("/limits", measure="calls", amount="0", window="86400", per="tool", of="item_get")
    await ann.follow()

    assert (await world.call("item_get", {"id": 1})).state is State.DENIED
    assert "/item_get" in ann.text


async def test_a_limit_of_a_server_that_is_not_there_is_refused_with_those_that_are(world: World, ann: Visitor) -> None:
    await become(world, Role.ADMINISTRATOR)
    await ann.get("/limits")
    typed = {"measure": "calls", "amount": "0", "window": "86400", "per": "server"}

    await ann.submit("/limits", **typed, of="everything-env")
    assert ann.page.status_code == 400
    assert "There is no server" in ann.text
    assert "There are everything-dev." in ann.text
    await ann.submit("/limits", **typed, of="everything-dev")

    assert (await world.call("item_get", {"id": 1})).state is State.DENIED


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"measure": "calls", "amount": "many", "window": "60", "per": "agent"}, "whole numbers"),
        ({"measure": "money", "amount": "1", "window": "60", "per": "agent"}, "have a unit"),
        ({"measure": "calls", "amount": "1", "window": "60", "per": "planet"}, "Choose one"),
    ],
)
async def test_what_contradicts_itself_is_told(world: World, ann: Visitor, typed: dict[str, str], said: str) -> None:
    await become(world, Role.ADMINISTRATOR)
    await ann.get("/limits")

    await ann.submit("/limits", **typed)

    assert ann.page.status_code == 400
    assert said in ann.text


async def test_nobody_else_sees_or_stops_anything(world: World) -> None:
    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get("/servers")
        token = [("csrf_token", dict(rita.form("/logout").fields)["csrf_token"])]
        answers = [await rita.get("/limits")]
        fields = [*token, ("kind", "hub"), ("reason", "x")]
        answers += [
            await rita.post(path, fields) for path in ("/limits", "/limits/lift", "/limits/stops", "/limits/stops/lift")
        ]

    assert [answer.status_code for answer in answers] == [403] * 5


async def test_what_was_typed_stays_beside_what_stood_against_it(world: World, ann: Visitor) -> None:
    await become(world, Role.ADMINISTRATOR)
    await ann.get("/limits")

    typed = {"measure": "writes", "amount": "5", "unit": "", "window": "fortnight", "per": "tool", "of": "item_get"}
    await ann.submit("/limits", **typed)
    status, html = ann.page.status_code, ann.html
    limit, stop = dict(ann.form("/limits").fields), dict(ann.form("/limits/stops").fields)
    await ann.submit("/limits/stops", kind="agent", subject="nobody", reason="It loops.")

    assert status == ann.page.status_code == 400
    assert {name: limit[name] for name in typed} == typed
    assert (stop["kind"], stop["reason"]) == ("", "")
    assert html.index("<h2>Set a limit</h2>") < html.index("7 days.") < html.index('id="measure"')
    stop = dict(ann.form("/limits/stops").fields)
    assert (stop["kind"], stop["subject"], stop["reason"]) == ("agent", "nobody", "It loops.")
    assert ann.html.index("<h2>Stop something</h2>") < ann.html.index('id="stop-problem"') < ann.html.index('id="kind"')


async def test_nothing_is_stopped_unless_somebody_chose_what(world: World, ann: Visitor) -> None:
    await become(world, Role.OPERATOR)
    await ann.get("/limits")
    assert '<select class="select" id="kind" name="kind" required>' in ann.html

    await ann.submit("/limits/stops", reason="We look into it.")

    assert ann.page.status_code == 400
    async with world.runtime.database.reading() as tx:
        assert await stops_now(tx) == ()
