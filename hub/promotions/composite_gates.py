"""The gates of composite tools, which have no code: what stands behind them are the tools of their steps."""

from collections.abc import Mapping

from sqlalchemy import select

from hub.core.errors import HubError
from hub.promotions.tables import PromotionRow
from hub.promotions.values import BEFORE, Stand
from hub.registry import Environment, Release, get_release, is_composite, steps_of
from hub.registry.carrying import Carrying, Missing, brought_by, carried
from hub.registry.composites import connector_of
from hub.registry.declaring import release_of
from hub.registry.tables import ToolRow
from hub.storage import Tx

NO_CODE = "It has no code that the contract kit could try; the tools of its steps came here through their own gates."


def is_of_composites(release: Release) -> bool:
    """Return whether a release is made of composite tools."""
    return any(is_composite(one) for one in release.spec.operations)


async def brought(tx: Tx, row: PromotionRow) -> tuple[str, ...]:
    """Return which composite tools a promotion is about: those that differ from what was in use before."""
    former = None if row.former_release_id is None else await get_release(tx, row.former_release_id)
    return brought_by(await get_release(tx, row.release_id), former)


async def composite_path(tx: Tx, row: PromotionRow, release: Release) -> tuple[Stand, str]:
    """Return whether what is to be used here is what the environment before uses, and its steps' versions are here."""
    names, here = await brought(tx, row), Environment(row.environment)
    for name in names:
        over = {step.name: step.connection for step in steps_of(release.spec.operation(name))}
        if why_not := await _differs(tx, release, name, over):
            return Stand.FAILS, why_not
    told = " and ".join(names)
    return Stand.HOLDS, f"{told}: in use in {BEFORE[here].value} like this, and its steps' versions are in use here."


async def _differs(tx: Tx, release: Release, name: str, over: Mapping[str, str]) -> str:
    here = next(one for one in Environment if connector_of(one) == release.connector)
    try:
        found = await carried(tx, Carrying(name=name, source=BEFORE[here], to=here, connections=over))
        if isinstance(found, Missing):
            return " ".join(found.reasons)
        is_same = (await release_of(tx, found)).operation(name) == release.spec.operation(name)
    except HubError as error:
        return error.message
    return "" if is_same else f"{name} is another one in {BEFORE[here].value} by now, or its steps are; ask again."


async def owners_of(tx: Tx, row: PromotionRow) -> frozenset[str | None]:
    """Return whose composite tools a promotion is about, here and in the environment before; of others nobody's."""
    if not is_of_composites(await get_release(tx, row.release_id)):
        return frozenset()
    here = Environment(row.environment)
    places = [connector_of(one) for one in (here, BEFORE[here])]
    mine = (ToolRow.connector.in_(places), ToolRow.name.in_(await brought(tx, row)))
    return frozenset(await tx.scalars(select(ToolRow.owner_id).where(*mine, ToolRow.owner_id.is_not(None))))
