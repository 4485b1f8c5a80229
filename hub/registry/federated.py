"""What the registry knows of federated servers: which connections lead to one, and whose tools others have."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Select, select

from hub.audit import EventKind
from hub.identity.authority import Authority
from hub.registry.reading import connection_row
from hub.registry.stewardship import Touched, outdate_catalog
from hub.registry.tables import ConnectionRow, ReleaseInUseRow, ReleaseRow, ToolRow
from hub.storage import Tx

_FEDERATED: Final = '%"rpc":"mcp"%'
"""Stands in the text of a spec, and, since quotes within texts are escaped there, nowhere else."""


def federated_connections() -> Select[str]:
    """Return the query of the ids of enabled connections that lead to MCP servers now."""
    return (
        select(ConnectionRow.id)
        .join(ReleaseInUseRow, ReleaseInUseRow.connector == ConnectionRow.connector)
        .join(ReleaseRow, ReleaseRow.id == ReleaseInUseRow.release_id)
        .where(ReleaseInUseRow.environment == ConnectionRow.environment, ConnectionRow.disabled_at.is_(None))
        .where(ReleaseRow.spec.like(_FEDERATED))
    )


async def tools_beside(tx: Tx, connector: str) -> dict[str, str]:
    """Return the tools of other connectors by name, each with its connector."""
    rows = await tx.execute(select(ToolRow.name, ToolRow.connector).where(ToolRow.connector != connector))
    return {name: other for name, other in rows}  # noqa: C416  # rows are no pairs to dict()


async def hold_back(tx: Tx, connection_id: str, held: Mapping[str, str], authority: Authority) -> None:
    """Hold back these tools over a connection, by name with the reason, and no others; elsewhere they go on."""
    if (await connection_row(tx, connection_id)).held == held:
        return
    await outdate_catalog(tx, authority, Touched(connections=frozenset({connection_id})))
    row = await connection_row(tx, connection_id)  # from here on nobody else holds anything back
    before, row.held = row.held, dict(held)
    await tx.flush()
    tools = await tx.execute(select(ToolRow.id, ToolRow.name).where(ToolRow.connector == row.connector))
    for tool_id, name in sorted(tools, key=lambda one: one.name):
        if (reason := held.get(name)) == before.get(name):
            continue
        kind = EventKind.TOOL_RELEASED if reason is None else EventKind.TOOL_QUARANTINED
        facts = {"tool": name, "connection": connection_id, "reason": reason or before[name]}
        await authority.record(tx, kind, tool_id, **facts)
