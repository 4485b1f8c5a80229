"""Counter-proposals: other arguments are checked like a call, make a new question, and are nobody's approval."""

from datetime import timedelta

import pytest
from questions import add_person, ask_by, rules
from sqlalchemy import delete, update
from world import World

from connectors.sdk.rules import Rule
from hub.approvals import Choice
from hub.audit import EventKind, events_of
from hub.bundles import Publication, publish_bundle
from hub.core.errors import ArgumentsInvalid, ChangedSinceSeen, Conflict, Forbidden, InputError
from hub.identity.principals import Caller, Principal
from hub.identity.tables import ClientRow
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.envelope import envelope
from hub.invocations.masking import Mask, mask_for
from hub.invocations.queries import current
from hub.invocations.replay import replay
from hub.invocations.resume import resume
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry import Environment, NewConnection, create_connection, find_tool, set_rules
from hub.registry.tables import EntryRow
from hub.storage import now
from schemas import check_published

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

MANY = {"id": 7, "name": "stapler", "quantity": 600_000}
FEW = {"id": 7, "name": "stapler", "quantity": 40}


def instead(world: World, asked: Invocation, arguments: object, *, by: Principal | None = None) -> CounterProposal:
    """Return what an approver who has read `asked` wants instead."""
    return CounterProposal(ballot=world.ballot(asked, by or world.ann, Choice.REJECT), arguments=arguments)


async def test_other_arguments_make_a_new_question_that_their_author_does_not_answer(world: World) -> None:
    bob = await add_person(world, "bob", "approvers")
    asked = await world.call("item_put", MANY)
    assert asked.state is State.AWAITING_APPROVAL

    revised = await counter(instead(world, asked, FEW), world.runtime)

    assert (revised.state, revised.revision, revised.arguments) == (State.AWAITING_APPROVAL, 2, FEW)
    assert revised.approval_digest != asked.approval_digest
    assert revised.preview is not None
    assert revised.preview.preview.changes[0].after == {"id": 7, "name": "stapler", "quantity": 40, "version": 1}
    with pytest.raises(Forbidden, match="take part"):
        await world.vote(revised, world.ann)
    with pytest.raises(ChangedSinceSeen):
        await world.vote(asked, bob)
    approved = await world.vote(revised, bob)
    done = await resume(approved.id, world.runtime)
    assert done.state is State.VERIFIED
    assert [one.detail for one in world.upstream.store.effects()] == [{"name": "stapler", "quantity": 40}]


async def test_what_policy_would_let_through_is_asked_about_all_the_same(world: World) -> None:
    """Nobody has agreed to it yet: not the agent, and not the person who must not agree with themselves."""
    alone = await world.call("item_put", FEW | {"id": 8})
    assert alone.state is State.VERIFIED

    revised = await counter(instead(world, await world.call("item_put", MANY), FEW), world.runtime)

    assert revised.state is State.AWAITING_APPROVAL
    assert revised.question is not None
    assert [one.seat for one in revised.question.obligations] == ["approvers:1"]


async def test_votes_on_what_was_asked_before_count_for_nothing(world: World) -> None:
    await ask_by(world, '@require("approvers:2")')
    bob, cleo = [await add_person(world, name, "approvers") for name in ("bob", "cleo")]
    asked = await world.vote(await world.call("item_put", MANY), bob)

    revised = await counter(instead(world, asked, FEW), world.runtime)

    assert revised.question is not None
    assert revised.question.votes == ()
    assert (await world.vote(revised, bob)).state is State.AWAITING_APPROVAL
    assert (await world.vote(revised, cleo)).state is State.APPROVED


async def test_the_agent_is_told_what_was_changed_and_in_which_role_and_not_why(world: World) -> None:
    revised = await counter(instead(world, await world.call("item_put", MANY), FEW), world.runtime)

    told = envelope(revised, public_url="http://hub")

    assert "An approver of approvers changed the arguments: quantity from 600000 to 40." in told.text
    assert told.structured["changed_arguments"] == {
        "by": "an approver of approvers",
        "revision": 2,
        "asked_for": MANY,
        "now": FEW,
    }
    assert check_published("invocation", told.structured) == []
    for private in ("too much", world.ann.id, world.ann.display_name):
        assert private not in told.text + str(told.structured)


