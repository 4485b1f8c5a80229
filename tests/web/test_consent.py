"""Consent: who asks for what is said in words, and allowing some of it or nothing is as easy as allowing all."""

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update
from web_visitor import Visitor
from world import PASSWORD, World

from hub.identity.grants_authorize import Asked, AuthorizationQuery, begin_authorization
from hub.identity.tables import AuthorizationCodeRow, ClientRow

pytestmark = pytest.mark.anyio

BACK = "http://127.0.0.1:8765/callback"


@pytest.fixture
async def rita(visitor: Visitor) -> Visitor:
    """The person the agent wants to act for, logged in."""
    await visitor.log_in("rita", PASSWORD)
    return visitor


async def asked_for_consent(world: World) -> str:
    """Let the agent start an authorization; return the address of the consent page."""
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
        query = AuthorizationQuery(values=parameters, repeated=frozenset())
        asked = await begin_authorization(tx, world.runtime.authorization, query)
    assert isinstance(asked, Asked), asked
    return f"/consent/{asked.request_id}"


async def scopes_granted(world: World) -> list[str]:
    """Return the scopes of the code that was given."""
    async with world.runtime.database.reading() as tx:
        return list((await tx.scalars(select(AuthorizationCodeRow.scopes))).one())


async def test_the_page_says_who_asks_for_what_and_where_it_leads(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world)

    await rita.get(page)

    for words in ("Bot asks to act for you", "Looked after by", "upstream:write", "may write", "127.0.0.1:8765"):
        assert words in rita.html
    policy = rita.page.headers["content-security-policy"]
    assert policy.endswith("form-action 'self' http://127.0.0.1:8765")


async def test_allowing_sends_the_agent_a_code_for_what_was_left_ticked(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world)
    await rita.get(page)

    await rita.submit(page, scope=["upstream:read"], answer="allow")

    answer = parse_qs(urlsplit(rita.page.headers["location"]).query)
    assert rita.page.status_code == 303
    assert rita.page.headers["location"].startswith(BACK)
    assert (answer["state"], answer["iss"]) == (["xyz"], [world.runtime.public_url])
    assert await scopes_granted(world) == ["upstream:read"]


@pytest.mark.parametrize("pressed", ["deny", ""])
async def test_anything_but_allowing_denies(world: World, rita: Visitor, pressed: str) -> None:
    page = await asked_for_consent(world)
    await rita.get(page)

    await rita.submit(page, answer=pressed)

    assert parse_qs(urlsplit(rita.page.headers["location"]).query)["error"] == ["access_denied"]
    assert (await rita.get(page)).status_code == 404


async def test_allowing_nothing_or_more_than_was_asked_for_is_refused(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world)
    await rita.get(page)

    for scope in ([], ["upstream:read", "tool:item_delete"]):
        answer = await rita.submit(page, scope=scope, answer="allow")
        assert answer.status_code == 400
        await rita.get(page)


async def test_a_request_that_one_person_has_opened_is_nobody_elses(world: World, rita: Visitor) -> None:
    page = await asked_for_consent(world)
    await rita.get(page)
    await rita.submit("/logout")
    await rita.log_in("ann", PASSWORD)

    assert (await rita.get(page)).status_code == 404
