"""Composite tools on their way from dev to prod: after their steps' tools, through gates, and back by themselves."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from upstream.composites import COPY, LOOK, RENAME, changed, restock
from world import caller_for

from hub import promotions
from hub.core.errors import Conflict, Forbidden
from hub.dryrun import Verdict
from hub.dryrun.tables import PreviewRow
from hub.invocations.invoke import invoke
from hub.invocations.promoting import ask_for_composite
from hub.invocations.values import Call, Claims, Invocation
from hub.invocations.watching import watch
from hub.promotions import CompositeWish, Decision, Gate, Likeness, Promotion, Stand, State
from hub.registry import Declaration, Environment, composite_tools, declare
from hub.registry.tables import ToolRow
from promotions.stage import DOCUMENTED, Stage

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

STEPS = [LOOK, COPY, RENAME]
OTHER_CODE = DOCUMENTED.model_copy(update={"artefact_digest": "e" * 64})
STAGING, PROD = Environment.STAGING, Environment.PROD


async def offer(stage: Stage, *, name: str = "restock", steps: list[dict[str, object]] | None = None) -> None:
    """Declare a composite tool in dev, for the console."""
    declaration = Declaration.model_validate(restock(steps or STEPS, name=name))
    async with stage.world.runtime.database.transaction() as tx:
        await declare(tx, declaration, stage.authority(None))


async def asked(stage: Stage, to: Environment, *, name: str = "restock") -> Promotion:
    wish = CompositeWish(name=name, environment=to, reason="Tried.")
    return await ask_for_composite(wish, stage.world.runtime, stage.authority(None))


async def used(stage: Stage, promotion: Promotion) -> Promotion:
    """Put it in use where no second person is asked for."""
    runtime = stage.world.runtime
    async with runtime.database.transaction() as tx:
        decision = Decision(digest=promotion.digest, reason="")
        return await promotions.put_in_force(tx, promotion.id, decision, runtime.promotions, runtime.authority)


async def offered(stage: Stage, environment: Environment) -> list[str]:
    async with stage.world.runtime.database.reading() as tx:
        return [one.spec.name for one in await composite_tools(tx, environment)]


def stands(promotion: Promotion) -> dict[Gate, Stand]:
    return {one.gate: one.stand for one in promotion.findings}


async def test_a_composite_tool_comes_to_staging_as_it_is_in_dev_over_the_connections_there(stage: Stage) -> None:
    await offer(stage)

    wish = await asked(stage, STAGING)
    assert stands(wish) == {Gate.PATH: Stand.HOLDS, Gate.BADGE: Stand.HOLDS}
    assert await offered(stage, STAGING) == []
    done = await used(stage, wish)

    assert done.state is State.IN_FORCE
    assert await offered(stage, STAGING) == ["restock"]


async def test_a_step_whose_tool_is_not_there_yet_is_named_and_what_to_promote_first(stage: Stage) -> None:
    await stage.release(OTHER_CODE, is_staged=False)
    await offer(stage)

    with pytest.raises(Conflict) as refused:
        await asked(stage, STAGING)

    said = refused.value.message
    assert said.startswith("The composite tool 'restock' cannot be promoted to staging yet. Step 1, look: ")
    assert "staging uses another version of 'item_get'; promote the release of 'upstream' first" in said


async def test_nobody_but_the_console_declares_one_in_staging_past_its_gates(stage: Stage) -> None:
    declaration = Declaration.model_validate(restock(STEPS, environment="staging"))

    with pytest.raises(Forbidden, match="come to staging by promotion"):
        async with stage.world.runtime.database.transaction() as tx:
            await declare(tx, declaration, stage.authority(stage.world.rita))


async def test_only_an_administrator_asks(stage: Stage) -> None:
    await offer(stage)
    wish = CompositeWish(name="restock", environment=STAGING, reason="Tried.")

    with pytest.raises(Forbidden):
        await ask_for_composite(wish, stage.world.runtime, stage.authority(stage.world.rita))


async def test_a_composite_tool_that_changed_in_dev_since_it_was_asked_for_is_not_used(stage: Stage) -> None:
    await offer(stage)
    wish = await asked(stage, STAGING)
    await offer(stage, steps=[LOOK, COPY])

    with pytest.raises(Conflict, match="restock is another one in dev by now"):
        await used(stage, wish)


async def in_prod(stage: Stage) -> Promotion:
    """Return the promotion to prod of what staging uses, explained, as rita's tool."""
    wish = await asked(stage, PROD)
    runtime = stage.world.runtime
    async with runtime.database.transaction() as tx:
        await tx.execute(update(ToolRow).where(ToolRow.name == "restock").values(owner_id=stage.world.rita.id))
        return await promotions.explain(tx, wish.id, "The first of it.", runtime.promotions, stage.authority(None))


