"""What a test hears the database being asked, and how the database would answer it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text

from hub.storage import Database

Statement = tuple[str, Any]


@contextmanager
def heard(database: Database, table: str) -> Generator[list[Statement]]:
    """Yield what is read from a table while the block lasts."""
    asked = list[Statement]()

    def hear(*given: Any) -> None:  # noqa: ANN401  # SQLAlchemy's own signature
        if given[2].startswith("SELECT") and f"FROM {table}" in given[2]:
            asked.append((given[2], given[3]))

    event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
    try:
        yield asked
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", hear)


@contextmanager
def counted(database: Database) -> Generator[list[str]]:
    """Yield the statements that the database is sent while the block lasts; many rows with one statement are one."""
    sent = list[str]()

    def count(*given: Any) -> None:  # noqa: ANN401  # SQLAlchemy's own signature
        sent.append(given[2])

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", count)


async def plans_of(database: Database, asked: list[Statement]) -> str:
    """Return how the database would answer, if looking at every row were no choice."""
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    async with database.reading() as tx:
        if not database.is_sqlite:
            await tx.execute(text("SET LOCAL enable_seqscan = off"))
        connection = await tx.connection()
        lines = [
            str(tuple(row))
            for statement, values in asked
            for row in await connection.exec_driver_sql(f"{explain} {statement}", values)
        ]
    return "\n".join(lines)
