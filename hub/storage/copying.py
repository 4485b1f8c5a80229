"""Copying the embedded database while others write to it: one moment of it, whole, in one file."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from hub.core.errors import InputError, Unavailable

AT_ONCE: Final = 1000
"""Pages copied before whoever waits is told how far it is."""


def copy_database(file: Path, to: Path, told: Callable[[int, int], object] = lambda _done, _of_all: None) -> None:
    """Copy the database in `file` to the new file `to`, and check the copy; `told` how many pages of how many are done.

    The copy is of the moment at which it began, and needs no other file. `to` appears when all is well, and not before.

    Raises:
        InputError: there is no such database, or `to` exists or cannot be made.
        Unavailable: the database cannot be read, or the copy is not whole.
    """
    if to.exists():
        raise InputError(f"{to} exists already; name a new file.")
    part = to.with_name(f"{to.name}.part")
    try:
        _make(part)
    except OSError as error:
        raise InputError(f"{part} cannot be made: {error.strerror}.") from error
    try:
        _copy(file, part, told)
        _make(to)  # a file that has come meanwhile is not ours to replace
        part.rename(to)
        _keep_names_in(to.absolute().parent)
    except sqlite3.Error as error:
        raise Unavailable(f"The database cannot be copied: {error}.") from error
    except OSError as error:
        raise InputError(f"{to} cannot be made: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)


def _make(new: Path) -> None:
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # it holds what the database holds


def _copy(file: Path, part: Path, told: Callable[[int, int], object]) -> None:
    opened = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    with closing(opened) as source, closing(sqlite3.connect(part, isolation_level=None)) as copy:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on others' commits are not seen
        source.backup(copy, pages=AT_ONCE, progress=lambda _status, left, of_all: told(of_all - left, of_all))
        copy.execute("PRAGMA journal_mode = DELETE")  # all of it in this one file
        found = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise Unavailable(f"The copy is not whole, nor is the database it was made of, then: {found[0]}")
    with part.open("rb") as written:
        os.fsync(written.fileno())


def _keep_names_in(folder: Path) -> None:
    """Have the names of a folder's files outlast a loss of power."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
