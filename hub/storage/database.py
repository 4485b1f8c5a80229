"""The engine and `transaction()`, the only place in the hub that commits."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from hub.core.errors import Unavailable
from hub.storage import sqlite
from hub.storage.types import Moment

BUSY_TIMEOUT_SECONDS: Final = 10
"""How long a writer waits for SQLite's lock before the caller is told that the database is busy."""

Tx = AsyncSession
"""An open transaction. Features take one as their first argument and never commit it."""

_SIGNALS = "hub.signals"

_GONE: Final = "The database is not available just now; try again. Nothing was changed."
_IN_THE_WAY: Final = "Others were changing the same records at this moment; try again. Nothing was changed."
_LOST_IN_COMMIT: Final = (
    "The database went away while this was being recorded, and whether it was is not known. Look before you try again."
)

_POSTGRESQL_RACES: Final = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available: PostgreSQL undid the transaction, and it may be tried again."""
_SQLITE_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class database_now(GenericFunction[datetime]):  # noqa: N801  # reads as the SQL function that it is
    """The database's clock at this very statement, never the host's and never the start of the transaction."""

    type = Moment()
    inherit_cache = True
    name = "database_now"


@compiles(database_now, "sqlite")
def _now_on_sqlite(_element: database_now, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401  # SQLAlchemy's own signature
    return "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"


@compiles(database_now, "postgresql")
def _now_on_postgresql(_element: database_now, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401  # SQLAlchemy's own signature
    return "clock_timestamp()"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """How many connections to the database are in use, and how many wait for somebody to use them."""

    in_use: int
    idle: int


class Database:
    """One database, SQLite or PostgreSQL, with transactions, its clock and wake-up signals."""

    def __init__(self, url: str, *, pool_size: int = 10, busy_seconds: float = BUSY_TIMEOUT_SECONDS) -> None:
        """Prepare an engine for `url` (`sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://...`); connects lazily."""
        parsed = make_url(url)
        self.url = parsed
        self.is_sqlite: Final = parsed.get_backend_name() == "sqlite"
        self.engine: Final[AsyncEngine] = (
            _sqlite_engine(url, busy_seconds) if self.is_sqlite else _postgresql_engine(url, pool_size)
        )
        self._writer = asyncio.Lock()
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    @property
    def pool(self) -> PoolUse:
        """How this process uses its connections now."""
        pool = cast("Any", self.engine.pool)  # both engines have a queue, whose numbers the base class does not promise
        return PoolUse(in_use=pool.checkedout(), idle=pool.checkedin())

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx]:
        """Open a transaction for reading and writing; commit it when the block ends, roll back when it raises.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE), so it can never fail half way for want of it.

        Raises:
            Unavailable: the database is gone or locked, or others changed the same rows at the same moment. Nothing
                was changed, unless the message says that nobody knows: the connection was lost during the commit.
        """
        async with AsyncExitStack() as stack:
            if self.is_sqlite:
                await stack.enter_async_context(self._writer)  # wait here, not in SQLite's busy loop
            tx = await stack.enter_async_context(_session(self.engine))
            with _database_errors():
                await tx.connection(execution_options={"hub_writes": True})
                yield tx
            with _database_errors(gone=_LOST_IN_COMMIT):
                await tx.commit()
            self._publish(tx)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Tx]:
        """Open a transaction that only reads; it waits for no writer and is rolled back at the end.

        Raises:
            Unavailable: the database is gone.
        """
        async with _session(self.engine) as tx:
            with _database_errors():
                yield tx
                tx.expunge_all()  # what was read stays readable: a rollback would empty it
                await tx.rollback()

    async def signal(self, tx: Tx, channel: str) -> None:
        """Wake everybody who waits on `channel`, in every process, once `tx` has committed."""
        tx.info.setdefault(_SIGNALS, set()).add(channel)
        if not self.is_sqlite:
            await tx.execute(text("SELECT pg_notify('hub', :channel)"), {"channel": channel})

    async def lock(self, tx: Tx, name: str, *, shared: bool = False) -> None:
        """Wait until no other transaction holds the lock called `name`, and hold it until `tx` ends.

        Those who take it `shared` wait for nobody who does so too. On SQLite nothing is to be done: a transaction is
        the only one that writes.
        """
        if not self.is_sqlite:
            lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
            await tx.execute(text(f"SELECT {lock}(hashtextextended(:name, 0))"), {"name": f"hub/{name}"})

    @asynccontextmanager
    async def listening(self, *channels: str) -> AsyncGenerator[asyncio.Event]:
        """Yield an event that is set whenever one of `channels` is signalled; clear it before looking, then wait.

        A signal is a hint: whoever waits looks again now and then, since another process may write to SQLite.
        """
        heard = asyncio.Event()
        named = frozenset(channels)
        for channel in named:
            self._waiting[channel].add(heard)
        try:
            yield heard
        finally:
            for channel in named:
                self._waiting[channel].discard(heard)
                if not self._waiting[channel]:
                    del self._waiting[channel]

    def subscribe(self, channel: str) -> asyncio.Event:
        """Return an event that is set, now and whenever `channel` is signalled, for as long as the database lives.

        It is for caches: whoever finds it set clears it and reads again.
        """
        heard = asyncio.Event()
        heard.set()
        self._waiting[channel].add(heard)
        return heard

    async def relay_signals(self) -> None:
        """Bring other processes' signals into this one (PostgreSQL's LISTEN); runs until cancelled."""
        if self.is_sqlite:
            return
        async with self.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver = cast("Any", raw.driver_connection)  # asyncpg ships no types
            lost = asyncio.Event()

            def ended(_connection: object) -> None:
                lost.set()

            def notified(_connection: object, _pid: int, _channel: str, payload: str) -> None:
                self._wake(payload)

            driver.add_termination_listener(ended)
            await driver.add_listener("hub", notified)
            for channel in list(self._waiting):
                self._wake(channel)  # whatever was signalled while nobody listened is lost: let everybody look again
            await lost.wait()

    def _publish(self, tx: Tx) -> None:
        for channel in cast("set[str]", tx.info.pop(_SIGNALS, set[str]())):
            self._wake(channel)

    def _wake(self, channel: str) -> None:
        for heard in self._waiting.get(channel, ()):
            heard.set()


async def now(tx: Tx) -> datetime:
    """Return the database's time (UTC). Deadlines are set and compared by this clock alone."""
    moment: datetime | None = await tx.scalar(select(database_now()))
    if moment is None:
        raise Unavailable("The database did not tell the time.")
    return moment


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine, expire_on_commit=False, autoflush=True)


