"""Agents that act for me: what each may do stands on a page, and is taken back there at once."""

import re
from collections.abc import AsyncGenerator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.core.errors import Conflict
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent, issue_secret
from hub.identity.tables import ClientRow, ConsentRow, PrincipalRow
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.oauth import oauth_routes
from hub.storage import now
from hub.web import web_routes

pytestmark = pytest.mark.anyio

BACK = "http://127.0.0.1:8765/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.fixture
async def rita(world: World) -> AsyncGenerator[Visitor]:
    """The person an agent acts for, logged in."""
    app = Starlette(routes=[*oauth_routes(world.runtime), *web_routes(world.runtime)])
    async with Visitor(app, base_url=world.runtime.public_url) as opened:
        await opened.log_in("rita", PASSWORD)
        yield opened


async def allow(world: World, browser: Visitor, *scopes: str) -> str:
    """Let the person allow the agent `scopes`; return the code that the agent gets."""
    parameters = {
        "response_type": "code",
        "client_id": world.bot.id,
        "redirect_uri": BACK,
        "scope": "upstream:read upstream:write",
        "resource": f"{world.runtime.public_url}/mcp",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(ClientRow).values(redirect_uris=[BACK]))
    await browser.get(f"/oauth/authorize?{urlencode(parameters)}")
    page = browser.page.headers["location"].removeprefix(world.runtime.public_url)
    await browser.get(page)
    await browser.submit(page, scope=list(scopes), answer="allow")
    return parse_qs(urlsplit(browser.page.headers["location"]).query)["code"][0]


async def at_the_token_endpoint(world: World, browser: Visitor, **form: str) -> tuple[int, dict[str, str]]:
    """Send what the agent sends there."""
    async with world.runtime.database.transaction() as tx:
        authority = Authority(database=world.runtime.database, keys=world.runtime.keys)
        secret = await issue_secret(tx, world.bot.id, authority)
    known = {"client_id": world.bot.id, "client_secret": secret.value, "redirect_uri": BACK}
    answer = await browser.client.post("/oauth/token", data={**known, **form})
    return answer.status_code, answer.json()


async def given_to_ann(world: World) -> None:
    """Let the agent be ann's: one's own are found on the page, and by the menu, whomever they act for."""
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(PrincipalRow).where(PrincipalRow.id == world.bot.id).values(owner_id=world.ann.id))


async def test_nobody_acts_for_a_person_who_has_allowed_nothing(rita: Visitor) -> None:
    await rita.get("/acting")

    assert "No agent acts for you" in rita.text
    assert "/stop" not in rita.html


async def test_the_menu_leads_there_as_long_as_an_agent_may_act(world: World, rita: Visitor) -> None:
    entry = '<a href="/acting">Agents that act for me'
    await given_to_ann(world)
    await rita.get("/")
    assert entry not in rita.html

    await allow(world, rita, "upstream:read")
    await rita.get("/")
    assert entry in rita.html

    await rita.get("/acting")
    assert '<a href="/acting" aria-current="page">Agents that act for me' in rita.html
    await rita.submit(f"/acting/{world.bot.id}/stop")
    await rita.get("/")
    assert entry not in rita.html


async def test_the_menu_of_others_leads_nowhere_and_agents_are_in_the_order_of_their_names(
    world: World, rita: Visitor
) -> None:
    authority = Authority(database=world.runtime.database, keys=world.runtime.keys)
    async with world.runtime.database.transaction() as tx:
        for name in ("Zoe", "Abe"):
            new = NewAgent(name=name.lower(), display_name=name, owner_id=world.ann.id)
            leave = {"user_id": world.rita.id, "resource": world.runtime.public_url, "scopes": ["upstream:read"]}
            agent = await create_agent(tx, new, authority)
            tx.add(ConsentRow(id=f"cns_{name}", client_id=agent.id, given_at=await now(tx), **leave))
    await rita.get("/acting")
    assert re.findall("Zoe|Abe", rita.text)[0] == "Abe"

    async with browser_of(world.runtime) as carl:
        await carl.log_in("carl", PASSWORD)
        await carl.get("/")
        assert 'href="/acting"' not in carl.html


