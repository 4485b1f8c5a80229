"""Inserting where a row may be there already: `INSERT ... ON CONFLICT`, of which each engine has a dialect."""

from sqlalchemy.dialects import postgresql, sqlite

from hub.storage.database import Tx
from hub.storage.types import Base


def insert_into(tx: Tx, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an insert into `table` that can be told what to do about a row that is there: nothing, or an update."""
    insert = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    return insert(table)
