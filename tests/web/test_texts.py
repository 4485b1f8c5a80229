"""Texts that cannot be kept are refused at the door, on both engines alike: PostgreSQL has no null character."""

from collections.abc import AsyncGenerator

import pytest
from web_visitor import Visitor
from world import PASSWORD, World

from hub.storage import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """Both engines, in place of this folder's one: they differ in which texts they keep."""
    opened = Database(database_url)
    yield opened
    await opened.close()


async def test_a_null_character_in_a_form_is_refused_and_nothing_is_decided(world: World, ann: Visitor) -> None:
    asked = await world.call("ticket_create", {"title": "a ticket"})
    await ann.get(f"/approvals/{asked.id}")

    await ann.submit(f"/approvals/{asked.id}", decision="reject", reason="my reason\x00")

    assert ann.page.status_code == 400
    assert "null character" in ann.text
    await ann.get(f"/approvals/{asked.id}")
    await ann.submit(f"/approvals/{asked.id}", decision="reject", reason="my reason")
    assert ann.page.status_code == 303


async def test_half_a_surrogate_pair_in_a_form_is_refused(visitor: Visitor) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}

    answer = await visitor.client.post("/login", content=b"name=%ED%A0%80&password=x", headers=form)

    assert answer.status_code == 400


async def test_a_login_with_a_null_character_is_refused(visitor: Visitor) -> None:
    await visitor.log_in("ann\x00", PASSWORD)

    assert visitor.page.status_code == 400


@pytest.mark.parametrize(
    "query", ["/?q=%00", "/?server=%00", "/?after=%00", "/invocations?after=%00", "/people?after=%00"]
)
async def test_a_null_character_in_a_query_is_refused(ann: Visitor, query: str) -> None:
    await ann.get(query)

    assert ann.page.status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/invocations/%00",
        "/approvals/%00",
        "/people/%00",
        "/consent/%00",
        "/setup/%00",
        "/servers/%00/tools/x",
        "/servers/everything/tools/%00",
    ],
)
async def test_nothing_stands_at_an_address_with_a_null_character(ann: Visitor, path: str) -> None:
    await ann.get(path)

    assert ann.page.status_code == 404


async def test_half_a_character_in_an_address_is_no_failure(ann: Visitor) -> None:
    await ann.get("/invocations?after=%ED%A0%80")

    assert ann.page.status_code < 500
