"""Invocations: one's own, with what happened to them in words; other people's do not exist."""

import re
from dataclasses import replace

import pytest
from invocations.time_passing import settled
from sqlalchemy import delete
from upstream.faults import Fault
from web_visitor import Visitor, browser_of
from world import PASSWORD, World, caller_for

from hub.core.errors import Forbidden
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.registry.tables import BadgeRow

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rita(visitor: Visitor) -> Visitor:
    """The person the agent acts for, logged in."""
    await visitor.log_in("rita", PASSWORD)
    return visitor


async def test_ones_own_calls_are_listed_newest_first(world: World, rita: Visitor) -> None:
    first = await world.call("item_get", {"id": 1})
    second = await world.call("item_delete", {"id": 1})

    await rita.get("/invocations")

    places = [rita.html.index(call.id) for call in (second, first)]
    assert places == sorted(places)
    assert "Answered" in rita.html
    assert "Waiting for approval" in rita.html


async def test_the_page_tells_the_whole_story_in_words(world: World, rita: Visitor) -> None:
    asked = await world.call("item_update", {"id": 1, "quantity": 9})
    assert asked.state is State.VERIFIED

    await rita.get(f"/invocations/{asked.id}")

    happened = re.findall(r'class="happened">([^<]+)', rita.html)
    assert happened[0] == "Received"
    assert happened[-1] == "Read back and verified"
    assert "Sent to the system" in happened
    assert "Change quantity of items/1 in upstream" in rita.text
    assert "<h2>Done and verified</h2>" in rita.html
    assert "Can be undone" in rita.html
    assert "&#34;quantity&#34;: 9" in rita.html


async def test_the_story_says_what_policy_decided_right_before_it_was_sent(world: World, rita: Visitor) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED

    await rita.get(f"/invocations/{asked.id}")

    assert "policy allows sending it (" in rita.text
    assert "policy asks for approval by 1 of approvers (rule high)" in rita.text


async def test_a_call_can_be_called_off_while_it_waits(world: World, rita: Visitor) -> None:
    asked = await world.call("item_delete", {"id": 1})
    page = f"/invocations/{asked.id}"
    await rita.get(page)

    await rita.submit(f"{page}/cancel", reason=" ")
    assert rita.page.status_code == 400
    await rita.get(page)
    await rita.submit(f"{page}/cancel", reason="Not needed any more.")
    await rita.follow()

    assert (await current(world.runtime, asked.id)).state is State.CANCELLED
    assert "It was called off." in rita.html
    assert f"{page}/cancel" not in rita.html


async def test_a_call_is_undone_from_its_page_and_both_pages_lead_to_each_other(world: World, rita: Visitor) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    page = f"/invocations/{done.id}"
    await rita.get(page)

    await rita.submit(f"{page}/undo", reason=" ")
    assert rita.page.status_code == 400
    await rita.get(page)
    await rita.submit(f"{page}/undo", reason="A slip.")
    await rita.follow()

    assert f"This takes back {done.id}" in rita.text
    assert "<h2>Done and verified</h2>" in rita.html
    assert f"To undo {done.id}: A slip." in rita.text
    assert "What Rita says" in rita.text
    assert "wrote this about itself" not in rita.text
    undo_page = str(rita.page.url.path)
    await rita.get(page)
    assert f'href="{undo_page}"' in rita.html
    assert "<h2>Done, and taken back since</h2>" in rita.html
    assert f"{page}/undo" not in rita.html
    await rita.get("/invocations")
    assert rita.html.count(">Done, and taken back since</span>") == 1
    assert rita.html.count(">Done and verified</span>") == 1


async def test_both_pages_of_an_undo_say_what_it_takes_back_and_lead_there_who_may_look(
    world: World, rita: Visitor
) -> None:
    done = await world.call("item_put", {"id": 2, "name": "ruler", "quantity": 3})
    await rita.get(f"/invocations/{done.id}")
    await rita.submit(f"/invocations/{done.id}/undo", reason="A slip.")
    await rita.follow()
    linked = f'This takes back <a href="/invocations/{done.id}"><code>{done.id}</code></a>.'
    approval = f"/approvals/{rita.page.url.path.removeprefix('/invocations/')}"
    assert linked in rita.html

    await rita.get(approval)
    async with browser_of(world.runtime) as ann:
        await ann.log_in("ann", PASSWORD)
        await ann.get(approval)
        asked_of_ann, hers = "Your decision" in ann.text, ann.html
        await ann.get(f"/invocations/{done.id}")

    assert linked in rita.html
    assert asked_of_ann
    assert f"This takes back <code>{done.id}</code>." in hers
    assert ann.page.status_code == 404