async def test_the_same_call_again_is_still_the_one_that_was_revised(world: World) -> None:
    asked = await world.call("item_put", MANY)
    await counter(instead(world, asked, FEW), world.runtime)

    again = await world.call("item_put", MANY)

    assert (again.id, again.repeats, again.arguments) == (asked.id, True, FEW)


async def test_arguments_that_the_agent_could_not_have_sent_are_refused(world: World) -> None:
    asked = await world.call("item_put", MANY)

    for arguments, error, said in (
        (FEW | {"quantity": -1}, ArgumentsInvalid, "quantity"),
        (FEW | {"surprise": 1}, ArgumentsInvalid, "surprise"),
        ([], ArgumentsInvalid, "object"),
        (MANY, InputError, "that were asked for"),
        (MANY | {"quantity": 600_000.0}, InputError, "that were asked for"),
        (FEW | {"name": "[redacted]"}, InputError, "stands for a secret"),
    ):
        with pytest.raises(error, match=said):
            await counter(instead(world, asked, arguments), world.runtime)

    stands = await current(world.runtime, asked.id)
    assert (stands.state, stands.revision, stands.approval_digest) == (asked.state, 1, asked.approval_digest)


async def test_what_breaks_a_rule_of_the_owner_is_refused(world: World) -> None:
    asked = await world.call("item_put", MANY)
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_put")
        assert tool is not None
        await set_rules(
            tx, tool.id, [Rule(condition="input.quantity > 50", message="Not so few.")], world.runtime.authority
        )

    with pytest.raises(InputError, match="rule of the tool's owner"):
        await counter(instead(world, asked, FEW), world.runtime)


async def test_what_policy_would_not_let_the_agent_propose_is_refused(world: World) -> None:
    asked = await world.call("item_put", MANY)
    stop = (
        '@id("few") @why("Few are not worth it.") forbid (principal, action == Action::"propose", resource) '
        'when { context.numbers.hasTag("quantity") && context.numbers.getTag("quantity") < 100 };'
    )
    text = rules('@require("approvers:1")') + stop
    async with world.runtime.database.transaction() as tx:
        publication = Publication(environment="dev", text=text, by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)

    with pytest.raises(Forbidden, match="Few are not worth it"):
        await counter(instead(world, asked, FEW), world.runtime)


async def test_an_agent_that_may_no_longer_use_the_tool_is_not_made_to(world: World) -> None:
    asked = await world.call("item_put", MANY)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(ClientRow).values(allowed_scopes=["upstream:read", "tool:item_delete"]))

    with pytest.raises(Conflict, match="question is closed"):
        await counter(instead(world, asked, FEW), world.runtime)

    ended = await current(world.runtime, asked.id)
    assert (ended.state, ended.error_message) == (State.EXPIRED, "Bot may no longer use item_put.")


async def test_what_ends_while_something_else_is_proposed_is_not_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await world.call("item_put", MANY)

    async def and_meanwhile(caller: Caller, standing: Invocation, runtime: Runtime) -> Mask | None:
        async with world.runtime.database.transaction() as tx:
            await tx.execute(update(ClientRow).values(allowed_scopes=["upstream:read"]))
        return await mask_for(caller, standing, runtime)

    monkeypatch.setattr("hub.invocations.counter.mask_for", and_meanwhile)
    with pytest.raises(Conflict, match=r"Bot may no longer use item_put\."):
        await counter(instead(world, asked, FEW), world.runtime)


async def test_only_who_may_decide_may_propose_something_else(world: World) -> None:
    asked = await world.call("item_put", MANY)

    for stranger in (world.rita, world.carl):
        with pytest.raises(Forbidden):
            await counter(instead(world, asked, FEW, by=stranger), world.runtime)

    async with world.runtime.database.reading() as tx:
        refused = [one for one in await events_of(tx, asked.id) if one.kind is EventKind.VOTE_REFUSED]
    assert [one.facts["choice"] for one in refused] == ["counter", "counter"]


