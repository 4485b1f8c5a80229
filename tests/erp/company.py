"""A hub with a real Tryton behind it, on a wire that can be cut."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import update
from upstream.proven import prove_undo
from world import World

from connectors.sdk import Tier
from connectors.tryton import connector
from connectors.tryton_server import TrytonServer
from connectors.tryton_server.office import Office
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent
from hub.identity.principals import Caller
from hub.invocations.resume import resume
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry import TWIN, Environment, NewConnection, create_connection, register_connector
from hub.storage import now

Json = Any
SCOPES = frozenset({"tryton:read", "tryton:write"})


class Cut(StrEnum):
    """Where the wire is cut: before Tryton has the whole request, or after it has answered."""

    REQUEST = "request"
    ANSWER = "answer"


class Wire:
    """A wire to Tryton: `cut` drops the next call of one method."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._method = b""
        self._where: Cut | None = None

    def cut(self, where: Cut, *, method: str) -> None:
        """Cut the next call of `method`."""
        self._method, self._where = method.encode(), where

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, one exchange after the other."""
        try:
            there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        except ConnectionError:
            writer.close()
            return
        try:
            while request := await _message(reader):
                where = self._meets(request)
                if where is Cut.REQUEST:
                    return
                there_writer.write(request)
                await there_writer.drain()
                answer = await _message(there_reader)
                if where is Cut.ANSWER:
                    return
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()
            there_writer.close()

    def _meets(self, request: bytes) -> Cut | None:
        if self._where is None or b'"' + self._method + b'"' not in request:
            return None
        where, self._where = self._where, None
        return where


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Return one HTTP message, or what there was of it when the connection ended."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head + await reader.read()


@asynccontextmanager
async def wire_to(server: TrytonServer) -> AsyncGenerator[tuple[Wire, str]]:
    """Yield a wire to `server`, and the base URL at this end of it."""
    address = urlsplit(server.base_url)
    wire = Wire(address.hostname or "", address.port or 0)
    listening = await asyncio.start_server(wire.carry, "127.0.0.1")
    async with listening:
        port: int = listening.sockets[0].getsockname()[1]
        yield wire, f"http://127.0.0.1:{port}{address.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A hub, the Tryton behind it, the wire between them, a clerk's desk, and an agent that acts for rita."""

    world: World
    server: TrytonServer
    wire: Wire
    office: Office
    caller: Caller

    async def call(self, tool: str, **arguments: Json) -> Invocation:
        """Invoke `tool` as the agent."""
        return await self.world.call(tool, arguments, caller=self.caller)

    async def approved(self, invocation: Invocation) -> Invocation:
        """Let those approve who are asked (ann, and carl for what is critical); then carry on."""
        for voter in (self.world.ann, self.world.carl)[: 2 if invocation.tier is Tier.CRITICAL else 1]:
            invocation = await self.world.vote(invocation, voter)
        return await self.carried_on(invocation)

    async def carried_on(self, invocation: Invocation, *, rounds: int = 6) -> Invocation:
        """Return the invocation after as many steps of a worker as may follow, their pauses being over."""
        for _ in range(rounds):
            async with self.world.runtime.database.transaction() as tx:
                past = await now(tx) - timedelta(seconds=1)
                row = update(InvocationRow).where(InvocationRow.id == invocation.id)
                await tx.execute(row.values(not_before=past, lease_until=None))
            invocation = await resume(invocation.id, self.world.runtime)
            if invocation.state.is_terminal:
                break
        return invocation


async def connect(world: World, server: TrytonServer, base_url: str, *, twin: str | None = None) -> Caller:
    """Connect `server` to the hub at `base_url`, and return an agent that may use all its tools."""
    runtime = world.runtime
    authority = Authority(database=runtime.database, keys=runtime.keys)
    secret: Mapping[str, str] = {"login": "hub", "password": server.passwords["hub"]}
    async with runtime.database.transaction() as tx:
        await register_connector(tx, connector.spec, authority)
        await prove_undo(tx, connector.spec, authority, ["party_contact_update"])
        connection = await create_connection(
            tx,
            NewConnection(
                name="erp",
                connector="tryton",
                environment=Environment.DEV,
                base_url=base_url,
                settings={} if twin is None else {TWIN: twin},
            ),
            authority,
        )
        await runtime.vault.put(tx, connection.id, secret, authority)
        agent = await create_agent(
            tx,
            NewAgent(
                name="seller",
                display_name="Seller",
                owner_id=world.rita.id,
                allowed_scopes=SCOPES,
                allowed_servers=frozenset({"everything"}),
            ),
            authority,
        )
    return Caller(actor=agent, on_behalf_of=world.rita, scopes=SCOPES, client_id=agent.id)
