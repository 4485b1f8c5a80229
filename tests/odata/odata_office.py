"""An office whose orders stand in CAP, and an agent that works there through the hub."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

from cap.harness import put_order
from cap.server import Cap
from world import World

from connectors.sdk.spec import ConnectorSpec
from hub.identity.principals import Caller
from hub.invocations.resume import resume
from hub.invocations.values import Invocation

Json = Any

_runs = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The service, the hub, and who calls."""

    cap: Cap
    world: World
    spec: ConnectorSpec
    caller: Caller

    def order(self, **said: Json) -> str:
        """Return the number of an order that a colleague has taken by hand."""
        number = str(uuid4())
        put_order(self.cap, number, **said)
        return number

    def row(self, number: str) -> dict[str, Json]:
        """Return an order as it stands in the service's database."""
        (row,) = self.cap.rows(f"SELECT * FROM OrderService_Orders WHERE ID = '{number}'")  # noqa: S608  # a number of ours
        return row

    def edit(self, number: str, **said: Json) -> None:
        """Change an order by hand."""
        self.cap.clerk("PATCH", f"/Orders(ID={number},IsActiveEntity=true)", said)

    async def call(self, tool: str, **arguments: Json) -> Invocation:
        """Invoke `tool` as the agent, in a run of its own."""
        return await self.world.call(tool, arguments, caller=self.caller, run=f"run-{next(_runs)}")

    async def approved(self, asked: Invocation) -> Invocation:
        """Return what becomes of a call once Ann has approved what it shows."""
        await self.world.vote(asked, self.world.ann)
        return await resume(asked.id, self.world.runtime)
