"""What a decision rests on stands on every page where people approve, break the glass or review, whatever it is."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from doors.federated import connect_federated
from doors.mailing import asked_to_send, connect_mailing, let_go
from plans.errand import caller_of, offer
from upstream.composites import NUMBER, PUT
from upstream.fixtures import McpUpstream
from upstream.mailing import ATTACHED
from web_visitor import Visitor
from world import World

from connectors.mcp_upstream import Owner
from hub.identity.accounts import set_roles, suspend
from hub.identity.principals import Role
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.web.slack_words import telling

pytestmark = pytest.mark.anyio
ODD = """@id("odd") @raise("high") @why("This is odd.")
forbid (principal, action == Action::"alarm", resource);
"""
ASKS = """@id("asked") @require("approvers:1") @ttl("PT24H") @why("Somebody looks.")
forbid (principal, action == Action::"autocommit", resource);
"""
THIEF = "thief@evil.example"
TELL = {"name": "tell", "tool": "liar", "connection": "notes", "arguments": {"text": {"$from": "/input/text"}}}
TAKES = {
    "type": "object",
    "required": ["id", "name", "text"],
    "additionalProperties": False,
    "properties": {"id": NUMBER, "name": {"type": "string"}, "text": {"type": "string"}},
}


@pytest.fixture
async def notes(world: World, mcp_upstream: McpUpstream) -> McpUpstream:
    """A server of plain tools that say nothing of themselves, connected as `notes`."""
    await connect_federated(world.runtime, Owner(name="notes"), mcp_upstream.url)
    return mcp_upstream


@pytest.fixture
async def operator(world: World, ann: Visitor) -> Visitor:
    """Ann, who has been made operator, so that she may break the glass."""
    async with world.runtime.database.transaction() as tx:
        roles = frozenset({Role.OPERATOR, Role.MEMBER})
        await set_roles(tx, world.ann.id, roles, world.runtime.authority)
    return ann


async def blindly(world: World, text: str) -> Invocation:
    """Let the agent ask for a write without a preview."""
    caller = replace(world.caller, scopes=frozenset({"notes:write"}))
    return await world.call("liar", {"text": text}, caller=caller)


async def planned(world: World, text: str) -> Invocation:
    """Let the agent ask for a plan, one step of which has no preview."""
    caller = caller_of(world)
    caller = replace(caller, scopes=caller.scopes | {"notes:write"})
    number = 40 + len(text)
    return await world.call("restock", {"id": number, "name": "ruler", "text": text}, caller=caller)


def batch_of(asked: Sequence[Invocation]) -> str:
    """Return the address of the batch that these are."""
    shapes = {one.question.shape for one in asked if one.question}
    assert {one.state for one in asked} == {State.AWAITING_APPROVAL}, [one.error_message for one in asked]
    (shape,) = shapes
    return f"/approval-batches/{shape}"


def ticked(page: Visitor) -> set[str]:
    """Return which questions of the batch are ticked as the page opens."""
    return set(re.findall(r'name="item" value="(inv_\w+) [0-9a-f]{64}" checked', page.html))


async def tells(visitor: Visitor, path: str, words: Sequence[str]) -> None:
    """Look at a page, and find all of the words on it."""
    assert (await visitor.get(path)).status_code == 200, path
    for each in words:
        assert each in visitor.text, (path, each)


async def test_every_page_tells_to_whom_something_goes_and_what_nobody_has_seen(
    world: World, operator: Visitor
) -> None:
    await connect_mailing(world)
    asked = [await asked_to_send(world, "attached: the bill", to) for to in ("ann@example.org", THIEF)]
    words = (THIEF, "letter", "attached: the bill", ATTACHED, "What cannot be previewed")

    for path in (f"/approvals/{asked[1].id}", f"/approvals/{asked[1].id}/broken-glass", batch_of(asked)):
        await tells(operator, path, words)
    gone = await let_go(world, asked[1])
    await tells(operator, "/reviews", words)

    assert f'href="/invocations/{gone.id}"' in operator.html
    assert (await operator.get(f"/invocations/{gone.id}")).status_code == 200


async def test_every_page_tells_that_the_same_call_was_made_before_and_it_is_for_the_voter_to_tick(
    world: World, operator: Visitor
) -> None:
    ticket, other = {"title": "The roof leaks"}, {"title": "The cellar is dry"}
    first = await world.call("ticket_create", ticket, run="r1")
    await world.vote(first, world.ann)
    await resume(first.id, world.runtime)
    waits = await world.call("ticket_create", other, run="r1")
    asked = [await world.call("ticket_create", one, run="r2") for one in (ticket, other)]

    for again, earlier, state in ((asked[0], first, "Done"), (asked[1], waits, "Waiting for approval")):
        words = ("The same call was made before", "just now", state, "is done once more")
        for path in (f"/approvals/{again.id}", f"/approvals/{again.id}/broken-glass"):
            await tells(operator, path, words)
            assert f'href="/invocations/{earlier.id}"' in operator.html
    assert asked[0].question is not None
    async with world.runtime.database.reading() as tx:
        told = await telling(world.runtime)(tx, world.ann, asked[0], asked[0].question)
    assert not told.is_whole, "Slack leaves it to the page"
    assert any(name == "The same call before" and "Done" in said for name, said in told.facts)
    await operator.get(f"/approvals/{waits.id}")
    assert "made before" not in operator.text
    await operator.get(batch_of([waits, *asked]))
    assert ticked(operator) == {waits.id}
    assert operator.text.count("The same call was made before, so it is for you to tick.") == 2


async def test_an_earlier_call_that_the_voter_may_not_look_at_is_told_without_a_way_to_it(
    world: World, ann: Visitor
) -> None:
    first = await world.call("item_update", {"id": 1, "quantity": 11})
    assert first.state is State.VERIFIED
    await world.decide_by(ASKS)
    again = await world.call("item_update", {"id": 1, "quantity": 11}, key="once more")

    await tells(ann, f"/approvals/{again.id}", ("The same call was made before", "Done and verified"))

    assert f"/invocations/{first.id}" not in ann.html


async def test_every_page_tells_what_a_write_without_preview_would_be_given(
    world: World, notes: McpUpstream, operator: Visitor
) -> None:
    asked = [await blindly(world, text) for text in ("hello", "wipe the ledger")]
    words = ("wipe the ledger", "Nobody knows what it would change", "No preview")

    for path in (f"/approvals/{asked[1].id}", f"/approvals/{asked[1].id}/broken-glass", batch_of(asked)):
        await tells(operator, path, words)
    await let_go(world, asked[1])
    await tells(operator, "/reviews", words)

    assert notes.store.effects() == []


async def test_a_step_without_preview_says_so_with_what_it_would_be_given_and_is_for_the_voter_to_tick(
    world: World, notes: McpUpstream, operator: Visitor
) -> None:
    await offer(world, [PUT, TELL], input_schema=TAKES, examples=[{"id": 40, "name": "ruler", "text": "hello"}])
    asked = [await planned(world, text) for text in ("hello", "wipe the ledger")]

    for path in (f"/approvals/{asked[1].id}", batch_of(asked)):
        await tells(operator, path, ("wipe the ledger", "Nobody knows what it would change", "2. Liar"))
        assert "known in its turn" not in operator.text

    assert "Nobody knows what step 2 of it would change, so it is for you to tick." in operator.text
    assert (ticked(operator), notes.store.effects()) == (set(), [])


async def test_what_a_rule_found_unusual_is_told_on_every_page_and_is_for_the_voter_to_tick(
    world: World, operator: Visitor
) -> None:
    await world.decide_by(ODD)
    asked = [await world.call("ticket_create", {"title": f"ticket {number}"}) for number in range(2)]

    for path in (f"/approvals/{asked[0].id}", f"/approvals/{asked[0].id}/broken-glass", batch_of(asked)):
        await tells(operator, path, ("A rule found this unusual", "This is odd."))
    assert "A rule found it unusual, so it is for you to tick." in operator.text
    assert ticked(operator) == set()
    await let_go(world, asked[0])
    await tells(operator, "/reviews", ("A rule found this unusual", "This is odd."))


async def test_what_cannot_be_approved_now_is_said_and_not_ticked(world: World, operator: Visitor) -> None:
    alone = replace(world.caller, on_behalf_of=None)
    asked = [await world.call("ticket_create", {"title": f"ticket {number}"}, caller=alone) for number in range(2)]
    await operator.get(batch_of(asked))
    assert ticked(operator) == {one.id for one in asked}
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.bot.id, "strange behaviour", world.runtime.authority)

    for path in (f"/approvals/{asked[0].id}", f"/approvals/{asked[0].id}/broken-glass", batch_of(asked)):
        await tells(operator, path, ("The agent is suspended, so this cannot be approved now.",))
    assert ticked(operator) == set()


async def test_what_goes_to_the_same_is_ticked_and_what_differs_beside_its_changes_is_not(
    world: World, ann: Visitor
) -> None:
    await connect_mailing(world)
    same = [await asked_to_send(world, text, "ann@example.org") for text in ("one", "two")]
    await ann.get(batch_of(same))
    assert ticked(ann) == {one.id for one in same}

    unseen = await asked_to_send(world, "attached: the bill", "ann@example.org")
    await ann.get(batch_of([*same, unseen]))
    assert ticked(ann) == {one.id for one in same}
    assert "What cannot be previewed of it is not the same in all of these, so it is for you to tick." in ann.text

    other = await asked_to_send(world, "three", THIEF)
    await ann.get(batch_of([*same, unseen, other]))
    assert ticked(ann) == set()
    assert "What happens beside its changes is not the same in all of these, so it is for you to tick." in ann.text
