"""Consent: who asks for what is said in words, and allowing some of it or nothing is as easy as allowing all."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette
from web_visitor import Visitor
from world import PASSWORD, World

from hub.identity.tables import AuthorizationCodeRow, ClientDocumentRow, ClientRow
from hub.oauth import oauth_routes
from hub.storage import now
from hub.web import web_routes

pytestmark = pytest.mark.anyio

BACK = "http://127.0.0.1:8765/callback"


@pytest.fixture
async def rita(world: World) -> AsyncGenerator[Visitor]:
    """The person the agent wants to act for, logged in."""
    app = Starlette(routes=[*oauth_routes(world.runtime), *web_routes(world.runtime)])
    async with Visitor(app, base_url=world.runtime.public_url) as opened:
        await opened.log_in("rita", PASSWORD)
        yield opened


async def asked_for_consent(world: World, browser: Visitor) -> str:
    """Let the agent send the browser to the authorization endpoint; return where that leads."""
    parameters = {
        "response_type": "code",
        "client_id": world.bot.id,
        "redirect_uri": BACK,
        "scope": "upstream:read upstream:write",
        "resource": f"{world.runtime.public_url}/mcp",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "state": "xyz",
    }
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(ClientRow).values(redirect_uris=[BACK]))
    await browser.get(f"/oauth/authorize?{urlencode(parameters)}")
    return browser.page.headers["location"].removeprefix(world.runtime.public_url)


async def scopes_granted(world: World) -> list[str]:
    """Return the scopes of the code that was given."""
    async with world.runtime.database.reading() as tx:
        return list((await tx.scalars(select(AuthorizationCodeRow.scopes))).one())


async def test_the_page_says_who_asks_for_what_and_where_it_leads(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world, rita)

    await rita.get(page)

    for words in ("Bot asks to act for you", "Looked after by", "upstream:write", "may write", "127.0.0.1:8765"):
        assert words in rita.text
    policy = rita.page.headers["content-security-policy"]
    assert policy.endswith("form-action 'self' http://127.0.0.1:8765")


async def test_who_has_to_log_in_first_comes_to_the_same_question(world: World, rita: Visitor) -> None:
    await rita.get("/approvals")
    await rita.submit("/logout")
    await rita.get(await asked_for_consent(world, rita))
    await rita.submit("/login", name="rita", password=PASSWORD)

    back = await rita.follow()
    await rita.follow()

    assert str(back.request.url).startswith(f"{world.runtime.public_url}/oauth/authorize?")
    assert "Bot asks to act for you" in rita.text


async def test_allowing_sends_the_agent_a_code_for_what_was_left_ticked(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world, rita)
    await rita.get(page)

    await rita.submit(page, scope=["upstream:read"], answer="allow")

    answer = parse_qs(urlsplit(rita.page.headers["location"]).query)
    assert rita.page.status_code == 303
    assert rita.page.headers["location"].startswith(BACK)
    assert (answer["state"], answer["iss"]) == (["xyz"], [world.runtime.public_url])
    assert await scopes_granted(world) == ["upstream:read"]


@pytest.mark.parametrize("pressed", ["deny", ""])
async def test_anything_but_allowing_denies(world: World, rita: Visitor, pressed: str) -> None:
    page = await asked_for_consent(world, rita)
    await rita.get(page)

    await rita.submit(page, answer=pressed)

    assert parse_qs(urlsplit(rita.page.headers["location"]).query)["error"] == ["access_denied"]
    assert (await rita.get(page)).status_code == 404


async def test_allowing_nothing_or_more_than_was_asked_for_is_refused(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world, rita)
    await rita.get(page)

    for scope in ([], ["upstream:read", "tool:item_delete"]):
        answer = await rita.submit(page, scope=scope, answer="allow")
        assert answer.status_code == 400
        await rita.get(page)


async def test_a_request_that_one_person_has_opened_is_nobody_elses(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world, rita)
    await rita.get(page)
    await rita.submit("/logout")
    await rita.log_in("ann", PASSWORD)

    assert (await rita.get(page)).status_code == 404


async def test_what_is_new_is_told_from_what_was_allowed_before(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world, rita)
    await rita.get(page)
    assert "new reads only" not in rita.text
    await rita.submit(page, answer="allow", scope=["upstream:read"])

    again = await asked_for_consent(world, rita)
    await rita.get(again)

    assert "new may write" in rita.text
    assert "you allowed this before reads only" in rita.text


async def test_an_agent_that_nobody_registered_is_told_by_whose_word_it_is_what_it_says(
    world: World, rita: Visitor
) -> None:
    page = await asked_for_consent(world, rita)
    await rita.get(page)
    assert "Nobody here has checked" not in rita.text
    async with world.runtime.database.transaction() as tx:
        url, at = "https://agents.example.org/client.json", await now(tx)
        tx.add(ClientDocumentRow(principal_id=world.bot.id, url=url, fresh_until=at + timedelta(hours=1)))

    await rita.get(page)

    assert "agents.example.org , where it comes from. Nobody here has checked its name." in rita.text
    assert "Allow it only if you have just started it yourself." in rita.text
    assert "<img" not in rita.html
