"""Writes without any preview: people read that nobody knows what they would change, and what they would be given."""

import re
from dataclasses import replace

import pytest
from doors.federated import connect_federated
from plans.errand import caller_of, offer
from upstream.composites import PUT
from upstream.fixtures import McpUpstream
from web_visitor import Visitor
from world import World

from connectors.mcp_upstream import Owner
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Tier
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.web.slack_words import telling
from hub.web.wording import effect_word

pytestmark = pytest.mark.anyio

KNOWN = ("Not known; treated as a deletion", "the tool be called with exactly what is shown here, once")
TOOL = "/servers/everything/tools/restock"
UNKNOWN = ("the preview names no amount", "Deletes", "would do anything else", "Allow calls like this")


@pytest.fixture
async def notes(world: World, mcp_upstream: McpUpstream) -> McpUpstream:
    """A server of plain tools that say nothing of themselves, connected as `notes`."""
    await connect_federated(world.runtime, Owner(name="notes"), mcp_upstream.url)
    return mcp_upstream


async def asked_to_note(world: World, text: str) -> Invocation:
    """Let the agent ask for a write of which its server says nothing."""
    caller = replace(world.caller, scopes=frozenset({"notes:write"}))
    asked = await world.call("liar", {"text": text}, caller=caller)
    assert asked.state is State.AWAITING_APPROVAL, asked.error_message
    return asked


async def test_a_tool_that_says_nothing_of_itself_is_asked_about_with_what_it_would_be_given(
    world: World, notes: McpUpstream, ann: Visitor
) -> None:
    asked = await asked_to_note(world, "hello there")
    assert asked.preview is not None
    assert (asked.effect, asked.tier, asked.preview.preview.fidelity) == (Effect.DELETE, Tier.HIGH, Fidelity.NONE)

    await ann.get("/approvals")
    assert "text: &#34;hello there&#34;" in ann.text
    assert "No preview" in ann.text
    await ann.get(f"/approvals/{asked.id}")

    for words in (
        "Nobody knows what it would change",
        "What it would be given",
        "hello there",
        "Records Not known",
        *KNOWN,
    ):
        assert words in ann.text, words
    for claim in ("Changed record", "Removed record", "not there", *UNKNOWN):
        assert claim not in ann.text, claim

    for page in ("/servers/everything/tools/liar", f"/invocations/{asked.id}"):
        await ann.get(page)
        assert KNOWN[0] in ann.text
        assert "Deletes" not in ann.text
    await world.vote(asked, world.ann)
    done = await resume(asked.id, world.runtime)
    assert done.state is State.UNVERIFIABLE
    assert [(effect.kind, effect.reference) for effect in notes.store.effects()] == [("liar", "hello there")]


async def test_a_step_whose_server_says_nothing_of_it_is_called_as_the_tool_itself_is(
    world: World, notes: McpUpstream, ann: Visitor
) -> None:
    tell = {"name": "tell", "tool": "liar", "connection": "notes", "arguments": {"text": {"$from": "/input/name"}}}
    later = {**tell, "name": "later", "arguments": {"text": {"$from": "/steps/put/name"}}}
    await offer(world, [PUT, tell, later])
    scopes = caller_of(world).scopes | {"notes:write"}
    asked = await world.call("restock", {"id": 40, "name": "ruler"}, caller=replace(world.caller, scopes=scopes))
    assert asked.state is State.AWAITING_APPROVAL, asked.error_message

    for page, times in ((f"/approvals/{asked.id}", 3), (f"/invocations/{asked.id}", 1), (TOOL, 1)):
        await ann.get(page)  # of the plan, which is as bad as its worst step, and of two of its steps
        assert ann.text.count(KNOWN[0]) >= times, page
        assert "Deletes" not in ann.text
    assert notes.store.effects() == []


async def test_a_plan_with_one_step_that_deletes_deletes(world: World, notes: McpUpstream, ann: Visitor) -> None:
    assert notes.store.effects() == []
    tell = {"name": "tell", "tool": "liar", "connection": "notes", "arguments": {"text": "gone"}}
    drop = {
        "name": "drop",
        "tool": "item_delete",
        "connection": "upstream",
        "arguments": {"id": {"$from": "/input/id"}},
    }
    await offer(world, [drop, tell])

    await ann.get(TOOL)

    assert "Deletes" in ann.text
    assert KNOWN[0] not in ann.text


@pytest.mark.parametrize(
    ("effect", "hints", "label"),
    [
        (Effect.DELETE, {}, "Not known; treated as a deletion"),
        (Effect.DELETE, {"destructiveHint": True}, "Deletes"),
        (Effect.SEND, {"destructiveHint": False}, "Not known; treated as sending"),
        (Effect.SEND, {"destructiveHint": False, "openWorldHint": True}, "Sends"),
        (Effect.UPDATE, {"destructiveHint": False, "openWorldHint": False}, "Changes"),
        (Effect.DELETE, None, "Deletes"),
    ],
    ids=("says-nothing", "destroys", "destroys-nothing", "sends", "changes", "no-federated-tool"),
)
def test_an_effect_that_a_server_does_not_tell_is_called_assumed(
    effect: Effect, hints: dict[str, bool] | None, label: str
) -> None:
    operation = OperationSpec(
        name="letter_send",
        title="Letter",
        description="Send a letter.",
        effect=effect,
        tier=Tier.HIGH,
        input_schema={"type": "object", "properties": {}},
        output_schema={"type": "object", "properties": {}},
        binding={} if hints is None else {"hints": hints},
    )

    assert effect_word(operation).label == label


async def test_of_many_together_those_without_a_preview_are_chosen_by_hand_alone(
    world: World, notes: McpUpstream, ann: Visitor
) -> None:
    assert notes.store.effects() == []
    asked = [await asked_to_note(world, f"note {number}") for number in range(2)]
    assert asked[0].question is not None

    await ann.get(f"/approval-batches/{asked[0].question.shape}")

    assert len(re.findall(r'name="item" value="inv_\w+ [0-9a-f]{64}"', ann.html)) == 2
    assert not re.search(r'name="item" value="[^"]+" checked', ann.html)
    for words in ("note 0", "note 1", "No preview", "Cannot be undone", "so it is for you to tick"):
        assert words in ann.text, words


async def test_slack_tells_of_it_and_leaves_the_decision_to_the_page(world: World, notes: McpUpstream) -> None:
    assert notes.store.effects() == []
    asked = await asked_to_note(world, "hello there")
    assert asked.question is not None

    async with world.runtime.database.reading() as tx:
        told = await telling(world.runtime)(tx, world.ann, asked, asked.question)

    assert not told.is_whole
    assert ("Reach", "not known") in told.facts
