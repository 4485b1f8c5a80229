"""What the whole log tells of something: openly, to every feed and for ever, or privately, so that it can go."""

from sqlalchemy import select
from world import World

from hub.audit import open_values
from hub.audit.tables import EventRow


async def told_openly(world: World, said: str) -> list[str]:
    """Return the kinds of the events that say it openly."""
    async with world.runtime.database.reading() as tx:
        rows = (await tx.scalars(select(EventRow).order_by(EventRow.id))).all()
    return [row.kind for row in rows if said.encode() in bytes(row.body)]


async def kept_privately(world: World, said: str) -> list[str]:
    """Return the kinds of the events that have it among their private values."""
    async with world.runtime.database.reading() as tx:
        rows = (await tx.scalars(select(EventRow).order_by(EventRow.id))).all()
        return [row.kind for row in rows if said in str(await open_values(tx, row.id, world.runtime.keys))]