def _sqlite_engine(url: str, busy_seconds: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        connect_args={"timeout": busy_seconds, "async_creator_fn": sqlite.connect},
        pool_use_lifo=True,  # the connection used last still has the pages in memory that the next statement needs
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cast("Any", connection).isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("hub_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: str, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=10,
        hide_parameters=True,  # an error is logged, and what was to be stored may be private
    )


class _database_errors:  # noqa: N801  # used as a context manager, like contextlib's
    """Translate "the database is gone, locked or was in each other's way" into `Unavailable`; let all else pass."""

    def __init__(self, *, gone: str = _GONE) -> None:
        self._gone = gone

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if _was_in_the_way(error):
            raise Unavailable(_IN_THE_WAY) from error
        gone = (OperationalError, InterfaceError, PoolTimeoutError, sqlite3.OperationalError, OSError)
        is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
        if is_lost or (isinstance(error, gone) and "no such " not in str(error)):
            raise Unavailable(self._gone) from error


def _was_in_the_way(error: BaseException | None) -> bool:
    """Return whether the database undid the transaction because of others: a deadlock, a lost race, a lock."""
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.OperationalError):
        return error.orig.sqlite_errorcode & 0xFF in _SQLITE_BUSY  # the low byte is the kind, the rest says where
    return getattr(error.orig, "sqlstate", None) in _POSTGRESQL_RACES
