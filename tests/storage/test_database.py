"""`transaction()` commits or leaves nothing; locks, clocks and signals mean the same on both engines."""

import asyncio
import sqlite3
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from hub.core.errors import Unavailable
from hub.keys.tables import KeyRow
from hub.storage import Database, Tx, now

pytestmark = pytest.mark.anyio


async def add_key(tx: Tx, name: str) -> None:
    row = {"id": name, "purpose": name, "sealed": b"", "created_at": await now(tx)}
    await tx.execute(insert(KeyRow), [row])


async def add_key_and_fail(tx: Tx, name: str) -> None:
    await add_key(tx, name)
    raise KeyError


async def names(database: Database) -> set[str]:
    async with database.reading() as tx:
        return set(await tx.scalars(select(KeyRow.id)))


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(KeyError):
        async with database.transaction() as tx:
            await add_key_and_fail(tx, "lost")

    assert await names(database) == set()


async def test_a_transaction_that_ends_is_seen_by_others(database: Database) -> None:
    async with database.transaction() as tx:
        await add_key(tx, "kept")

        assert await names(database) == set()

    assert await names(database) == {"kept"}


async def test_a_reading_transaction_keeps_nothing(database: Database) -> None:
    async with database.reading() as tx:
        await add_key(tx, "lost")

    assert await names(database) == set()


async def test_what_was_read_stays_readable_afterwards(database: Database) -> None:
    async with database.transaction() as tx:
        await add_key(tx, "kept")

    async with database.reading() as tx:
        row = await tx.get(KeyRow, "kept")

    assert row is not None
    assert row.purpose == "kept"


async def test_reading_waits_for_no_writer(database: Database) -> None:
    async with database.transaction() as tx:
        await add_key(tx, "pending")

        seen = await asyncio.wait_for(names(database), 5)

    assert seen == set()


async def test_the_database_tells_the_time_of_the_statement_not_of_the_transaction(database: Database) -> None:
    async with database.transaction() as tx:
        first = await now(tx)
        while (second := await now(tx)) == first:
            pass

    assert first < second
    assert first.tzinfo is not None
    assert abs(second - datetime.now(UTC)) < timedelta(minutes=1)


async def test_moments_come_back_as_they_went_in(database: Database) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)

    async with database.transaction() as tx:
        await tx.execute(insert(KeyRow), [{"id": "k", "purpose": "p", "sealed": b"", "created_at": moment}])
        stored = await tx.scalar(select(KeyRow.created_at))

    assert stored == moment


async def test_two_transactions_under_one_lock_run_one_after_the_other(database: Database) -> None:
    entered = asyncio.Event()
    order: list[str] = []

    async def first() -> None:
        async with database.transaction() as tx:
            await database.lock(tx, "only-one")
            entered.set()
            await names(database)  # gives the other every chance to overtake
            order.append("first")

    async def second() -> None:
        await entered.wait()
        async with database.transaction() as tx:
            await database.lock(tx, "only-one")
            order.append("second")

    await asyncio.gather(first(), second())

    assert order == ["first", "second"]


async def test_a_signal_wakes_a_listener_only_after_the_commit(database: Database) -> None:
    async with database.listening("things") as heard:
        async with database.transaction() as tx:
            await database.signal(tx, "things")

            assert not heard.is_set()

        await asyncio.wait_for(heard.wait(), 5)


async def test_a_signal_of_a_lost_transaction_wakes_nobody(database: Database) -> None:
    async def signal_and_fail(tx: Tx) -> None:
        await database.signal(tx, "things")
        raise KeyError

    async with database.listening("things") as heard:
        with pytest.raises(KeyError):
            async with database.transaction() as tx:
                await signal_and_fail(tx)

        assert not heard.is_set()


async def test_a_signal_reaches_another_process_on_postgresql(postgresql_url: str) -> None:
    here, there = Database(postgresql_url), Database(postgresql_url)
    relay = asyncio.create_task(there.relay_signals())
    async with there.listening("things") as heard:
        for _ in range(50):  # the relay may not listen yet: a signal is a hint that can be missed
            async with here.transaction() as tx:
                await here.signal(tx, "things")
            try:
                await asyncio.wait_for(heard.wait(), 0.2)
                break
            except TimeoutError:
                continue

        assert heard.is_set()
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    await here.close()
    await there.close()


