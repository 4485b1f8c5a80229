"""Linking an account in Slack on a page: a code for whoever has just logged in, shown once, and an end to it."""

import re
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from sqlalchemy import update
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.channels.slack_api import SlackApi, SlackApp
from hub.identity.linked import Elsewhere, link, speaker
from hub.identity.tables import SessionRow
from hub.storage import now
from hub.web.slack import SlackDoor

pytestmark = pytest.mark.anyio

APP = SlackApp(token="xoxb-nobody", signing_secret="nobody")


@pytest.fixture
async def ann(world: World) -> AsyncGenerator[Visitor]:
    """The approver, logged in to a hub that has an app in Slack."""
    door = SlackDoor(runtime=world.runtime, app=APP, api=SlackApi(APP))
    async with browser_of(world.runtime, door) as opened:
        await opened.log_in("ann", PASSWORD)
        yield opened


ELSEWHERE = Elsewhere(system="slack", team="T1", account="U1")


async def test_a_code_from_the_page_links_the_account_that_sends_it(world: World, ann: Visitor) -> None:
    await ann.get("/slack")
    assert "No account speaks for you" in ann.text

    await ann.submit("/slack/code")
    (code,) = re.findall(r"/toolhub link ([A-Z2-9-]+)", ann.html)
    async with world.runtime.database.transaction() as tx:
        await link(tx, code, ELSEWHERE, world.runtime.authority)
    await ann.get("/slack")

    assert "An account speaks for you" in ann.text
    assert "U1 of the workspace T1" in ann.text
    assert code not in ann.html


async def test_an_account_is_unlinked_on_the_page(world: World, ann: Visitor) -> None:
    await ann.get("/slack")
    await ann.submit("/slack/code")
    (code,) = re.findall(r"/toolhub link ([A-Z2-9-]+)", ann.html)
    async with world.runtime.database.transaction() as tx:
        await link(tx, code, ELSEWHERE, world.runtime.authority)
    await ann.get("/slack")

    await ann.submit("/slack/unlink")
    await ann.follow()

    assert "No account speaks for you" in ann.text
    async with world.runtime.database.reading() as tx:
        assert await speaker(tx, ELSEWHERE) is None


async def test_whoever_finds_an_open_browser_links_no_account(world: World, ann: Visitor) -> None:
    await ann.get("/slack")
    async with world.runtime.database.transaction() as tx:
        long_ago = await now(tx) - timedelta(minutes=11)
        await tx.execute(update(SessionRow).values(authenticated_at=long_ago))

    await ann.submit("/slack/code")
    assert ann.page.headers["location"] == "/fresh-login?next=/slack"
    await ann.follow()
    await ann.submit("/fresh-login", password=PASSWORD)
    await ann.follow()
    await ann.submit("/slack/code")

    assert "/toolhub link" in ann.html


async def test_a_hub_without_an_app_has_no_door_for_slack_and_leads_nobody_there(world: World, ann: Visitor) -> None:
    await ann.get("/approvals")
    assert 'href="/slack"' in ann.html

    async with browser_of(world.runtime) as elsewhere:
        await elsewhere.log_in("ann", PASSWORD)
        await elsewhere.get("/approvals")
        assert "slack" not in elsewhere.html.lower()
        assert (await elsewhere.get("/slack")).status_code == 404
        assert (await elsewhere.post("/slack/interactions", [("payload", "{}")])).status_code == 404
