"""What is counted of the past: only what happened, of whom the bundle says, and never past a limit by meeting."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from world import World

from hub.approvals import Choice
from hub.bundles import default_bundle_text
from hub.invocations.commit import claim
from hub.invocations.recheck import Changed, Holds, recheck
from hub.invocations.replay import Candidate, Change, replay, what_if
from hub.invocations.states import State
from hub.invocations.tables import AmountRow, InvocationRow
from hub.invocations.values import Invocation
from hub.policy import Bundle
from hub.storage import now

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for both: most of this has nothing to do with the engine."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url


BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def second_item(world: World) -> None:
    """Put a second item beside the one that there is."""
    world.upstream.store.rows("INSERT INTO item VALUES (2, 'eraser', 3, 1)")


STOCK = """//= {"fact": "stocked", "sum": "quantity", "of": "upstream.item_update", "per": ["agent"], "within": "P1D"}
@id("stock") @why("Enough for one day.")
forbid (principal, action in [Action::"autocommit", Action::"commit"], resource == Tool::"upstream.item_update")
unless { context.history.hasTag("stocked") && context.numbers.hasTag("quantity") &&
         context.history.getTag("stocked") + context.numbers.getTag("quantity") <= 25 };
"""
ASKED = """@id("ask") @require("approvers:1") @ttl("PT1H")
forbid (principal, action == Action::"autocommit", resource == Tool::"upstream.item_update");
"""
ONLY_AFTER = """//= {"fact": "seen", "count": "read", "of": "upstream.item_get", "per": ["run"], "within": "P1D",
//=  "same": {"id": "id"}}
@id("look-first") @why("Read the item before you change it.")
forbid (principal, action == Action::"autocommit", resource == Tool::"upstream.item_update")
unless { context.history.hasTag("seen") && context.history.getTag("seen") > 0 };
"""
OFTEN = """//= {"fact": "lately", "count": "sent", "per": ["agent", "tool"], "within": "PT1H"}
@id("often") @why("Slow down.")
forbid (principal, action == Action::"autocommit", resource)
when { context.history.hasTag("lately") && context.history.getTag("lately") >= 2 };
"""
TURNED_DOWN = """//= {"fact": "turned_down", "count": "rejected_in_a_row", "per": ["agent"], "within": "P1D"}
@id("think") @why("People said no twice in a row.")
forbid (principal, action == Action::"autocommit", resource)
when { context.history.hasTag("turned_down") && context.history.getTag("turned_down") >= 2 };
"""


async def stock(world: World, number: int, quantity: int, *, run: str | None = None) -> Invocation:
    return await world.call("item_update", {"id": number, "quantity": quantity}, run=run)


@BOTH_ENGINES
async def test_a_sum_stops_what_would_go_beyond_it_and_only_that(world: World) -> None:
    await world.decide_by(STOCK)

    states = [(await stock(world, number, quantity)).state for number, quantity in ((1, 12), (2, 14), (2, 13))]

    assert states == [State.VERIFIED, State.DENIED, State.VERIFIED]


async def test_what_lies_outside_the_window_counts_no_more(world: World) -> None:
    await world.decide_by(STOCK)
    await stock(world, 1, 20)
    assert (await stock(world, 2, 20)).state is State.DENIED
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(sent_at=await now(tx) - timedelta(days=1, seconds=1)))

    assert (await stock(world, 2, 19)).state is State.VERIFIED


@BOTH_ENGINES
async def test_two_commits_that_meet_do_not_get_past_a_sum_together(world: World) -> None:
    await world.decide_by(STOCK, ASKED)
    both = [await stock(world, number, 20) for number in (1, 2)]
    for one in both:
        await world.vote(one, world.ann)

    claimed = [await claim(one.id, world.runtime) for one in both]
    found = [await recheck(one, world.runtime) for one in reversed(claimed) if one is not None]

    assert len(found) == 2
    assert not any(isinstance(one, Holds) for one in found)
    assert all("policy no longer allows it" in one.reasons for one in found if isinstance(one, Changed))


async def test_an_amount_below_zero_makes_no_room(world: World) -> None:
    await world.decide_by(STOCK)
    await stock(world, 1, 20)
    taken_back = await stock(world, 2, 5)
    async with world.runtime.database.transaction() as tx:
        theirs = update(AmountRow).where(AmountRow.invocation_id == taken_back.id)
        await tx.execute(theirs.values(amount=-100))

    assert (await stock(world, 2, 6)).state is State.DENIED
    assert (await stock(world, 2, 4)).state is State.VERIFIED


async def test_a_count_is_kept_per_agent_and_tool(world: World) -> None:
    await world.decide_by(OFTEN)

    states = [(await stock(world, 1, quantity)).state for quantity in (21, 22, 23)]
    other = await world.call("item_put", {"id": 7, "name": "Nail", "quantity": 1})

    assert states == [State.VERIFIED, State.VERIFIED, State.DENIED]
    assert other.state is not State.DENIED


@BOTH_ENGINES
async def test_rejections_in_a_row_count_until_something_was_agreed_to(world: World) -> None:
    await world.decide_by(TURNED_DOWN)

    async def post(text: str, choice: Choice | None) -> State:
        posted = await world.call("note_post", {"text": text})
        if choice is not None:
            await world.vote(posted, world.ann, choice)
        return posted.state

    assert await post("one", Choice.REJECT) is State.AWAITING_APPROVAL
    assert (await stock(world, 1, 5)).state is State.VERIFIED
    assert await post("two", Choice.REJECT) is State.AWAITING_APPROVAL
    assert await post("three", Choice.REJECT) is State.AWAITING_APPROVAL
    assert await post("four", None) is State.DENIED


@BOTH_ENGINES
async def test_only_after_a_read_of_that_very_record_in_this_run(world: World) -> None:
    await world.decide_by(ONLY_AFTER)

    unseen = await stock(world, 1, 11, run="r1")
    await world.call("item_get", {"id": 2}, run="r1")
    await world.call("item_get", {"id": 1}, run="r2")
    another = await stock(world, 1, 11, run="r1")
    await world.call("item_get", {"id": 1}, run="r1")
    seen = await stock(world, 1, 11, run="r1")

    assert [unseen.state, another.state, seen.state] == [State.DENIED, State.DENIED, State.VERIFIED]
    assert unseen.error_message == "Read the item before you change it."


async def test_a_call_that_names_no_run_is_refused_where_runs_are_counted(world: World) -> None:
    await world.decide_by(ONLY_AFTER)

    nameless = await stock(world, 1, 11)

    assert nameless.state is State.DENIED
    assert "could not be counted: seen" in (nameless.error_message or "")


async def test_decisions_on_history_are_made_again_from_what_was_stored(world: World) -> None:
    await world.decide_by(STOCK)
    for number, quantity in ((1, 12), (2, 14)):
        await stock(world, number, quantity)
    async with world.runtime.database.transaction() as tx:
        since = await now(tx) - timedelta(hours=1)
        await tx.execute(update(InvocationRow).values(sent_at=since))  # what is on record today does not matter

    found = await replay(world.runtime.database, world.runtime.keys, since)

    assert (found.decisions, found.same) == (6, 6)  # two proposed and decided on; what is sent, twice more


async def test_what_if_counts_the_past_that_nobody_had_counted(world: World) -> None:
    happened = [await stock(world, 1, 12), await stock(world, 2, 14)]
    async with world.runtime.database.reading() as tx:
        since = await now(tx) - timedelta(hours=1)
        assert len((await tx.scalars(select(InvocationRow.id))).all()) == 2
    rules = "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith(("// ", "//?")))
    candidate = Candidate(environment="dev", bundle=Bundle.parse(f"{rules}\n{STOCK}"))

    found = await what_if(candidate, world.runtime.database, world.runtime.keys, since)

    assert (found.decisions, found.uncounted, found.changed[Change.REFUSED]) == (4, 0, 1)
    assert [one.recorded.invocation_id for one in found.differences] == [happened[1].id]


async def test_what_if_says_what_it_cannot_count(world: World) -> None:
    await stock(world, 1, 12)
    async with world.runtime.database.reading() as tx:
        since = await now(tx) - timedelta(hours=1)
    rules = "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith(("// ", "//?")))
    candidate = Candidate(environment="dev", bundle=Bundle.parse(f"{rules}\n{ONLY_AFTER}"))

    found = await what_if(candidate, world.runtime.database, world.runtime.keys, since)

    assert (found.decisions, found.uncounted) == (1, 1)
