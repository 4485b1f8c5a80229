"""All models of all features, gathered for migrations: `python -m hub.cli.models MESSAGE` writes a revision."""

import asyncio
import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

from sqlalchemy import MetaData

import hub
from hub.storage import Base, Database
from hub.storage.migrations import head, upgrade, write_revision


def all_models() -> MetaData:
    """Return the metadata with the tables of every feature that has any."""
    for module in pkgutil.walk_packages(hub.__path__, "hub."):
        if module.name.endswith(".tables"):
            importlib.import_module(module.name)
    return Base.metadata


async def _write(message: str) -> None:
    """Write the revision that leads from the newest one to the models, by comparing with a database at the former."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite+aiosqlite:///{Path(folder) / 'models.db'}")
        has_any = any((Path(hub.__path__[0]) / "storage" / "migrations" / "versions").glob("0*.py"))
        number = int(head()[:4]) + 1 if has_any else 1
        if has_any:
            await upgrade(database)
        async with database.engine.connect() as connection:
            await connection.run_sync(write_revision, all_models(), message, f"{number:04d}")
        await database.close()


if __name__ == "__main__":
    asyncio.run(_write(" ".join(sys.argv[1:]) or "Change the models"))
