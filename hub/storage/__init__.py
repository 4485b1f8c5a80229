"""The database: engine, transactions, column types and migrations."""

from hub.storage.alone import served_alone
from hub.storage.appending import Compose, Insertion
from hub.storage.clock import database_now, now
from hub.storage.database import Database, Tx
from hub.storage.inserting import dialect_of, insert_into
from hub.storage.joining import Joined
from hub.storage.slices import add_in_slices
from hub.storage.types import Base, Json, Moment
from hub.storage.urls import check_url

__all__ = [
    "Base",
    "Compose",
    "Database",
    "Insertion",
    "Joined",
    "Json",
    "Moment",
    "Tx",
    "add_in_slices",
    "check_url",
    "database_now",
    "dialect_of",
    "insert_into",
    "now",
    "served_alone",
]
