"""A hub with a federated server of notes, imported and connected as its owner wanted; it lists what it is told to."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doors.working_hub import ALL_SCOPES, WorkingHub
from upstream.fixtures import running

from connectors.mcp_upstream import Discovery, Owner
from connectors.sdk.spec import ConnectorSpec
from hub import pins
from hub.identity.authority import Authority
from hub.identity.principals import Caller
from hub.identity.resources import EVERYTHING
from hub.invocations.invoke import invoke
from hub.invocations.pinning import Looks, Seen, look
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call, Invocation
from hub.pins import Change
from hub.registry import Environment, NewConnection, create_connection, register_connector

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
FIND = {"name": "find", "description": "Finds notes.", "inputSchema": TEXT}
POST = {"name": "post", "description": "Posts a note.", "inputSchema": TEXT}
OWNER = Owner(name="notes", reads=frozenset({"find"}))
SCOPES = ALL_SCOPES | {"notes:read", "notes:write"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """A hub, and a federated server that lists what `says` tells it to."""

    hub: WorkingHub
    file: Path
    connection_id: str
    caller: Caller

    def says(self, *tools: dict[str, Any]) -> None:
        """Let the server list these tools from now on."""
        self.file.write_text(json.dumps(tools))

    async def look(self) -> Seen:
        """Look at the server now."""
        return await look(self.connection_id, self.hub.runtime)

    async def said(self, change: Change) -> ConnectorSpec:
        """Return the release that accepting `change` makes."""
        async with self.hub.database.reading() as tx:
            return await pins.said(tx, change.id)

    async def read(self, text: str) -> Invocation:
        """Call the tool that was accepted as a read."""
        call = Call(caller=self.caller, server=EVERYTHING, tool="find", arguments={"text": text}, trace_id="trace")
        return await invoke(call, self.hub.runtime)

    async def description(self) -> str:
        """Return what agents read of that tool."""
        tool = await self.hub.runtime.catalog.resolve("find", server=EVERYTHING, caller=self.caller)
        return tool.description

    def authority(self, name: str) -> Authority:
        """Return the authority of one of the people."""
        return Authority(database=self.hub.database, keys=self.hub.runtime.keys, by=self.hub.people[name].id)


async def looked_at_due(runtime: Runtime) -> int:
    """Look at every server that is due, as the worker does, until all looks have ended; return how many those were."""
    begun = await Looks(runtime).begin()
    await asyncio.gather(*begun.values())
    return len(begun)


@asynccontextmanager
async def connected(
    hub: WorkingHub, file: Path, owner: Owner = OWNER, tools: Sequence[dict[str, Any]] = (FIND, POST)
) -> AsyncGenerator[Notes]:
    """Yield a server of `tools` that was imported and connected as its owner wanted."""
    await asyncio.to_thread(file.write_text, json.dumps(tools))
    with running("upstream.unruly", "http", "told", str(file)) as (_, port):
        url = f"http://127.0.0.1:{port}/mcp"
        new = NewConnection(
            name="probe", connector="upstream", environment=Environment.DEV, base_url=url, prefix="probe_"
        )
        async with hub.database.transaction() as tx:
            probe = await create_connection(tx, new, hub.authority)
        found = await hub.runtime.executor.discover(owner, probe)
        assert isinstance(found, Discovery), found
        async with hub.database.transaction() as tx:
            await register_connector(tx, found.spec, hub.authority, owner_id=hub.people["owner"].id)
            new = NewConnection(name="notes", connector="notes", environment=Environment.DEV, base_url=url)
            connection = await create_connection(tx, new, hub.authority)
        agent = await hub.make_agent("scribe", allowed=SCOPES, servers=frozenset({EVERYTHING}))
        caller = Caller(actor=agent, on_behalf_of=hub.people["requester"], scopes=SCOPES, client_id=agent.id)
        yield Notes(hub=hub, file=file, connection_id=connection.id, caller=caller)
