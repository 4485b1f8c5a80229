"""The database's clock: every deadline of the hub is set and compared by it."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from hub.core.errors import Unavailable
from hub.storage.types import Moment


class database_now(GenericFunction[datetime]):  # noqa: N801  # reads as the SQL function that it is
    """The database's clock at this very statement, never the host's and never the start of the transaction."""

    type = Moment()
    inherit_cache = True
    name = "database_now"


@compiles(database_now, "sqlite")
def _now_on_sqlite(_element: database_now, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401  # SQLAlchemy's own signature
    return "(strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')"


@compiles(database_now, "postgresql")
def _now_on_postgresql(_element: database_now, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401  # SQLAlchemy's own signature
    return "clock_timestamp()"


NOW: Final = select(database_now())


async def now(tx: AsyncSession) -> datetime:
    """Return the database's time (UTC). Deadlines are set and compared by this clock alone."""
    moment: datetime | None = await tx.scalar(NOW)
    if moment is None:
        raise Unavailable("The database did not tell the time.")
    return moment
