"""Looking at federated servers: what they say now is compared with what was accepted, and no more."""

from dataclasses import dataclass
from typing import Final

import structlog

from connectors.mcp_upstream import owner_of
from connectors.sdk.spec import ConnectorSpec
from hub import pins, registry
from hub.core.canonical import digest
from hub.core.errors import InputError
from hub.execution import Unreachable
from hub.identity.authority import Authority
from hub.invocations.runtime import Runtime
from hub.pins import Change, Looked
from hub.registry.differing import registered
from hub.registry.federated import tools_beside
from hub.registry.stewardship import Stewards, require_steward
from hub.storage import Tx

_LOG: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look came to: a `change` that waits now, a `problem`, or neither: nothing has changed."""

    change: Change | None = None
    problem: str | None = None


async def look_at_due(runtime: Runtime) -> int:
    """Look at every federated server that is due, and return how many that were; no server spoils another's look."""
    async with runtime.database.transaction() as tx:
        due = await pins.take_looks(tx)
    for connection_id in due:
        try:
            await look(connection_id, runtime)
        except Exception as error:  # noqa: BLE001  # what one server says must not end the looks at all others
            _LOG.exception("look_failed", connection=connection_id)
            async with runtime.database.transaction() as tx:
                await pins.note_look(tx, connection_id, f"The hub could not look at it ({type(error).__name__}).")
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

    What was accepted goes on as it is. Only what the server no longer does as accepted is held back, over this
    connection, until it does so again or what is in use there has changed.

    Raises:
        InputError: it leads to no MCP server.
        NotFound: there is no such connection.
    """
    async with runtime.database.reading() as tx:
        connection = await registry.get_connection(tx, connection_id)
        newest = await registered(tx, connection.connector)
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
        await pins.hold_broken(tx, connection_id, spec, runtime.authority)
        if pins.same_reading(spec, newest) or pins.same_reading(spec, await registry.spec_for(tx, connection)):
            await pins.settle(tx, connection_id)
            return Seen()
        others = await tools_beside(tx, connection.connector)
        looked = Looked(
            connector=connection.connector,
            connection_id=connection_id,
            base=digest(newest.model_dump(mode="json")),
            spec=spec,
            advice=pins.advice_on(newest, spec, others),
        )
        change = await pins.propose(tx, looked, runtime.authority)
    return Seen(change=change)
