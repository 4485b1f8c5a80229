"""Standing grants and reviews on pages that need no JavaScript."""

from typing import Any

import pytest
from doors.mailing import asked_to_send, connect_mailing
from questions import rules
from upstream.mailing import STAMPED
from web_visitor import Visitor
from world import World

from hub.bundles import Publication, publish_bundle
from hub.identity.owners import give_client
from hub.invocations.states import DONE, State
from hub.invocations.values import Invocation

pytestmark = pytest.mark.anyio


async def put(world: World, number: int, quantity: int = 600_000) -> Invocation:
    arguments: dict[str, Any] = {"id": number, "name": "ruler", "quantity": quantity}
    return await world.call("item_put", arguments)


async def test_an_approver_allows_calls_like_a_question_and_takes_that_back(world: World, ann: Visitor) -> None:
    asked = await put(world, 40)
    form = f"/approvals/{asked.id}/standing-grant"

    await ann.get(f"/approvals/{asked.id}")
    assert f'href="{form}"' in ann.html
    await ann.get(form)
    unlimited = "the arguments id , name may be anything in each such call, and so may what you leave unlimited here."
    assert unlimited in ann.text
    await ann.submit(form, uses="many", reason="Rulers are routine.")
    assert ann.page.status_code == 400
    assert "Write uses as a whole number." in ann.html
    await ann.submit(form, uses="2", reason="Rulers are routine.")
    await ann.follow()
    assert "2 of 2 uses left" in ann.html
    assert "at most 600,000" in ann.html
    assert "All but quantity may be anything in each call" in ann.text

    assert (await put(world, 41)).state in DONE
    assert (await put(world, 42, quantity=600_001)).state is State.AWAITING_APPROVAL

    await ann.get("/standing-grants")
    assert "1 of 2 uses left" in ann.html
    (action,) = [part.split('"')[0] for part in ann.html.split('action="') if part.startswith("/standing-grants/")]
    await ann.submit(action, reason="Counted again.")
    await ann.follow()
    assert "it was revoked" in ann.html
    assert (await put(world, 43)).state is State.AWAITING_APPROVAL


async def test_a_grant_reaches_nobody_else_unless_it_says_so(world: World, ann: Visitor) -> None:
    await connect_mailing(world)
    ada, bob = "ada@example.org", "bob@example.org"
    form = f"/approvals/{(await asked_to_send(world, 'hello', ada)).id}/standing-grant"

    await ann.get(form)
    assert "may do this, and nothing else: letter to ada@example.org" in ann.text
    await ann.submit(form, reason="Ada is told.")
    await ann.follow()
    assert ", to nobody whom the first call or a limit does not name" in ann.text
    asked = await asked_to_send(world, "second", bob)
    assert asked.state is State.AWAITING_APPROVAL
    assert (await asked_to_send(world, "third", ada)).state in DONE

    form = f"/approvals/{asked.id}/standing-grant"
    await ann.get(form)
    await ann.submit(form, reason="All are told.", to_anybody="yes")
    await ann.follow()
    assert ", to anybody" in ann.text
    assert (await asked_to_send(world, "fourth", "cleo@example.org")).state in DONE


async def test_money_is_allowed_in_the_figures_of_its_currency(world: World, ann: Visitor) -> None:
    await connect_mailing(world)
    asked = await asked_to_send(world, STAMPED.format(1250), "ann@example.org")
    form = f"/approvals/{asked.id}/standing-grant"

    await ann.get(form)
    assert ann.text.count("in EUR, like 1234.50") == 2
    await ann.submit(form, money="1.234,5", money_per_call="12.50", reason="Stamps are cheap.")
    assert ann.page.status_code == 400
    assert "An amount of EUR is written like 1234.50." in ann.text
    await ann.submit(form, money="1,234.5", money_per_call="12.50", reason="Stamps are cheap.", to_anybody="yes")
    await ann.follow()

    assert "EUR 1,234.50 left" in ann.text
    assert (await asked_to_send(world, STAMPED.format(1251), "ann@example.org")).state is State.AWAITING_APPROVAL
    assert (await asked_to_send(world, f"{STAMPED.format(1250)}, again", "ann@example.org")).state in DONE


@pytest.mark.parametrize("why_not", ["owns-the-agent", "two-votes"])
async def test_what_would_be_refused_is_not_offered(world: World, ann: Visitor, why_not: str) -> None:
    if why_not == "two-votes":
        text = rules('@require("approvers:2")\n@ttl("PT24H")')
        async with world.runtime.database.transaction() as tx:
            publication = Publication(environment="dev", text=text, by=None)
            await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)
    asked = await put(world, 40)
    if why_not == "owns-the-agent":
        async with world.runtime.database.transaction() as tx:
            await give_client(tx, world.bot.id, world.ann.id, world.runtime.authority)

    await ann.get(f"/approvals/{asked.id}")

    assert f'action="/approvals/{asked.id}"' in ann.html
    assert "standing-grant" not in ann.html


async def test_a_reviewer_says_whether_what_went_by_itself_was_right(world: World, ann: Visitor) -> None:
    text = rules('@require("approvers:1")\n@ttl("PT24H")').replace("approvers:2%", "approvers:100%")
    async with world.runtime.database.transaction() as tx:
        publication = Publication(environment="dev", text=text, by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)
    assert (await world.call("item_update", {"id": 1, "quantity": 11})).state is State.VERIFIED

    await ann.get("/reviews")
    assert "Change quantity of items/1" in ann.html
    (action,) = [part.split('"')[0] for part in ann.html.split('action="') if part.startswith("/reviews/")]
    await ann.submit(action, verdict="disputed", reason=" ")
    assert ann.page.status_code == 400
    await ann.submit(action, verdict="disputed", reason="Too few.")
    await ann.follow()

    assert "Your dispute is on record." in ann.html
    assert "Nothing waits for you" in ann.html
