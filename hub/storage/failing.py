"""What goes wrong with the database, in the hub's words: it is gone, or others were in the way."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hub.core.errors import Unavailable

GONE: Final = "The database is not available just now; try again. Nothing was changed."
LOST_IN_COMMIT: Final = (
    "The database went away while this was being recorded, and whether it was is not known. Look before you try again."
)
_IN_THE_WAY: Final = "Others were changing the same records at this moment; try again. Nothing was changed."

_POSTGRESQL_RACES: Final = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available: PostgreSQL undid the transaction, and it may be tried again."""
_SQLITE_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class database_errors:  # noqa: N801  # used as a context manager, like contextlib's
    """Translate "the database is gone, locked or was in each other's way" into `Unavailable`; let all else pass."""

    def __init__(self, *, gone: str = GONE) -> None:
        self._gone = gone

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if _was_in_the_way(error):
            raise Unavailable(_IN_THE_WAY) from error
        gone = (OperationalError, InterfaceError, PoolTimeoutError, sqlite3.OperationalError, OSError)
        is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
        if is_lost or (isinstance(error, gone) and "no such " not in str(error)):
            raise Unavailable(self._gone) from error


def _was_in_the_way(error: BaseException | None) -> bool:
    """Return whether the database undid the transaction because of others: a deadlock, a lost race, a lock."""
    told = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(told, sqlite3.OperationalError):
        code = getattr(told, "sqlite_errorcode", 0)  # its low byte is the kind, the rest says where
        return code & 0xFF in _SQLITE_BUSY
    return getattr(told, "sqlstate", None) in _POSTGRESQL_RACES
