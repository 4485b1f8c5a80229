"""PostgreSQL behind the broker: connections to judged addresses only, and transactions whose mode the server keeps."""

import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from connectors.sdk.errors import Refused, Unavailable
from connectors.sql.addresses import Address
from connectors.sql.binding import Binding, Limits, Text
from connectors.sql.live import Table
from connectors.sql.statements import quoted
from sandbox.reach import OutOfReach, Reach
from sandbox.sql import postgresql_catalog
from sandbox.sql.errors import at_commit, sqlstate_of, understood
from sandbox.sql.session import CommitUnclear, Mode, Row, Session, WriteAttempt
from sandbox.sql.sqlite import bound
from sandbox.sql.values import from_json, to_json

Json = Any
"""Any JSON value."""
Line = Any
"""A connection, transaction or record of the driver, which ships no types."""

Secrets = Callable[[], Awaitable[Mapping[str, str]]]

MOST_IDLE: Final = 4
CONNECT_SECONDS: Final = 10.0
RESET_SECONDS: Final = 5.0
_connect: Callable[..., Awaitable[Line]] = asyncpg.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped
_LOST: Final = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, EOFError)


@dataclass(slots=True)
class _Transaction:
    """A session; see `sandbox.sql.session.Session`."""

    connection: Line
    binding: Binding
    mode: Mode
    began_as: str = ""

    async def fetch(self, text: Text, arguments: Mapping[str, Json], *, limit: int) -> list[Row]:
        """Return rows; see `Session`."""
        try:
            # prepared: the extended protocol carries exactly one statement
            prepared = await self.connection.prepare(text.sql)
            types = [one.name for one in prepared.get_parameters()]
            names = zip(text.parameters, types, strict=True)
            values = [from_json(bound(arguments, name), type_name) for name, type_name in names]
            await self._refuse_by_plan(text, values)
            if self.binding.written is not None and text == self.binding.statement:
                return [_json(one) for one in (await prepared.fetch(*values))[:limit]]
            return [_json(one) for one in await (await prepared.cursor(*values)).fetch(limit)]
        except asyncpg.PostgresError as error:
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                raise WriteAttempt(f"a write in {text.sql[:80]!r}") from error
            raise understood(error) from error
        except _LOST as error:
            raise Unavailable("The connection to the database was lost; nothing was kept.") from error

    async def _refuse_by_plan(self, text: Text, values: Sequence[object]) -> None:
        """Let only that through which the planner itself takes for what it is declared to be.

        EXPLAIN knows no COPY, SET, CALL, DO or COMMIT, and shows every table that would be written.
        """
        try:
            plan = await self.connection.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON) {text.sql}", *values)
        except asyncpg.PostgresSyntaxError as error:
            raise WriteAttempt(f"something else than a query in {text.sql[:80]!r}") from error
        found = postgresql_catalog.reading_of(json.loads(plan))
        if found.foreign:
            raise Refused(f"{', '.join(sorted(found.foreign))} stands in another system. Nothing was changed.")
        written = self.binding.written
        allowed = {written.table, written.receipts} if written and self.mode is not Mode.READ else set[str | None]()
        if found.written - allowed:
            raise WriteAttempt(f"{', '.join(sorted(found.written))} written in {text.sql[:80]!r}")

    async def hazards(self, binding: Binding) -> Sequence[str]:
        """Return why the write cannot be tried and taken back; see `Session`."""
        try:
            return await postgresql_catalog.hazards(self.connection, binding)
        except _LOST as error:
            raise Unavailable("The connection to the database was lost; nothing was kept.") from error

    async def changed(self) -> Mapping[str, int]:
        """Return how many rows have been written; see `Session`."""
        return await postgresql_catalog.changed(self.connection, self.binding.schema_name)

    async def has_ended(self) -> bool:
        """Return whether the transaction is another; see `Session`."""
        return str(await self.connection.fetchval("SELECT pg_current_xact_id_if_assigned()")) != self.began_as

    async def check_deferred(self) -> None:
        """Constraints are immediate from the start of the transaction."""

    async def commit(self) -> None:
        """Commit; see `Session`."""
        try:
            said = await self.connection.execute("COMMIT")
        except asyncpg.PostgresError as error:
            raise at_commit(error) from error
        except _LOST as error:
            raise CommitUnclear("The connection was lost.") from error
        if said != "COMMIT":  # a transaction that had failed answers ROLLBACK, and that is no error
            raise Refused("The database rolled the transaction back. Nothing was changed.")


