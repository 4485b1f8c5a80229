"""Selections as people write them: agents and tools by name, cost centres by code."""

from dataclasses import dataclass, replace
from datetime import date

from hub.identity import directory
from hub.metrics.centres import centre_id_of
from hub.metrics.selection import UNASSIGNED, By, Selection, latest
from hub.registry import find_tool
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What somebody wrote; empty: not asked for. Without days, the last thirty."""

    first: date | None = None
    last: date | None = None
    environment: str = ""
    agent: str = ""
    tool: str = ""
    """As connector/name."""
    group: str = ""
    centre: str = ""
    by: By = By.NOTHING


async def understood(tx: Tx, written: Written, today: date) -> Selection:
    """Return the selection that is meant.

    A name that nobody has is kept as it is, and finds no call, or is refused: like one whose calls may not be seen.
    """
    usual = latest(written.last or today)
    return replace(
        usual,
        first=written.first or usual.first,
        environment=written.environment or None,
        agent_id=await _agent(tx, written.agent),
        tool_id=await _tool(tx, written.tool),
        group=written.group or None,
        centre_id=await _centre(tx, written.centre),
        by=written.by,
    )


async def _agent(tx: Tx, name: str) -> str | None:
    found = await directory.find(tx, name) if name else None
    return found.id if found else name or None


async def _tool(tx: Tx, name: str) -> str | None:
    connector, _, tool = name.partition("/")
    found = await find_tool(tx, connector, tool) if name else None
    return found.id if found else name or None


async def _centre(tx: Tx, code: str) -> str | None:
    if code in {"", UNASSIGNED}:
        return code or None
    return await centre_id_of(tx, code) or code
