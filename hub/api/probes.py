"""Whether this process lives and can serve, told to the machines that run it: under any name, without a token."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.storage import Database, now

ALIVE: Final = "/healthz"
READY: Final = "/readyz"
READY_SECONDS: Final = 2
"""How long the database may take to answer: whoever asks gives up soon."""


class Probes:
    """Answers `/healthz` and `/readyz` in front of everything else: a machine knows no name of the hub."""

    def __init__(self, app: ASGIApp, *, database: Database) -> None:
        self._app = app
        self._looks: Mapping[str, Callable[[], Awaitable[bool]]] = {ALIVE: _lives, READY: self._is_ready}
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a probe; hand on everything else."""
        look = self._looks.get(scope.get("path", "")) if scope["type"] == "http" else None
        if look is None or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        is_well = await look()
        answer = JSONResponse(
            {"status": "ok" if is_well else "unavailable"},
            status_code=200 if is_well else 503,
            headers={"Cache-Control": "no-store"},
        )
        await answer(scope, receive, send)

    async def _is_ready(self) -> bool:
        """Return whether the database answers."""
        try:
            async with asyncio.timeout(READY_SECONDS), self._database.reading() as tx:
                await now(tx)
        except Exception:  # noqa: BLE001  # whatever keeps the database from answering
            return False
        return True


async def _lives() -> bool:
    """Return that there is somebody to ask."""
    return True
