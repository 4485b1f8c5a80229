"""A system that holds its answers back until it is told to give them, and counts what it is asked."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from doors.working_hub import WorkingHub
from hub.registry import Environment, NewConnection, create_connection

READ: Final = "late_item_get"
"""A read of one of its items."""
_ITEM: Final = {"id": 1, "name": "pencil", "quantity": 10, "version": 1}


@dataclass
class HoldingBack:
    """Answers every request with one item, once it may."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    requests: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        self.asked.set()
        await self.may_answer.wait()
        body = json.dumps(_ITEM).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def holding_back(hub: WorkingHub) -> AsyncGenerator[HoldingBack]:
    """Connect the hub to such a system, whose tools begin with `late_`."""
    system = HoldingBack()
    server = await asyncio.start_server(system.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with hub.database.transaction() as tx:
            new = NewConnection(
                name="late",
                connector="upstream",
                environment=Environment.DEV,
                base_url=f"http://127.0.0.1:{port}",
                prefix="late_",
            )
            made = await create_connection(tx, new, hub.authority)
            await hub.runtime.vault.put(tx, made.id, {"token": "none"}, hub.authority)
        try:
            yield system
        finally:
            system.may_answer.set()
