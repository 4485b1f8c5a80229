"""Connectors that run in the hub itself, without foreign code: who they are, by entry, and running one."""

from collections.abc import Mapping
from typing import Final

from connectors import mcp_upstream, odata, openapi
from connectors.sdk.run import CONNECTOR_BROKEN, DirectRunner, Failed, PhaseCall, PhaseResult
from connectors.sdk.spec import ConnectorSpec
from connectors.sql.run import SqlRunner
from connectors.sql.run import carry_out as carry_out_sql
from hub.core.errors import HubError
from sandbox.broker import Channel, Stopped
from sandbox.host import HostFailed
from sandbox.requests import BadBaseUrl

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
    """Run a phase of `connector` here; an answer that breaks its code is one of a broken connector, as behind a wall.

    Raises:
        HostFailed: it may not run here.
        Stopped, BadBaseUrl, HubError, TimeoutError: what the channel to the system raises.
    """
    runner = DIRECT_RUNNERS.get(connector.entry)
    if runner is None:
        raise HostFailed(f"{connector.entry} may not run in the hub itself")
    try:
        return await runner(connector, call, channel)
    except (HostFailed, Stopped, BadBaseUrl, HubError, TimeoutError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever a foreign answer breaks: the call must end on record
        message = f"The connector cannot understand what the system answered ({type(error).__name__})."
        return Failed(code=CONNECTOR_BROKEN, message=message)
