"""Whoever may be the second person of a promotion hears that it waits, once every other gate holds."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from hub import promotions
from hub.channels import Notice
from hub.channels.audience import audience
from hub.identity.accounts import set_groups, set_roles
from hub.identity.principals import Principal, Role
from hub.invocations.promoting import check_gates
from hub.outbox.tables import MessageRow
from hub.promotions import PROMOTION_WAITS, Promotion
from promotions.stage import DOCUMENTED, Stage

pytestmark = pytest.mark.anyio


async def called(stage: Stage) -> list[tuple[Notice, list[str]]]:
    """Return each notice that a promotion waits, with whom it is for now."""
    async with stage.world.runtime.database.reading() as tx:
        query = select(MessageRow).where(MessageRow.topic == PROMOTION_WAITS).order_by(MessageRow.id)
        rows = (await tx.scalars(query)).all()
        notices = [Notice(id=one.id, event=one.topic, at=one.created_at, facts=one.payload) for one in rows]
        return [(one, [who.name for who in await audience(tx, one)]) for one in notices]


async def asked(stage: Stage, *, by: Principal | None = None) -> Promotion:
    await stage.call("item_put", {"id": 7, "name": "ruler", "quantity": 3})
    await stage.release(DOCUMENTED)
    await stage.badge(DOCUMENTED)
    return await stage.ask(by=by)


async def approvers(stage: Stage, *people: Principal) -> None:
    async with stage.world.runtime.database.transaction() as tx:
        for one in people:
            await set_groups(tx, one.id, one.groups | {"approvers"}, stage.authority(None))


async def test_whoever_may_decide_hears_of_it_and_nobody_who_has_a_hand_in_it(stage: Stage) -> None:
    world = stage.world
    await approvers(stage, world.rita, world.carl)  # rita owns the connector, and asks
    promotion = await asked(stage)

    ((notice, whom),) = await called(stage)

    assert whom == ["ann", "carl"]
    assert (notice.about, notice.page) == (promotion.id, f"/promotions/{promotion.id}")
    assert notice.facts["environment"] == "prod"


async def test_nobody_is_called_while_another_gate_is_open_and_once_when_it_closes(stage: Stage) -> None:
    await stage.call("item_put", {"id": 7, "name": "ruler", "quantity": 3})
    await stage.release(DOCUMENTED)
    promotion = await stage.ask()
    assert await called(stage) == []

    await stage.badge(DOCUMENTED)
    for _ in range(2):
        await check_gates(promotion.id, stage.world.runtime, stage.authority(stage.world.rita))

    assert [whom for _, whom in await called(stage)] == [["ann"]]


async def test_whoever_has_explained_why_nothing_could_be_played_is_not_called_to_decide(stage: Stage) -> None:
    world = stage.world
    await approvers(stage, world.carl)
    async with world.runtime.database.transaction() as tx:
        await set_roles(tx, world.carl.id, frozenset({Role.ADMINISTRATOR}), stage.authority(None))
    await stage.release(DOCUMENTED)
    await stage.badge(DOCUMENTED)
    promotion = await stage.ask()
    assert await called(stage) == []

    async with world.runtime.database.transaction() as tx:
        rules, carl = world.runtime.promotions, stage.authority(world.carl)
        await promotions.explain(tx, promotion.id, "It is used for the first time.", rules, carl)

    assert [whom for _, whom in await called(stage)] == [["ann"]]


async def test_nobody_is_called_to_what_is_decided_or_has_changed_since(stage: Stage) -> None:
    promotion = await asked(stage)
    ((notice, _),) = await called(stage)
    older = replace(notice, facts={**notice.facts, "promotion_digest": "0" * 64})

    await stage.decide(promotion, stage.world.ann)

    assert [whom for _, whom in await called(stage)] == [[]]
    async with stage.world.runtime.database.reading() as tx:
        assert await audience(tx, older) == []
