"""Systems that do not answer: one holds back until it is told to, and counts what it is asked; one says nothing."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from doors.working_hub import WorkingHub
from hub.registry import Environment, NewConnection, create_connection

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

READ: Final = "late_item_get"
"""A read of one of its items."""
WRITE: Final = "late_item_delete"
"""A write of one, of which people are asked."""
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


@dataclass
class Silent:
    """Takes a request and answers nothing until the other side hangs up."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await reader.read()
        self.left.set()
        writer.close()


@asynccontextmanager
async def holding_back(hub: WorkingHub) -> AsyncGenerator[HoldingBack]:
    """Connect the hub to a system that holds back, whose tools begin with `late_`."""
    system = HoldingBack()
    async with _connected(hub, system.serve, "late"):
        try:
            yield system
        finally:
            system.may_answer.set()


@asynccontextmanager
async def silent(hub: WorkingHub) -> AsyncGenerator[Silent]:
    """Connect the hub to a silent system, whose tools begin with `silent_`."""
    system = Silent()
    async with _connected(hub, system.serve, "silent"):
        yield system


@asynccontextmanager
async def _connected(hub: WorkingHub, serve: Serve, name: str) -> AsyncGenerator[None]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        async with hub.database.transaction() as tx:
            new = NewConnection(
                name=name,
                connector="upstream",
                environment=Environment.DEV,
                base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                prefix=f"{name}_",
            )
            made = await create_connection(tx, new, hub.authority)
            await hub.runtime.vault.put(tx, made.id, {"token": "none"}, hub.authority)
        yield
