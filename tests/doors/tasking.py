"""The tasks extension as an SDK client has it, and words for what such a client does."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from mcp_types import (
    CallToolResult,
    ElicitResult,
    InputResponses,
    NotificationParams,
    Request,
    RequestParams,
    Result,
    SubscriptionFilter,
    SubscriptionsListenRequest,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)
from pydantic import ConfigDict
from questions import rules
from sqlalchemy import select

from doors.working_hub import WorkingHub
from hub.bundles import Publication, publish_bundle
from hub.invocations.tables import TaskHandleRow
from hub.mcp.abilities import TASKS


class TaskCreated(Result):
    """What a call is answered with that has become a task."""

    result_type: Literal["task"]
    task_id: str
    status: str
    status_message: str | None = None
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int


class TaskTold(Result):
    """A task as `tasks/get` tells it."""

    result_type: str
    task_id: str = ""
    status: str = ""
    status_message: str | None = None
    last_updated_at: str = ""
    ttl_ms: int | None = None
    poll_interval_ms: int = 0
    input_requests: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


class OfTask(RequestParams):
    """Which task is meant."""

    task_id: str


class Answering(OfTask):
    """What is answered to it."""

    input_responses: InputResponses


class GetTask(Request[OfTask, Literal["tasks/get"]]):
    """`tasks/get`."""

    method: Literal["tasks/get"] = "tasks/get"
    params: OfTask
    name_param = "taskId"


class UpdateTask(Request[Answering, Literal["tasks/update"]]):
    """`tasks/update`."""

    method: Literal["tasks/update"] = "tasks/update"
    params: Answering
    name_param = "taskId"


class CancelTask(Request[OfTask, Literal["tasks/cancel"]]):
    """`tasks/cancel`."""

    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: OfTask
    name_param = "taskId"


class Tasking(ClientExtension):
    """A client that knows tasks, and asks at once for what a call came to."""

    identifier = TASKS

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """Take tasks in the place of results."""
        return (ResultClaim(result_type="task", model=TaskCreated, resolve=self._resolve),)

    async def _resolve(self, task: TaskCreated, context: ClaimContext) -> CallToolResult:
        while True:
            told = await context.session.send_request(GetTask(params=OfTask(task_id=task.task_id)), TaskTold)
            if told.status not in {"working", "input_required"}:
                return CallToolResult.model_validate(told.result)


WITH_TASKS: Final[dict[str, Any]] = {"extensions": [Tasking()]}
"""The ability of a client that knows tasks."""


async def start(client: Client, tool: str, arguments: dict[str, Any], **meta: Any) -> TaskCreated:  # noqa: ANN401  # as the SDK has it
    """Call a tool and return the task that the call has become."""
    answer = await client.session.call_tool(tool, arguments, allow_claimed=True, meta=meta or None)
    assert isinstance(answer, TaskCreated)
    return answer


async def look(client: Client, task_id: str) -> TaskTold:
    """Return how a task stands."""
    return await client.session.send_request(GetTask(params=OfTask(task_id=task_id)), TaskTold)


async def answer(client: Client, task_id: str, key: str, action: Literal["accept", "decline", "cancel"]) -> None:
    """Say what the person did whom a task wants to be asked."""
    said: InputResponses = {key: ElicitResult(action=action)}
    await client.session.send_request(UpdateTask(params=Answering(task_id=task_id, input_responses=said)), TaskTold)


async def call_off(client: Client, task_id: str) -> None:
    """Cancel a task."""
    await client.session.send_request(CancelTask(params=OfTask(task_id=task_id)), TaskTold)


async def confirm_first(hub: WorkingHub, *, also: str = "") -> None:
    """Let policy ask the person an agent acts for about writes of tier high, and then whom `also` names."""
    text = rules(f'@confirm("requester") {also} @ttl("PT4H")')
    publication = Publication(environment="dev", text=text, by=None)
    async with hub.database.transaction() as tx:
        await publish_bundle(tx, hub.database, hub.runtime.keys, publication)


async def invocation_of(hub: WorkingHub, task_id: str) -> str:
    """Return the invocation that a task stands for."""
    async with hub.database.reading() as tx:
        found = await tx.scalar(select(TaskHandleRow.invocation_id).where(TaskHandleRow.id == task_id))
    assert found is not None
    return found


class TaskTelling(NotificationParams):
    """What `notifications/tasks` says."""

    model_config = ConfigDict(extra="allow")

    taskId: str  # noqa: N815  # as it is on the wire
    status: str


@dataclass
class Hearing(Tasking):
    """A client that is told of its tasks."""

    told: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def notifications(self) -> list[NotificationBinding[Any]]:
        """Hear of tasks."""
        return [NotificationBinding(method="notifications/tasks", params_type=TaskTelling, handler=self._hear)]

    async def _hear(self, params: TaskTelling) -> None:
        self.told.append((params.taskId, params.status))
        self.news.set()

    async def until(self, status: str) -> None:
        """Wait until a task has come to be so."""
        while status not in {one for _, one in self.told}:
            self.news.clear()
            await self.news.wait()


async def listen_to(client: Client, *task_ids: str) -> SubscriptionsListenResult:
    """Open a stream that tells of tasks; it returns when the stream ends."""
    asked = SubscriptionFilter.model_validate({"taskIds": [*task_ids]})
    request = SubscriptionsListenRequest(params=SubscriptionsListenRequestParams(notifications=asked))
    return await client.session.send_request(request, SubscriptionsListenResult)
