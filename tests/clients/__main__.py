"""`python -m clients`: looks at every client of the matrix, and writes what was seen into the README.

One after the other, each at a hub of its own with a new database.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from conftest import import_all_tables
from world import MASTER_KEY, settle

from clients.clients import CLIENTS, Client
from clients.stage import opened
from clients.story import Observed, observe
from clients.table import OBSERVED, record, recorded
from hub.keys import Keyring
from hub.storage import Base, Database


async def observed(client: Client, folder: Path) -> Observed:
    """Return what one client does."""
    import_all_tables()
    database = Database(f"sqlite+aiosqlite:///{folder / 'hub.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await settle(database, await Keyring.open(database, MASTER_KEY))
    try:
        async with opened(client, database, folder) as stage:
            return await observe(stage)
    finally:
        await database.close()


async def main(names: list[str]) -> None:
    """Look at the clients that are named, or at all of them, and write down what was seen."""
    seen = recorded() if OBSERVED.exists() else {}
    for name in names or CLIENTS:
        with tempfile.TemporaryDirectory() as folder:
            seen[name] = (await observed(CLIENTS[name], Path(folder))).as_json()
        print(name, *(f"\n  {step}: {cell}" for step, cell in seen[name]["cells"].items()), flush=True)  # noqa: T201  # what `make` shows
    record(seen)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
