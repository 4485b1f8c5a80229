"""Promoting a release: its gates are looked at, and recorded writes are played with it.

What a promotion is, and who may do what with it, is settled in `hub.promotions`; what is here needs calls on record.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select

from connectors.sdk.vocabulary import Effect
from hub import promotions
from hub.dryrun.tables import PreviewRow
from hub.identity.authority import Authority
from hub.invocations.asking import called_with
from hub.invocations.journal import load
from hub.invocations.playing import as_released, play
from hub.invocations.playing_plans import play_plan
from hub.invocations.runtime import Runtime
from hub.invocations.tables import InvocationRow
from hub.promotions import CompositeWish, Gate, Likeness, Played, Promotion, Rehearsal, Wish
from hub.promotions.composite_gates import is_of_composites
from hub.registry import Release, get_release, is_composite
from hub.registry.using import versions_of
from hub.storage import Tx

PLAYED_PER_TOOL: Final = 10
"""How many recorded calls of each tool are played with a release; the newest ones."""


async def ask_for(wish: Wish, runtime: Runtime, authority: Authority) -> Promotion:
    """Ask for a promotion, check its gates at once, and return it.

    Raises:
        Conflict: that release is in use there already.
        Forbidden: it is neither the connector's owner nor an administrator.
        InputError: dev takes every release by itself, or there is no reason.
        NotFound: there is no such connector or release, or none is in use in the environment before.
    """
    async with runtime.database.transaction() as tx:
        asked = await promotions.ask(tx, wish, runtime.promotions, authority)
    return await check_gates(asked.id, runtime, authority)


async def ask_for_composite(wish: CompositeWish, runtime: Runtime, authority: Authority) -> Promotion:
    """Ask for the promotion of a composite tool, check its gates at once, and return it.

    Raises:
        Conflict: a step's tool version or connection is missing there, and the message names each; or it is in use.
        Forbidden: it is no administrator.
        InputError: dev uses what is declared, or there is no reason.
        NotFound: the environment before offers no such composite tool.
    """
    async with runtime.database.transaction() as tx:
        asked = await promotions.ask_composite(tx, wish, runtime.promotions, authority)
    return await check_gates(asked.id, runtime, authority)


async def check_gates(promotion_id: str, runtime: Runtime, authority: Authority) -> Promotion:
    """Look at every gate again, recorded writes included, put what is found on record, and return the promotion.

    Raises:
        Conflict: it does not wait any more.
        Forbidden: it is neither the connector's owner nor an administrator.
        NotFound: there is no such promotion.
    """
    async with runtime.database.reading() as tx:
        promotion = await promotions.get_promotion(tx, promotion_id)
        await promotions.require_asker(tx, promotion.connector, authority)
    needs_replay = Gate.REPLAY in runtime.promotions.to(promotion.environment).gates
    rehearsal = await rehearse(promotion, runtime) if needs_replay else None
    async with runtime.database.transaction() as tx:
        return await promotions.check(tx, promotion_id, runtime.promotions, authority, rehearsal)


async def rehearse(promotion: Promotion, runtime: Runtime) -> Rehearsal:
    """Return how recorded writes of the release in use come out with the one that is to replace it."""
    async with runtime.database.reading() as tx:
        release = await get_release(tx, promotion.release_id)
        former = promotion.former_release_id
        recorded: Sequence[str] = ()
        before = None if former is None else await get_release(tx, former)
        if before is not None:
            recorded = await _recorded(tx, before, release, promotion)
    played = [await _played(one, release, runtime) for one in recorded]
    writes = sum(one.effect is not Effect.READ for one in release.spec.operations)
    return Rehearsal(release_id=release.id, former_release_id=former, played=tuple(played), writes=writes)


async def _recorded(tx: Tx, former: Release, release: Release, promotion: Promotion) -> Sequence[str]:
    found, kept = list[str](), set[str]()
    if is_of_composites(release):  # most of its tools are those that there were; nothing of them can come out otherwise
        kept = {one.id for one in await versions_of(tx, release)}
    for version in await versions_of(tx, former):
        if version.id in kept:
            continue
        query = (
            select(InvocationRow.id)
            .join(PreviewRow, PreviewRow.invocation_id == InvocationRow.id)
            .where(
                InvocationRow.tool_version_id == version.id,
                InvocationRow.environment == promotion.environment.value,
                PreviewRow.revision == InvocationRow.revision,
            )
            .order_by(InvocationRow.id.desc())
            .limit(PLAYED_PER_TOOL)
        )
        found += (await tx.scalars(query)).all()
    return found


async def play_since(since: datetime, runtime: Runtime) -> list[Played]:
    """Play every recorded write since a moment again, each with the version that was called; the oldest first."""
    query = (
        select(InvocationRow.id)
        .join(PreviewRow, PreviewRow.invocation_id == InvocationRow.id)
        .where(PreviewRow.observed_at >= since, PreviewRow.revision == InvocationRow.revision)
        .order_by(InvocationRow.id)
    )
    async with runtime.database.reading() as tx:
        recorded = (await tx.scalars(query)).all()
    return [await _as_called(one, runtime) for one in recorded]


async def _as_called(invocation_id: str, runtime: Runtime) -> Played:
    async with runtime.database.reading() as tx:
        standing = await load(tx, invocation_id)
    return await play(standing, await called_with(standing, runtime), runtime)


async def _played(invocation_id: str, release: Release, runtime: Runtime) -> Played:
    async with runtime.database.reading() as tx:
        standing = await load(tx, invocation_id)
    tool = await called_with(standing, runtime)
    released = as_released(tool, release)
    if released is None:
        gone = ("It is no longer offered.",)
        return Played(invocation_id=invocation_id, tool=tool.tool.name, likeness=Likeness.DIFFERENT, reasons=gone)
    if is_composite(released.operation):
        return play_plan(standing, tool, released)
    return await play(standing, released, runtime)
