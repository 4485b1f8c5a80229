"""The tasks extension (`io.modelcontextprotocol/tasks`, 2026-07-28): invocations that wait, as tasks to be polled.

A task is a handle of an invocation; its status is what `STANDINGS` says. Whatever an invocation comes to, refusals
included, is the result of a completed task. Source: github.com/modelcontextprotocol/ext-tasks.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, InputResponses, RequestParams

from hub.core.errors import HubError, NotFound
from hub.invocations.briefly import TOO_LATE, briefly, with_link
from hub.invocations.envelope import (
    POLL_AFTER_SECONDS,
    RUNNING_POLL_SECONDS,
    Status,
    awaits_requester,
    envelope,
    outward,
)
from hub.invocations.handles import Handle, find_handle, hand_out, note_answers, note_too_late
from hub.invocations.masking import answer_for
from hub.invocations.queries import call_off_quietly, get_invocation
from hub.invocations.runtime import Runtime
from hub.invocations.states import CANCELLABLE, State
from hub.invocations.values import Invocation
from hub.mcp.abilities import Abilities, demand_tasks
from hub.mcp.admission import Admitted, admitted
from hub.mcp.confirming import CONFIRM, request_to_confirm, says
from hub.mcp.results import result_of

Json = Any
"""Any JSON value."""

Context = ServerRequestContext[Any, Any]

_CALLED_OFF: Final = "Its client cancelled the task."
_DECLINED: Final = "Its client says that it was declined."
_WORKING: Final = "working"


class TaskParams(RequestParams):
    """Which task is meant."""

    task_id: str


class UpdateTaskParams(TaskParams):
    """What the client answers to what a task asked it."""

    input_responses: InputResponses


class TaskDoor:
    """Answers `tasks/get`, `tasks/update` and `tasks/cancel`, and makes calls that wait into tasks."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def created(self, known: Admitted, client: Abilities, invocation: Invocation) -> dict[str, Json]:
        """Return the answer to a call that is now a task; it is on record before the answer leaves."""
        async with self._runtime.database.transaction() as tx:
            handle = await hand_out(tx, known.caller, known.server, invocation)
        return {"resultType": "task", **self._head(client, handle, invocation)}

    async def get(self, context: Context, params: TaskParams) -> dict[str, Json]:
        """Answer `tasks/get`."""
        client, known = demand_tasks(context), admitted(context)
        async with _errors(context, params):
            handle = await self._find(known, params.task_id)
            return {"resultType": "complete", **await self.detailed(known, client, handle)}

    async def update(self, context: Context, params: UpdateTaskParams) -> dict[str, Json]:
        """Answer `tasks/update`: keep what was answered, and call off what was declined. No yes counts as one."""
        demand_tasks(context)
        known = admitted(context)
        async with _errors(context, params):
            handle = await self._find(known, params.task_id)
            standing = await get_invocation(self._runtime, known.caller, handle.invocation_id)
            said = says(params.input_responses, _key(standing)) if awaits_requester(standing) else None
            if said is not None:
                async with self._runtime.database.transaction() as tx:
                    await note_answers(tx, handle, frozenset({_key(standing)}))
            if said == "decline":
                await self._call_off(known, handle, _DECLINED)
        return {"resultType": "complete"}

    async def cancel(self, context: Context, params: TaskParams) -> dict[str, Json]:
        """Answer `tasks/cancel`: call it off, or keep that it was too late, which the task then says.

        While it is being checked neither may be so: that is an error, which says to ask again.
        """
        demand_tasks(context)
        known = admitted(context)
        async with _errors(context, params):
            await self._call_off(known, await self._find(known, params.task_id), _CALLED_OFF)
        return {"resultType": "complete"}

    async def detailed(self, known: Admitted, client: Abilities, handle: Handle) -> dict[str, Json]:
        """Return the whole task, as `tasks/get` and `notifications/tasks` tell it.

        Raises:
            NotFound: its invocation is no longer the caller's to see.
        """
        found = await get_invocation(self._runtime, known.caller, handle.invocation_id)
        invocation = await answer_for(known.caller, found, self._runtime)
        told = self._head(client, handle, invocation)
        if told["status"] == "input_required":
            asked = request_to_confirm(invocation, self._runtime.public_url)
            told["inputRequests"] = {_key(invocation): asked.model_dump(mode="json", by_alias=True, exclude_none=True)}
        if told["status"] == "completed":
            result = result_of(envelope(invocation, public_url=self._runtime.public_url))
            told["result"] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        return told

    def _head(self, client: Abilities, handle: Handle, invocation: Invocation) -> dict[str, Json]:
        asks = client.opens_urls and awaits_requester(invocation) and _key(invocation) not in handle.answered
        is_running = outward(invocation).status is Status.RUNNING
        head: dict[str, Json] = {
            "taskId": handle.id,
            "status": "input_required" if asks else outward(invocation).task,
            "createdAt": _instant(handle.created_at),
            "lastUpdatedAt": _instant(max(invocation.updated_at, handle.created_at)),
            "ttlMs": handle.lasts_ms,
            "pollIntervalMs": (RUNNING_POLL_SECONDS if is_running else POLL_AFTER_SECONDS) * 1000,
        }
        message = self._message(handle, invocation, asks=asks)
        return {**head, "statusMessage": message} if message else head

    def _message(self, handle: Handle, invocation: Invocation, *, asks: bool) -> str:
        if invocation.state.is_terminal or outward(invocation).task != _WORKING:
            return invocation.error_message or ""
        said = briefly(invocation) if asks else with_link(invocation, self._runtime.public_url)
        was_sent = invocation.state not in CANCELLABLE | {State.COMMITTING}  # not so if its record went stale since
        return f"{TOO_LATE if handle.is_too_late and was_sent else ''}{said}"

    async def _find(self, known: Admitted, task_id: str) -> Handle:
        async with self._runtime.database.reading() as tx:
            return await find_handle(tx, known.caller, known.server, task_id)

    async def _call_off(self, known: Admitted, handle: Handle, reason: str) -> None:
        if not await call_off_quietly(self._runtime, known.caller, handle.invocation_id, reason=reason):
            async with self._runtime.database.transaction() as tx:
                await note_too_late(tx, handle)


def _key(invocation: Invocation) -> str:
    """Return what a request to confirm is called: each revision is another one, and is asked by another name."""
    return f"{CONFIRM}-{invocation.revision}"


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@asynccontextmanager
async def _errors(context: Context, params: TaskParams) -> AsyncGenerator[None]:
    """Turn what the hub refuses into errors of the protocol; routing by a header that names another task is one."""
    routed = context.request.headers.get("mcp-name") if context.request is not None else None
    if routed is not None and routed != params.task_id:
        raise MCPError(code=HEADER_MISMATCH, message="The Mcp-Name header names another task than the request does.")
    try:
        yield
    except NotFound as error:
        raise MCPError(code=INVALID_PARAMS, message=error.message) from error
    except HubError as error:
        raise MCPError(code=INTERNAL_ERROR, message=error.message) from error