async def test_who_listens_looks_again_when_the_relay_comes_back_and_a_command_is_never_made_up(
    postgresql_url: str,
) -> None:
    database, told = Database(postgresql_url), list[str]()
    with database.telling("things", lambda: told.append("told")):
        async with database.listening("things") as heard:
            relay = asyncio.create_task(database.relay_signals())
            await asyncio.wait_for(heard.wait(), 60)  # it has begun to listen: something may have been missed
            made_up = list(told)
            async with database.transaction() as tx:
                await database.signal(tx, "things")
            came = list(told)
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    await database.close()

    assert made_up == []
    assert set(came) == {"told"}  # twice, if it has come back by the database already


async def test_a_database_held_by_another_process_is_unavailable_and_says_so(sqlite_url: str) -> None:
    database = Database(sqlite_url, busy_seconds=0.1)
    assert database.url.database is not None
    holder = sqlite3.connect(database.url.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="Nothing was changed"):
        async with database.transaction():
            pass

    holder.execute("ROLLBACK")
    holder.close()
    async with database.transaction() as tx:
        await add_key(tx, "later")
    assert await names(database) == {"later"}
    await database.close()


async def test_a_transaction_that_is_cancelled_lets_the_next_one_write_at_once(sqlite_url: str) -> None:
    """Whoever logs or keeps the cancellation keeps the driver's cursor, and SQLite keeps its lock for that."""
    database = Database(sqlite_url, busy_seconds=0.1)
    is_reading, may_end, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def slow() -> int:
        loop.call_soon_threadsafe(is_reading.set)
        may_end.wait()
        return 1

    async def write() -> None:
        async with database.transaction() as tx:
            raw = await (await tx.connection()).get_raw_connection()
            assert raw.driver_connection is not None
            await raw.driver_connection.create_function("slow", 0, slow)
            await add_key(tx, "lost")
            await tx.execute(text("SELECT slow()"))

    writing = asyncio.create_task(write())
    await is_reading.wait()
    writing.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError) as kept:
        await writing

    async with database.transaction() as tx:
        await add_key(tx, "next")
    assert kept.tb is not None
    assert await names(database) == {"next"}
    await database.close()


async def test_a_missing_directory_is_unavailable_not_a_crash(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/missing/hub.sqlite")

    with pytest.raises(Unavailable):
        async with database.transaction():
            pass

    await database.close()
    for thread in threading.enumerate():  # the driver leaves a thread that still wants to tell our loop its end
        if "_connection_worker" in thread.name:
            await asyncio.to_thread(thread.join)


async def test_an_absent_server_is_unavailable_not_a_crash(tmp_path: Path) -> None:
    database = Database(f"postgresql+asyncpg://nobody@/hub?host={tmp_path}")

    with pytest.raises(Unavailable):
        async with database.reading() as tx:
            await now(tx)

    await database.close()


async def test_a_connection_the_server_ends_is_unavailable_and_the_next_one_works(postgresql_url: str) -> None:
    database, other = Database(postgresql_url), Database(postgresql_url)

    async def lose_the_connection(tx: Tx) -> None:
        await add_key(tx, "lost")
        pid = await tx.scalar(text("SELECT pg_backend_pid()"))
        async with other.transaction() as killer:
            await killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        await now(tx)

    with pytest.raises(Unavailable):
        async with database.transaction() as tx:
            await lose_the_connection(tx)

    async with database.transaction() as tx:
        await add_key(tx, "later")
    assert await names(database) == {"later"}
    await database.close()
    await other.close()


async def test_a_killed_process_leaves_nothing_of_its_open_transaction(database: Database) -> None:
    program = """
import asyncio, sys
from sqlalchemy import insert
from hub.keys.tables import KeyRow
from hub.storage import Database, now

async def main():
    async with Database(sys.argv[1]).transaction() as tx:
        await tx.execute(insert(KeyRow).values(id="lost", purpose="p", sealed=b"", created_at=await now(tx)))
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    url = database.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"

    process.kill()
    await process.wait()

    assert await names(database) == set()
    async with database.transaction() as tx:
        await add_key(tx, "next")
    assert await names(database) == {"next"}


async def test_an_error_of_the_database_does_not_tell_what_was_to_be_stored(database: Database) -> None:
    async with database.transaction() as tx:
        await add_key(tx, "private words")

    async def repeat() -> None:
        async with database.transaction() as tx:
            await add_key(tx, "private words")

    with pytest.raises(IntegrityError) as refused:
        await repeat()

    assert "private words" not in str(refused.value)
