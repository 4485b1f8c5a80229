"""The database: engine, transactions, column types and migrations."""

from hub.storage.database import Database, Tx, database_now, now
from hub.storage.types import Base, Json, Moment

__all__ = ["Base", "Database", "Json", "Moment", "Tx", "database_now", "now"]
