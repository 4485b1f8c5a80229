"""The first administrator: an empty hub's one-time link, and what an administrator can then set up in the browser."""

import base64
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from web_visitor import Visitor

from hub.identity.accounts import NewUser, create_user
from hub.identity.bootstrap import offer_first_administrator
from hub.identity.directory import find
from hub.invocations.runtime import Runtime
from hub.settings import Settings
from hub.web import web_routes
from hub.wiring import open_runtime

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def sqlite_template(empty_sqlite_template: Path) -> Path:
    """Here nobody is settled yet."""
    return empty_sqlite_template


@pytest.fixture
async def empty_hub(sqlite_url: str, tmp_path: Path) -> AsyncGenerator[Runtime]:
    """A hub that nobody has used yet."""
    key = SecretStr(base64.b64encode(bytes(range(32))).decode())
    async with open_runtime(
        Settings(home=tmp_path / "home", database_url=SecretStr(sqlite_url), master_key=key)
    ) as runtime:
        yield runtime


@pytest.fixture
async def newcomer(empty_hub: Runtime) -> AsyncGenerator[Visitor]:
    """Whoever opens the link first."""
    async with Visitor(Starlette(routes=web_routes(empty_hub)), base_url=empty_hub.public_url) as opened:
        yield opened


async def setup_link(hub: Runtime) -> str:
    """Return the path of the one-time link, as the console would print it."""
    async with hub.database.transaction() as tx:
        link = await offer_first_administrator(tx, hub.database, hub.public_url)
    assert link is not None
    return link.removeprefix(hub.public_url)


async def become_administrator(newcomer: Visitor, hub: Runtime) -> None:
    """Use the link."""
    link = await setup_link(hub)
    await newcomer.get(link)
    await newcomer.submit(link, name="root", display_name="Root", password=PASSWORD, again=PASSWORD)
    await newcomer.follow()


async def test_the_sign_in_page_of_an_empty_hub_says_where_the_link_is(newcomer: Visitor, empty_hub: Runtime) -> None:
    await newcomer.get("/login")
    assert "it printed a link that makes the first administrator" in newcomer.text

    await become_administrator(newcomer, empty_hub)

    await newcomer.get("/login")
    assert "it printed a link" not in newcomer.text


async def test_the_link_makes_the_first_administrator_once(newcomer: Visitor, empty_hub: Runtime) -> None:
    link = await setup_link(empty_hub)

    await newcomer.get(link)
    await newcomer.submit(link, name="root", display_name="Root", password=PASSWORD, again=PASSWORD)
    await newcomer.follow()

    assert newcomer.page.status_code == 200
    assert "People and agents" in newcomer.html
    assert (await newcomer.get(link)).status_code == 404


async def test_looking_at_the_link_or_a_mistake_does_not_use_it_up(newcomer: Visitor, empty_hub: Runtime) -> None:
    link = await setup_link(empty_hub)

    for password, again, problem in (
        (PASSWORD, f"{PASSWORD}x", "The two passwords differ."),
        ("short", "short", "A password has 12"),
    ):
        await newcomer.get(link)
        await newcomer.submit(link, name="root", display_name="R", password=password, again=again)
        assert newcomer.page.status_code == 400
        assert problem in newcomer.html

    await newcomer.submit(link, name="root", display_name="R", password=PASSWORD, again=PASSWORD)
    assert newcomer.page.status_code == 303


async def test_an_administrator_makes_people_groups_and_agents_without_the_api(
    newcomer: Visitor, empty_hub: Runtime
) -> None:
    await become_administrator(newcomer, empty_hub)

    await newcomer.submit("/people/groups", name="finance", title="Finance")
    await newcomer.follow()
    user = {"name": "ann", "display_name": "Ann Approver", "groups": ["finance"]}
    await newcomer.submit("/people/users", **user)
    await newcomer.get("/people")
    agent = {"name": "bot", "display_name": "Bot", "scopes": "crm:read", "servers": "everything"}
    await newcomer.submit("/people/agents", **agent)
    await newcomer.follow()

    async with empty_hub.database.reading() as tx:
        ann, bot = await find(tx, "ann"), await find(tx, "bot")
    assert ann is not None
    assert bot is not None
    assert ann.groups == {"finance"}
    assert (bot.allowed_scopes, bot.allowed_servers) == ({"crm:read"}, {"everything"})
    assert f"/people/{bot.id}/secrets" in newcomer.html


