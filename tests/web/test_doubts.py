"""Writes in doubt on pages: operators see that there are some, look, and say what became of them."""

from datetime import timedelta

import pytest
from invocations.time_passing import settled
from sqlalchemy import update
from upstream.faults import Fault
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.identity.accounts import NewUser, create_user, set_roles
from hub.identity.principals import Principal, Role
from hub.invocations.queries import current
from hub.invocations.resolve import Resolution, findings_on, resolve
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry.tables import ConnectionRow
from hub.storage import now
from hub.web.moments import at

pytestmark = pytest.mark.anyio

SEEN = "The note is on the board."


async def add(world: World, name: str, *roles: Role) -> Principal:
    """Let there be somebody with roles and no groups."""
    new = NewUser(name=name, display_name=name.title(), password=PASSWORD, roles=frozenset(roles))
    async with world.runtime.database.transaction() as tx:
        return await create_user(tx, new, world.runtime.authority)


@pytest.fixture
async def lost(world: World) -> Invocation:
    """A note that was posted, or not: the answer never came."""
    asked = await world.call("note_post", {"text": "Back at noon"})
    ready = await world.vote(asked, world.ann)
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")
    doubtful = await resume(ready.id, world.runtime)
    assert doubtful.state is State.IN_DOUBT
    return doubtful


@pytest.fixture
async def omar(world: World, visitor: Visitor) -> Visitor:
    """An operator who takes no part in it, logged in."""
    await add(world, "omar", Role.OPERATOR)
    await visitor.log_in("omar", PASSWORD)
    return visitor


async def make_critical(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(tier="critical"))


async def forge(browser: Visitor, lost: Invocation, answer: str = "done") -> int:
    """Send what the form would have sent, from a page that has none; return the status of the answer."""
    await browser.get("/approvals")
    token = dict(browser.form("/logout").fields)["csrf_token"]
    fields = [("csrf_token", token), ("has_happened", answer), ("reason", SEEN)]
    return (await browser.post(f"/doubts/{lost.id}", fields)).status_code


async def state_of(world: World, invocation: Invocation) -> State:
    return (await current(world.runtime, invocation.id)).state


async def test_health_the_menu_and_the_list_lead_an_operator_to_a_write_in_doubt(
    omar: Visitor, lost: Invocation
) -> None:
    await omar.get("/health")
    assert "needs a look" in omar.text
    assert 'href="/doubts"><bdi>Writes in doubt</bdi></a>' in omar.html
    assert 'Health<span class="count">1<' in omar.html

    await omar.get("/doubts")
    assert f'href="/doubts/{lost.id}"' in omar.html
    await omar.get(f"/doubts/{lost.id}")

    assert "Back at noon" in omar.text
    assert lost.upstream_key in omar.text
    assert "It was done" in omar.text


async def test_with_nothing_in_doubt_all_is_well_and_the_list_says_so(omar: Visitor) -> None:
    await omar.get("/health")
    assert "Writes in doubt" in omar.text
    assert "There are none." in omar.text
    assert '<span class="count">' not in omar.html

    await omar.get("/doubts")

    assert "Nothing is in doubt" in omar.text


@pytest.mark.parametrize("answer", ["done", "not done"])
async def test_an_operator_says_what_became_of_it(world: World, omar: Visitor, lost: Invocation, answer: str) -> None:
    await omar.get(f"/doubts/{lost.id}")
    await omar.submit(f"/doubts/{lost.id}", has_happened=answer, reason=SEEN)
    await omar.follow()

    assert "It is settled." in omar.text
    assert "Nothing is in doubt" in omar.text
    assert await state_of(world, lost) is State.RESOLVED_BY_HUMAN
    async with world.runtime.database.reading() as tx:
        (found,) = await findings_on(tx, lost.id)
    assert (found.has_happened, found.reason) == (answer == "done", SEEN)
    settled = await current(world.runtime, lost.id)
    assert (settled.error_message is None) is (answer == "done")
    await omar.get(f"/invocations/{lost.id}")
    assert f"{answer.capitalize()}, as a person found" in omar.text
    assert f"Found {answer}" in omar.text
    assert SEEN in omar.text


async def test_a_doubt_says_when_the_hub_looks_again_if_it_can_find_out_itself(
    world: World, omar: Visitor, lost: Invocation
) -> None:
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, method="PATCH")
    sent = await world.call("item_update", {"id": 1, "quantity": 90})
    world.edit_by_hand(1, quantity=55)
    compared = await settled(world, sent)
    async with world.runtime.database.transaction() as tx:
        later = await now(tx) + timedelta(minutes=9)
        await tx.execute(update(InvocationRow).values(not_before=later))

    await omar.get(f"/doubts/{compared.id}")
    seen = omar.text
    await omar.get(f"/doubts/{lost.id}")  # of class D: nothing that the hub could look for
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(not_before=await now(tx)))
    unlooked = omar.text
    await omar.get(f"/doubts/{compared.id}")
    overdue = omar.text
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(ConnectionRow).values(generation=ConnectionRow.generation + 1))
    await omar.get(f"/doubts/{compared.id}")

    assert compared.state is State.IN_DOUBT
    assert f"The hub looks again at {at(later, now=later).clock} (in " in seen
    assert "The hub is about to look again." in overdue
    assert "look again" not in unlooked.replace("looks again", "look again")
    assert "What is known" in omar.text
    assert "look again" not in omar.text


