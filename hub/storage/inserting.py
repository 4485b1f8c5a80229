"""Inserting where a row may be there already: `INSERT ... ON CONFLICT`, of which each engine has a dialect."""

from sqlalchemy.dialects import postgresql, sqlite

from hub.storage.database import Database, Tx
from hub.storage.types import Base


def insert_into(place: Tx | Database, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an insert into `table` that can be told what to do about a row that is there: nothing, or an update."""
    dialect = place.engine.dialect if isinstance(place, Database) else place.get_bind().dialect
    return sqlite.insert(table) if dialect.name == "sqlite" else postgresql.insert(table)