async def test_in_prod_a_second_person_decides_who_does_not_own_it(stage: Stage) -> None:
    await offer(stage)
    await used(stage, await asked(stage, STAGING))
    wish = await in_prod(stage)
    assert stands(wish) == {
        Gate.PATH: Stand.HOLDS,
        Gate.BADGE: Stand.HOLDS,
        Gate.REPLAY: Stand.HOLDS,
        Gate.PERSON: Stand.OPEN,
    }

    with pytest.raises(Forbidden):
        await used(stage, wish)
    with pytest.raises(Forbidden):
        await stage.decide(wish, stage.world.rita)
    done = await stage.decide(wish, stage.world.ann)

    assert (done.state, done.decided_by) == (State.IN_FORCE, stage.world.ann.id)
    assert await offered(stage, PROD) == ["restock"]


async def test_one_that_is_taken_back_leaves_those_that_came_after_it(stage: Stage) -> None:
    await offer(stage)
    await offer(stage, name="another")
    first = await used(stage, await asked(stage, STAGING))
    second = await used(stage, await asked(stage, STAGING, name="another"))
    assert await offered(stage, STAGING) == ["another", "restock"]

    async with stage.world.runtime.database.transaction() as tx:
        found = await promotions.get_promotion(tx, first.id)
        reverted = await promotions.revert(tx, first.id, "Wrong.", stage.authority(None))

    assert (found.state, reverted.state) == (State.IN_FORCE, State.REVERTED)
    assert await offered(stage, STAGING) == ["another"]
    async with stage.world.runtime.database.transaction() as tx:
        await promotions.revert(tx, second.id, "Wrong, too.", stage.authority(None))
    assert await offered(stage, STAGING) == []


async def test_a_later_version_of_the_same_tool_replaces_its_promotion_and_goes_back_to_it(stage: Stage) -> None:
    await offer(stage)
    first = await used(stage, await asked(stage, STAGING))
    await offer(stage, steps=[LOOK, changed(COPY, name="new")])
    second = await used(stage, await asked(stage, STAGING))

    async with stage.world.runtime.database.transaction() as tx:
        replaced = await promotions.get_promotion(tx, first.id)
        await promotions.revert(tx, second.id, "Wrong.", stage.authority(None))
        (restored,) = await composite_tools(tx, STAGING)

    assert replaced.state is State.REPLACED
    assert restored.number == 1


async def second_in_prod(stage: Stage) -> tuple[Invocation, Promotion]:
    """Return a plan that prod has on record, and the wish that another version of its tool be used there."""
    await offer(stage)
    await used(stage, await asked(stage, STAGING))
    await stage.decide(await in_prod(stage), stage.world.ann)
    plan = await called(stage)
    await offer(stage, steps=[LOOK, changed(COPY, name="new")])
    await used(stage, await asked(stage, STAGING))
    return plan, await in_prod(stage)


async def called(stage: Stage) -> Invocation:
    caller = caller_for(stage.world.bot, stage.world.rita)
    call = Call(
        caller=replace(caller, scopes=caller.scopes | {"composite_prod:write"}),
        server="everything-prod",
        tool="restock",
        arguments={"id": 40, "name": "ruler"},
        trace_id="trace",
        claims=Claims(run=f"run-{datetime.now(UTC)}"),
    )
    return await invoke(call, stage.world.runtime)


async def test_recorded_plans_are_played_with_what_they_read_then_and_every_difference_is_named(stage: Stage) -> None:
    plan, wish = await second_in_prod(stage)

    assert plan.preview is not None, plan.error_message
    assert wish.rehearsal is not None
    (played,) = wish.rehearsal.played
    assert (played.invocation_id, played.likeness) == (plan.id, Likeness.DIFFERENT)
    assert played.reasons == ("Step 2, copy: it would be given other values", "Step 3, rename: it is gone")


async def test_one_that_crosses_its_line_is_taken_back_by_itself(stage: Stage) -> None:
    _, wish = await second_in_prod(stage)
    await stage.decide(wish, stage.world.ann)
    plan = await called(stage)
    runtime = stage.world.runtime
    async with runtime.database.transaction() as tx:
        mine = update(PreviewRow).where(PreviewRow.invocation_id == plan.id)
        await tx.execute(mine.values(verdict=Verdict.DIVERGED.value))

    (reverted,) = await watch(runtime)

    assert (reverted.id, reverted.state) == (wish.id, State.REVERTED)
    async with runtime.database.reading() as tx:
        (restored,) = await composite_tools(tx, PROD)
    assert restored.number == 1
    assert await watch(runtime) == []
