"""Metrics and cost centres on the pages: chosen by a form, by name, as far as one may see, and as a file."""

import csv
from dataclasses import replace
from io import StringIO

import pytest
from sqlalchemy import select
from web_visitor import Visitor
from world import World

from hub.approvals import Choice
from hub.audit.tables import EventRow
from hub.identity.accounts import set_roles
from hub.identity.directory import find
from hub.identity.principals import Role
from hub.metrics import Bearer, NewCentre, Wish, assign, open_centre
from hub.metrics.export import inert_cell
from hub.registry import find_tool, set_tool_owner

pytestmark = pytest.mark.anyio


async def become(world: World, *roles: Role) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({*roles, Role.MEMBER}), world.runtime.authority)


async def decided(world: World) -> None:
    """Let ann reject one write, and policy let go another."""
    asked = await world.call("item_put", {"id": 7, "name": "stapler", "quantity": 600_000})
    await world.vote(asked, world.ann, Choice.REJECT)
    await world.call("item_update", {"id": 1, "quantity": 11})


async def test_an_auditor_sees_all_numbers_and_what_they_mean(world: World, ann: Visitor) -> None:
    await decided(world)
    await become(world, Role.AUDITOR)

    await ann.get("/metrics")

    assert ann.page.status_code == 200
    assert "Approval frequency" in ann.text
    assert "50.0 % rests on few 1 of 2" in ann.text
    assert "decided / settled" in ann.text
    assert "no data" in ann.text


async def test_lines_are_compared_and_each_leads_to_its_own_numbers(world: World, ann: Visitor) -> None:
    await decided(world)
    await become(world, Role.AUDITOR)
    await ann.get("/metrics")
    form = ann.form("/metrics")
    query = "&".join(f"{name}={value}" for name, value in form.fields if name != "by")

    await ann.get(f"/metrics?{query}&by=tool")
    compared = ann.text
    await ann.get(f"/metrics?{query}&by=nothing&tool=upstream/item_put")

    assert form.method == "get"
    assert "upstream/item_put 100.0 %" in compared
    assert "upstream/item_update 0.0 %" in compared
    assert "100.0 % rests on few 1 of 1" in ann.text


async def test_what_is_downloaded_is_what_is_shown(world: World, ann: Visitor) -> None:
    await decided(world)
    await become(world, Role.AUDITOR)

    page = await ann.get("/metrics/download?by=agent")

    assert page.headers["content-disposition"].startswith('attachment; filename="metrics-')
    rows = list(csv.DictReader(StringIO(page.text)))
    first = rows[0]
    assert [first[name] for name in ("label", "metric", "value", "of", "n")] == [
        "bot",
        "approval_frequency",
        "0.5000",
        "1",
        "2",
    ]


def test_a_name_that_a_spreadsheet_would_compute_is_kept_from_it() -> None:
    assert [inert_cell(text) for text in ("=1+1", "@x", "-1", "a=b")] == ["'=1+1", "'@x", "'-1", "a=b"]


async def test_others_see_their_own_decisions_and_are_not_led_further(world: World, ann: Visitor) -> None:
    await decided(world)

    await ann.get("/metrics")
    own = ann.text
    refused = await ann.get("/metrics?of=all")

    assert "Of the calls that you decided on" in own
    assert "100.0 % rests on few 1 of 1" in own
    assert "all calls" not in own
    assert (refused.status_code, "operators and auditors" in ann.text) == (400, True)
    assert (await ann.get("/metrics/download?of=all")).status_code == 403


async def test_a_tool_of_somebody_else_and_no_tool_look_the_same(world: World, ann: Visitor) -> None:
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_delete")
        assert tool is not None
        await set_tool_owner(tx, tool.id, world.ann.id, world.runtime.authority)

    await ann.get("/metrics?tool=upstream/item_put")
    others = ann.text.replace("item_put", "...")
    await ann.get("/metrics?tool=upstream/unicorn")

    assert "There is no such tool." in others
    assert ann.text.replace("unicorn", "...") == others
    assert (await ann.get("/metrics?tool=upstream/item_delete")).status_code == 200


