"""Connections on the pages: looked at, tried and corrected by those whose they are."""

import pytest
from sqlalchemy import select
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.registry import get_connection

pytestmark = pytest.mark.anyio


@pytest.fixture
async def root(world: World, ann: Visitor) -> Visitor:
    """Ann, who has been made administrator."""
    async with world.runtime.database.transaction() as tx:
        roles = frozenset({Role.ADMINISTRATOR, Role.MEMBER})
        await set_roles(tx, world.ann.id, roles, world.runtime.authority)
    return ann


def page_of(world: World) -> str:
    return f"/connections/{world.connection_id}"


async def test_a_connection_that_works_is_said_to_work_and_trying_is_on_record(world: World, root: Visitor) -> None:
    await root.get("/servers")
    assert f'href="{page_of(world)}"' in root.html
    await root.get(page_of(world))

    await root.submit(f"{page_of(world)}/try")

    assert root.page.headers["location"] == page_of(world)
    await root.follow()
    assert "It works: The system answers and accepts the credential" in root.text
    assert "It works" not in (await root.get(page_of(world))).text
    async with world.runtime.database.reading() as tx:
        kind = EventRow.kind == EventKind.CONNECTION_TRIED.value
        assert (await tx.scalars(select(EventRow.actor).where(kind))).all() == [world.ann.id]
    assert world.upstream.store.effects() == []


async def test_a_wrong_credential_is_corrected(world: World, root: Visitor) -> None:
    await root.get(page_of(world))

    await root.submit(page_of(world), secret_token="not the token")
    await root.follow()
    assert "Saved. It cannot be used as it is: It does not accept the credential (401)." in root.text
    await root.submit(page_of(world), secret_token=world.upstream.token)
    await root.follow()

    assert "Saved. It works" in root.text
    assert world.upstream.token not in root.html
    assert (await generation(world)) == 4


async def test_a_credential_is_never_shown_to_another_system(world: World, root: Visitor) -> None:
    await root.get(page_of(world))

    await root.submit(page_of(world), base_url="http://127.0.0.1:1")

    assert root.page.status_code == 400
    assert "enter the credential for it too" in root.text
    assert 'value="http://127.0.0.1:1"' in root.html
    assert (await generation(world)) == 2
    await root.submit(page_of(world), base_url="http://127.0.0.1:1", secret_token="x")
    await root.follow()
    assert "It cannot be reached" in root.text


async def test_whose_it_is_not_sees_nothing_of_it(world: World) -> None:
    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get("/servers")
        token = dict(rita.form("/logout").fields)["csrf_token"]
        answers = [
            (await rita.get(page_of(world))).status_code,
            (await rita.post(f"{page_of(world)}/try", [("csrf_token", token)])).status_code,
            (await rita.post(page_of(world), [("csrf_token", token), ("base_url", "http://x.test")])).status_code,
        ]

    assert answers == [404, 404, 404]
    assert (await generation(world)) == 2


async def generation(world: World) -> int:
    async with world.runtime.database.reading() as tx:
        return (await get_connection(tx, world.connection_id)).generation
