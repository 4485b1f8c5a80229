"""A client that knows tasks at the door of a hub, and a hub for which every read takes long enough to become one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from questions import rules
from sqlalchemy import func, select, update

from doors.agents import open_door
from doors.askers import SCOPES
from doors.replicas import replica
from doors.tasking import invocation_of
from doors.working_hub import PUBLIC_URL, WorkingHub
from hub.bundles import Publication, publish_bundle
from hub.identity.directory import find
from hub.identity.principals import Caller
from hub.identity.resources import EVERYTHING
from hub.invocations.handles import find_handle
from hub.invocations.late_questions import Late, claim_round, find_late, follow, take_replies
from hub.invocations.tables import InvocationRow, LateQuestionsRow
from hub.mcp.abilities import TASKS
from hub.registry import disable_connection, enable_connection, register_connector
from hub.registry.tables import ConnectionRow
from hub.storage import now

Json = Any

FORMS: Final = {"elicitation": {}}
ANN: Final = {"action": "accept", "content": {"name": "Ann"}}
HIDE: Final = (
    '@id("hide") forbid (principal is Agent, action == Action::"see", resource) '
    'when { context.data_class == "personal" };'
)
EVERY_KIND: Final = {"elicitation": {}, "sampling": {}, "roots": {}}


def filled(**content: Json) -> Json:
    """Return the reply of somebody who has filled a form in."""
    return {"action": "accept", "content": content}


@dataclass(frozen=True, slots=True)
class Desk:
    """A client of the newer protocol that knows tasks and can be asked `can`."""

    http: httpx2.AsyncClient
    token: str
    can: Json = field(default_factory=lambda: FORMS)
    knows_tasks: bool = True

    async def said(self, method: str, about_what: str, params: Json) -> Json:
        """Return the answer to one message."""
        about = "io.modelcontextprotocol"
        can = {**self.can, **({"extensions": {TASKS: {}}} if self.knows_tasks else {})}
        meta = {f"{about}/protocolVersion": "2026-07-28", f"{about}/clientCapabilities": can}
        headers = {
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {self.token}",
            "Host": urlsplit(PUBLIC_URL).netloc,
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": method,
            "Mcp-Name": about_what,
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        return (await self.http.post("/mcp", json=message, headers=headers)).json()

    async def call(self, tool: str, **arguments: Json) -> Json:
        """Return the answer to a call."""
        return await self.said("tools/call", tool, {"name": tool, "arguments": arguments})

    async def start(self, tool: str) -> str:
        """Make a call, and return the task that it has become."""
        result = (await self.call(tool))["result"]
        assert result["resultType"] == "task", result
        return str(result["taskId"])

    async def look(self, task: str) -> Json:
        """Return how a task stands."""
        return (await self.said("tasks/get", task, {"taskId": task}))["result"]

    async def until(self, task: str, status: str) -> Json:
        """Return a task once it stands so."""
        while (told := await self.look(task))["status"] != status:
            assert told["status"] in {"working", "input_required"}, told
        return told

    async def update(self, task: str, **replies: Json) -> Json:
        """Reply to questions of a task, by their names with `_` for `-`, and return the answer to that."""
        given = {"-".join(name.rsplit("_", 1)): reply for name, reply in replies.items()}
        return await self.said("tasks/update", task, {"taskId": task, "inputResponses": given})

    async def cancel(self, task: str) -> Json:
        """Cancel a task."""
        return await self.said("tasks/cancel", task, {"taskId": task})


@asynccontextmanager
async def desk(hub: WorkingHub, token: str, *, can: Json = FORMS, patience: float = 0) -> AsyncGenerator[Desk]:
    """Yield a client at a process of its own; a read is waited for as long as its `patience` lasts."""
    async with (
        replica(hub) as runtime,
        open_door(replace(runtime, answer_seconds=patience)) as door,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(door), base_url=PUBLIC_URL) as http,
    ):
        yield Desk(http, token, can)


@asynccontextmanager
async def desk_at(address: str, token: str, *, can: Json = FORMS) -> AsyncGenerator[Desk]:
    """Yield a client at a process that is reached over the network."""
    async with httpx2.AsyncClient(base_url=address, timeout=120, trust_env=False) as http:
        yield Desk(http, token, can)


async def reads(hub: WorkingHub) -> list[tuple[str, str | None]]:
    """Return the reads on record, each as it stands."""
    async with hub.database.reading() as tx:
        rows = await tx.scalars(select(InvocationRow).order_by(InvocationRow.id))
        return [(one.state, one.error_code) for one in rows]


async def left(hub: WorkingHub) -> int:
    """Return how many reads have questions on record."""
    async with hub.database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(LateQuestionsRow)) or 0


async def kept(hub: WorkingHub, task: str) -> Late:
    """Return what a task asks, as it is on record."""
    async with hub.database.reading() as tx:
        late = await find_late(tx, await invocation_of(hub, task), hub.runtime.keys)
    assert late is not None
    return late


async def claimed_by_who_died(hub: WorkingHub, task: str) -> Late:
    """Reply to a task as a process does that dies before it makes the next round."""
    late = await kept(hub, task)
    async with hub.database.transaction() as tx:
        await take_replies(tx, late, {"user_name": ANN}, hub.runtime.keys)
        claimed = await claim_round(tx, late, timedelta(minutes=1), hub.runtime.keys)
    assert claimed is not None
    return claimed


async def goes_on(hub: WorkingHub, task: str, claimed: Late) -> bool:
    """Return whether a task goes on with a round that was made for it."""
    async with hub.database.transaction() as tx:
        return await follow(tx, await find_handle(tx, await reader(hub), EVERYTHING, task), claimed)


async def reader(hub: WorkingHub) -> Caller:
    """Return who asks."""
    async with hub.database.reading() as tx:
        agent = await find(tx, "reader")
    assert agent is not None
    return replace(hub.caller, actor=agent, scopes=SCOPES, client_id=agent.id)


async def let_pass(hub: WorkingHub, moment: str) -> None:
    """Let a moment of what is asked be over."""
    async with hub.database.transaction() as tx:
        before = await now(tx) - timedelta(seconds=1)
        await tx.execute(update(LateQuestionsRow).values({moment: before}))


async def enable(hub: WorkingHub, *, is_enabled: bool) -> None:
    """Let the connection to the server that asks be used, or not."""
    async with hub.database.transaction() as tx:
        row = (await tx.scalars(select(ConnectionRow).where(ConnectionRow.name == "asker"))).one()
        change = (
            enable_connection(tx, row.id, hub.authority)
            if is_enabled
            else disable_connection(tx, row.id, hub.authority, reason="a pause")
        )
        await change


async def mark_personal(hub: WorkingHub, name: str) -> None:
    """Let what a tool answers be of a data class."""
    tool = await hub.runtime.catalog.resolve(name, server=EVERYTHING, caller=await reader(hub))
    spec = tool.connector.model_copy(deep=True)
    operations = [
        one.model_copy(update={"data_classes": ("personal",)}) if one.name == name else one for one in spec.operations
    ]
    async with hub.database.transaction() as tx:
        await register_connector(tx, spec.model_copy(update={"operations": tuple(operations)}), hub.authority)


async def decide_by(hub: WorkingHub, rule: str) -> None:
    """Let policy have one more rule."""
    publication = Publication(environment="dev", text=f"{rules('')}\n{rule}", by=None)
    async with hub.database.transaction() as tx:
        await publish_bundle(tx, hub.database, hub.runtime.keys, publication)
