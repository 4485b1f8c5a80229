"""The database: `transaction()` and `append()`, the only places in the hub that commit, and wake-up signals."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from hub.storage import sqlite
from hub.storage.appending import Appender, Compose
from hub.storage.clock import now
from hub.storage.engines import postgresql_engine, sqlite_engine
from hub.storage.failing import LOST_IN_COMMIT, database_errors

BUSY_TIMEOUT_SECONDS: Final = 10
"""How long a writer waits for SQLite's lock before the caller is told that the database is busy."""

T = TypeVar("T")
Tx = AsyncSession
"""An open transaction. Features take one as their first argument and never commit it."""

_SIGNALS = "hub.signals"


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
            sqlite_engine(parsed, busy_seconds) if self.is_sqlite else postgresql_engine(parsed, pool_size)
        )
        file = str(parsed.database)
        self._appender = (
            Appender(lambda: sqlite.connect_blocking(file, timeout=busy_seconds)) if self.is_sqlite else None
        )
        self._writer = asyncio.Lock()
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._told: defaultdict[str, set[Callable[[], object]]] = defaultdict(set)

    async def close(self) -> None:
        """Close every connection."""
        if self._appender is not None:
            await asyncio.to_thread(self._appender.close)
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
            with database_errors():
                await tx.connection(execution_options={"hub_writes": True})
                yield tx
            with database_errors(gone=LOST_IN_COMMIT):
                await tx.commit()
            self._publish(tx)

    async def append(self, compose: Compose) -> None:
        """Insert the rows that `compose` returns for the database's time, in one durable transaction of their own.

        On SQLite all of it, `compose` too, happens in a thread: it waits for no event loop while it holds the lock.

        Raises:
            Unavailable: as for `transaction`.
        """
        if self._appender is not None:
            async with self._writer:
                await self._appender.append(compose)
            return
        async with self.transaction() as tx:
            for insertion in compose(await now(tx)):
                await tx.execute(insertion.statement, insertion.rows)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Tx]:
        """Open a transaction that only reads; it waits for no writer and is rolled back at the end.

        Raises:
            Unavailable: the database is gone.
        """
        async with _session(self.engine) as tx:
            with database_errors():
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
        with ExitStack() as stack:
            for channel in frozenset(channels):
                stack.enter_context(_among(self._waiting, channel, heard))
            yield heard

    @contextmanager
    def telling(self, channel: str, tell: Callable[[], object]) -> Generator[None]:
        """Call `tell` whenever `channel` is signalled while the block lasts; it may be told of one signal twice.

        Unlike those who listen it is told of signals alone, never to look whether it has missed one.
        """
        with _among(self._told, channel, tell):
            yield

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
            for heard in [one for waiting in self._waiting.values() for one in waiting]:
                heard.set()  # whatever was signalled while nobody listened is lost: let everybody look again
            await lost.wait()

    def _publish(self, tx: Tx) -> None:
        for channel in cast("set[str]", tx.info.pop(_SIGNALS, set[str]())):
            self._wake(channel)

    def _wake(self, channel: str) -> None:
        for heard in self._waiting.get(channel, ()):
            heard.set()
        for tell in tuple(self._told.get(channel, ())):
            tell()


def _session(engine: AsyncEngine) -> AsyncSession:
    return AsyncSession(engine, expire_on_commit=False, autoflush=True)


@contextmanager
def _among(kept: defaultdict[str, set[T]], channel: str, one: T) -> Generator[None]:
    """Keep `one` among those of a channel while the block lasts."""
    kept[channel].add(one)
    try:
        yield
    finally:
        kept[channel].discard(one)
        if not kept[channel]:
            del kept[channel]