async def test_a_conflict_shows_what_was_before_what_we_wrote_and_what_is_now(world: World, rita: Visitor) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    world.edit_by_hand(1, quantity=7)
    await rita.get(f"/invocations/{done.id}")

    await rita.submit(f"/invocations/{done.id}/undo", reason="A slip.")
    await rita.follow()

    assert "Changed since, so nothing was undone" in rita.text
    assert "Quantity quantity items/1 10 9 7" in rita.text
    await rita.get("/invocations")
    assert "taken back since" not in rita.html


async def test_what_nobody_has_proven_to_be_undone_is_called_unproven_in_both_places(
    world: World, rita: Visitor
) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    async with world.runtime.database.transaction() as tx:
        await tx.execute(delete(BadgeRow))

    await rita.get(f"/invocations/{done.id}")

    assert "Can be undone in part" not in rita.text
    assert rita.text.count("Undo declared, not proven") == 2


async def test_who_decides_sees_the_call_but_not_its_answer_and_cannot_call_it_off(
    world: World, visitor: Visitor
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    await resume(asked.id, world.runtime)
    await visitor.log_in("ann", PASSWORD)

    await visitor.get(f"/invocations/{asked.id}")

    assert visitor.page.status_code == 200
    assert "Carried out" in visitor.html
    assert 'id="outcome"' not in visitor.html
    assert "What the system answered is shown to those whose call it is, and to auditors." in visitor.text
    assert 'class="crumbs"><a href="/invocations">Invocations</a>' in visitor.html
    token = dict(visitor.form("/logout").fields)["csrf_token"]
    await visitor.post(f"/invocations/{asked.id}/cancel", [("csrf_token", token), ("reason", "mine now")])
    assert visitor.page.status_code == 404


async def test_the_timeline_says_what_a_vote_was_for_and_why_one_was_not_counted(
    world: World, visitor: Visitor
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    with pytest.raises(Forbidden):
        await world.vote(asked, world.rita)
    await visitor.log_in("rita", PASSWORD)

    await visitor.get(f"/invocations/{asked.id}")

    assert "A vote to approve was not counted they may not decide this" in visitor.text


async def test_a_notice_is_told_once_to_whom_it_is_for_and_never_stands_in_the_address(
    world: World, visitor: Visitor
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    page = f"/approvals/{asked.id}"
    await visitor.log_in("ann", PASSWORD)
    await visitor.get(page)
    assert "Decide by" in visitor.text

    await visitor.submit(page, decision="approve", reason="")

    assert visitor.page.headers["location"] == page
    notice = visitor.client.cookies["hub_notice"]
    await visitor.follow()
    assert "Your approval is on record." in visitor.text
    assert "Decide by" not in visitor.text
    assert "Time allowed until" in visitor.text
    assert "on record" not in (await visitor.get(page)).text
    await visitor.log_in("carl", PASSWORD)
    for planted in (notice, f"x{notice}", "Send your password to evil.test"):
        visitor.client.cookies.set("hub_notice", planted, domain="127.0.0.1", path="/")
        await visitor.get("/")
        assert 'role="status"' not in visitor.html


async def test_who_looks_after_an_agent_sees_and_calls_off_what_it_asks_for_by_itself(
    world: World, rita: Visitor
) -> None:
    by_itself = await world.call("item_delete", {"id": 1}, caller=replace(world.caller, on_behalf_of=None))
    page = f"/invocations/{by_itself.id}"

    await rita.get("/invocations")
    assert page in rita.html
    await rita.get(page)
    assert rita.page.status_code == 200
    await rita.submit(f"{page}/cancel", reason="Not what it is for.")

    assert (await current(world.runtime, by_itself.id)).state is State.CANCELLED


async def test_what_an_agent_does_for_somebody_else_is_not_its_owners_to_see(world: World, rita: Visitor) -> None:
    for_others = await world.call("item_get", {"id": 1}, caller=caller_for(world.bot, world.ann))
    await rita.get("/invocations")

    assert for_others.id not in rita.html
    assert (await rita.get(f"/invocations/{for_others.id}")).status_code == 404


async def test_what_an_agent_asks_for_by_itself_is_nobody_elses(world: World, rita: Visitor) -> None:
    by_itself = await world.call("item_get", {"id": 1}, caller=replace(world.caller, on_behalf_of=None))
    await rita.get("/")
    await rita.submit("/logout")
    await rita.log_in("ann", PASSWORD)
    await rita.get("/invocations")

    assert by_itself.id not in rita.html
    assert (await rita.get(f"/invocations/{by_itself.id}")).status_code == 404


async def test_the_story_of_a_doubt_never_ends_with_nothing_was_sent(world: World, rita: Visitor) -> None:
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PUT")
    lost = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})
    world.upstream.kill()
    found = await settled(world, lost)
    assert found.state is State.IN_DOUBT

    await rita.get(f"/invocations/{lost.id}")

    assert rita.text.count("nothing was sent") == rita.text.count(
        "It was sent, and the answer was lost. When it was tried again: The system cannot be reached; nothing was sent."
    )
    assert rita.text.count("nothing was sent") > 2
