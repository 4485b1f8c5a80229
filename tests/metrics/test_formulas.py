"""The formulas, against small worlds whose numbers are computed by hand; every call in them was really made."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from upstream.faults import Fault

from hub.approvals import Choice
from hub.budgets import StopKind, set_stop
from hub.identity.principals import Caller
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.queries import cancel
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Invocation
from hub.metrics import METRICS
from hub.storage import now
from metrics.books import Books, shares, told

pytestmark = pytest.mark.anyio


async def updated(books: Books, quantity: int = 11) -> Invocation:
    done = await books.call("item_update", {"id": 1, "quantity": quantity})
    assert done.state is State.VERIFIED
    return done


async def countered(books: Books, asked: Invocation, by: str = "ann") -> Invocation:
    ballot = books.world.ballot(asked, books.people[by], Choice.REJECT)
    fewer = {**asked.arguments, "quantity": 40}
    return await counter(CounterProposal(ballot=ballot, arguments=fewer), books.world.runtime)


async def taken_back(books: Books, done: Invocation) -> Invocation:
    caller = Caller(actor=books.people["rita"])
    undone = await undo(
        Undo(caller=caller, invocation_id=done.id, reason="a slip", trace_id="trace"), books.world.runtime
    )
    assert undone.state is State.VERIFIED
    return undone


async def test_where_nothing_was_called_there_is_no_data_and_not_nought(books: Books) -> None:
    found = await books.numbers()

    assert set(found) == {one.name for one in METRICS}
    assert {(one.value, one.n) for one in found.values()} == {(None, 0)}


async def test_a_day_in_which_people_decided_in_every_way(books: Books) -> None:
    """Five writes: one by policy, one approved, one rejected, one replaced and then approved, one nobody decided."""
    await updated(books)
    done = await books.approved(await books.asked(7))
    rejected = await books.world.vote(await books.asked(8), books.people["ann"], Choice.REJECT)
    replaced = await books.approved(await countered(books, await books.asked(9)), "bob")
    dropped = await books.asked(10)
    await cancel(books.world.runtime, books.world.caller, dropped.id, reason="")

    found = shares(await books.numbers())

    assert [done.state, rejected.state, replaced.state] == [State.VERIFIED, State.REJECTED, State.VERIFIED]
    assert found["approval_frequency"] == (3, 5)
    assert found["edit_rate"] == (1, 3)
    assert found["rejection_rate"] == (1, 3)
    assert found["tool_call_accuracy"] == (3, 5)
    assert found["divergence_rate"] == (0, 3)
    assert found["in_doubt_rate"] == (0, 3)
    assert found["rollback_rate"] == (0, 3)


async def test_the_time_to_decide_ends_with_the_decision_that_ended_each_question(books: Books) -> None:
    """Ten questions after 1, 2, ... 10 minutes: half were decided within five, nine in ten within nine."""
    for number in range(1, 11):
        asked = await books.asked(100 + number)
        await books.world.vote(asked, books.people["ann"])
        await books.took(asked, seconds=60 * number)
    waiting = await books.asked(200)

    found = await books.numbers()

    assert waiting.state is State.AWAITING_APPROVAL
    assert told(found["time_to_decide_median"]) == (300, 10)
    assert told(found["time_to_decide_p90"]) == (540, 10)


async def test_a_counter_proposal_ends_one_question_and_begins_another(books: Books) -> None:
    asked = await books.asked()
    revised = await countered(books, asked)
    await books.took(asked, seconds=30)
    await books.approved(revised, "bob")
    await books.took(revised, seconds=90)

    found = await books.numbers()

    assert told(found["time_to_decide_median"]) == (30, 2)
    assert found["time_to_decide_p90"].value == 90
    assert shares(found)["approval_frequency"] == (1, 1)


async def test_what_was_taken_back_counts_against_the_call_and_not_as_another(books: Books) -> None:
    await updated(books, quantity=12)
    await taken_back(books, await updated(books, quantity=13))

    found = shares(await books.numbers())

    assert found["rollback_rate"] == (1, 2)
    assert found["tool_call_accuracy"] == (1, 2)
    assert found["divergence_rate"] == (0, 3)  # the undo was read back as well


async def test_what_did_something_else_than_previewed_is_neither_right_nor_left_out(books: Books) -> None:
    await updated(books, quantity=12)
    done = await updated(books, quantity=9)
    async with books.database.transaction() as tx:
        await tx.execute(update(InvocationRow).where(InvocationRow.id == done.id).values(state="COMMITTED"))
    books.world.edit_by_hand(1, quantity=7)  # as if the system had done something else
    assert (await resume(done.id, books.world.runtime)).state is State.DIVERGED

    found = shares(await books.numbers())

    assert found["divergence_rate"] == (1, 2)
    assert found["tool_call_accuracy"] == (1, 2)


async def test_a_doubt_is_counted_however_it_ended(books: Books) -> None:
    await updated(books)
    asked = await books.call("ticket_create", {"title": "The pencil broke"})
    books.world.upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")
    lost = await books.approved(asked)
    assert lost.state is State.IN_DOUBT
    async with books.database.transaction() as tx:
        past = {"not_before": await now(tx) - timedelta(seconds=1), "lease_until": None}
        await tx.execute(update(InvocationRow).where(InvocationRow.id == lost.id).values(past))
    found_again = await resume(lost.id, books.world.runtime)
    assert found_again.state is State.VERIFIED

    found = shares(await books.numbers())

    assert found["in_doubt_rate"] == (1, 2)
    assert found["tool_call_accuracy"] == (2, 2)


async def test_calls_that_were_wrong_in_themselves_count_and_those_that_were_held_up_do_not(books: Books) -> None:
    """Two reads, one with wrong arguments; an unknown tool; a preview of nothing; and a tool that is stopped."""
    await books.call("item_get", {"id": 1})
    await books.refused("item_get", {"id": "one"})
    await books.refused("no_such_tool", {})
    failed = await books.call("item_update", {"id": 999, "quantity": 1})
    async with books.database.transaction() as tx:
        await set_stop(tx, StopKind.TOOL, books.tools["item_update"], "for the test", books.authority("adam"))
    stopped = await books.call("item_update", {"id": 1, "quantity": 1})

    found = shares(await books.numbers())

    assert (failed.state, stopped.state) == (State.PREVIEW_FAILED, State.DENIED)
    assert found["tool_call_accuracy"] == (1, 4)


async def test_people_who_call_tools_are_no_agents(books: Books) -> None:
    caller = Caller(actor=books.people["mo"], scopes=frozenset({"upstream:read"}))
    read = await books.world.call("item_get", {"id": 1}, caller=caller)
    assert read.state is State.SUCCEEDED

    found = await books.numbers()

    assert shares(found)["tool_call_accuracy"] == (0, 0)
    assert found["cost credits"].value == 3


async def test_a_case_costs_what_its_runs_cost_and_units_are_never_summed(books: Books) -> None:
    """Case A: run 1 (two reads, one write) and run 2 (one read). Case B: one read. And a read of no case.

    Credits: A 3 * 3, B 3, of no case 3. EUR: A 20.
    """
    await books.call("item_get", {"id": 1}, run="1")  # before its run has said of which case it is
    await books.call("item_get", {"id": 1}, run="1", case="A")
    pens = {"id": 30, "name": "pen", "quantity": 600_000}
    await books.approved(await books.call("item_put", pens, run="1", case="B"))  # of a run, the first case stays
    await books.call("item_get", {"id": 1}, run="2", case="A")
    await books.call("item_get", {"id": 1}, case="B")
    await books.call("item_get", {"id": 1})

    found = await books.numbers()

    assert [told(found[f"cost {unit}"])[0] for unit in ("credits", "EUR")] == [15, 20]
    assert told(found["cost_per_case credits"]) == (6, 2)
    assert found["cost_per_case EUR"].value == 10
    assert "cost_per_case" not in found


async def test_what_never_reached_a_system_costs_nothing(books: Books) -> None:
    asked = await books.asked()
    await books.world.vote(asked, books.people["ann"], Choice.REJECT)

    assert (await books.numbers())["cost"].value is None


async def test_a_vote_that_came_before_it_can_have_been_read_is_counted(books: Books) -> None:
    """Three hundred words take a minute."""
    asked = await books.asked()
    await books.approved(asked)
    await books.words(asked, 300)

    await books.took(asked, seconds=59.9)
    assert shares(await books.numbers())["too_fast_to_read"] == (1, 1)
    await books.took(asked, seconds=60)
    assert shares(await books.numbers())["too_fast_to_read"] == (0, 1)


async def test_nobody_reads_two_things_at_once_unless_they_look_alike(books: Books) -> None:
    """Two questions wait for an hour; the second vote comes ten seconds after the first."""
    first, alike = await books.asked(7), await books.asked(8)
    other = await books.call("item_delete", {"id": 1})
    for asked, seconds in ((first, 3600), (alike, 3610), (other, 3620)):
        await books.world.vote(asked, books.people["ann"])
        await books.words(asked, 100)  # twenty seconds
        assert asked.question is not None
        await books.took(asked, seconds=seconds)

    found = shares(await books.numbers())

    assert found["too_fast_to_read"] == (1, 3)


async def test_what_rests_on_few_says_so(books: Books) -> None:
    await updated(books)
    few = await books.numbers()
    for quantity in range(20, 24):
        await updated(books, quantity=quantity)
    enough = await books.numbers()

    assert few["approval_frequency"].rests_on_few
    assert not few["edit_rate"].rests_on_few  # there is nothing that it could rest on
    assert (enough["approval_frequency"].n, enough["approval_frequency"].rests_on_few) == (5, False)
    assert enough["approval_frequency"].value == Decimal(0)
