"""Data classes: what policy does not let somebody see is masked for them, and whole for everybody else."""

from collections.abc import AsyncGenerator

import pytest
from personal import ASK, MARKER, NOT_AGENTS, NOT_APPROVERS, PERSONAL, caller_of, open_personal, rename
from questions import add_person
from sqlalchemy import select
from upstream.fixtures import Upstream
from world import World

from hub.approvals import Choice
from hub.audit import events_of
from hub.core.errors import ChangedSinceSeen, InputError
from hub.identity.resources import EVERYTHING
from hub.invocations import commit
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.envelope import envelope
from hub.invocations.masking import answer_for, as_seen_by, hidden_from, look_at
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.mcp.hub_tools import HUB_TOOLS, Asker
from hub.registry import PublishedTool
from hub.storage import Database

pytestmark = pytest.mark.anyio
OTHER_MARKER = "[masked: personal, another value]"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite: nothing here has to do with the engine."""
    return sqlite_url


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """The names of items are personal."""
    async with open_personal(database, keys, upstream) as opened:
        yield opened


async def test_by_the_default_policy_nothing_is_masked(world: World) -> None:
    read = await world.call("item_get", {"id": 1})

    seen = await answer_for(world.caller, read, world.runtime)

    assert (seen.output, seen.masked) == (read.output, ())


async def test_what_an_agent_may_not_see_is_masked_and_the_answer_says_so(world: World) -> None:
    await world.decide_by(NOT_AGENTS)
    read = await world.call("item_get", {"id": 1})

    seen = await answer_for(world.caller, read, world.runtime)
    told = envelope(seen, public_url="http://hub.test")

    assert told.structured["name"] == MARKER
    assert told.structured["quantity"] == read.output["quantity"]
    assert seen.masked == ("personal",)
    assert "class personal: they are masked" in told.text
    assert "pencil" not in f"{told.text}{told.structured}"


async def test_what_is_kept_stays_whole_for_those_who_may_see_it(world: World) -> None:
    await world.decide_by(NOT_AGENTS)
    read = await world.call("item_get", {"id": 1})

    seen = await as_seen_by(caller_of(world.rita), read, world.runtime)

    assert (seen.output["name"], seen.masked) == ("pencil", ())
    async with world.runtime.database.reading() as tx:
        assert (await tx.scalar(select(InvocationRow.output)))["name"] == "pencil"


async def test_what_has_no_class_is_never_masked(world: World) -> None:
    await world.decide_by(NOT_AGENTS.replace(' when { context.data_class == "personal" }', ""))
    tool = await world.runtime.catalog.resolve("item_get", server="everything", caller=world.caller)
    other = await world.runtime.catalog.resolve("note_post", server="everything", caller=world.caller)

    assert await hidden_from(world.caller, look_at(tool), world.runtime) == {"personal"}
    assert await hidden_from(world.caller, look_at(other), world.runtime) == frozenset()


async def test_previews_questions_and_arguments_shown_to_others_follow_the_same_rule(world: World) -> None:
    await world.decide_by(NOT_APPROVERS, ASK)
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})

    seen = await as_seen_by(caller_of(world.ann), asked, world.runtime)
    own = await as_seen_by(world.caller, asked, world.runtime)

    assert asked.state is State.AWAITING_APPROVAL
    for text in ("Ada Lovelace", "pencil"):
        assert text in f"{asked.preview}{asked.question}"
        assert text not in f"{seen.preview}{seen.question}{seen.arguments}"
    assert seen.preview is not None
    change = seen.preview.preview.changes[0]
    assert ((change.before or {})["name"], (change.after or {})["name"]) == (
        MARKER,
        "[masked: personal, another value]",
    )
    assert seen.masked == ("personal",)
    assert own.arguments["name"] == "Ada Lovelace"


async def test_masked_people_still_vote_on_what_the_record_says(world: World) -> None:
    await world.decide_by(NOT_APPROVERS)
    asked = await world.call("item_delete", {"id": 1})
    seen = await as_seen_by(caller_of(world.ann), asked, world.runtime)

    await world.vote(seen, world.ann)

    assert seen.question is not None
    assert asked.question is not None
    assert seen.question.digest == asked.question.digest


async def test_a_marker_that_is_sent_back_is_refused_and_written_nowhere(world: World) -> None:
    await world.decide_by(NOT_AGENTS)

    refused = await world.call("item_update", {"id": 1, "name": MARKER})

    assert (refused.state, refused.error_code) == (State.DENIED, "masked_argument")
    assert world.upstream.store.effects() == []


async def test_a_counter_proposal_of_somebody_masked_writes_what_is_on_record(world: World) -> None:
    bob = await add_person(world, "bob", "approvers")
    await world.decide_by(NOT_APPROVERS, ASK)
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace", "quantity": 50})
    shown = await as_seen_by(caller_of(world.ann), asked, world.runtime)
    ballot = world.ballot(shown, world.ann, Choice.REJECT)
    assert shown.arguments["name"] == MARKER

    fewer = {**shown.arguments, "quantity": 5}
    revised = await counter(CounterProposal(ballot=ballot, arguments=fewer), world.runtime)
    await world.vote(revised, bob)
    done = await resume(revised.id, world.runtime)

    assert (done.state, done.arguments["name"]) == (State.VERIFIED, "Ada Lovelace")
    (row,) = world.upstream.store.rows("SELECT name, quantity FROM item WHERE id = 1")
    assert (row["name"], row["quantity"]) == ("Ada Lovelace", 5)


@pytest.mark.parametrize("name", ["[masked: secret]", "Dr [masked: personal]"])
async def test_a_marker_that_was_not_shown_there_is_refused_in_a_counter_proposal(world: World, name: str) -> None:
    await world.decide_by(NOT_APPROVERS, ASK)
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})
    proposal = CounterProposal(ballot=world.ballot(asked, world.ann, Choice.REJECT), arguments={"id": 1, "name": name})

    with pytest.raises(InputError, match="not shown"):
        await counter(proposal, world.runtime)

    assert (await current(world.runtime, asked.id)).revision == 1


async def test_who_sees_everything_cannot_propose_a_marker_either(world: World) -> None:
    await world.decide_by(ASK)
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})
    wanted = {"id": 1, "name": MARKER}
    proposal = CounterProposal(ballot=world.ballot(asked, world.ann, Choice.REJECT), arguments=wanted)

    with pytest.raises(InputError, match="not shown"):
        await counter(proposal, world.runtime)


async def test_the_conflict_of_an_undo_names_fields_and_masks_what_they_hold(world: World) -> None:
    await world.decide_by(NOT_AGENTS)
    done = await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})
    rename(world, "Grace Hopper")
    wanted = Undo(caller=world.caller, invocation_id=done.id, reason="wrong name", trace_id="t")

    seen = await answer_for(world.caller, await undo(wanted, world.runtime), world.runtime)

    assert (seen.state, seen.error_code) == (State.PREVIEW_FAILED, "undo_conflict")
    sides = {"before": MARKER, "committed": MARKER, "now": MARKER}
    assert seen.conflict == ({"target": "items/1", "field": "name", **sides},)
    told = envelope(seen, public_url="http://hub.test")
    assert "items/1: name is not as we made it" in told.text
    assert_no_name(f"{told.text}{told.structured}")


async def test_a_conflict_is_masked_by_the_tool_of_the_records_too_not_by_that_of_the_undo_alone(
    database: Database, keys: Keyring, upstream: Upstream
) -> None:
    async with open_personal(database, keys, upstream, tools=PERSONAL - {"item_delete"}) as world:
        await world.decide_by(NOT_AGENTS)
        done = await world.call("item_put", {"id": 7, "name": "Ada Lovelace", "quantity": 3})
        rename(world, "Grace Hopper", number=7)
        wanted = Undo(caller=world.caller, invocation_id=done.id, reason="wrong name", trace_id="t")

        seen = await answer_for(world.caller, await undo(wanted, world.runtime), world.runtime)

        assert seen.error_code == "undo_conflict"
        assert_no_name(f"{seen.conflict}")
        assert [line["now"] for line in seen.conflict if line["field"] == "name"] == [MARKER]
        assert seen.masked == ("personal",)


async def test_an_agent_sees_of_a_counter_proposal_what_it_has_sent_itself_and_no_hidden_value(world: World) -> None:
    await world.decide_by(NOT_AGENTS, ASK)
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace", "quantity": 50})
    ballot = world.ballot(asked, world.ann, Choice.REJECT)

    other = {"id": 1, "name": "Grace Hopper", "quantity": 5}
    revised = await counter(CounterProposal(ballot=ballot, arguments=other), world.runtime)
    seen = await answer_for(world.caller, revised, world.runtime)
    told = envelope(seen, public_url="http://hub.test")

    (shown,) = seen.counters
    assert (shown.before, shown.after) == (asked.arguments, {"id": 1, "name": OTHER_MARKER, "quantity": 5})
    assert seen.arguments == {"id": 1, "name": MARKER, "quantity": 5}
    assert "Grace Hopper" not in f"{told.text}{told.structured}{seen.arguments}"
    assert told.structured["changed_arguments"]["asked_for"]["name"] == "Ada Lovelace"


async def test_calling_a_call_off_shows_the_agent_no_more_than_looking_at_it(world: World) -> None:
    await world.decide_by(NOT_AGENTS, ASK)
    asked = await world.call("item_update", {"id": 1, "name": "Ada Lovelace", "quantity": 50})
    ballot = world.ballot(asked, world.ann, Choice.REJECT)
    other = {"id": 1, "name": "Grace Hopper", "quantity": 5}
    await counter(CounterProposal(ballot=ballot, arguments=other), world.runtime)

    arguments = {"id": asked.id, "reason": "never mind"}
    asker = Asker(caller=world.caller, server=EVERYTHING)
    told = await HUB_TOOLS["hub_invocation_cancel"].answer(world.runtime, asker, arguments)

    assert told.structured_content is not None
    assert told.structured_content["status"] == "cancelled"
    assert "Grace Hopper" not in str(told)


async def test_the_arguments_of_an_undo_are_masked_for_the_agent_that_asked_for_it(world: World) -> None:
    await world.decide_by(NOT_AGENTS)
    rename(world, "Grace Hopper")
    done = await world.call("item_update", {"id": 1, "name": "Ada Lovelace"})
    wanted = Undo(caller=world.caller, invocation_id=done.id, reason="wrong name", trace_id="t")

    undone = await undo(wanted, world.runtime)
    seen = await answer_for(world.caller, undone, world.runtime)

    assert (undone.state, undone.arguments["name"]) == (State.VERIFIED, "Grace Hopper")
    assert seen.arguments["name"] == MARKER
    assert "Grace Hopper" not in f"{seen.output}{seen.preview}{seen.arguments}"


async def test_what_diverged_is_told_by_its_fields_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.decide_by(NOT_AGENTS)
    real = commit.verify

    async def meddled(committed: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
        rename(world, "Grace Hopper")
        return await real(committed, tool, runtime)

    monkeypatch.setattr(commit, "verify", meddled)

    done = await world.call("item_update", {"id": 1, "quantity": 9})

    told = envelope(await answer_for(world.caller, done, world.runtime), public_url="http://hub.test")
    assert done.state is State.DIVERGED
    assert "items/1: name is not what the preview said" in told.text
    assert_no_name(f"{told.text}{told.structured}")


async def test_what_changed_since_is_told_by_its_fields_alone(world: World) -> None:
    await world.decide_by(NOT_APPROVERS, ASK)
    asked = await world.call("item_update", {"id": 1, "quantity": 9})
    await world.vote(asked, world.ann)
    rename(world, "Grace Hopper")

    stale = await resume(asked.id, world.runtime)
    await resume(asked.id, world.runtime)
    with pytest.raises(ChangedSinceSeen) as refusal:
        await world.vote(asked, world.ann)

    assert stale.state is State.STALE
    async with world.runtime.database.reading() as tx:
        events = [event.facts for event in await events_of(tx, asked.id)]
    for told in (stale.error_message, refusal.value.message):
        assert "items/1: name is not what it was" in (told or "")
    assert_no_name(f"{stale.error_message}{refusal.value.message}{events}")


def assert_no_name(text: str) -> None:
    for name in ("Ada Lovelace", "Grace Hopper", "pencil"):
        assert name not in text
