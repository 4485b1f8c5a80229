"""What the broker needs of a database engine: sessions of three modes, and errors that say what is known."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, Protocol

from connectors.sql.binding import Binding, Text
from connectors.sql.live import Table

Json = Any
"""Any JSON value."""

Row = dict[str, Json]


class Mode(StrEnum):
    """What a session is for: to read in a transaction that cannot write, to try and take back, or to write once."""

    READ = "read"
    TRIAL = "trial"
    WRITE = "write"


class WriteAttempt(Exception):
    """Something tried to write, or to leave the transaction, where nothing may; the message says what."""


class CommitUnclear(Exception):
    """COMMIT was sent and nobody knows what became of it."""


class Session(Protocol):
    """One transaction. Whatever is not committed when it ends is rolled back."""

    async def fetch(self, text: Text, arguments: Mapping[str, Json], *, limit: int) -> list[Row]:
        """Return at most `limit` rows of what `text` answers.

        Raises:
            Refused: the database says no.
            Unavailable: it took too long, or the line is gone; nothing was kept.
            WriteAttempt: it tried what this mode may not.
        """
        ...

    async def hazards(self, binding: Binding) -> Sequence[str]:
        """Return why the write of `binding` cannot be tried and taken back; sentences, empty if it can."""
        ...

    async def changed(self) -> Mapping[str, int]:
        """Return how many rows have been written in this transaction, by table; "" where the engine does not say."""
        ...

    async def has_ended(self) -> bool:
        """Return whether the transaction is no longer the one that was begun."""
        ...

    async def check_deferred(self) -> None:
        """Check now what the engine would only check at COMMIT.

        Raises:
            Refused: it does not hold.
        """
        ...

    async def commit(self) -> None:
        """Commit.

        Raises:
            Refused: it definitely was not committed.
            CommitUnclear: nobody knows.
        """
        ...


class System(Protocol):
    """One database."""

    def session(self, binding: Binding, mode: Mode) -> AbstractAsyncContextManager[Session]:
        """Open a transaction.

        Raises:
            Unavailable: the database cannot be reached; nothing was sent.
        """
        ...

    async def describe(self, tables: Sequence[str], schema: str) -> Mapping[str, Table]:
        """Return those of `tables` that there are.

        Raises:
            Unavailable: the database cannot be reached.
        """
        ...

    async def close(self) -> None:
        """Close what is open and idle."""
        ...
