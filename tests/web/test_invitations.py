"""Invitations on pages: an administrator sees a link and never a password; its person sets one and signs in."""

import re

import pytest
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

pytestmark = pytest.mark.anyio

NEW = "another horse battery"


def link_in(shown: Visitor) -> str:
    """Return the path of the link that a page shows."""
    found = re.search(r"<code>http://[^/]+(/invitation/ivt_[\w-]+)</code>", shown.html)
    assert found, shown.text
    return found[1]


async def test_an_account_that_an_administrator_makes_is_its_persons_alone(world: World, root: Visitor) -> None:
    await root.get("/people")
    assert 'type="password"' not in root.html
    await root.submit("/people/users", name="vera", display_name="Vera", groups="approvers")
    link = link_in(root)
    await root.get("/people")
    assert link not in root.html

    async with browser_of(world.runtime) as veras:
        await veras.get(link)
        assert "This link is for Vera" in veras.text
        await veras.submit(link, password=NEW, again=f"{NEW}x")
        assert (veras.page.status_code, "The two passwords differ." in veras.text) == (400, True)
        await veras.submit(link, password="short", again="short")
        assert (veras.page.status_code, "A password has 12" in veras.text) == (400, True)
        await veras.submit(link, password=NEW, again=NEW)
        assert "hub_session" not in veras.page.headers.get("set-cookie", "")
        await veras.follow()

        assert "Your password is set." in veras.text
        assert (await veras.get("/approvals")).status_code == 303
        assert (await veras.log_in("vera", NEW)).status_code == 303
        assert (await veras.get("/approvals")).status_code == 200
        assert (await veras.get(link)).status_code == 404
        assert "Ask an administrator for another one" in veras.text


async def test_a_lost_password_is_replaced_by_a_link_and_every_session_ends(world: World, root: Visitor) -> None:
    page = f"/people/{world.rita.id}"
    async with browser_of(world.runtime) as ritas:
        await ritas.log_in("rita", PASSWORD)
        await root.get(page)

        await root.submit(f"{page}/invitation")

        link = link_in(root)
        assert (await ritas.get("/")).status_code == 303
        assert (await ritas.log_in("rita", PASSWORD)).status_code == 401
        await root.get(page)
        assert "A link to set a password is out" in root.text
        assert link not in root.html


async def test_an_administrator_makes_no_link_for_themselves(world: World, root: Visitor) -> None:
    page = f"/people/{world.ann.id}"
    await root.get(page)

    await root.submit(f"{page}/invitation")

    assert root.page.status_code == 400
    assert "with the old one" in root.text
    assert (await root.log_in("ann", PASSWORD)).status_code == 303


async def test_a_form_from_elsewhere_sets_no_password(world: World, root: Visitor) -> None:
    await root.get(f"/people/{world.rita.id}")
    await root.submit(f"/people/{world.rita.id}/invitation")
    link = link_in(root)

    async with browser_of(world.runtime) as forged:
        assert (await forged.post(link, {"password": [NEW], "again": [NEW]})).status_code == 400
        assert (await forged.log_in("rita", NEW)).status_code == 401


async def test_only_administrators_make_links(world: World, ann: Visitor) -> None:
    await ann.get("/password")
    token = ann.form("/password").fields

    assert (await ann.post(f"/people/{world.rita.id}/invitation", token)).status_code == 403
