"""`append()`: all rows or none, composed at the database's time, durable when it returns, on both engines."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Table, insert, select
from sqlalchemy.exc import IntegrityError

from hub.core.errors import Unavailable
from hub.invocations.tables import SeenValueRow
from hub.outbox.tables import MessageRow
from hub.storage import Database, Insertion, insert_into, now

pytestmark = pytest.mark.anyio

_MESSAGES = insert(cast("Table", MessageRow.__table__))


def message(name: str, at: datetime, payload: object = None) -> dict[str, object]:
    """Return a row with a text, a JSON value, a number, a moment and what is not there."""
    return {
        "id": name,
        "topic": "t",
        "key": name,
        "payload": payload if payload is not None else {"né": ["è", 1, None]},
        "state": "pending",
        "attempts": 0,
        "due_at": at,
        "created_at": at,
    }


def messages(at: datetime, *names: str) -> Sequence[Insertion]:
    return [Insertion(_MESSAGES, [message(name, at) for name in names])]


async def stored(database: Database) -> set[str]:
    async with database.reading() as tx:
        return set(await tx.scalars(select(MessageRow.id)))


async def test_rows_are_there_as_a_session_reads_them_at_the_time_of_the_database(database: Database) -> None:
    told = list[datetime]()
    async with database.reading() as tx:
        before = await now(tx)

    await database.append(lambda at: told.append(at) or messages(at, "one", "two"))

    async with database.reading() as tx:
        rows = (await tx.scalars(select(MessageRow).order_by(MessageRow.id))).all()
        assert before <= told[0] <= await now(tx)
    assert [(row.id, row.payload, row.attempts) for row in rows] == [
        (name, {"né": ["è", 1, None]}, 0) for name in ("one", "two")
    ]
    assert {row.created_at for row in rows} == set(told)
    assert told[0].tzinfo == UTC


async def test_several_statements_are_one_transaction(database: Database) -> None:
    await database.append(lambda at: messages(at, "there"))

    with pytest.raises((IntegrityError, sqlite3.IntegrityError)):
        await database.append(lambda at: [*messages(at, "new"), *messages(at, "there")])

    assert await stored(database) == {"there"}


async def test_what_cannot_be_composed_leaves_nothing_and_the_next_one_works(database: Database) -> None:
    def fails(_at: datetime) -> Sequence[Insertion]:
        raise KeyError

    with pytest.raises(KeyError):
        await database.append(fails)
    await database.append(lambda at: messages(at, "next"))

    assert await stored(database) == {"next"}


async def test_an_insert_may_say_what_to_do_about_a_row_that_is_there(database: Database) -> None:
    def seen(at: datetime, tool: str) -> Sequence[Insertion]:
        row = {"mac": "m", "run_id": "r", "origin": "result", "tool": tool, "is_trusted": True, "seen_at": at}
        return [Insertion(insert_into(database, SeenValueRow).on_conflict_do_nothing(), [row])]

    await database.append(lambda at: seen(at, "first"))
    await database.append(lambda at: seen(at, "second"))

    async with database.reading() as tx:
        assert list(await tx.scalars(select(SeenValueRow.tool))) == ["first"]


async def test_a_naive_time_is_refused(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    try:
        with pytest.raises(ValueError, match="naive"):
            await database.append(lambda at: messages(at.replace(tzinfo=None), "odd"))
        assert await stored(database) == set()
    finally:
        await database.close()


async def test_a_file_held_by_another_process_is_unavailable_and_holds_nobody_else_up(sqlite_url: str) -> None:
    database = Database(sqlite_url, busy_seconds=0.5)
    try:
        with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(database.append(lambda at: messages(at, "late")))
            await asyncio.wait_for(asyncio.sleep(0.05), 0.4)  # the event loop turns meanwhile
            was_waiting = not waiting.done()
            with pytest.raises(Unavailable, match="Nothing was changed"):
                await waiting
            other.execute("ROLLBACK")

        await database.append(lambda at: messages(at, "after"))

        assert was_waiting
        assert await stored(database) == {"after"}
    finally:
        await database.close()


async def test_it_takes_turns_with_transactions_of_this_process(sqlite_url: str) -> None:
    database = Database(sqlite_url, busy_seconds=0.05)  # whoever waited in SQLite would give up at once
    try:
        async with database.transaction() as tx:
            waiting = asyncio.create_task(database.append(lambda at: messages(at, "second")))
            await asyncio.sleep(0.2)
            tx.add(MessageRow(**message("first", await now(tx))))
        await waiting

        assert await stored(database) == {"first", "second"}
    finally:
        await database.close()


async def test_a_database_is_closed_once_what_is_under_way_is_there(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    waiting = asyncio.create_task(database.append(lambda at: messages(at, "one")))
    await asyncio.sleep(0)
    waiting.cancel()  # nobody waits for it any more
    await asyncio.gather(waiting, return_exceptions=True)

    await database.close()

    with closing(sqlite3.connect(str(database.url.database))) as looking:
        assert looking.execute("SELECT id FROM outbox_messages").fetchall() in ([], [("one",)])
        looking.execute("BEGIN IMMEDIATE")  # nothing holds the lock


async def test_a_missing_directory_is_unavailable_and_the_file_may_come_later(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/none/x.sqlite")
    try:
        with pytest.raises(Unavailable):
            await database.append(lambda at: messages(at, "one"))
    finally:
        await database.close()


async def test_its_clock_is_the_one_that_transactions_read(database: Database) -> None:
    told = list[datetime]()
    await database.append(lambda at: told.append(at) or messages(at, "one"))
    async with database.reading() as tx:
        assert timedelta(0) <= await now(tx) - told[0] < timedelta(minutes=1)


def test_rows_with_different_columns_are_no_insertion_nor_are_none() -> None:
    one = message("one", datetime.now(UTC))
    with pytest.raises(ValueError, match="same columns"):
        Insertion(_MESSAGES, [one, {**one, "last_error": "odd"}])
    with pytest.raises(ValueError, match="one at least"):
        Insertion(_MESSAGES, [])


async def test_after_the_end_nothing_is_appended_and_that_is_said(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    await database.append(lambda at: messages(at, "one"))
    await database.close()

    with pytest.raises(Unavailable, match="Nothing was changed"):
        await database.append(lambda at: messages(at, "two"))
