"""`toolhub migrate`: brings the database's schema to what this release needs."""

from hub.cli.console import out, run, settings
from hub.opening import open_database
from hub.settings import Settings
from hub.storage.migrations import current, head, upgrade


def migrate() -> None:
    """Bring the database to the schema of this release.

    Safe to repeat, and to start from several places at once. `serve` does it by itself on SQLite.

    Example:  TOOLHUB_DATABASE_URL=postgresql+asyncpg://hub@db/hub toolhub migrate
    """
    run(_migrate(settings()))


async def _migrate(chosen: Settings) -> None:
    async with open_database(chosen) as database:
        before = await current(database)
        if before == head():
            out.print(f"The database is at revision {head()} already; nothing to do.")
            return
        with out.status(f"Migrating from {before or 'nothing'} to {head()} ..."):
            await upgrade(database)
        out.print(f"[green]Done:[/] the database is at revision {head()}.")
