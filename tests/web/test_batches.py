"""The page of a batch: every item is shown and chosen by its own digest, and what came of each is told."""

import re

import pytest
from doors.mailing import asked_to_send, connect_mailing
from upstream.mailing import STAMPED
from web_visitor import Visitor
from world import World

from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State

pytestmark = pytest.mark.anyio


async def test_one_decision_on_the_page_decides_what_is_chosen(world: World, ann: Visitor) -> None:
    asked = [await world.call("ticket_create", {"title": f"ticket {number}"}) for number in range(3)]
    await ann.get("/approvals")
    assert "Decide 3 of the same shape together" in ann.text
    (page,) = set(re.findall(r'href="(/approval-batches/[0-9a-f]{64})"', ann.html))
    await ann.get(page)
    assert all(f"ticket {number}" in ann.text for number in range(3))
    fields = ann.form(page).fields
    chosen = [field for field in fields if field[0] != "item"]
    items = re.findall(r'name="item" value="(inv_[^"]+)"', ann.html)
    await world.vote(asked[1], world.ann)

    await ann.get(page)
    assert len(re.findall(r'name="item" value="(inv_[^"]+)"', ann.html)) == 2
    typed = [(name, value) for name, value in chosen if name not in {"decision", "reason"}]
    await ann.post(page, [*typed, *(("item", value) for value in items), ("decision", "approve"), ("reason", "")])
    await ann.follow()

    assert "2 of 3 votes are on record." in ann.text
    assert asked[1].id in ann.text
    assert {(await current(world.runtime, one.id)).state for one in asked} == {State.APPROVED}


async def test_what_somebody_decided_is_found_again_and_how_it_stands(world: World, ann: Visitor) -> None:
    asked = [await world.call("ticket_create", {"title": f"ticket {number}"}) for number in range(12)]
    await ann.get("/approvals")
    assert "You decided lately" not in ann.text
    for one in asked[1:]:
        await world.vote(one, world.ann)
    assert (await resume(asked[5].id, world.runtime)).state is State.VERIFIED

    await ann.get("/approvals")

    lately = ann.html.partition("You decided lately")[2]
    assert re.findall(r'href="/invocations/(inv_\w+)"', lately) == [one.id for one in reversed(asked[2:])]
    assert lately.count("Done and verified") == 1


async def test_what_is_made_to_look_like_something_else_is_for_the_voter_to_tick(world: World, ann: Visitor) -> None:
    plain, hidden = [await world.call("ticket_create", {"title": title}) for title in ("cable", "ca\u202eble")]
    assert plain.question is not None

    await ann.get(f"/approval-batches/{plain.question.shape}")

    assert re.findall(r'name="item" value="(inv_\w+) [0-9a-f]{64}" checked', ann.html) == [plain.id]
    assert "Some of its text is hidden, or made to look like another, so it is for you to tick." in ann.text
    assert hidden.id in ann.html


async def test_looking_at_a_batch_decides_nothing_and_a_stranger_finds_none(world: World, visitor: Visitor) -> None:
    asked = [await world.call("ticket_create", {"title": f"ticket {number}"}) for number in range(2)]
    assert asked[0].question is not None
    page = f"/approval-batches/{asked[0].question.shape}"
    await visitor.log_in("carl", "correct-horse-battery")

    assert (await visitor.get(page)).status_code == 404
    assert "of the same shape" not in (await visitor.get("/approvals")).text
    assert {(await current(world.runtime, one.id)).state for one in asked} == {State.AWAITING_APPROVAL}


async def test_of_two_changes_of_the_same_record_one_is_chosen_and_the_other_says_so(
    world: World, ann: Visitor
) -> None:
    world.upstream.store.rows("INSERT INTO item VALUES (2, 'eraser', 77, 1)")
    first, second = [await world.call("item_delete", {"id": 1}, run=run) for run in ("r1", "r2")]
    other = await world.call("item_delete", {"id": 2})
    assert first.question is not None

    await ann.get(f"/approval-batches/{first.question.shape}")

    chosen = re.findall(r'name="item" value="(inv_\w+) [0-9a-f]{64}" checked', ann.html)
    assert set(chosen) == {first.id, other.id}
    assert ann.text.count("It changes the same record as") == 1
    assert f'<a href="/approvals/{first.id}">' in ann.html
    assert second.id in ann.html


async def test_two_new_records_are_not_the_same(world: World, ann: Visitor) -> None:
    asked = [await world.call("ticket_create", {"title": f"ticket {number}"}) for number in range(2)]
    assert asked[0].question is not None

    await ann.get(f"/approval-batches/{asked[0].question.shape}")

    assert "the same record" not in ann.text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"item": [], "decision": "approve"}, "Nothing is chosen."),
        ({"rows": "many", "decision": "approve"}, "Write how many records as a whole number."),
        ({"rows": "9" * 5000, "decision": "approve"}, "Write how many records as a whole number."),
        ({"rows": "1"}, "Press Approve or Reject."),
    ],
    ids=("nothing-ticked", "no-number", "far-too-long", "no-button"),
)
async def test_what_stands_against_a_decision_is_told_on_its_page_which_keeps_what_was_typed(
    world: World, ann: Visitor, typed: dict[str, str | list[str]], told: str
) -> None:
    asked = [await world.call("ticket_create", {"title": f"ticket {number}"}) for number in range(2)]
    assert asked[0].question is not None
    page = f"/approval-batches/{asked[0].question.shape}"
    await ann.get(page)
    ticked = [value for name, value in ann.form(page).fields if name == "item"][1:]

    await ann.submit(page, **{"item": ticked, "reason": "as agreed", **typed})

    assert ann.page.status_code == 400
    assert ann.html.count('role="alert"') == 1
    assert told in ann.text
    kept = ann.form(page).fields
    assert ("reason", "as agreed") in kept
    assert ("rows", typed.get("rows", "")) in kept
    assert [value for name, value in kept if name == "item"] == typed.get("item", ticked)
    assert {(await current(world.runtime, one.id)).state for one in asked} == {State.AWAITING_APPROVAL}


async def test_money_is_typed_as_people_write_its_currency_and_what_moves_more_is_left(
    world: World, ann: Visitor
) -> None:
    await connect_mailing(world)
    within, beyond = [await asked_to_send(world, STAMPED.format(cents), "ann@example.org") for cents in (1250, 1251)]
    assert within.question is not None
    page = f"/approval-batches/{within.question.shape}"
    await ann.get(page)
    assert "in EUR, like 1234.50" in ann.text

    await ann.submit(page, money="12,50", decision="approve", reason="")
    assert ann.page.status_code == 400
    assert "An amount of EUR is written like 1234.50." in ann.text
    assert ("money", "12,50") in ann.form(page).fields
    await ann.submit(page, money="12.50", decision="approve", reason="")
    await ann.follow()

    assert f"1 of 2 votes are on record. {beyond.id}: Left undecided: it moves more than the limit." in ann.text
    assert (await current(world.runtime, within.id)).state is State.APPROVED
    assert (await current(world.runtime, beyond.id)).state is State.AWAITING_APPROVAL