async def test_an_agents_limits_are_corrected_and_servers_that_are_not_there_are_refused(
    newcomer: Visitor, empty_hub: Runtime
) -> None:
    await become_administrator(newcomer, empty_hub)
    await newcomer.submit("/people/agents", name="bot", display_name="Bot", servers=["everything", "sails"])
    assert newcomer.page.status_code == 400
    assert "There is no server &#39;sails&#39;. There are: everything, hub.api." in newcomer.html
    await newcomer.submit("/people/agents", name="bot", display_name="Bot", servers="everything")
    person = newcomer.page.headers["location"]
    await newcomer.follow()

    await newcomer.submit(f"{person}/limits", scopes="crm:read", servers="sails")
    assert newcomer.page.status_code == 400
    await newcomer.submit(f"{person}/limits", scopes="crm:read crm:write", servers="hub.api")

    async with empty_hub.database.reading() as tx:
        bot = await find(tx, "bot")
    assert bot is not None
    assert (bot.allowed_scopes, bot.allowed_servers) == ({"crm:read", "crm:write"}, {"hub.api"})


async def test_an_agents_secret_is_shown_once_and_works_nowhere_else(newcomer: Visitor, empty_hub: Runtime) -> None:
    await become_administrator(newcomer, empty_hub)
    await newcomer.submit("/people/agents", name="bot", display_name="Bot", servers="everything")
    person = newcomer.page.headers["location"].partition("?")[0]
    await newcomer.get(person)

    await newcomer.submit(f"{person}/secrets")

    assert newcomer.page.status_code == 200
    assert "thc_" in newcomer.html
    secret_id = re.search(r"<code>(sec_\w+)</code>", newcomer.html)
    assert secret_id is not None
    assert newcomer.page.headers["cache-control"] == "no-store"
    assert "thc_" not in (await newcomer.get(person)).text
    assert f"{person}/secrets/{secret_id[1]}/revoke" in newcomer.html


async def test_an_agent_that_may_use_no_server_is_made_with_a_warning(newcomer: Visitor, empty_hub: Runtime) -> None:
    await become_administrator(newcomer, empty_hub)

    await newcomer.submit("/people/agents", name="bot", display_name="Bot", servers=[])
    await newcomer.follow()
    assert '<p class="callout warn" role="status">' in newcomer.html
    assert "no server is ticked: it can have no token until one is" in newcomer.html

    await newcomer.get("/people")
    await newcomer.submit("/people/agents", name="bot2", display_name="Bot", servers="everything")
    await newcomer.follow()
    assert '<p class="callout good" role="status">' in newcomer.html


async def test_a_scope_that_is_none_is_named(newcomer: Visitor, empty_hub: Runtime) -> None:
    await become_administrator(newcomer, empty_hub)

    await newcomer.submit("/people/agents", name="bot", display_name="Bot", scopes="crm:read crm.write tool:x")

    assert newcomer.page.status_code == 400
    assert "&#39;crm.write&#39; is no scope; a scope is CONNECTOR:read" in newcomer.html


async def test_a_mistake_keeps_what_was_typed_and_says_what_to_do(newcomer: Visitor, empty_hub: Runtime) -> None:
    await become_administrator(newcomer, empty_hub)

    await newcomer.submit("/people/users", name="No Capitals", display_name="Ann")

    assert newcomer.page.status_code == 400
    assert "will not do" in newcomer.html
    assert 'value="No Capitals"' in newcomer.html


async def test_the_last_administrator_stays(newcomer: Visitor, empty_hub: Runtime) -> None:
    await become_administrator(newcomer, empty_hub)
    async with empty_hub.database.reading() as tx:
        root = await find(tx, "root")
    assert root is not None
    await newcomer.get(f"/people/{root.id}")

    await newcomer.submit(f"/people/{root.id}/suspend", reason="leaving")

    assert newcomer.page.status_code == 400
    assert "last administrator" in newcomer.html


async def test_who_is_suspended_is_out_at_once(newcomer: Visitor, empty_hub: Runtime) -> None:
    await become_administrator(newcomer, empty_hub)
    async with empty_hub.database.transaction() as tx:
        ann = await create_user(tx, NewUser(name="ann", display_name="Ann", password=PASSWORD), empty_hub.authority)
    async with Visitor(Starlette(routes=web_routes(empty_hub)), base_url=empty_hub.public_url) as hers:
        await hers.log_in("ann", PASSWORD)
        assert (await hers.get("/")).status_code == 200
        assert (await hers.get("/people")).status_code == 403

        await newcomer.get(f"/people/{ann.id}")
        await newcomer.submit(f"/people/{ann.id}/suspend", reason="left")

        assert (await hers.get("/")).status_code == 303
        await hers.log_in("ann", PASSWORD)
        assert hers.page.status_code == 401
