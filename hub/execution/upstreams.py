"""Open ways to systems, one per connection and generation: kept while used, closed when idle or outdated."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from httpcore2 import AsyncConnectionPool

from connectors.sdk.errors import Unavailable
from connectors.sdk.spec import ConnectorSpec, RateLimit
from hub.core.errors import HubError
from hub.credentials import CredentialUnusable, Vault
from hub.registry import Connection, get_connection
from hub.storage import Database
from sandbox.judged import judged_pool
from sandbox.mail import MailWay
from sandbox.mcp import McpWay, StdioWay, Visit
from sandbox.pace import Pace
from sandbox.programs import STDIO, Program
from sandbox.reach import PRIVATE, Address, Network, OutOfReach, Reach
from sandbox.requests import BadBaseUrl
from sandbox.upstream import Around, Upstream, Way


def reach(
    private_networks: Sequence[Network] | None,
    private_names: Sequence[str],
    folders: Sequence[Path] = (),
    programs: Mapping[str, Program] | None = None,
) -> Reach:
    """Return where connections may lead; None for the networks stands for the usual private ones."""
    networks = PRIVATE if private_networks is None else tuple(private_networks)
    return Reach(
        private_networks=networks,
        private_names=tuple(private_names),
        folders=tuple(folders),
        programs={} if programs is None else programs,
    )


def judged_by(where: Reach) -> Callable[[], AsyncConnectionPool]:
    """Return what opens a way for one of the hub's own requests, by the same rules as connections'."""

    async def addresses(host: str) -> list[Address]:
        try:
            return await where.addresses(host)
        except OutOfReach as error:
            raise PermissionError(str(error)) from error

    return partial(judged_pool, addresses, most=1, kept=0)


@dataclass(frozen=True, slots=True)
class _Key:
    connection_id: str
    generation: int
    base_url: str
    auth: str
    rate: RateLimit | None

    def is_outdated_by(self, other: "_Key") -> bool:
        """Return whether `other` is the same connection as it became; its twin has another base URL, no more."""
        return self.connection_id == other.connection_id and replace(self, base_url=other.base_url) != other


@dataclass(slots=True)
class _Kept:
    upstream: Way
    users: int = 0
    idle_since: float = field(default_factory=time.monotonic)


class Upstreams:
    """The ways by connection. Credentials are read when a request needs them and forgotten with the way."""

    def __init__(self, database: Database, vault: Vault, reach: Reach) -> None:
        self._database = database
        self._reach = reach
        self._vault = vault
        self.changed = set[str]()
        """The connections whose servers have said that their lists are not what they were."""
        self.around: Around | None = None
        """What stands around each exchange; in a hub nothing does."""
        self._kept: dict[_Key, _Kept] = {}
        self._leaving = set[asyncio.Task[None]]()

    @asynccontextmanager
    async def to(self, connector: ConnectorSpec, connection: Connection) -> AsyncGenerator[Way]:
        """Yield the way to the system of `connection`.

        Raises:
            BadBaseUrl: its base URL cannot be used.
        """
        auth = connector.auth.model_dump_json()
        key = _Key(connection.id, connection.generation, connection.base_url, auth, connector.rate)
        if key not in self._kept:
            way = self._made(connector, connection)
            way.around = self.around or way.around
            way.pace = Pace(connector.rate)
            self._kept[key] = _Kept(way)
            await self._close(lambda other, _: other.is_outdated_by(key))
        kept = self._kept[key]
        kept.users += 1
        try:
            yield kept.upstream
        finally:
            kept.users -= 1
            kept.idle_since = time.monotonic()

    @asynccontextmanager
    async def visiting(self, connector: ConnectorSpec, connection: Connection) -> AsyncGenerator[Way]:
        """Yield the way as `to` does, to meet the system there: what is opened for that ends with the block."""
        async with self.to(connector, connection) as way:
            if not isinstance(way, McpWay):
                yield way
                return
            visit = Visit(way)
            try:
                yield visit
            finally:
                await visit.close()

    @asynccontextmanager
    async def standing(self, connector: ConnectorSpec, connection: Connection) -> AsyncGenerator[McpWay | StdioWay]:
        """Yield a way to an MCP server to listen on: one of its own over HTTP, so that it takes no call's place.

        Raises:
            BadBaseUrl: its base URL cannot be used.
        """
        if connection.base_url.startswith(STDIO):  # one process of it runs, whoever speaks to it
            async with self.to(connector, connection) as way:
                if isinstance(way, StdioWay):
                    yield way
            return
        own = self._made(connector, connection)
        try:
            if isinstance(own, McpWay):
                yield own
        finally:
            await self._part_with(own)

    def _made(self, connector: ConnectorSpec, connection: Connection) -> Way:
        secrets, keep = partial(self.secret, connection), partial(self._keep, connection)
        if connector.speaks == "smtp":
            return MailWay(connection.base_url, connector.auth, secrets, self._reach)
        if connector.rpc == "mcp" and connection.base_url.startswith(STDIO):
            program = program_in(connection.base_url, self._reach.programs, connection.environment.value)
            return self._heeded(StdioWay(program, secrets), connection)
        upstream = Upstream(connection.base_url, connector.auth, secrets, self._reach, keep)
        upstream.bound(connection.limits.connections)
        return self._heeded(McpWay(upstream), connection) if connector.rpc == "mcp" else upstream

    def _heeded(self, way: McpWay | StdioWay, connection: Connection) -> Way:
        way.on_change = lambda: self.changed.add(connection.id)
        return way

    async def close(self) -> None:
        """Close everything; servers have a moment for the end of their sessions, all the same one."""
        await self.close_idle(older_than=0)
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def close_idle(self, *, older_than: float) -> None:
        """Close what nobody has used for `older_than` seconds."""
        limit = time.monotonic() - older_than
        await self._close(lambda _, kept: kept.idle_since <= limit)

    async def _close(self, is_over: Callable[[_Key, _Kept], bool]) -> None:
        over = [key for key, kept in self._kept.items() if kept.users == 0 and is_over(key, kept)]
        for kept in [self._kept.pop(key) for key in over]:
            await self._part_with(kept.upstream)

    async def _part_with(self, way: Way) -> None:
        """Close a way. Over HTTP what it has begun ends first, and what the system makes of that holds nobody up."""
        if not isinstance(way, McpWay | Upstream):
            await way.close()
            return
        leaving = asyncio.create_task(way.close())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def secret(self, connection: Connection) -> Mapping[str, str]:
        """Return the credential of `connection`, opened now.

        Raises:
            Unavailable: it cannot be opened, or the connection is no longer what it was.
        """
        try:
            async with self._database.reading() as tx:
                current = await get_connection(tx, connection.id)
                # a credential that was entered for another address must never reach this one
                if current.generation != connection.generation or not current.is_enabled:
                    raise Unavailable("The connection has changed meanwhile; try again. Nothing was sent.")
                return await self._vault.open(tx, connection.id)
        except CredentialUnusable as error:
            raise Unavailable(f"{error.message} Nothing was sent.") from error
        except HubError as error:
            raise Unavailable(
                "The connection's credential cannot be opened at the moment. Nothing was sent."
            ) from error

    async def _keep(self, connection: Connection, old: str, new: str) -> None:
        try:
            async with self._database.transaction() as tx:
                await self._vault.renew(tx, connection.id, "refresh_token", old=old, new=new)
        except HubError as error:
            raise Unavailable("The connection's new credential cannot be kept at the moment; try again.") from error


def program_in(base_url: str, programs: Mapping[str, Program], environment: str) -> Program:
    """Return the program that `base_url` names, if connections of `environment` may start it.

    Raises:
        BadBaseUrl: there is none, or they may not.
    """
    name = base_url.removeprefix(STDIO)
    program = programs.get(name)
    if program is None:
        raise BadBaseUrl(
            f"No program {name[:48]!r} may be started here; the hub's operator allows some in TOOLHUB_STDIO_SERVERS."
        )
    if environment not in program.environments:
        raise BadBaseUrl(f"The program {name!r} runs unconfined, which is not allowed in {environment} here.")
    return program