async def test_a_critical_one_stays_until_another_operator_found_the_same(
    world: World, omar: Visitor, lost: Invocation
) -> None:
    await make_critical(world)
    await add(world, "olga", Role.OPERATOR)
    await omar.get(f"/doubts/{lost.id}")
    assert "2 operators must find the same" in omar.text
    await omar.submit(f"/doubts/{lost.id}", has_happened="done", reason=SEEN)
    await omar.follow()
    assert "another operator must find the same" in omar.text
    assert await state_of(world, lost) is State.IN_DOUBT

    async with browser_of(world.runtime) as olga:
        await olga.log_in("olga", PASSWORD)
        await olga.get(f"/doubts/{lost.id}")
        assert "it was done Omar" in olga.text
        assert SEEN in olga.text
        await olga.submit(f"/doubts/{lost.id}", has_happened="not done", reason="I saw nothing.")
        assert olga.page.status_code == 409
        assert "Another operator found the opposite." in olga.text
        assert "I saw nothing." in olga.html
        await olga.submit(f"/doubts/{lost.id}", has_happened="done", reason="I saw it, too.")

    assert await state_of(world, lost) is State.RESOLVED_BY_HUMAN


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"has_happened": "done", "reason": " "}, "where you looked and what you found"),
        ({"has_happened": "perhaps", "reason": SEEN}, "Say whether it was done or not."),
        ({"reason": SEEN}, "Say whether it was done or not."),
    ],
    ids=["no reason", "another answer", "no answer"],
)
async def test_what_is_missing_is_said_beside_the_form_and_settles_nothing(
    world: World, omar: Visitor, lost: Invocation, fields: dict[str, str], problem: str
) -> None:
    await omar.get(f"/doubts/{lost.id}")
    await omar.submit(f"/doubts/{lost.id}", **fields)

    assert omar.page.status_code == 400
    assert problem in omar.text
    assert await state_of(world, lost) is State.IN_DOUBT


async def test_who_was_late_is_told_what_it_is_by_now(world: World, omar: Visitor, lost: Invocation) -> None:
    olga = await add(world, "olga", Role.OPERATOR)
    await omar.get(f"/doubts/{lost.id}")
    first = Resolution(invocation_id=lost.id, operator=olga, has_happened=False, reason="Not on the board.")
    await resolve(first, world.runtime)

    await omar.submit(f"/doubts/{lost.id}", has_happened="done", reason=SEEN)
    await omar.follow()

    assert omar.page.url.path == "/doubts"
    assert "It is not in doubt" in omar.text
    assert (await omar.get(f"/doubts/{lost.id}")).status_code == 404


async def test_whoever_takes_part_looks_and_has_no_form(world: World, visitor: Visitor, lost: Invocation) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.rita.id, frozenset({Role.OPERATOR}), world.runtime.authority)
    await visitor.log_in("rita", PASSWORD)

    await visitor.get(f"/doubts/{lost.id}")
    assert "You take part in this call yourself" in visitor.text
    assert 'name="has_happened"' not in visitor.html
    assert await forge(visitor, lost) == 403
    await visitor.get(f"/invocations/{lost.id}")
    assert f'href="/doubts/{lost.id}"' not in visitor.html

    assert await state_of(world, lost) is State.IN_DOUBT


async def test_the_page_of_the_call_leads_operators_there_and_says_that_it_is_not_known(
    omar: Visitor, lost: Invocation
) -> None:
    await omar.get(f"/invocations/{lost.id}")

    assert f'href="/doubts/{lost.id}"' in omar.html
    assert "no answer tells whether it was done" in omar.text


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.AUDITOR, Role.MEMBER])
async def test_nobody_else_sees_or_settles_them(world: World, visitor: Visitor, lost: Invocation, role: Role) -> None:
    await add(world, "mary", role)
    await visitor.log_in("mary", PASSWORD)

    assert (await visitor.get("/doubts")).status_code == 403
    assert (await visitor.get(f"/doubts/{lost.id}")).status_code == 403
    assert await forge(visitor, lost) == 403
    assert await forge(visitor, lost, answer="perhaps") == 403
    assert await state_of(world, lost) is State.IN_DOUBT


async def test_an_administrator_is_told_who_settles_them(world: World, visitor: Visitor, lost: Invocation) -> None:
    del lost
    await add(world, "mary", Role.ADMINISTRATOR)
    await visitor.log_in("mary", PASSWORD)

    await visitor.get("/health")

    assert "needs a look" in visitor.text
    assert "Operators settle them" in visitor.text
    assert 'href="/doubts"' not in visitor.html
    assert '<span class="count">' not in visitor.html


async def test_what_is_no_write_in_doubt_has_no_page(world: World, omar: Visitor) -> None:
    waiting = await world.call("ticket_create", {"title": "The roof leaks"})
    assert waiting.state is State.AWAITING_APPROVAL

    assert (await omar.get(f"/doubts/{waiting.id}")).status_code == 404
    await omar.get(f"/invocations/{waiting.id}")
    assert "/doubts/" not in omar.html
    assert (await omar.get("/doubts/inv_nothing")).status_code == 404
