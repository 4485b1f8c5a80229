"""What the keys of numbers are called: names of principals and tools, codes of cost centres."""

from collections.abc import Sequence

from sqlalchemy import select

from hub.identity.directory import get_many
from hub.metrics.lookups import parts_of
from hub.metrics.selection import Allowed, By
from hub.metrics.tables import CentreRow
from hub.registry.tables import ToolRow
from hub.storage import Tx


async def labels_of(tx: Tx, allowed: Allowed, keys: Sequence[str]) -> dict[str, str]:
    """Return what people call these keys; one that has no name, or may not be named, is called as it is."""
    match allowed.wanted.by:
        case By.AGENT | By.APPROVER:
            return {one.id: one.name for part in parts_of(keys) for one in (await get_many(tx, part)).values()}
        case By.TOOL:
            return {"": "no tool of that name"} | await _tools(tx, keys)
        case By.COST_CENTRE:
            return {"": "unassigned"} | await _centres(tx, [key for key in keys if allowed.names_centre(key)])
        case By.NOTHING:
            return {"": "all"}
        case _:
            return {"": "none"}


async def _tools(tx: Tx, keys: Sequence[str]) -> dict[str, str]:
    found = dict[str, str]()
    for part in parts_of(keys):
        query = select(ToolRow.id, ToolRow.connector, ToolRow.name).where(ToolRow.id.in_(part))
        found |= {tool_id: f"{connector}/{name}" for tool_id, connector, name in await tx.execute(query)}
    return found


async def _centres(tx: Tx, keys: Sequence[str]) -> dict[str, str]:
    found = dict[str, str]()
    for part in parts_of(keys):
        query = select(CentreRow.id, CentreRow.code, CentreRow.title).where(CentreRow.id.in_(part))
        found |= {centre_id: f"{code} {title}" for centre_id, code, title in await tx.execute(query)}
    return found
