"""Trust: earned by writes that came out as previewed, gone at once after one that did not, earned anew after a look."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from questions import rules
from sqlalchemy import update
from upstream.connector import connector
from world import World

from hub.bundles import Publication, publish_bundle
from hub.core.errors import Forbidden, InputError, NotFound
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.identity.clients import limit_client
from hub.invocations.journal import load
from hub.invocations.reviewing import Remark, remark
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.trust import STEPS, Looked, Trust, bonds_of_agent, bonds_of_tool, restore, trust_in
from hub.invocations.values import Invocation
from hub.registry import register_connector
from hub.reviews import Verdict, waiting_for
from hub.storage import now

pytestmark = pytest.mark.anyio

ASKS = '@require("approvers:1")\n@ttl("PT24H")'
FIRST, LAST = STEPS
NEW = """@id("new-here") @require("approvers:1") @why("It is new here.")
forbid (principal, action == Action::"autocommit", resource) when { context.trust_level < 1 };"""


async def decided_by(world: World, *more: str) -> None:
    """Let policy review everything that goes by itself, and have these rules too."""
    text = "\n".join((rules(ASKS).replace("approvers:2%", "approvers:100%"), *more))
    async with world.runtime.database.transaction() as tx:
        publication = Publication(environment="dev", text=text, by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def updated(world: World, quantity: int = 11) -> Invocation:
    return await world.call("item_update", {"id": 1, "quantity": quantity})


async def repeat_on_record(world: World, done: Invocation, many: int, **changed: object) -> None:
    """Let the record say that the same went well `many` times more."""
    async with world.runtime.database.transaction() as tx:
        row = await tx.get_one(InvocationRow, done.id)
        columns = {one.key: getattr(row, one.key) for one in InvocationRow.__table__.columns}
        at = await now(tx)
        for _ in range(many):
            tx.add(InvocationRow(**{**columns, "id": new_id("inv"), "updated_at": at, **changed}))


async def trust(world: World, invocation: Invocation) -> Trust:
    async with world.runtime.database.reading() as tx:
        return await trust_in(tx, await load(tx, invocation.id))


async def look(world: World, done: Invocation, *, by: str | None = None, reason: str = "A typo.") -> None:
    authority = Authority(database=world.runtime.database, keys=world.runtime.keys, by=by)
    async with world.runtime.database.transaction() as tx:
        await restore(tx, Looked(agent_id=done.agent_id, tool_id=done.tool_id, reason=reason), authority)


async def dispute(world: World) -> None:
    async with world.runtime.database.reading() as tx:
        (review, *_) = await waiting_for(tx, world.ann)
    said = Remark(review_id=review.id, reviewer=world.ann, verdict=Verdict.DISPUTED, reason="Too many.")
    await remark(said, world.runtime)


async def test_trust_grows_with_what_came_out_as_previewed_and_no_sooner(world: World) -> None:
    done = await updated(world)

    levels = [(await trust(world, done)).level]
    for many in (FIRST - 2, 1, LAST - FIRST - 1, 1):
        await repeat_on_record(world, done, many)
        levels.append((await trust(world, done)).level)

    assert levels == [0, 0, 1, 1, 2]
    assert "100 or more" in (await trust(world, done)).why


@pytest.mark.parametrize(
    "changed",
    [
        {"approved_by": "nobody"},
        {"state": State.UNVERIFIABLE.value},
        {"tool_version_digest": "0" * 64},
        {"agent_version": 7},
        {"agent_id": "agt_other"},
        {"tool_id": "tool_other"},
    ],
    ids=[
        "without-approval",
        "not-read-back",
        "another-version",
        "another-version-of-the-agent",
        "another-agent",
        "another-tool",
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_proves_nothing_does_not_count(world: World, changed: dict[str, object]) -> None:
    done = await updated(world)

    await repeat_on_record(world, done, LAST, **changed)

    assert (await trust(world, done)).proven == 1


async def test_one_divergence_takes_it_away_until_somebody_has_looked(world: World) -> None:
    done = await updated(world)
    await repeat_on_record(world, done, LAST)
    await repeat_on_record(world, done, 1, state=State.DIVERGED.value)

    fallen = await trust(world, done)
    await look(world, done)
    anew = await trust(world, done)

    assert (fallen.level, fallen.why) == (
        0,
        "A write did something else than its preview said, and nobody has looked since.",
    )
    assert fallen.invocation_id not in {None, done.id}
    assert (anew.level, anew.proven, anew.setback) == (0, 0, "")  # it is earned anew, not given back
    await repeat_on_record(world, done, FIRST)
    assert (await trust(world, done)).level == 1


async def test_one_dispute_takes_it_away_and_policy_asks_again_at_once(world: World) -> None:
    await decided_by(world)
    done = await updated(world)
    await decided_by(world, NEW)
    await repeat_on_record(world, done, FIRST)
    assert (await updated(world, 12)).state is State.VERIFIED

    await dispute(world)

    assert (await updated(world, 13)).state is State.AWAITING_APPROVAL
    assert (await trust(world, done)).setback == "A reviewer disputes a write, and nobody has looked since."
    await look(world, done)
    await repeat_on_record(world, done, FIRST)
    assert (await updated(world, 14)).state is State.VERIFIED


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_new_version_starts_at_nothing_and_keeps_what_went_wrong(world: World) -> None:
    done = await updated(world)
    await repeat_on_record(world, done, LAST)
    changed = [one.model_copy(update={"description": f"{one.description} Now."}) for one in connector.spec.operations]
    release = connector.spec.model_copy(update={"version": "1.0.1", "operations": tuple(changed)})
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, release, world.runtime.authority)

    newer = await updated(world, 12)  # nothing of this release is proven, so that people are asked

    assert newer.state is State.AWAITING_APPROVAL
    assert (await trust(world, newer)).proven == 0
    await repeat_on_record(world, done, 1, state=State.DIVERGED.value)
    assert (await trust(world, newer)).setback


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_new_version_of_an_agent_starts_at_nothing_and_keeps_what_went_wrong(world: World) -> None:
    done = await updated(world)
    await repeat_on_record(world, done, LAST)
    async with world.runtime.database.transaction() as tx:
        scopes, servers = world.bot.allowed_scopes, world.bot.allowed_servers | {"desk"}
        bot = await limit_client(tx, world.bot.id, scopes=scopes, servers=servers, authority=world.runtime.authority)

    newer = await world.call("item_update", {"id": 1, "quantity": 12}, caller=replace(world.caller, actor=bot))

    assert newer.agent_version == done.agent_version + 1
    assert ((await trust(world, done)).level, (await trust(world, newer)).level) == (2, 0)
    await repeat_on_record(world, done, 1, state=State.DIVERGED.value)
    assert (await trust(world, newer)).setback


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_those_who_answer_for_the_tool_look_and_say_what_they_found(world: World) -> None:
    done = await updated(world)
    bad: Sequence[tuple[str | None, str, type[Exception]]] = (
        (world.ann.id, "Not mine.", Forbidden),
        (None, " ", InputError),
    )

    for by, reason, error in bad:
        with pytest.raises(error):
            await look(world, done, by=by, reason=reason)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(agent_id="agt_other", updated_at=await now(tx) - timedelta(1)))
    with pytest.raises(NotFound):
        await look(world, done)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_an_agent_has_written_with_is_listed_the_latest_first(world: World) -> None:
    first, second = await updated(world), await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 1})

    async with world.runtime.database.reading() as tx:
        of_agent = await bonds_of_agent(tx, world.bot.id)
        of_tool = await bonds_of_tool(tx, first.tool_id, first.tool_version_digest)

    assert [name for name, _ in of_agent] == ["item_put", "item_update"]
    assert [bond.agent_id for _, bond in of_tool] == [world.bot.id]
    assert second.state is State.VERIFIED
