"""Opening: the home, the database and the keyring that the settings name, for commands that need no whole hub.

It stands apart from the wiring because importing all that a hub can do takes longer than most commands do.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from hub.keys import Keyring, load_master_key
from hub.settings import Settings
from hub.storage import Database, check_url


def prepare_home(settings: Settings) -> None:
    """Make the folder that the hub lives in, and see that a database can be tried.

    Raises:
        InputError: the settings name none that can be used.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    check_url(settings.database)


def missing_database(settings: Settings) -> Path | None:
    """Return the file of the embedded database, if it is not there: who only looks must not make it."""
    name = make_url(settings.database).database
    file = Path(name) if settings.database.startswith("sqlite") and name else None
    return None if file is None or file.exists() else file


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncGenerator[Database]:
    """Yield the database that the settings name; its schema may still be old or missing.

    Raises:
        InputError: the settings name none that can be used.
    """
    prepare_home(settings)
    database = Database(settings.database)
    try:
        yield database
    finally:
        await database.close()


async def open_keyring(settings: Settings, database: Database) -> Keyring:
    """Return the keyring of the hub in `database`.

    Raises:
        MasterKeyUnusable: the master key is missing or malformed; says what to do.
        Unavailable: the database belongs to another master key.
    """
    explicit = settings.master_key.get_secret_value() if settings.master_key else None
    # looked up before the file: whoever starts at the same time makes the file first, and then the keys
    is_new = not await Keyring.has_any(database)
    path, is_postgresql = settings.master_key_file, not database.is_sqlite
    return await Keyring.open(
        database, load_master_key(path, explicit=explicit, is_postgresql=is_postgresql, is_new=is_new)
    )
