"""Inserting where a row may be there already: `INSERT ... ON CONFLICT`, of which each engine has a dialect."""

from sqlalchemy.dialects import postgresql, sqlite

from hub.storage.database import Database, Tx
from hub.storage.types import Base


def insert_into(place: Tx | str, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an insert into `table` that can be told what to do about a row that is there: nothing, or an update.

    `place` is a transaction, or the name of its dialect.
    """
    dialect = place if isinstance(place, str) else dialect_of(place)
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def dialect_of(place: Tx | Database) -> str:
    """Return the name of the dialect that is spoken there."""
    return place.engine.dialect.name if isinstance(place, Database) else place.get_bind().dialect.name