async def test_the_page_says_what_the_latest_answer_allows_and_no_earlier_one(world: World, rita: Visitor) -> None:
    await allow(world, rita, "upstream:read", "upstream:write")
    await rita.get("/acting")
    assert "upstream:write may write" in rita.text

    await allow(world, rita, "upstream:read")
    await rita.get("/acting")

    assert "Read, in your name, whatever the upstream tools can read" in rita.text
    assert "upstream:write" not in rita.text
    assert rita.html.count("/stop") == 1


async def test_what_is_taken_back_ends_at_once_and_is_on_record(world: World, rita: Visitor) -> None:
    code = await allow(world, rita, "upstream:read")
    status, issued = await at_the_token_endpoint(
        world, rita, grant_type="authorization_code", code=code, code_verifier=VERIFIER
    )
    assert status == 200, issued
    await rita.get("/acting")

    await rita.submit(f"/acting/{world.bot.id}/stop")
    await rita.follow()

    assert "acts for you no longer" in rita.text
    assert "No agent acts for you" in rita.text
    refused = await at_the_token_endpoint(
        world, rita, grant_type="refresh_token", refresh_token=issued["refresh_token"]
    )
    assert (refused[0], refused[1]["error"]) == (400, "invalid_grant")
    async with world.runtime.database.reading() as tx:
        kinds = (await tx.scalars(select(EventRow.kind).where(EventRow.kind == EventKind.CONSENT_WITHDRAWN))).all()
    assert len(kinds) == 1


async def test_an_agent_that_waits_by_a_token_that_ran_out_is_taken_back_from_too(world: World, rita: Visitor) -> None:
    await given_to_ann(world)
    asked = await world.call("item_delete", {"id": 1})
    await rita.get("/")
    assert 'href="/acting"' in rita.html
    await rita.get("/acting")
    assert "What it has asked for in your name has not ended yet." in rita.text

    await rita.submit(f"/acting/{world.bot.id}/stop")
    await rita.follow()

    assert "No agent acts for you" in rita.text
    assert "What it had asked for in your name is not carried out any more." in rita.text
    await rita.get("/")
    assert 'href="/acting"' not in rita.html
    with pytest.raises(Conflict, match="ended before you decided"):
        await world.vote(asked, world.ann)
    ended = await current(world.runtime, asked.id)
    assert (ended.state, ended.error_message) == (
        State.EXPIRED,
        "That Bot may do this in the name of Rita was taken back since it asked.",
    )


async def test_an_agent_with_leave_is_not_said_to_have_only_asked(world: World, rita: Visitor) -> None:
    await allow(world, rita, "upstream:read")
    await world.call("item_delete", {"id": 1})

    await rita.get("/acting")

    assert rita.html.count("/stop") == 1
    assert "has not ended yet" not in rita.text


async def test_what_acts_for_somebody_else_is_as_if_it_were_not_there(world: World, rita: Visitor) -> None:
    await allow(world, rita, "upstream:read")
    await rita.get("/acting")
    theirs = rita.form(f"/acting/{world.bot.id}/stop")
    await rita.get("/")
    await rita.submit("/logout")
    await rita.log_in("ann", PASSWORD)
    await rita.get("/acting")
    assert "No agent acts for you" in rita.text

    token = rita.form("/logout").fields
    known = await rita.post(theirs.action, token)
    unknown = await rita.post("/acting/agt_nobody/stop", token)

    assert (known.status_code, unknown.status_code) == (404, 404)
    assert known.text.replace(world.bot.id, "") == unknown.text.replace("agt_nobody", "")
    await rita.get("/")
    await rita.submit("/logout")
    await rita.log_in("rita", PASSWORD)
    await rita.get("/acting")
    assert rita.html.count("/stop") == 1
