"""The lease on an invocation, kept while its process works on it: a system may take longer to answer than it lasts.

With it goes its place among the calls that there may be at the same time.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import update

from hub.budgets import Holder, keep_place
from hub.core.errors import Unavailable
from hub.invocations.runtime import Runtime
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.storage import now

_LOG: Final = structlog.get_logger(__name__)


@asynccontextmanager
async def kept_leased(standing: Invocation, runtime: Runtime) -> AsyncGenerator[None]:
    """Renew the lease on `standing` while the block runs and its state stays; one that others took over stays theirs.

    A process that dies or stands still renews nothing, and others go on in its place once the lease is over.
    """
    renewing = asyncio.create_task(_renewed(standing, runtime))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renewed(standing: Invocation, runtime: Runtime) -> None:
    lease = timedelta(seconds=runtime.lease_seconds)
    while True:
        await asyncio.sleep(runtime.lease_seconds / 3)
        try:
            async with runtime.database.transaction() as tx:
                until = await now(tx) + lease
                of_it = (InvocationRow.id == standing.id, InvocationRow.state == standing.state.value)
                mine = (*of_it, InvocationRow.fence == standing.fence)
                shorter = InvocationRow.lease_until < until  # nor one that was given up
                renewed = update(InvocationRow).where(*mine, shorter).values(lease_until=until)
                if await tx.scalar(renewed.returning(InvocationRow.id)) is not None:
                    await keep_place(tx, Holder(id=standing.id, seconds=runtime.lease_seconds))
        except Unavailable:
            continue  # the database is busy; there is time for another attempt
        except Exception:  # noqa: BLE001  # whatever it is: the work goes on, and the next attempt may be luckier
            _LOG.exception("lease_not_renewed", invocation=standing.id)
