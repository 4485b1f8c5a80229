"""A promoted release that crosses its declared line is taken back, once, with the numbers."""

import asyncio

import pytest
from sqlalchemy import update

from hub import audit, promotions
from hub.audit import EventKind
from hub.core.errors import Conflict, NotFound
from hub.dryrun import Verdict
from hub.dryrun.tables import PreviewRow
from hub.invocations.resume import resume
from hub.invocations.states import State as Standing
from hub.invocations.tables import InvocationRow
from hub.invocations.watching import tally, watch
from hub.promotions import Line, Promotion, State, Tally, Timing, crossed
from hub.promotions.lines import percentile_95
from hub.promotions.tables import PromotionRow
from hub.registry import Environment
from hub.registry.using import take_out_of_use
from hub.storage import now
from promotions.stage import LATER, Stage

LINE = Line()


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(judged=4, diverged=1), "1 of its latest 4 judged writes came out otherwise than previewed"),
        (Tally(judged=50), None),
        (Tally(calls=20, failed=2), "2 of 20 calls failed"),
        (Tally(calls=20, failed=1), None),
        (Tally(calls=19, failed=19), None),
        (Tally(calls=20, failed=2, former_calls=100, former_failed=10), None),
        (Tally(calls=20, failed=2, former_calls=100, former_failed=9), "more than the 9 of 100 before"),
    ],
)
def test_divergences_and_errors_cross_the_line_where_it_is_drawn(tally: Tally, words: str | None) -> None:
    found = crossed(LINE, tally)

    assert ([words in one for one in found] if words else found) in ([True], ())


@pytest.mark.parametrize(
    ("now_ms", "former_ms", "is_crossed"),
    [
        ([301] * 20, [100] * 20, True),
        ([300] * 20, [100] * 20, False),
        ([301] * 19, [100] * 20, False),
        ([301] * 20, [100] * 19, False),
        ([90] * 20, [1] * 20, False),
        ([100] * 19 + [9000], [100] * 20, False),
        ([100] * 18 + [9000] * 2, [100] * 20, True),
    ],
)
def test_slowness_crosses_the_line_by_the_95th_percentile(
    now_ms: list[int], former_ms: list[int], *, is_crossed: bool
) -> None:
    timings = {"item_get": Timing(now=now_ms, former=former_ms)}

    assert bool(crossed(LINE, Tally(timings=timings))) is is_crossed


def test_of_nothing_the_percentile_is_nothing() -> None:
    assert (percentile_95([]), percentile_95([7]), percentile_95(range(1, 101))) == (0, 7, 95)


async def in_force(stage: Stage) -> Promotion:
    """Return a promotion of the later release to prod that has been put in use."""
    await stage.release(LATER)
    await stage.badge(LATER)
    asked, world = await stage.ask(), stage.world
    async with world.runtime.database.transaction() as tx:
        rules = world.runtime.promotions
        explained = await promotions.explain(tx, asked.id, "Nothing recorded.", rules, stage.authority(world.rita))
    return await stage.decide(explained, world.ann)


async def diverge(stage: Stage) -> None:
    """Make a write in prod, and let it be on record that it came out otherwise."""
    await stage.call("item_update", {"id": 1, "quantity": 5})
    async with stage.world.runtime.database.transaction() as tx:
        await tx.execute(update(PreviewRow).values(verdict=Verdict.DIVERGED.value))


@pytest.mark.anyio
async def test_a_divergence_brings_the_former_release_back_exactly_once_across_two_workers(stage: Stage) -> None:
    promotion, runtime = await in_force(stage), stage.world.runtime
    assert await watch(runtime) == []
    await diverge(stage)

    by_each = await asyncio.gather(watch(runtime), watch(runtime))

    (reverted,) = [one for found in by_each for one in found]
    assert (reverted.id, reverted.state) == (promotion.id, State.REVERTED)
    assert await stage.version_in(Environment.PROD) == 1
    async with runtime.database.reading() as tx:
        *_, last = await audit.events_of(tx, promotion.id)
        kinds = [event.kind for event in await audit.events_of(tx, promotion.id)]
        kept = await audit.open_values(tx, last.id, runtime.keys)
    assert kinds.count(EventKind.PROMOTION_REVERTED) == 1
    assert "1 of its latest 1 judged writes" in kept["because"]
    assert await watch(runtime) == []


@pytest.mark.anyio
@pytest.mark.parametrize("is_reverted", [True, False])
async def test_what_was_approved_with_the_release_that_was_taken_back_is_not_sent(
    stage: Stage, *, is_reverted: bool
) -> None:
    promotion, world = await in_force(stage), stage.world
    waiting = await stage.call("item_delete", {"id": 1})
    assert waiting.state is Standing.AWAITING_APPROVAL
    decided = await world.vote(waiting, world.ann)
    if is_reverted:
        async with world.runtime.database.transaction() as tx:
            await promotions.revert(tx, promotion.id, "It is wrong.", stage.authority(world.rita))

    await resume(decided.id, world.runtime)

    left = world.upstream.store.rows("SELECT * FROM item WHERE id = 1")
    assert (len(left) == 1) is is_reverted


@pytest.mark.anyio
async def test_failures_of_the_new_versions_alone_are_counted(stage: Stage) -> None:
    promotion, runtime = await in_force(stage), stage.world.runtime
    one = await stage.call("item_get", {"id": 1})
    await stage.call("item_get", {"id": 999})  # there is none: that is no fault of the release

    async with runtime.database.reading() as tx:
        assert promotion.decided_at is not None
        found = await tally(tx, promotion, promotion.decided_at, LINE)

    assert (found.calls, found.failed) == (2, 0)
    assert [len(timing.now) for timing in found.timings.values()] == [2]
    async with runtime.database.transaction() as tx:
        failed = {"state": Standing.FAILED.value, "error_code": "connector_broken"}
        await tx.execute(update(InvocationRow).where(InvocationRow.id == one.id).values(failed))
        assert (await tally(tx, promotion, promotion.decided_at, LINE)).failed == 1


@pytest.mark.anyio
async def test_what_has_been_in_use_for_long_is_not_watched_any_more(stage: Stage) -> None:
    promotion, runtime = await in_force(stage), stage.world.runtime
    await diverge(stage)
    async with runtime.database.transaction() as tx:
        at = await now(tx)
        await tx.execute(update(PromotionRow).values(decided_at=at.replace(year=at.year - 1)))

    assert await watch(runtime) == []
    assert promotion.state is State.IN_FORCE


@pytest.mark.anyio
async def test_a_first_release_that_is_taken_back_leaves_nothing_in_use(stage: Stage) -> None:
    world = stage.world
    async with world.runtime.database.transaction() as tx:
        await take_out_of_use(tx, "upstream", Environment.PROD)
    promotion = await in_force(stage)

    async with world.runtime.database.transaction() as tx:
        await promotions.revert(tx, promotion.id, "It is wrong.", stage.authority(world.rita))

    with pytest.raises(NotFound, match="There is no tool"):
        await stage.version_in(Environment.PROD)


@pytest.mark.anyio
async def test_a_reverted_release_is_not_in_force_until_it_is_promoted_again(stage: Stage) -> None:
    promotion, world = await in_force(stage), stage.world
    async with world.runtime.database.transaction() as tx:
        await promotions.revert(tx, promotion.id, "It is wrong.", stage.authority(world.rita))

    with pytest.raises(Conflict, match="does not wait any more"):
        await stage.decide(promotion, world.ann)
