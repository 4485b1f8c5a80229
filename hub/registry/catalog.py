"""The catalog that calls are resolved against: in memory, read again when it has changed, in whichever process."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from connectors.sdk.spec import OperationSpec
from hub.core.errors import NotFound
from hub.core.texts import shown
from hub.identity.principals import Caller
from hub.identity.scopes import needed_scopes
from hub.registry.current import read_entry, read_operation
from hub.registry.entries import Entry, callable_tool, unknown_tool
from hub.registry.searching import Index
from hub.registry.snapshot import Snapshot, read_snapshot, renewed
from hub.registry.stewardship import CATALOG_CHANNEL
from hub.registry.stock import Specs
from hub.registry.values import EVERYTHING, MOST_LISTED, Environment, Listing, PublishedTool, Server
from hub.registry.visibility import Sight, server_name, sight_of
from hub.storage import Database, Tx

LOOK_AGAIN_SECONDS: Final = 1.0
"""The bound on what a cached answer may have missed.

A change committed in this process is seen by the next call, one committed by another by PostgreSQL's signal within
moments. What no signal tells of (another process that writes to the same SQLite file, a lost connection) is found by
looking at the generation, once in this time. What may not be wrong for even that long, a commit, asks the database:
`current`, and `read_current`.
"""


class Catalog:
    """Cached reads of what can be called. `default` is the environment whose built-in server is at `/mcp`."""

    def __init__(
        self, database: Database, default: Environment = Environment.DEV, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.default: Final = default
        self._database = database
        self._clock = clock
        self._heard = database.subscribe(CATALOG_CHANNEL)
        self._specs = Specs()
        self._snapshot: Snapshot | None = None
        self._index = Index()
        self._look_at = 0.0
        self._reading = asyncio.Lock()

    async def warm(self) -> None:
        """Read and index everything now, so that nobody who calls or searches first has to wait for it."""
        await self._index_of(await self._latest())

    async def resolve(self, name: str, *, server: str, caller: Caller, beside: str | None = None) -> PublishedTool:
        """Return the tool that `server` publishes as `name`.

        What reads things `beside` tools is no tool: only the hub itself finds it, once it knows what may be read.

        Raises:
            NotFound: there is none, or the caller may not see it.
            Quarantined: it is held back until its owner has looked.
            Unavailable: its connection is disabled.
        """
        sight, snapshot = self._sight(caller), await self._latest()
        on = server_name(server, self.default)
        entry = snapshot.shelf(on, sight).entries.get(name)
        if entry is None or entry.serves != beside or not entry.is_visible(sight):
            raise unknown_tool(name, is_listed=_lists_all(snapshot, on, sight))
        return callable_tool(entry, name, sight)

    async def operation(self, version_id: str) -> OperationSpec:
        """Return what a version of a tool declares, current or not.

        Raises:
            NotFound: there never was such a version.
        """
        known = self._specs.operations.get(version_id)
        if known is None:
            async with self._database.reading() as tx:
                known = await read_operation(tx, version_id)
            self._specs.operations[version_id] = known
        return known

    async def current(self, tx: Tx, name: str, *, server: str, caller: Caller) -> PublishedTool:
        """Return what `server` publishes as `name`, from the database itself: for a commit about to be sent.

        Raises:
            NotFound: the caller may not call it, or no longer; the message says why where it may know.
        """
        return await read_entry(tx, name, server=server_name(server, self.default), sight=self._sight(caller))

    async def published_name(self, operation: str, connection_id: str, *, server: str, caller: Caller) -> str:
        """Return under which name `server` publishes `operation` of a connection.

        Raises:
            NotFound: it does not, or the caller may not see it.
        """
        sight = self._sight(caller)
        shelf = (await self._latest()).shelf(server_name(server, self.default), sight)
        for name in shelf.names:
            entry = shelf.entries[name]
            is_it = (entry.tool.name, entry.connection.id, entry.serves) == (operation, connection_id, None)
            if is_it and entry.is_visible(sight):
                return name
        raise unknown_tool(operation)

    async def page(
        self, *, server: str, caller: Caller, after: str | None = None, limit: int = 50
    ) -> list[PublishedTool]:
        """Return up to `limit` tools that the caller may use on `server`, in the order of their names.

        Raises:
            NotFound: there is no such server, or the caller may not see it.
        """
        sight = self._sight(caller)
        shelf = (await self._latest()).shelf(server_name(server, self.default), sight)
        names = shelf.offered(sight)
        start = 0 if after is None else bisect_right(names, after)
        return [shelf.entries[name].published() for name in names[start : start + limit]]

    async def lists_all(self, *, server: str, caller: Caller) -> bool:
        """Return whether `server` lists every tool to the caller; else it offers to search them.

        Raises:
            NotFound: there is no such server, or the caller may not see it.
        """
        return _lists_all(await self._latest(), server_name(server, self.default), self._sight(caller))

    async def beside_tools(self, kind: str, *, server: str, caller: Caller) -> list[PublishedTool]:
        """Return what `server` offers of `kind` beside tools, one for each connection, in the order of their names.

        Raises:
            NotFound: there is no such server, or the caller may not see it.
        """
        sight = self._sight(caller)
        shelf = (await self._latest()).shelf(server_name(server, self.default), sight)
        shown = (shelf.entries[name] for name in shelf.names)
        found = [entry.published() for entry in shown if entry.is_callable and entry.is_visible(sight)]
        return [tool for tool in found if tool.serves == kind]

    async def search(
        self, text: str, *, caller: Caller, server: str = EVERYTHING, also_on: str | None = None, limit: int = 20
    ) -> list[PublishedTool]:
        """Return the tools on `server` that answer `text`, the best first; without words there are none.

        With `also_on`, only those that the caller may use on that server as well.

        Raises:
            NotFound: there is no such server, or the caller may not see it.
        """
        sight, snapshot = self._sight(caller), await self._latest()
        shelf = snapshot.shelf(server_name(server, self.default), sight)
        within = None if also_on is None else server_name(also_on, self.default)
        if within is not None:
            snapshot.shelf(within, sight)
        found = list[PublishedTool]()
        for entry in (await self._index_of(snapshot)).ranked(text, shelf):
            if len(found) == limit:
                break
            if entry.is_offered and entry.is_visible(sight) and (within is None or entry.is_on(within, sight)):
                found.append(entry.published())
        return found

    async def entries(self, *, server: str, caller: Caller) -> list[Entry]:
        """Return everything that stands on `server` and the caller may see, whether it is offered now or not, by name.

        Raises:
            NotFound: there is no such server, or the caller may not see it.
        """
        sight = self._sight(caller)
        shelf = (await self._latest()).shelf(server_name(server, self.default), sight)
        return [entry for name in shelf.names if (entry := shelf.entries[name]).is_visible(sight)]

    async def servers(self, *, caller: Caller) -> list[Server]:
        """Return the servers that exist for the caller, in the order of their names."""
        sight, snapshot = self._sight(caller), await self._latest()
        reached = [name for name in sorted(snapshot.servers) if sight.reaches_server(name)]
        return [snapshot.servers[name] for name in reached if not snapshot.servers[name].is_retired]

    async def server(self, name: str) -> Server:
        """Return the server that is published as `name`: that it exists is no secret, only what is on it (RFC 9728).

        Raises:
            NotFound: there is none.
        """
        full, servers = server_name(name, self.default), (await self._latest()).servers
        if full in servers and not servers[full].is_retired:
            return servers[full]
        if name == EVERYTHING:  # before the first connection of the default environment
            return Server(name=full, environment=self.default, title=f"Everything in {self.default}", owner_id=None)
        raise NotFound(f"There is no server {shown(name)}.")

    async def scopes(self, name: str) -> frozenset[str]:
        """Return every scope that the tools on the server `name` ask for, whoever may use them."""
        shelf = (await self._latest()).shelves.get(server_name(name, self.default))
        offered = [entry for entry in shelf.entries.values() if entry.is_offered] if shelf else []
        return frozenset(
            scope
            for entry in offered
            if entry.version is not None
            for scope in needed_scopes(entry.tool.connector, entry.name, entry.version.spec.effect)
        )

    async def generation(self) -> int:
        """Return the number that has grown with every change."""
        return (await self._latest()).generation

    def _sight(self, caller: Caller) -> Sight:
        return sight_of(caller, self.default)

    async def _latest(self) -> Snapshot:
        is_fresh = not self._heard.is_set() and not self._reading.locked() and self._clock() < self._look_at
        if self._snapshot is not None and is_fresh:
            return self._snapshot
        async with self._reading:  # whoever waited here finds it read
            if self._snapshot is None or self._heard.is_set() or self._clock() >= self._look_at:
                self._snapshot = await self._read(self._snapshot)
            return self._snapshot

    async def _read(self, known: Snapshot | None) -> Snapshot:
        self._heard.clear()  # before looking: a change made from here on sets it again
        look_at = self._clock() + LOOK_AGAIN_SECONDS
        try:
            async with self._database.reading() as tx:
                if known is None:
                    known = await read_snapshot(tx, self._specs)
                else:
                    known = await renewed(tx, known, self._specs)
        except BaseException:
            self._heard.set()
            raise
        self._look_at = look_at
        return known

    async def _index_of(self, snapshot: Snapshot) -> Index:
        if self._index.is_worn:
            self._index = Index()
        index = self._index
        index.follow(snapshot)
        await index.catch_up()
        return index


def _lists_all(snapshot: Snapshot, server: str, sight: Sight) -> bool:
    shelf, known = snapshot.shelf(server, sight), snapshot.servers.get(server)
    if known is None or known.listing is Listing.AUTOMATIC:
        return len(shelf.offered(sight)) <= MOST_LISTED
    return known.listing is Listing.ALL
