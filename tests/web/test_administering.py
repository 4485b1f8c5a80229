"""What administrators set up on pages: redirect addresses of agents, connections."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from web_visitor import Visitor
from world import PASSWORD, World

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.identity.clients import find_client, issue_secret
from hub.identity.tables import PrincipalRow
from hub.invocations.states import State
from hub.registry import get_connection

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("action", "form"), [("/people/agents", "new-agent"), ("/people/users", "new-user")])
async def test_a_page_opens_at_what_stands_against_the_form(root: Visitor, action: str, form: str) -> None:
    await root.get("/people")
    quiet = root.html.count("autofocus")

    await root.submit(action, name="bot", display_name="Another")

    assert (quiet, root.page.status_code, root.html.count("autofocus")) == (0, 400, 1)
    assert f'<p class="problem" role="alert" tabindex="-1" autofocus id="{form}-problem">' in root.html


async def test_redirect_addresses_are_edited_and_unsafe_ones_refused(world: World, root: Visitor) -> None:
    page = f"/people/{world.bot.id}"
    await root.get(page)

    await root.submit(f"{page}/redirects", redirect_uris="http://evil.example/callback")
    assert root.page.status_code == 400
    await root.submit(f"{page}/redirects", redirect_uris="http://127.0.0.1/a\nhttps://agents.example.org/b")
    await root.follow()

    assert "https://agents.example.org/b" in root.html
    async with world.runtime.database.reading() as tx:
        client = await find_client(tx, world.bot.id)
        kinds = (await tx.scalars(select(EventRow.kind).where(EventRow.subject == world.bot.id))).all()
    assert client is not None
    assert client.redirect_uris == ("http://127.0.0.1/a", "https://agents.example.org/b")
    assert EventKind.AGENT_CHANGED.value in kinds


async def test_a_secret_is_replaced_by_the_next_one_without_a_moment_in_which_none_is_good(
    world: World, root: Visitor
) -> None:
    page = f"/people/{world.bot.id}"
    async with world.runtime.database.transaction() as tx:
        old = await issue_secret(tx, world.bot.id, world.runtime.authority, lifetime=timedelta(days=3))
    await root.get(page)
    assert "ends soon" in root.text
    await root.submit(f"{page}/secrets")
    await root.get(page)
    assert "ends soon" not in root.text

    await root.submit(f"{page}/secrets/{old.id}/revoke")
    await root.follow()

    assert "The secret is revoked." in root.text
    assert old.id not in root.html
    await root.post(f"{page}/secrets/{old.id}/revoke", root.form(f"{page}/secrets").fields)
    assert root.page.status_code == 400


async def test_nobody_else_revokes_secrets_on_pages(world: World, ann: Visitor) -> None:
    await ann.get("/password")
    token = ann.form("/password").fields

    for path in ("secrets", "secrets/sec_1/revoke"):
        assert (await ann.post(f"/people/{world.bot.id}/{path}", token)).status_code == 403


async def test_the_owner_of_an_agent_sees_to_its_secrets_and_to_what_is_stated_and_to_nothing_else(
    world: World, ann: Visitor, visitor: Visitor
) -> None:
    page = f"/people/{world.bot.id}"
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(PrincipalRow).where(PrincipalRow.id == world.bot.id).values(owner_id=world.ann.id))
        old = await issue_secret(tx, world.bot.id, world.runtime.authority, lifetime=timedelta(days=3))
    await ann.get("/acting")
    assert f'<a href="{page}">' in ann.html.partition("Agents that you own")[2]

    await ann.get(page)
    assert "ends soon" in ann.text
    forms = set(re.findall(r'method="post" action="([^"]+)"', ann.html))
    assert {one for one in forms if one.startswith("/people")} == {
        f"{page}/secrets",
        f"{page}/secrets/{old.id}/revoke",
        f"{page}/statement",
    }
    await ann.submit(f"{page}/statement", model="a-model", prompt="v2")
    await ann.follow()
    assert 'value="a-model"' in ann.html
    await ann.submit(f"{page}/secrets")
    await ann.get(page)
    await ann.submit(f"{page}/secrets/{old.id}/revoke")
    await ann.follow()
    assert "The secret is revoked." in ann.text

    token = [field for field in ann.form(f"{page}/statement").fields if field[0] not in {"model", "prompt"}]
    for path in ("limits", "owner", "binding", "redirects", "groups", "suspend"):
        assert (await ann.post(f"{page}/{path}", token)).status_code == 403, path
    assert (await ann.get(f"/people/{world.rita.id}")).status_code == 403
    await visitor.log_in("carl", PASSWORD)
    assert (await visitor.get(page)).status_code == 403
    assert (await visitor.get("/people/agt_nobody")).status_code == 403
    await visitor.get("/")
    token = visitor.form("/logout").fields
    assert (await visitor.post(f"{page}/statement", token)).status_code == 403


async def test_a_connection_is_made_on_a_page_and_its_tools_are_used(world: World, root: Visitor) -> None:
    await root.get("/servers")
    assert 'href="/new-connection"' in root.html
    await root.get("/new-connection?connector=upstream")

    await root.submit("/new-connection", name="Second!", base_url=world.upstream.base_url)
    assert root.page.status_code == 400
    typed = {"name": "second", "prefix": "second", "base_url": world.upstream.base_url}
    await root.submit("/new-connection", **typed, settings="[1]")
    assert "The settings are a JSON object" in root.text
    await root.submit("/new-connection", **typed, secret_token=world.upstream.token, owner="rita", settings="{}")
    assert root.page.status_code == 303, root.text
    await root.follow()

    assert world.upstream.token not in root.html
    await root.submit(f"{root.page.url.path}/try")
    await root.follow()
    assert "It works" in root.text


async def test_a_disabled_connection_is_used_by_no_call_until_it_is_enabled(world: World, root: Visitor) -> None:
    page = f"/connections/{world.connection_id}"
    await root.get(page)

    await root.submit(f"{page}/disable", reason=" ")
    assert root.page.status_code == 400
    await root.submit(f"{page}/disable", reason="The system is moved.")
    await root.follow()
    assert "No call may use it" in root.text
    async with world.runtime.database.reading() as tx:
        assert not (await get_connection(tx, world.connection_id)).is_enabled
    await root.submit(f"{page}/enable")
    await root.follow()

    assert (await world.call("item_get", {"id": 1})).state is State.SUCCEEDED


async def test_members_make_no_connections(ann: Visitor) -> None:
    assert (await ann.get("/new-connection")).status_code == 403


async def test_a_scope_that_no_connector_has_is_told_and_those_that_exist_are_listed(root: Visitor) -> None:
    await root.get("/people")
    assert "There are upstream:read , upstream:write ." in root.text
    scopes = "nope:read upstream:read tool:item_get"
    await root.submit("/people/agents", name="other", display_name="Other", scopes=scopes, servers="everything")

    await root.follow()
    assert "No connector has nope:read ." in root.text
    await root.submit(f"{root.page.url.path}/limits", scopes="upstream:read", servers="everything")
    await root.follow()

    assert "No connector has" not in root.text
