"""The catalog: what can be called, found by words, explained in words; and how the hub is, for those who run it."""

from datetime import UTC, datetime

import pytest
from upstream.connector import connector
from web_visitor import Visitor
from world import World

from connectors.sdk.rules import Rule
from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.registry import (
    Badge,
    BadgeLine,
    BadgeVerdict,
    Grade,
    Promise,
    find_tool,
    keep_badge,
    proof_digest,
    quarantine,
    raise_tier,
    register_connector,
    set_rules,
)

pytestmark = pytest.mark.anyio


async def test_tools_are_found_by_words_and_by_server(ann: Visitor) -> None:
    await ann.get("/")
    assert "item_get" in ann.html
    assert "ticket_create" in ann.html

    await ann.get("/?q=ticket&server=everything")
    assert "ticket_create" in ann.html
    assert "item_get" not in ann.html

    await ann.get("/?q=%3Cb%3Eno-such-thing")
    assert "No tool matches" in ann.html
    assert "<b>no-such" not in ann.html


async def test_the_tool_page_explains_a_tool_in_words(ann: Visitor) -> None:
    await ann.get("/servers/everything/tools/item_update")

    for words in (
        "Change the name or the quantity of an item.",
        "Class B: at most once, settled by condition",
        "Can be undone",
        "upstream:write",
        "tool:item_update",
        "whole number",
        "&#34;quantity&#34;: 12",
    ):
        assert words in ann.html


async def test_the_tool_page_shows_what_the_contract_kit_found(world: World, ann: Visitor) -> None:
    await ann.get("/servers/everything/tools/item_delete")
    assert "This code was not checked." in ann.html
    line = BadgeLine(
        operation="item_update",
        promise=Promise.GUARD,
        verdict=BadgeVerdict.FAILED,
        grade=Grade.RECORDED,
        reason="With a stale guard <b>it</b> was carried out.",
    )
    badge = Badge(
        connector="upstream",
        version="1.0.0",
        artefact_digest=connector.spec.artefact_digest,
        system="the test upstream",
        checked_at=datetime(2026, 11, 21, tzinfo=UTC),
        covers={"item_update": proof_digest(connector.spec, connector.spec.operation("item_update"))},
        lines=[line],
    )
    async with world.runtime.database.transaction() as tx:
        await keep_badge(tx, badge, world.runtime.authority)

    await ann.get("/servers/everything/tools/item_update")

    assert "Undo declared, not proven" in ann.html
    for words in ("the test upstream", "a stale guard is refused", "failed", "on a recording", "&lt;b&gt;it&lt;/b&gt;"):
        assert words in ann.html


async def test_what_was_found_of_another_declaration_is_not_shown(world: World, ann: Visitor) -> None:
    await ann.get("/servers/everything/tools/item_update")
    assert "Can be undone" in ann.html
    assert "This code was not checked." not in ann.html

    spec = connector.spec
    others = tuple(one for one in spec.operations if one.name != "item_update")
    changed = spec.operation("item_update").model_copy(update={"description": "Change an item, somehow."})
    async with world.runtime.database.transaction() as tx:
        release = spec.model_copy(update={"operations": (*others, changed)})
        await register_connector(tx, release, world.runtime.authority)
    await ann.get("/servers/everything/tools/item_update")

    assert "This code was not checked." in ann.html
    assert "Undo declared, not proven" in ann.html


async def test_an_unknown_tool_and_an_unknown_server_look_alike(ann: Visitor) -> None:
    for path in ("/servers/everything/tools/nothing", "/servers/nowhere/tools/item_get", "/?server=nowhere"):
        assert (await ann.get(path)).status_code == 404
        assert "There is nothing here" in ann.html


async def test_a_quarantined_tool_is_not_offered_and_says_why(world: World, ann: Visitor) -> None:
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        await quarantine(tx, tool.id, "A preview tried to write.", world.runtime.authority)

    assert "item_get" not in (await ann.get("/")).text
    answer = await ann.get("/servers/everything/tools/item_get")

    assert answer.status_code == 403
    assert "A preview tried to write." in answer.text


async def test_connections_and_health_are_for_those_who_run_the_hub(world: World, ann: Visitor) -> None:
    await ann.get("/servers")
    assert "http://127.0.0.1:8420/mcp" in ann.html
    assert "Connections" not in ann.html
    assert (await ann.get("/health")).status_code == 403
    assert 'href="/health"' not in ann.html

    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({Role.MEMBER, Role.OPERATOR}), world.runtime.authority)

    await ann.get("/servers")
    assert world.upstream.base_url in ann.html
    assert world.upstream.token not in ann.html
    await ann.get("/health")
    assert "Connection upstream" in ann.html


async def test_a_raised_tier_says_why(world: World, ann: Visitor) -> None:
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_update")
        assert tool is not None
        await raise_tier(tx, tool.id, "Preview and result differed for <b>item 1</b>.", world.runtime.authority)

    await ann.get("/servers/everything/tools/item_update")

    assert "Preview and result differed for &lt;b&gt;item 1&lt;/b&gt;." in ann.html


async def test_conditions_and_business_rules_stand_on_the_tools_page(world: World, ann: Visitor) -> None:
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_put")
        assert tool is not None
        rule = Rule(condition="input.quantity <= 900000", message="At most 900,000 <i>pieces</i>.")
        await set_rules(tx, tool.id, [rule], world.runtime.authority)

    await ann.get("/servers/everything/tools/item_put")

    assert "input.quantity &gt; 500000" in ann.html
    assert "At most 900,000 &lt;i&gt;pieces&lt;/i&gt;." in ann.html
    assert "input.quantity &lt;= 900000" in ann.html
