"""Open ways to databases, one per connection and generation: kept while used, closed when idle or outdated."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from connectors.sdk.spec import ConnectorSpec
from connectors.sql.addresses import Address, BadAddress, address
from connectors.sql.binding import Binding
from connectors.sql.live import Table
from hub.registry import Connection
from sandbox.reach import Reach
from sandbox.requests import BadBaseUrl
from sandbox.sql.postgresql import PostgresqlDatabase, Secrets
from sandbox.sql.session import Mode, System
from sandbox.sql.sqlite import SqliteFile

Secret = Callable[[Connection], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class _Key:
    connection_id: str
    generation: int
    base_url: str


@dataclass(slots=True)
class _Kept:
    system: System
    users: int = 0
    idle_since: float = field(default_factory=time.monotonic)


class Databases:
    """The databases by connection. A credential is opened once for each line to the server, and forgotten with it."""

    def __init__(self, secret: Secret, reach: Reach) -> None:
        self._secret = secret
        self._reach = reach
        self._kept: dict[_Key, _Kept] = {}

    @asynccontextmanager
    async def to(self, connection: Connection) -> AsyncGenerator[System]:
        """Yield the database of `connection`.

        Raises:
            BadBaseUrl: its base URL cannot be used.
        """
        key = _Key(connection.id, connection.generation, connection.base_url)
        if key not in self._kept:
            self._kept[key] = _Kept(system_at(connection.base_url, partial(self._secret, connection), self._reach))
            await self._close(lambda other, _: other.connection_id == key.connection_id and other != key)
        kept = self._kept[key]
        kept.users += 1
        try:
            yield kept.system
        finally:
            kept.users -= 1
            kept.idle_since = time.monotonic()

    async def problem_with(self, connector: ConnectorSpec, connection: Connection) -> str | None:
        """Return what keeps the connector's statements from being used there, or None.

        Raises:
            BadBaseUrl: the base URL cannot be used.
            Unavailable: the database cannot be reached.
        """
        found = dict[str, None]()
        async with self.to(connection) as system:
            for operation in connector.operations:
                binding = Binding.model_validate(operation.binding)
                async with system.session(binding, Mode.READ) as session:
                    found.update(dict.fromkeys(await session.hazards(binding)))
        return f"{'. '.join(found)}." if found else None

    async def close_idle(self, *, older_than: float) -> None:
        """Close what nobody has used for `older_than` seconds."""
        limit = time.monotonic() - older_than
        await self._close(lambda _, kept: kept.idle_since <= limit)

    async def _close(self, is_over: Callable[[_Key, _Kept], bool]) -> None:
        over = [key for key, kept in self._kept.items() if kept.users == 0 and is_over(key, kept)]
        for kept in [self._kept.pop(key) for key in over]:
            await kept.system.close()


async def describe(url: str, secrets: Secrets, reach: Reach, wanted: tuple[str, Sequence[str]]) -> Mapping[str, Table]:
    """Return those tables of the database at `url` that there are; `wanted` is a schema and names in it.

    Raises:
        BadBaseUrl: the URL is no database's.
        Unavailable: the database cannot be reached.
    """
    schema, tables = wanted
    system = system_at(url, secrets, reach)
    try:
        return await system.describe(tables, schema)
    finally:
        await system.close()


def system_at(url: str, secrets: Secrets, reach: Reach) -> System:
    """Return the database at `url`, as far as `reach` lets it lead.

    Raises:
        BadBaseUrl: the URL is no database's.
    """
    try:
        found: Address = address(url)
    except BadAddress as error:
        raise BadBaseUrl(str(error)) from error
    if found.engine == "sqlite":
        return SqliteFile(found.path, reach.folders)
    return PostgresqlDatabase(found, secrets, reach)
