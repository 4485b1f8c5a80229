"""What the registry knows of federated servers: which connections lead to one, and whose tools others have."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Select, select

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


async def held_back(tx: Tx, connector: str, *, because: str) -> Sequence[str]:
    """Return the ids of the connector's tools that are held back for a reason that begins with `because`."""
    mine = (ToolRow.connector == connector, ToolRow.quarantined.startswith(because, autoescape=True))
    return (await tx.scalars(select(ToolRow.id).where(*mine))).all()
