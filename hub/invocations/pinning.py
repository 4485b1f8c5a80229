"""Looking at federated servers: what they say now is compared with what was accepted, and no more."""

from dataclasses import dataclass

from connectors.mcp_upstream import owner_of
from connectors.sdk.spec import ConnectorSpec
from hub import pins, registry
from hub.core.errors import InputError
from hub.execution import Unreachable
from hub.identity.authority import Authority
from hub.invocations.runtime import Runtime
from hub.pins import Change, Looked
from hub.pins.keeping import HELD_BACK
from hub.registry import quarantine
from hub.registry.differing import registered
from hub.registry.federated import tools_beside
from hub.registry.stewardship import Stewards, require_steward
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look came to: a `change` that waits now, a `problem`, or neither: nothing has changed."""

    change: Change | None = None
    problem: str | None = None


async def look_at_due(runtime: Runtime) -> int:
    """Look at every federated server that is due, and return how many that were."""
    async with runtime.database.transaction() as tx:
        due = await pins.take_looks(tx)
    for connection_id in due:
        await look(connection_id, runtime)
    return len(due)


async def look_for(connection_id: str, runtime: Runtime, authority: Authority) -> Seen:
    """Look at the server of a connection because somebody asks for it.

    Raises:
        Forbidden: it is neither the connection's owner nor an administrator nor an operator.
        InputError: it leads to no MCP server.
        NotFound: there is no such connection.
    """
    async with runtime.database.reading() as tx:
        connection = await registry.get_connection(tx, connection_id)
        what = f"the connection {connection.name!r}"
        await require_steward(tx, authority, Stewards(owner_id=connection.owner_id, what=what, operators_may=True))
    return await look(connection_id, runtime)


async def accepted_before(tx: Tx, change: Change) -> ConnectorSpec | None:
    """Return what is registered now, which accepting `change` would replace."""
    return await registered(tx, change.connector)


async def look(connection_id: str, runtime: Runtime) -> Seen:
    """Look at the server of a connection; what it says otherwise waits for its owner.

    What was accepted goes on as it is. Only what the server no longer does as accepted is held back.

    Raises:
        InputError: it leads to no MCP server.
        NotFound: there is no such connection.
    """
    async with runtime.database.reading() as tx:
        connection = await registry.get_connection(tx, connection_id)
        newest, in_use = await registered(tx, connection.connector), await registry.spec_for(tx, connection)
    if newest is None or newest.rpc != "mcp":
        raise InputError("This connection leads to no MCP server; there is nothing to look at.")
    found = await runtime.executor.discover(owner_of(newest), connection)
    if isinstance(found, Unreachable):
        async with runtime.database.transaction() as tx:
            await pins.note_look(tx, connection_id, found.message)
        return Seen(problem=found.message)
    spec = found.spec
    async with runtime.database.transaction() as tx:
        await pins.note_look(tx, connection_id, None)
        if pins.same_reading(spec, newest) or pins.same_reading(spec, in_use):
            await pins.settle(tx, connection.connector)
            return Seen()
        others = await tools_beside(tx, connection.connector)
        looked = Looked(
            connector=connection.connector,
            connection_id=connection_id,
            spec=spec,
            advice=pins.advice_on(newest, spec, others),
        )
        change = await pins.propose(tx, looked, runtime.authority)
        for name, why in pins.breakage(in_use, spec).items():
            await _hold_back(tx, connection.connector, name, why, runtime)
    return Seen(change=change)


async def _hold_back(tx: Tx, connector: str, name: str, why: str, runtime: Runtime) -> None:
    tool = await registry.find_tool(tx, connector, name)
    if tool is not None:
        await quarantine(tx, tool.id, f"{HELD_BACK}{why}", runtime.authority)
