"""Connections on the pages: looked at, tried and corrected by those whose they are."""

import pytest
from sqlalchemy import select
from upstream.faults import Fault
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.budgets import note_failure
from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.invocations.contact import look_after_connections
from hub.invocations.states import State
from hub.registry import get_connection

pytestmark = pytest.mark.anyio


async def become(world: World, *roles: Role) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.ann.id, frozenset({*roles, Role.MEMBER}), world.runtime.authority)


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


async def test_the_limits_of_a_connection_are_shown(world: World, root: Visitor) -> None:
    await root.get(page_of(world))

    assert "32 connections, 16 calls at the same time, each at most 300 seconds, answers of at most" in root.text
    assert "10,485,760 bytes" in root.text


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


def break_down(world: World) -> None:
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, times=1000)


def mend(world: World) -> None:
    world.upstream.store.rows("DELETE FROM fault")


async def fail(world: World, *, times: int) -> None:
    for _ in range(times):
        await world.call("item_get", {"id": 1})


async def kinds_by(world: World, person_id: str) -> list[str]:
    async with world.runtime.database.reading() as tx:
        query = select(EventRow.kind).where(EventRow.actor == person_id, EventRow.subject == world.connection_id)
        return list(await tx.scalars(query.order_by(EventRow.entry)))


async def test_an_outage_stands_on_every_page_of_the_connection_and_a_look_now_ends_it(
    world: World, root: Visitor
) -> None:
    break_down(world)
    await fail(world, times=3)
    assert await look_after_connections(world.runtime) == 1
    await become(world, Role.ADMINISTRATOR, Role.OPERATOR)

    assert "unavailable" in (await root.get("/servers")).text
    await root.get("/health")
    assert "unavailable No call is made since" in root.text
    assert f'href="{page_of(world)}"' in root.html
    await root.get(page_of(world))
    assert "Unavailable since" in root.text
    assert "Next look" in root.text
    await root.submit(f"{page_of(world)}/try")
    await root.follow()
    assert "It cannot be used as it is" in root.text
    assert "Unavailable since" in root.text
    mend(world)
    await root.submit(f"{page_of(world)}/try")
    await root.follow()

    assert "It works" in root.text
    assert "Unavailable since" not in root.text
    assert (await world.call("item_get", {"id": 1})).state is State.SUCCEEDED
    assert await kinds_by(world, world.ann.id) == ["connection.tried", "connection.tried", "connection.restored"]


async def test_health_is_not_well_where_a_connection_is_failing(world: World, root: Visitor) -> None:
    await root.get("/health")
    before = root.text
    break_down(world)
    await fail(world, times=2)

    await root.get("/health")

    assert "Every part that was looked at is well." in before or "No checkpoint yet" in before
    assert "failing" in root.text
    assert "Every part that was looked at is well." not in root.text
    assert "At least one part needs a look." in root.text


async def test_a_look_after_too_few_failures_marks_nothing_and_one_that_succeeds_forgets_them(
    world: World, root: Visitor
) -> None:
    break_down(world)
    await fail(world, times=2)

    await root.get(page_of(world))
    assert "2 calls in a row did not reach its system" in root.text
    await root.submit(f"{page_of(world)}/try")
    await root.follow()
    assert "Unavailable since" not in root.text
    assert "2 calls in a row" in root.text
    mend(world)
    await root.submit(f"{page_of(world)}/try")
    await root.follow()

    assert "in a row" not in root.text
    assert await kinds_by(world, world.ann.id) == ["connection.tried"] * 2


async def test_what_the_hub_found_is_not_written_over_by_what_a_call_is_told(world: World, root: Visitor) -> None:
    break_down(world)
    await fail(world, times=3)
    await look_after_connections(world.runtime)
    async with world.runtime.database.transaction() as tx:
        await note_failure(tx, world.runtime.database, world.connection_id, "said to a call: 4711")

    await root.get(page_of(world))

    assert "Unavailable since" in root.text
    assert "4711" not in root.text
