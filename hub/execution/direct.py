"""Connectors that run in the hub itself, without foreign code: who they are, by entry, and running one."""

from collections.abc import Mapping
from typing import Final

from connectors import mcp_upstream, odata, openapi
from connectors.sdk.run import DirectRunner, PhaseCall, PhaseResult
from connectors.sdk.spec import ConnectorSpec
from connectors.sql.run import SqlRunner
from connectors.sql.run import carry_out as carry_out_sql
from sandbox.broker import Channel
from sandbox.host import HostFailed

DIRECT: Final = "direct"
"""The level that is reported for connectors that run no foreign code."""
DIRECT_RUNNERS: Final[Mapping[str, DirectRunner]] = {
    "connectors.mcp_upstream:carry_out": mcp_upstream.carry_out,
    "connectors.odata:carry_out": odata.carry_out,
    "connectors.openapi:carry_out": openapi.carry_out,
}
"""Who may run in the hub itself, by entry. A spec that names another entry cannot bring its code in here."""
SQL_RUNNERS: Final[Mapping[str, SqlRunner]] = {"connectors.sql.run:carry_out": carry_out_sql}
"""The same for what speaks SQL."""


async def directly(connector: ConnectorSpec, call: PhaseCall, channel: Channel) -> PhaseResult:
    """Run a phase of `connector` here.

    Raises:
        HostFailed: it may not run here.
    """
    runner = DIRECT_RUNNERS.get(connector.entry)
    if runner is None:
        raise HostFailed(f"{connector.entry} may not run in the hub itself")
    return await runner(connector, call, channel)