async def test_what_was_answered_meanwhile_is_not_replaced(world: World) -> None:
    asked = await world.call("item_put", MANY)
    bob = await add_person(world, "bob", "approvers")
    await world.vote(asked, bob)

    with pytest.raises(Conflict, match="closed"):
        await counter(instead(world, asked, FEW), world.runtime)

    assert (await current(world.runtime, asked.id)).state is State.APPROVED


async def test_there_are_three_revisions_at_most(world: World) -> None:
    bob, cleo = [await add_person(world, name, "approvers") for name in ("bob", "cleo")]
    asked = await world.call("item_put", MANY)
    for quantity, author in ((40, world.ann), (50, bob)):
        asked = await counter(instead(world, asked, FEW | {"quantity": quantity}, by=author), world.runtime)

    with pytest.raises(Conflict, match="Approve it or reject it"):
        await counter(instead(world, asked, FEW | {"quantity": 60}, by=cleo), world.runtime)

    for author in (world.ann, bob):
        with pytest.raises(Forbidden, match="take part"):
            await world.vote(asked, author)
    assert (await world.vote(asked, cleo)).state is State.APPROVED


async def test_a_process_that_dies_after_the_proposal_leaves_a_question_behind(world: World) -> None:
    asked = await world.call("item_put", MANY)
    proposal = instead(world, asked, FEW)
    from hub.invocations import counter as module

    async with world.runtime.database.transaction() as tx:
        await module._supersede(tx, proposal, world.runtime)  # the moment before the preview
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(lease_until=await now(tx) - timedelta(seconds=1)))

    resumed = await resume(asked.id, world.runtime)

    assert (resumed.state, resumed.revision, resumed.arguments) == (State.AWAITING_APPROVAL, 2, FEW)
    with pytest.raises(Forbidden, match="take part"):
        await world.vote(resumed, world.ann)


async def test_it_is_on_record_with_its_author_and_can_be_decided_again(world: World) -> None:
    asked = await world.call("item_put", MANY)
    async with world.runtime.database.reading() as tx:
        before = await now(tx)
    await counter(instead(world, asked, FEW), world.runtime)

    async with world.runtime.database.reading() as tx:
        (event,) = [one for one in await events_of(tx, asked.id) if one.kind is EventKind.INVOCATION_SUPERSEDED]
    assert (event.actor, event.facts["superseded"]) == (world.ann.id, asked.approval_digest)
    assert "arguments" in event.commitments
    found = await replay(world.runtime.database, world.runtime.keys, before - timedelta(minutes=5))
    assert found.decisions == found.same > 0


async def test_nothing_is_proposed_for_a_connection_that_has_changed(world: World) -> None:
    asked = await world.call("item_put", MANY)
    async with world.runtime.database.transaction() as tx:
        await world.runtime.vault.put(tx, world.connection_id, {"token": world.upstream.token}, world.runtime.authority)

    with pytest.raises(Conflict, match="This question is closed"):
        await counter(instead(world, asked, FEW), world.runtime)

    assert (await current(world.runtime, asked.id)).state is State.STALE


async def test_nothing_is_proposed_for_a_tool_that_uses_another_connection(world: World) -> None:
    asked = await world.call("item_put", MANY)
    new = NewConnection(
        name="other",
        connector="upstream",
        environment=Environment.DEV,
        base_url=world.upstream.base_url,
        prefix="other_",
    )
    async with world.runtime.database.transaction() as tx:
        other = await create_connection(tx, new, world.runtime.authority)
        await tx.execute(delete(EntryRow).where(EntryRow.connection_id == other.id))
        here = (EntryRow.server == asked.server, EntryRow.name == "item_put")
        await tx.execute(update(EntryRow).where(*here).values(connection_id=other.id))

    with pytest.raises(Conflict, match="has changed since this was asked"):
        await counter(instead(world, asked, FEW), world.runtime)


async def test_whom_policy_does_not_let_decide_proposes_nothing(world: World) -> None:
    asked = await world.call("item_put", MANY)
    stop = '@id("no") @why("Not today.") forbid (principal, action == Action::"approve", resource);'
    async with world.runtime.database.transaction() as tx:
        publication = Publication(environment="dev", text=rules('@require("approvers:1")') + stop, by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)

    with pytest.raises(Forbidden, match="Not today"):
        await counter(instead(world, asked, FEW), world.runtime)
