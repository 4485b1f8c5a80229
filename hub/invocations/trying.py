"""Trying a connection: sign in and ask for its base URL, and say in a sentence what came of it.

It is the very look that the hub takes by itself after failures, so it restores a connection that was unavailable, too.
"""

from dataclasses import dataclass

from hub import budgets, registry
from hub.audit import EventKind
from hub.execution import Reachable
from hub.identity.authority import Authority
from hub.invocations.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Whether the connection can be used as it is, and what was found."""

    is_usable: bool
    message: str


async def try_connection(runtime: Runtime, connection_id: str, authority: Authority) -> Tried:
    """Try the connection's address and credential, without any effect on the system, and return what came of it.

    Raises:
        NotFound: there is no such connection.
    """
    async with runtime.database.reading() as tx:
        connection = await registry.get_connection(tx, connection_id)
        spec = await registry.spec_for(tx, connection)
    if not connection.is_enabled:
        return Tried(is_usable=False, message="It is disabled; nothing was tried.")
    health = await runtime.executor.check_connection(spec, connection)
    if isinstance(health, Reachable):
        accepts = " and accepts the credential" if spec.auth.secret_fields else ""
        tried = Tried(is_usable=True, message=f"The system answers{accepts} ({health.latency_ms} ms).")
    else:
        tried = Tried(is_usable=False, message=health.message)
    async with runtime.database.transaction() as tx:
        facts = {"connection": connection.name, "outcome": "usable" if tried.is_usable else "not usable"}
        await authority.record(tx, EventKind.CONNECTION_TRIED, connection.id, **facts)
        await budgets.found(tx, connection.id, None if tried.is_usable else tried.message, authority)
    return tried
