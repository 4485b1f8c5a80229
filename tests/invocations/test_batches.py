"""Batches: one decision is a vote on each item by its own digest, and no item stops or carries another."""

from dataclasses import replace
from datetime import timedelta

import pytest
from doors.mailing import asked_to_send, connect_mailing
from questions import add_person, ask_by
from sqlalchemy import update
from upstream.mailing import NOBODY
from world import World

from hub.approvals import Ballot, Choice, Limit
from hub.approvals.tables import QuestionRow
from hub.core.errors import InputError
from hub.identity.accounts import set_groups
from hub.identity.principals import Principal
from hub.invocations.batch import Decided, Item, vote_on_batch, waiting_together
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.storage import now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def tickets(world: World, many: int = 3) -> list[Invocation]:
    return [await world.call("ticket_create", {"title": f"ticket {number}"}) for number in range(many)]


def item(asked: Invocation) -> Item:
    assert asked.question is not None
    return Item(invocation_id=asked.id, digest=asked.question.digest)


async def decide(
    world: World,
    asked: list[Invocation],
    *,
    by: Principal | None = None,
    choice: Choice = Choice.APPROVE,
    limit: Limit = Limit(),  # noqa: B008  # frozen
) -> list[Decided]:
    ballot = world.ballot(asked[0], by or world.ann, choice)
    return await vote_on_batch(ballot, [item(one) for one in asked], limit, world.runtime)


async def batches(world: World, person: Principal) -> list[set[str]]:
    async with world.runtime.database.reading() as tx:
        return [{one.invocation_id for one in batch} for batch in await waiting_together(tx, person)]


async def test_questions_of_the_same_shape_are_one_batch_and_others_are_not(world: World) -> None:
    alike = await tickets(world)
    await world.call("item_delete", {"id": 1})
    await world.call("ticket_create", {"title": "for nobody"}, caller=replace(world.caller, on_behalf_of=None))

    assert await batches(world, world.ann) == [{one.id for one in alike}]
    assert await batches(world, world.carl) == []


async def test_what_does_other_things_beside_its_changes_is_of_another_batch(world: World) -> None:
    await connect_mailing(world)
    told = [await asked_to_send(world, "hello", to) for to in ("ann@example.org", "rita@example.org")]
    quiet = [await asked_to_send(world, text, NOBODY) for text in ("hello", "goodbye")]

    assert await batches(world, world.ann) == [{one.id for one in alike} for alike in (told, quiet)]


async def test_one_decision_is_a_vote_on_each_item_with_its_own_digest(world: World) -> None:
    asked = await tickets(world)

    decided = await decide(world, asked)

    assert [one.state for one in decided] == [State.APPROVED] * 3
    for one in asked:
        stands = await current(world.runtime, one.id)
        assert stands.question is not None
        assert [vote.voter_id for vote in stands.question.votes] == [world.ann.id]
        assert stands.approval_digest == item(one).digest


async def test_one_rejection_rejects_each_with_its_reason(world: World) -> None:
    asked = await tickets(world)

    assert [one.state for one in await decide(world, asked, choice=Choice.REJECT)] == [State.REJECTED] * 3
    assert (await current(world.runtime, asked[2].id)).error_message == "too much"


async def test_what_has_changed_expired_or_been_decided_does_not_stop_the_others(world: World) -> None:
    stale, expired, decided, cancelled, fresh = await tickets(world, 5)
    async with world.runtime.database.transaction() as tx:
        past = await now(tx) - timedelta(seconds=1)
        mine = update(QuestionRow).where(QuestionRow.invocation_id == expired.id)
        await tx.execute(mine.values(expires_at=past))
    await world.vote(decided, world.ann)
    items = [item(one) for one in (stale, expired, decided, cancelled, fresh)]
    items[0] = replace(items[0], digest=items[3].digest)  # the digest of another item
    items[3] = replace(items[3], digest="0" * 64)

    ballot = world.ballot(stale, world.ann)
    outcome = await vote_on_batch(ballot, items, Limit(), world.runtime)

    assert [one.state for one in outcome] == [None, None, None, None, State.APPROVED]
    assert all(one.why_not for one in outcome[:4])
    assert outcome[0].why_not == outcome[3].why_not == "Left undecided: there is no such question."
    for one in (stale, cancelled):
        assert (await current(world.runtime, one.id)).state is State.AWAITING_APPROVAL


async def test_nobody_is_counted_on_an_item_that_they_may_not_vote_on(world: World) -> None:
    """Rita is an approver here, and takes part in what the agent does for her."""
    async with world.runtime.database.transaction() as tx:
        rita = await set_groups(tx, world.rita.id, frozenset({"approvers"}), world.runtime.authority)
    asked = await tickets(world, 2)

    for stranger in (rita, world.carl):
        assert [one.state for one in await decide(world, asked, by=stranger)] == [None, None]
        assert await batches(world, stranger) == []
    for one in asked:
        stands = await current(world.runtime, one.id)
        assert stands.question is not None
        assert stands.question.votes == ()


async def test_a_batch_may_be_narrower_than_what_is_chosen(world: World) -> None:
    few, many = [
        await world.call("item_put", {"id": number, "name": "pen", "quantity": 600_000}) for number in (21, 22)
    ]

    outcome = await decide(world, [few, many], limit=Limit(rows=0))
    unknown = await decide(world, [few, many], limit=Limit(money_minor=100, currency="EUR"))

    assert [(one.state, "more records" in one.why_not) for one in outcome] == [(None, True)] * 2
    assert [(one.state, "not known how much EUR" in one.why_not) for one in unknown] == [(None, True)] * 2


async def test_items_of_different_batches_are_not_decided_together(world: World) -> None:
    asked = [*(await tickets(world, 1)), await world.call("item_delete", {"id": 1})]

    for chosen in (asked, [], [asked[0], asked[0]]):
        ballot: Ballot = world.ballot(asked[0], world.ann)
        with pytest.raises(InputError):
            await vote_on_batch(ballot, [item(one) for one in chosen], Limit(), world.runtime)

    assert (await current(world.runtime, asked[0].id)).state is State.AWAITING_APPROVAL


async def test_where_two_must_agree_a_batch_is_one_vote_each(world: World) -> None:
    await ask_by(world, '@require("approvers:2")')
    bob = await add_person(world, "bob", "approvers")
    asked = [await world.call("item_delete", {"id": 1})]

    assert [one.state for one in await decide(world, asked)] == [State.AWAITING_APPROVAL]
    assert [one.state for one in await decide(world, asked)] == [None]
    assert [one.state for one in await decide(world, asked, by=bob)] == [State.APPROVED]