class PostgresqlDatabase:
    """One PostgreSQL database; see `sandbox.sql.session.System`."""

    def __init__(self, address: Address, secrets: Secrets, reach: Reach) -> None:
        """`secrets` opens the credential and is asked once per connection."""
        self._address = address
        self._secrets = secrets
        self._reach = reach
        self._idle = list[Line]()

    @asynccontextmanager
    async def session(self, binding: Binding, mode: Mode) -> AsyncGenerator[Session]:
        """Open a transaction; see `System`."""
        # a commit gets a connection of its own: one that was kept and has just been closed looks like a lost answer
        connection = await self._connected() if mode is Mode.WRITE else await self._taken()
        is_fit = False
        outer = connection.transaction(isolation="read_committed", readonly=mode is Mode.READ)
        try:
            transaction = await self._begun(connection, outer, binding, mode)
            yield transaction
            is_fit = mode is not Mode.WRITE
        except (Refused, WriteAttempt):
            is_fit = mode is not Mode.WRITE
            raise
        finally:
            await self._given_back(connection, outer if is_fit else None)

    async def describe(self, tables: Sequence[str], schema: str) -> Mapping[str, Table]:
        """Return the tables that there are; see `System`."""
        connection = await self._taken()
        try:
            return await postgresql_catalog.describe(connection, tables, schema)
        except _LOST as error:
            raise Unavailable("The connection to the database was lost.") from error
        finally:
            await self._given_back(connection, None)

    async def close(self) -> None:
        """Close what is idle; see `System`."""
        idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(Exception):
                await connection.close(timeout=RESET_SECONDS)

    async def _begun(self, connection: Line, outer: Line, binding: Binding, mode: Mode) -> _Transaction:
        try:
            await outer.start()
            await connection.execute(_settings(binding, mode))
            began = "" if mode is Mode.READ else str(await connection.fetchval("SELECT pg_current_xact_id()"))
        except asyncpg.PostgresError as error:
            raise understood(error) from error
        except _LOST as error:
            raise Unavailable("The connection to the database was lost; nothing was sent.") from error
        return _Transaction(connection, binding, mode, began)

    async def _taken(self) -> Line:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._connected()

    async def _given_back(self, connection: Line, outer: Line) -> None:
        """Roll back whatever is open; keep the connection only if that is certain."""
        try:
            if outer is not None and not connection.is_closed() and len(self._idle) < MOST_IDLE:
                await outer.rollback()
                await connection.reset(timeout=RESET_SECONDS)
                self._idle.append(connection)
                return
        except (asyncpg.PostgresError, TimeoutError, *_LOST):
            pass
        connection.terminate()  # the server rolls back what a closed line leaves open

    async def _connected(self) -> Line:
        try:
            found = await self._reach.addresses(self._address.host.strip("[]"))
            secret = await self._secrets()
        except OutOfReach as error:
            raise Unavailable(f"{error} Nothing was sent.") from error
        except OSError as error:
            raise Unavailable("The database's host is not known. Nothing was sent.") from error
        if not self._address.has_tls and any(one.is_global for one in found):
            raise Unavailable("Write postgresql+tls:// for a database outside of private networks. Nothing was sent.")
        try:
            return await _connect(
                host=str(found[0]),
                port=self._address.port,
                database=self._address.database,
                user=secret.get("username"),
                password=secret.get("password"),
                ssl=_Named.of(self._address.host) if self._address.has_tls else False,
                timeout=CONNECT_SECONDS,
                statement_cache_size=0,
                server_settings={"application_name": "toolhub"},
            )
        except asyncpg.PostgresError as error:
            raise Unavailable(
                f"The database does not let the hub in ({sqlstate_of(error)}). Nothing was sent."
            ) from error
        except ssl.SSLError as error:
            raise Unavailable(
                f"The database's certificate does not prove that it is {self._address.host}. Nothing was sent."
            ) from error
        except (TimeoutError, asyncpg.ClientConfigurationError, *_LOST) as error:
            if self._address.has_tls and "SSL" in str(error):  # the driver has one error for many things
                raise Unavailable(
                    "The database offers no TLS, and its address asks for it. Nothing was sent."
                ) from error
            raise Unavailable("The database cannot be reached. Nothing was sent.") from error


class _Named(ssl.SSLContext):
    """A context that checks the certificate for the name in the base URL, though an address is connected to."""

    name = ""

    @classmethod
    def of(cls, name: str) -> "_Named":
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        context.name = name.strip("[]")
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002  # see above
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Return what wraps a line; the certificate is checked for the name, whatever address was connected to."""
        del server_hostname
        return super().wrap_bio(incoming, outgoing, server_side, self.name, session)


def _settings(binding: Binding, mode: Mode) -> str:
    limits: Limits = binding.limits
    settings = [
        f"SET LOCAL search_path = pg_catalog, {quoted(binding.schema_name)}, pg_temp",
        f"SET LOCAL statement_timeout = {round(limits.statement_seconds * 1000)}",
        f"SET LOCAL lock_timeout = {round(limits.lock_seconds * 1000)}",
        "SET LOCAL idle_in_transaction_session_timeout = 60000",
    ]
    if mode is Mode.READ and binding.read_role is not None:
        settings.append(f"SET LOCAL ROLE {quoted(binding.read_role)}")
    if mode is not Mode.READ:
        settings.append("SET CONSTRAINTS ALL IMMEDIATE")
    return "; ".join(settings)


def _json(record: Line) -> Row:
    return {name: to_json(value) for name, value in record.items()}
