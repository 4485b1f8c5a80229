"""`toolhub worker`: continues what stands still, beside one or more `toolhub serve` on PostgreSQL."""

import asyncio

from hub.cli.console import fail, out, run, settings
from hub.settings import Settings
from hub.storage.migrations import current, head
from hub.wiring import keeping, notifications, open_runtime
from hub.worker import LOOK_AGAIN_SECONDS, keep, work


def worker() -> None:
    """Work beside `toolhub serve`: commits what was approved, resumes after crashes, expires, seals the audit log.

    Only with PostgreSQL: on SQLite `serve` does this itself. Several workers may run at once.

    Example:  TOOLHUB_DATABASE_URL=postgresql+asyncpg://hub@db/hub toolhub worker
    """
    chosen = settings()
    if chosen.database.startswith("sqlite"):
        fail("On SQLite the worker runs inside `toolhub serve`; there is nothing to start. Workers need PostgreSQL.")
    run(_work(chosen))


async def _work(chosen: Settings) -> None:
    async with open_runtime(chosen) as runtime:
        if await current(runtime.database) != head():
            fail("The database's schema is not that of this release. Run `toolhub migrate` first.")
        out.print("Working. Stop with Ctrl-C.")
        async with asyncio.TaskGroup() as group:
            group.create_task(keep(runtime.database.relay_signals, pause=LOOK_AGAIN_SECONDS))
            group.create_task(keep(runtime.keys.keep_fresh, pause=LOOK_AGAIN_SECONDS))
            group.create_task(work(runtime, notifications(chosen, runtime), keeping(chosen)))
