"""SQLite's driver: one visit to its thread per statement, results of any length, no lock that outlives its task."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hub.storage import Database, Tx
from hub.storage.sqlite import AT_ONCE, Connection, connect

pytestmark = pytest.mark.anyio

LONG = AT_ONCE * 2 + 3
NUMBERS = text("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :many) SELECT i FROM n")


class Counting(Connection):
    """A connection that counts the visits to its thread."""

    visits = 0

    async def _execute(self, fn: Callable[..., object], *args: object, **kwargs: object) -> object:
        self.visits += 1
        return await super()._execute(fn, *args, **kwargs)


@pytest.fixture
async def counted(tmp_path: Path) -> AsyncGenerator[tuple[AsyncConnection, Counting]]:
    """A connection to an empty database, and the driver's connection under it."""
    opened = list[Counting]()

    def connecting(file: str, **_options: object) -> Counting:
        opened.append(Counting(lambda: sqlite3.connect(file)))
        return opened[0]

    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path}/x.sqlite", connect_args={"async_creator_fn": connecting}
    )
    async with engine.connect() as connection:
        await connection.execute(text("CREATE TABLE item (id INTEGER PRIMARY KEY)"))
        opened[0].visits = 0
        yield connection, opened[0]
    await engine.dispose()


async def test_a_statement_and_its_rows_are_one_visit_to_the_thread(
    counted: tuple[AsyncConnection, Counting],
) -> None:
    connection, driver = counted

    await connection.execute(text("INSERT INTO item VALUES (:id)"), [{"id": one} for one in range(5)])
    rows = (await connection.execute(text("SELECT id FROM item ORDER BY id"))).scalars().all()

    assert (rows, driver.visits) == ([0, 1, 2, 3, 4], 2)


async def test_a_transaction_that_has_ended_is_not_rolled_back_again(
    counted: tuple[AsyncConnection, Counting],
) -> None:
    connection, driver = counted
    await connection.commit()
    driver.visits = 0

    await driver.rollback()

    assert driver.visits == 0


@pytest.mark.parametrize("many", [1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, LONG])
async def test_a_result_of_any_length_is_whole_and_in_order(
    counted: tuple[AsyncConnection, Counting], many: int
) -> None:
    connection, _ = counted

    rows = (await connection.execute(NUMBERS, {"many": many})).scalars().all()

    assert rows == list(range(many))


async def test_a_streamed_result_is_read_as_far_as_it_is_asked_for(
    counted: tuple[AsyncConnection, Counting],
) -> None:
    connection, _ = counted

    async with connection.stream(NUMBERS, {"many": 10**12}) as result:
        first = await result.fetchmany(AT_ONCE + 1)

    assert [row.i for row in first] == list(range(AT_ONCE + 1))


async def test_what_the_database_refuses_is_raised_and_the_connection_goes_on(
    counted: tuple[AsyncConnection, Counting],
) -> None:
    connection, _ = counted
    await connection.execute(text("INSERT INTO item VALUES (1)"))

    with pytest.raises(IntegrityError):
        await connection.execute(text("INSERT INTO item VALUES (1)"))

    assert (await connection.execute(text("SELECT count(*) FROM item"))).scalar_one() == 1


async def test_a_lock_that_a_cancelled_task_gets_too_late_is_given_back(tmp_path: Path) -> None:
    file = str(tmp_path / "x.sqlite")
    driver = await connect(file, timeout=10)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(driver.cursor().execute("BEGIN IMMEDIATE"))
    await asyncio.sleep(0)  # now the other thread has been asked
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    holder.execute("ROLLBACK")

    await driver.rollback()

    assert not await driver.visit(lambda: driver.there.in_transaction)
    holder.close()
    await driver.close()


async def test_whoever_is_cancelled_again_and_again_leaves_no_task_behind(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    before = asyncio.all_tasks()

    with anyio.CancelScope() as scope:  # which cancels whoever waits in it, as often as they wait
        async with database.reading() as tx:
            await tx.execute(text("SELECT 1"))
            scope.cancel()
            await tx.execute(text("SELECT 1"))
    await database.close()

    left = asyncio.all_tasks() - before
    if left:
        await asyncio.wait(left, timeout=5)
    assert [task for task in left if not task.done()] == []


async def test_a_connection_that_is_closed_keeps_no_lock_for_rows_that_nobody_read(tmp_path: Path) -> None:
    file = str(tmp_path / "x.sqlite")
    driver = await connect(file)
    await driver.cursor().execute("BEGIN IMMEDIATE")
    unread = await driver.cursor().execute(NUMBERS.text, {"many": LONG})

    await driver.close()

    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
    assert unread.description is not None


async def test_the_connection_used_last_is_the_next_to_be_used(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    async with database.reading() as one, database.reading() as other:
        opened = {await driver_of(one), await driver_of(other)}

    used = list[object]()
    for _ in range(4):
        async with database.reading() as tx:
            used.append(await driver_of(tx))

    assert len(opened) == 2
    assert len(set(used)) == 1
    await database.close()


async def driver_of(tx: Tx) -> object:
    return (await (await tx.connection()).get_raw_connection()).driver_connection
