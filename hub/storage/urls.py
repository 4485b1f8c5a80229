"""Database URLs: whether one can be used at all, said in a sentence before anything is tried with it."""

import inspect
from pathlib import Path
from typing import Any, Final, cast

import asyncpg
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hub.core.errors import InputError

_FORM: Final = "It has the form postgresql+asyncpg://USER:PASSWORD@HOST:PORT/NAME. See TOOLHUB_DATABASE_URL."
_OWN_OPTIONS: Final = frozenset({"prepared_statement_cache_size", "prepared_statement_name_func"})
"""What SQLAlchemy takes from the query of the URL itself; all else goes to the driver."""
_HIGHEST_PORT: Final = 65_535


def check_url(text: str) -> None:
    """Let the URL of a database pass with which a connection can be tried.

    Raises:
        InputError: it cannot be read, or names an option or a folder that there is not. The password is not repeated.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise InputError(f"The address of the database cannot be read. {_FORM}") from error
    if url.get_backend_name() == "sqlite":
        _check_file(url)
    else:
        _check_server(url)


def _check_file(url: URL) -> None:
    if url.database in {None, "", ":memory:"}:
        raise InputError("The database has to be a file: sqlite+aiosqlite:///FILE. See TOOLHUB_DATABASE_URL.")
    file = Path(str(url.database))
    if not file.parent.is_dir():
        raise InputError(f"There is no folder {file.parent} for the database. Make it, or see TOOLHUB_DATABASE_URL.")
    if file.is_dir():
        raise InputError(f"{file} is a folder, not a database. See TOOLHUB_DATABASE_URL.")


def _check_server(url: URL) -> None:
    if url.port is not None and not 0 < url.port <= _HIGHEST_PORT:
        raise InputError(f"The database cannot listen on port {url.port}. {_FORM}")
    driver = cast("Any", asyncpg)  # it ships no types
    unknown = set(url.query) - _OWN_OPTIONS - set(inspect.signature(driver.connect).parameters)
    if unknown:
        raise InputError(f"The address of the database has unknown options: {', '.join(sorted(unknown))}. {_FORM}")
