"""The main stories of a call: a read, a write that goes by itself, one that is approved, and the ways it ends early."""

from dataclasses import replace

import pytest
from world import World

from hub.approvals import Choice
from hub.audit import EventKind, events_of, open_values
from hub.core.errors import ArgumentsInvalid, ChangedSinceSeen, Conflict, Forbidden, NotFound, ScopeMissing
from hub.invocations.resume import resume
from hub.invocations.states import State

pytestmark = pytest.mark.anyio


async def test_a_read_executes_at_once_and_is_on_record(world: World) -> None:
    answer = await world.call("item_get", {"id": 1})

    assert answer.state is State.SUCCEEDED
    assert answer.output["name"] == "pencil"


async def test_a_medium_write_is_previewed_and_commits_by_itself(world: World) -> None:
    answer = await world.call("item_update", {"id": 1, "quantity": 9})

    assert answer.state is State.VERIFIED
    assert answer.output["quantity"] == 9
    assert answer.preview is not None
    assert len(world.upstream.store.effects()) == 1


async def test_a_high_write_waits_for_another_person_and_then_commits_once(world: World) -> None:
    asked = await world.call("ticket_create", {"title": "The pencil broke"})
    assert asked.state is State.AWAITING_APPROVAL
    assert world.upstream.store.effects() == []

    approved = await world.vote(asked, world.ann)
    done = await resume(asked.id, world.runtime)

    assert approved.state is State.APPROVED
    assert done.state is State.VERIFIED
    assert len(world.upstream.store.effects()) == 1


async def test_the_requester_cannot_approve_its_own_write(world: World) -> None:
    asked = await world.call("ticket_create", {"title": "The pencil broke"})

    with pytest.raises(Forbidden):
        await world.vote(asked, world.rita)


async def test_a_rejection_ends_the_call_with_its_reason(world: World) -> None:
    asked = await world.call("ticket_create", {"title": "The pencil broke"})

    ended = await world.vote(asked, world.ann, Choice.REJECT)

    assert ended.state is State.REJECTED
    assert ended.error_message == "too much"
    with pytest.raises(Conflict):
        await world.vote(asked, world.ann)


async def test_a_record_changed_between_preview_and_approval_gets_a_new_preview(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    world.edit_by_hand(1, quantity=8)

    stale = await resume(asked.id, world.runtime)
    asked_again = await resume(asked.id, world.runtime)

    assert stale.state is State.STALE
    assert asked_again.state is State.AWAITING_APPROVAL
    assert asked_again.revision == 2
    assert world.upstream.store.effects() == []
    with pytest.raises(ChangedSinceSeen, match="quantity"):
        await world.vote(asked, world.ann)


async def test_a_call_without_the_scope_names_what_it_needs(world: World) -> None:
    narrow = replace(world.caller, scopes=frozenset({"upstream:read"}))

    with pytest.raises(ScopeMissing) as refused:
        await world.call("note_post", {"text": "hello"}, caller=narrow)

    assert refused.value.needed == ("upstream:write",)
    async with world.runtime.database.reading() as tx:
        (attempt,) = await events_of(tx, "tool:note_post")
    assert attempt.kind is EventKind.INVOCATION_REFUSED
    assert attempt.facts["code"] == "insufficient_scope"


async def test_arguments_that_break_the_schema_name_every_violation(world: World) -> None:
    with pytest.raises(ArgumentsInvalid) as refused:
        await world.call("item_update", {"id": "one", "quantity": -1, "colour": "red"})

    assert {violation.pointer for violation in refused.value.violations} >= {"/id", "/quantity"}
    assert len(refused.value.violations) == 3


async def test_an_unknown_tool_does_not_exist(world: World) -> None:
    with pytest.raises(NotFound):
        await world.call("item_explode", {})


async def test_what_an_agent_says_of_itself_is_kept_private_and_can_be_erased(world: World) -> None:
    asked = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3}, run="a-run")

    async with world.runtime.database.reading() as tx:
        received, *_ = await events_of(tx, asked.id)
        private = await open_values(tx, received.id, world.runtime.keys)

    assert "a test" not in str(received.facts)
    assert private["claims"] == {"run": "a-run", "purpose": "a test"}
