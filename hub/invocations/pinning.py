"""Looking at federated servers: what they say now is compared with what was accepted, and no more."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from connectors.mcp_upstream import apart, owner_of
from connectors.sdk.spec import ConnectorSpec
from hub import pins, registry
from hub.core.errors import InputError
from hub.execution import Unreachable
from hub.identity.authority import Authority
from hub.invocations.runtime import Runtime
from hub.pins import Change, Looked
from hub.registry import Connection
from hub.registry.differing import Difference, differences, registered
from hub.registry.federated import tools_beside
from hub.registry.numbering import numbered
from hub.registry.stewardship import Stewards, require_steward
from hub.registry.using import Release
from hub.storage import Tx, now

_LOG: Final = structlog.get_logger(__name__)
IN_ONE_TURN: Final = 32
"""Servers that one process begins to look at in one turn; most of a look is waiting."""
IN_ALL: Final = 128
"""Looks that one process has under way: those of more turns than a server can take that does not answer. So it costs
the others no more than one that answers, which is a place in one turn.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look came to: a `change` that waits from now on, a `problem`, or neither: nothing is new.

    `waits` is the change that waits after it, whether from now on or from before.
    """

    change: Change | None = None
    waits: Change | None = None
    problem: str | None = None


class Looks:
    """The looks that one process has under way, beside each other: no server spoils or delays another's."""

    def __init__(self, runtime: Runtime) -> None:
        """Begin none yet."""
        self._runtime = runtime
        self._under_way = dict[str, asyncio.Task[None]]()

    async def begin(self) -> Mapping[str, asyncio.Task[None]]:
        """Begin to look at the federated servers that are due, as far as there are places; return these looks."""
        places = min(IN_ONE_TURN, IN_ALL - len(self._under_way))
        if places <= 0:
            return {}
        async with self._runtime.database.transaction() as tx:
            due = await pins.take_looks(tx, places)
        begun = {one: asyncio.create_task(self._look(one)) for one in due if one not in self._under_way}
        self._under_way |= begun
        return begun

    async def close(self) -> None:
        """End the looks that are under way; others take them up when their time is over."""
        ending = [*self._under_way.values()]
        for one in ending:
            one.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _look(self, connection_id: str) -> None:
        try:
            await look(connection_id, self._runtime)
        except Exception as error:  # noqa: BLE001  # what one server says must not end the looks at all others
            _LOG.exception("look_failed", connection=connection_id)
            async with self._runtime.database.transaction() as tx:
                why = f"The hub could not look at it ({type(error).__name__})."
                await pins.note_look(tx, connection_id, why, began=await now(tx))
        finally:
            del self._under_way[connection_id]


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


async def changed_by(tx: Tx, change: Change) -> list[Difference]:
    """Return what accepting `change` would change of what is registered now."""
    before, after = await registered(tx, change.connector), await pins.said(tx, change.id)
    return await asyncio.to_thread(differences, before, after)


async def look(connection_id: str, runtime: Runtime) -> Seen:
    """Look at the server of a connection; what it says otherwise waits for its owner.

    What was accepted goes on as it is. Only what the server no longer does as accepted is held back, over this
    connection, until it does so again or what is in use there has changed.

    Raises:
        InputError: it leads to no MCP server.
        NotFound: there is no such connection.
    """
    while (seen := await _look(connection_id, runtime)) is None:
        pass  # of what it saw nothing holds any more
    return seen


async def _look(connection_id: str, runtime: Runtime) -> Seen | None:
    """Return what one look came to; None: a later one has ended before it, or the connection leads elsewhere by now."""
    async with runtime.database.reading() as tx:
        began = await now(tx)
        connection = await registry.get_connection(tx, connection_id)
        newest = await registry.newest_release(tx, connection.connector)
    if newest.spec.rpc != "mcp":
        raise InputError("This connection leads to no MCP server; there is nothing to look at.")
    found = await runtime.executor.discover(owner_of(newest.spec), connection)
    if isinstance(found, Unreachable):
        async with runtime.database.transaction() as tx:
            is_noted = await _note(tx, connection, found.message, began)
        return Seen(problem=found.message) if is_noted else None
    while True:
        known = await _known(connection, newest, runtime)
        # What a server lists may be long: comparing it keeps neither the loop nor the database.
        compared = await apart(partial(_compared, connection, found.spec, known))
        with suppress(_Outdated):
            async with runtime.database.transaction() as tx:
                if not await _note(tx, connection, None, began):
                    return None
                seen = await _noted(tx, connection_id, compared, runtime.authority)
                if await registry.release_id_for(tx, connection) != known.release_id:  # last, when nobody else may act
                    raise _Outdated
                return seen


class _Outdated(Exception):
    """Another release has come into use meanwhile, which is what its server is to be compared with."""


async def _note(tx: Tx, connection: Connection, problem: str | None, began: datetime) -> bool:
    """Put a look on record; return False, with nothing done, if it is of no use by now."""
    known = await registry.get_connection(tx, connection.id)
    return known.generation == connection.generation and await pins.note_look(tx, connection.id, problem, began=began)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a server's words are compared with: the newest release, the one in use, and other connectors' tools."""

    newest: Release
    in_use: ConnectorSpec
    release_id: str | None
    """Of the one in use."""
    others: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """What a server does no more as it is in use, and what of its words waits for its owner.

    None: nothing that anybody would read or use is different.
    """

    broken: Mapping[str, str]
    looked: Looked | None


async def _known(connection: Connection, newest: Release, runtime: Runtime) -> _Known:
    async with runtime.database.reading() as tx:
        release_id = await registry.release_id_for(tx, connection)  # first: what comes into use later is found out
        in_use = await registry.spec_for(tx, connection)
        others = await tools_beside(tx, connection.connector)
    return _Known(newest=newest, in_use=in_use, release_id=release_id, others=others)


async def _noted(tx: Tx, connection_id: str, compared: _Compared, authority: Authority) -> Seen:
    """Put what a look came to on record: the change first, as whoever accepts one does, so that none waits for ever."""
    if compared.looked is None:
        await pins.settle(tx, connection_id)
        change = None
    else:
        change = await pins.propose(tx, compared.looked, authority)
    await pins.hold(tx, connection_id, compared.broken, authority)
    return Seen(change=change, waits=(await pins.waiting_now(tx)).get(connection_id))


def _compared(connection: Connection, says: ConnectorSpec, known: _Known) -> _Compared:
    broken = pins.breakage(known.in_use, says)
    if pins.same_reading(says, known.newest.spec) or pins.same_reading(says, known.in_use):
        return _Compared(broken=broken, looked=None)
    looked = Looked.at(
        numbered(says, known.newest.spec),
        connection_id=connection.id,
        base=known.newest.digest,
        advice=pins.advice_on(known.newest.spec, says, known.others),
    )
    return _Compared(broken=broken, looked=looked)