@pytest.mark.parametrize("query", ["first=soon", "by=colour", "of=everybody", "first=2026-02-01&last=2026-01-01"])
async def test_what_cannot_be_meant_is_said_beside_the_form(world: World, ann: Visitor, query: str) -> None:
    await become(world, Role.AUDITOR)

    page = await ann.get(f"/metrics?{query}")

    assert page.status_code == 400
    assert 'role="alert"' in page.text


async def test_an_administrator_opens_a_cost_centre_and_assigns_an_agent(world: World, ann: Visitor) -> None:
    await become(world, Role.ADMINISTRATOR, Role.AUDITOR)
    await ann.get("/cost-centres")
    await ann.submit("/cost-centres", code="4711", title="Sales", owner="carl")
    await ann.follow()
    here = str(ann.page.url.path)

    await ann.submit(f"{here}/assignments", kind="agent", subject="agt_nobody")
    wrong = ann.text
    await ann.submit(f"{here}/assignments", kind="agent", subject=world.bot.id)
    await ann.follow()
    assigned = ann.text
    await ann.submit(f"{here}/closing")
    early = ann.text
    await ann.submit(f"{here}/assignments", kind="agent", subject=world.bot.id, release="yes")
    await ann.follow()
    await ann.submit(here, title="Sales abroad")
    await ann.follow()
    await ann.submit(f"{here}/closing")
    await ann.follow()

    assert "There is no agent" in wrong
    assert "agent bot" in assigned
    assert "Assign elsewhere first" in early
    assert "Sales abroad" in ann.text
    assert "It was closed" in ann.text
    assert "Assign costs" not in ann.text
    async with world.runtime.database.reading() as tx:
        kinds = list(await tx.scalars(select(EventRow.kind).where(EventRow.kind.like("centre.%"))))
    assert sorted(kinds) == ["centre.changed", "centre.closed", "centre.opened"]


async def test_whoever_has_no_cost_centre_sees_none_and_opens_none(world: World, ann: Visitor) -> None:
    await ann.get("/cost-centres")
    shown = ann.text
    token = ann.form("/logout").fields[0][1]
    await ann.post("/cost-centres", [("csrf_token", token), ("code", "1"), ("title", "x"), ("owner", "ann")])

    assert "There is none that you may see." in shown
    assert "Open a cost centre" not in shown
    assert "administrator" in ann.text
    assert (await ann.get("/cost-centres/cc_nothing")).status_code == 404
    async with world.runtime.database.reading() as tx:
        assert await tx.scalar(select(EventRow.id).where(EventRow.kind == "centre.opened")) is None


async def test_an_owner_is_told_what_is_kept_from_them_and_is_not_led_to_the_centre_of_others(
    world: World, ann: Visitor
) -> None:
    root = world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        tool, adam = await find_tool(tx, "upstream", "item_put"), await find(tx, "carl")
        assert tool is not None
        assert adam is not None
        await set_tool_owner(tx, tool.id, world.ann.id, root)
        boss = replace(adam, roles=frozenset({Role.ADMINISTRATOR}))
        centre = await open_centre(tx, NewCentre(code="4711", title="Merger", owner="carl"), boss, root)
        await assign(tx, Wish(kind=Bearer.AGENT, subject=world.bot.id, centre_id=centre.id), boss, root)
    await decided(world)

    await ann.get("/metrics?of=tools")
    kept = ann.text
    await ann.get("/metrics?of=tools&by=cost_centre")

    assert "not shown: it rests on too few people, or on a group" in kept
    assert centre.id in ann.text
    assert ("4711" in ann.html, "Merger" in ann.html, "centre=" in ann.html) == (False, False, False)
    for code in ("4711", "4712"):
        await ann.get(f"/metrics?of=tools&centre={code}")
        assert "There is no such cost centre." in ann.text
