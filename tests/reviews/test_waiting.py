"""Whom reviews wait for: what one may not do oneself takes no place among them, however old it is."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from questions import add_groups, add_person
from sqlalchemy import select
from statements import heard, plans_of
from world import World

from hub.identity.principals import Principal
from hub.reviews import NewReview, ReviewKind, Verdict, begin_review, conclude_review, put_review, waiting_for
from hub.reviews.tables import ReviewerRow, ReviewRow
from hub.storage import now

pytestmark = pytest.mark.anyio

NEW = NewReview(
    kind=ReviewKind.SAMPLE,
    approval_digest="",
    invocation_id="inv_1",
    environment="dev",
    agent_id="agt_1",
    tool_id="tool_1",
    tool_name="item_put",
    reviewers=("approvers",),
    excluded=frozenset(),
)
_DIGESTS = (f"{number:064x}" for number in count())


async def opened(world: World, *, waits: bool = True, **of: Any) -> str:  # noqa: ANN401  # any member of a review
    """Put a review on record, and return its id."""
    new = replace(NEW, approval_digest=next(_DIGESTS), **of)
    async with world.runtime.database.transaction() as tx:
        return (await put_review(tx, new, opened_at=await now(tx) if waits else None)).id


async def first(world: World, person: Principal) -> list[str]:
    async with world.runtime.database.reading() as tx:
        return [one.id for one in await waiting_for(tx, person, limit=1)]


async def test_what_waits_for_others_hides_nothing(world: World) -> None:
    await add_groups(world, "accountants")
    await opened(world, reviewers=("accountants",))
    await opened(world, excluded=frozenset({world.ann.id, world.bot.id}))
    await opened(world, reviewers=("accountants&approvers",))
    mine = await opened(world, reviewers=("accountants|approvers",))

    assert await first(world, world.ann) == [mine]


async def test_what_asks_for_people_in_several_groups_waits_once_for_those_in_all(world: World) -> None:
    await add_groups(world, "accountants")
    both = await add_person(world, "both", "approvers", "accountants")
    together = await opened(world, reviewers=("accountants&approvers", "accountants", "approvers"))
    later = await opened(world, reviewers=("accountants&approvers",))

    async with world.runtime.database.reading() as tx:
        assert [one.id for one in await waiting_for(tx, both, limit=2)] == [together, later]
        assert [one.id for one in await waiting_for(tx, world.ann, limit=2)] == [together]


async def test_what_is_not_carried_out_or_is_concluded_hides_nothing_and_is_not_looked_at(world: World) -> None:
    await opened(world, waits=False)
    done, mine = await opened(world), await opened(world)
    async with world.runtime.database.transaction() as tx:
        await conclude_review(tx, done, Verdict.FINE, by=world.ann.id, reason="")
    assert await first(world, world.ann) == [mine]
    async with world.runtime.database.reading() as tx:
        is_open = select(ReviewerRow.review_id).where(ReviewerRow.is_open)
        assert list(await tx.scalars(is_open)) == [mine]

    with heard(world.runtime.database, "reviews") as asked:
        await first(world, world.ann)
    plan = await plans_of(world.runtime.database, asked)
    assert "ix_review_reviewers_waiting" in plan
    assert "SCAN reviews'" not in plan
    assert "Seq Scan on reviews" not in plan


async def test_a_review_waits_once_its_write_was_carried_out_and_broken_glass_before_samples(world: World) -> None:
    sample = await opened(world)
    drawn = await opened(world, waits=False, kind=ReviewKind.GLASS)
    assert await first(world, world.ann) == [sample]

    async with world.runtime.database.transaction() as tx:
        assert await begin_review(tx, (await tx.get_one(ReviewRow, drawn)).approval_digest) == drawn

    assert await first(world, world.ann) == [drawn]
