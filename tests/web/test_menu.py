"""The menu: it opens whatever it offers, to everybody, and nobody comes in by a closed door."""

import re
from collections.abc import AsyncGenerator

import pytest
from starlette.applications import Starlette
from web_visitor import Visitor
from world import PASSWORD, World

from hub.identity.accounts import NewUser, create_user
from hub.identity.principals import Role
from hub.web import web_routes

pytestmark = pytest.mark.anyio


@pytest.fixture
async def browser(world: World) -> AsyncGenerator[Visitor]:
    async with Visitor(Starlette(routes=web_routes(world.runtime)), base_url=world.runtime.public_url) as opened:
        yield opened


async def come_in(world: World, browser: Visitor, *roles: Role) -> None:
    """Let somebody sign in who has these roles, and go where that leads."""
    async with world.runtime.database.transaction() as tx:
        new = NewUser(name="nora", display_name="Nora", password=PASSWORD, roles=frozenset(roles))
        await create_user(tx, new, world.runtime.authority)
    await browser.log_in("nora", PASSWORD)
    await browser.follow()
    if browser.page.is_redirect:
        await browser.follow()


async def opened(browser: Visitor, path: str) -> int:
    """Return how a page answers, wherever it leads on to."""
    await browser.get(path)
    if browser.page.is_redirect:
        await browser.follow()
    return browser.page.status_code


def menu(browser: Visitor) -> dict[str, str]:
    """Return what the menu offers, each label with where it leads."""
    nav = re.search(r'<nav class="nav".*?</nav>', browser.html, re.DOTALL)
    assert nav is not None
    return {label: path for path, label in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)', nav[0])}


@pytest.mark.parametrize("roles", [(), *((role,) for role in Role), tuple(Role)], ids="-".join)
async def test_whoever_comes_in_can_open_the_page_they_come_to_and_all_that_the_menu_offers(
    world: World, browser: Visitor, roles: tuple[Role, ...]
) -> None:
    await come_in(world, browser, *roles)

    first, offered = browser.page.status_code, menu(browser)
    answers = {label: await opened(browser, path) for label, path in offered.items()}

    assert (first, answers) == (200, dict.fromkeys(offered, 200))
    assert ("Tools" in offered, "Servers" in offered) == (Role.MEMBER in roles, Role.MEMBER in roles)


async def test_who_may_not_see_the_catalog_comes_to_the_first_page_of_their_menu(
    world: World, browser: Visitor
) -> None:
    await come_in(world, browser, Role.AUDITOR)
    assert browser.page.url.path == "/approvals"
    assert list(menu(browser)) == ["Approvals", "My invocations", "Policy", "Log", "Erasures", "Metrics"]

    await browser.get("/servers")

    assert browser.page.status_code == 403
    assert 'href="/approvals">To Approvals</a>' in browser.html
    assert "To the catalog" not in browser.html


async def test_every_role_is_explained_where_it_is_given(world: World, browser: Visitor) -> None:
    await come_in(world, browser, Role.ADMINISTRATOR)
    await browser.get("/people")
    own = re.search(r'href="(/people/usr_\w+)"', browser.html)
    assert own is not None

    for path in ("/people", own[1]):
        await browser.get(path)
        told = re.findall(r'name="roles" value="(\w+)".*?<span class="hint">: ([^<]+)\.</span>', browser.html)
        assert {role for role, _ in told} == set(Role)
