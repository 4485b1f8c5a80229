"""One server for one SQLite file: whoever else would serve it is turned away for as long as the first one lives."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from hub.core.errors import Conflict


@contextmanager
def served_alone(text: str) -> Generator[None]:
    """Hold the database at this URL against every other process that would serve it; PostgreSQL takes any number.

    Signals do not leave a process on SQLite, and its worker is in it: a second one would answer from stale caches. The
    lock is the operating system's, on a file beside the database, so that it ends with the process, however that ends;
    other commands (accounts, exports, keys) need none.

    Raises:
        Conflict: another process serves it.
    """
    url = make_url(text)
    if url.get_backend_name() != "sqlite":
        yield
        return
    file = Path(str(url.database)).resolve()
    held = os.open(file.with_name(f"{file.name}.serving"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another process serves {file} already. One SQLite file has one `toolhub serve`; stop that one first, "
                "or use PostgreSQL for more than one (TOOLHUB_DATABASE_URL)."
            ) from error
        yield
    finally:
        os.close(held)
