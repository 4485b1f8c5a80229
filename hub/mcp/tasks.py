"""The tasks extension (`io.modelcontextprotocol/tasks`, 2026-07-28): invocations that wait, as tasks to be polled.

A task is a handle of an invocation; its status is what `outward` says. Whatever an invocation comes to, refusals
included, is the result of a completed task; only a read that its system answered with an error of the protocol is a
failed one. A task whose read was asked late goes on with the next round, another invocation, under the same handle.
Source: github.com/modelcontextprotocol/ext-tasks.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, ElicitResult, RequestParams
from pydantic import BaseModel, ValidationError

from hub.core.errors import HubError, NotFound
from hub.invocations.briefly import TOO_LATE, briefly, with_link
from hub.invocations.envelope import (
    ERASED,
    POLL_AFTER_SECONDS,
    RUNNING_POLL_SECONDS,
    Status,
    awaits_requester,
    envelope,
    outward,
)
from hub.invocations.handles import Handle, find_handle, hand_out, note_answers, note_too_late
from hub.invocations.late_questions import was_asked
from hub.invocations.queries import call_off_quietly, get_invocation
from hub.invocations.runtime import Runtime
from hub.invocations.states import CANCELLABLE, State
from hub.invocations.values import Invocation
from hub.mcp.abilities import Abilities, demand_tasks
from hub.mcp.admission import Admitted, admitted
from hub.mcp.asking_later import Asking, AskingLater
from hub.mcp.confirming import CONFIRM, request_to_confirm
from hub.mcp.results import ended_result, result_of
from hub.mcp.retelling import told_at

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
    """What the client answers to what a task asked it; what was not asked may be anything."""

    input_responses: dict[str, Json]


class TaskDoor:
    """Answers `tasks/get`, `tasks/update` and `tasks/cancel`, and makes calls that wait into tasks."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._later = AskingLater(runtime)

    async def created(self, known: Admitted, client: Abilities, invocation: Invocation) -> dict[str, Json]:
        """Return the answer to a call that is now a task; it is on record before the answer leaves."""
        async with self._runtime.database.transaction() as tx:
            handle = await hand_out(tx, known.caller, known.server, invocation)
        return {"resultType": "task", **self._head(_Task(handle=handle, invocation=invocation), client)}

    async def get(self, context: Context, params: TaskParams) -> dict[str, Json]:
        """Answer `tasks/get`."""
        client, known = demand_tasks(context), admitted(context)
        async with _errors(context, params):
            handle = await self._find(known, params.task_id)
            return {"resultType": "complete", **await self.detailed(known, client, handle)}

    async def update(self, context: Context, params: UpdateTaskParams) -> dict[str, Json]:
        """Answer `tasks/update`: keep what was answered, and go on with it if it was a server that asked.

        To what the hub itself asks no yes counts as one, and a no calls the invocation off.
        """
        demand_tasks(context)
        known = admitted(context)
        async with _errors(context, params):
            task = await self._look(known, await self._find(known, params.task_id))
            handle, standing = task.handle, task.invocation
            if task.asking is not None:
                await self._later.take(known, handle, task.asking, params.input_responses)
            said = _said(params.input_responses.get(_key(standing))) if awaits_requester(standing) else None
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
        found = await self._look(known, handle)
        if found.asking is not None:
            await self._later.see_to(known, found.handle, found.asking)
        task = replace(found, invocation=await told_at(known.server, known.caller, found.invocation, self._runtime))
        return {**self._head(task, client), **self._rest(task, client)}

    async def _look(self, known: Admitted, handle: Handle) -> "_Task":
        """Return how a task stands; one that goes on with another round meanwhile is looked at again.

        Raises:
            NotFound: its invocation is no longer the caller's to see.
        """
        while True:
            found = await get_invocation(self._runtime, known.caller, handle.invocation_id)
            asking = None if handle.ended else await self._later.asking(known, found)
            if asking is not None or not was_asked(found):
                return _Task(handle=handle, invocation=found, asking=asking)
            fresh = await self._find(known, handle.id)  # what it asked is gone: it may have gone on, or ended, just now
            if fresh.invocation_id == handle.invocation_id:
                return _Task(handle=fresh, invocation=found)
            handle = fresh

    def _head(self, task: "_Task", client: Abilities) -> dict[str, Json]:
        head: dict[str, Json] = {
            "taskId": task.handle.id,
            "status": task.status_for(client),
            "createdAt": _instant(task.handle.created_at),
            "lastUpdatedAt": _instant(max(task.invocation.updated_at, task.handle.updated_at)),
            "ttlMs": task.handle.lasts_ms,
            "pollIntervalMs": (RUNNING_POLL_SECONDS if task.is_running else POLL_AFTER_SECONDS) * 1000,
        }
        message = self._message(task, client)
        return {**head, "statusMessage": message} if message else head

    def _rest(self, task: "_Task", client: Abilities) -> dict[str, Json]:
        """Return what comes with the status that the task has: what is asked, the result, or the error."""
        match task.status_for(client):
            case "input_required" if task.asking is not None:
                return {"inputRequests": task.asking.requests_for(client)}
            case "input_required":
                asked = request_to_confirm(task.invocation, self._runtime.public_url)
                return {"inputRequests": {_key(task.invocation): _as_json(asked)}}
            case "completed" if (ended := task.handle.ended) is not None:
                return {"result": _as_json(ended_result(ended.code, ended.message))}
            case "completed":
                return {"result": _as_json(result_of(envelope(task.invocation, public_url=self._runtime.public_url)))}
            case "failed":
                return {"error": {"code": task.invocation.rpc_code, "message": task.invocation.error_message or ERASED}}
            case _:
                return {}

    def _message(self, task: "_Task", client: Abilities) -> str:
        handle, invocation = task.handle, task.invocation
        if handle.ended is not None:
            return handle.ended.message
        if task.asking is not None:
            return task.asking.message_for(client)
        if invocation.state.is_terminal or outward(invocation).task != _WORKING:
            return invocation.error_message or ""
        is_asked = task.status_for(client) == "input_required"
        said = briefly(invocation) if is_asked else with_link(invocation, self._runtime.public_url)
        was_sent = invocation.state not in CANCELLABLE | {State.COMMITTING}  # not so if its record went stale since
        return f"{TOO_LATE if handle.is_too_late and was_sent else ''}{said}"

    async def _find(self, known: Admitted, task_id: str) -> Handle:
        async with self._runtime.database.reading() as tx:
            return await find_handle(tx, known.caller, known.server, task_id)

    async def _call_off(self, known: Admitted, handle: Handle, reason: str) -> None:
        task = await self._look(known, handle)
        while task.asking is not None:
            if await self._later.call_off(task.handle, task.asking, reason):
                return
            task = await self._look(known, await self._find(known, handle.id))  # it went on with another round
        handle = task.handle
        if handle.ended is not None:
            return
        if not await call_off_quietly(self._runtime, known.caller, handle.invocation_id, reason=reason):
            async with self._runtime.database.transaction() as tx:
                await note_too_late(tx, handle)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A task as it is told: its handle, its invocation as the caller may see it, and what that was asked late."""

    handle: Handle
    invocation: Invocation
    asking: Asking | None = None

    @property
    def is_running(self) -> bool:
        if self.asking is not None:
            return self.asking.is_replied
        return outward(self.invocation).status is Status.RUNNING

    def status_for(self, client: Abilities) -> str:
        if self.handle.ended is not None:
            return "cancelled" if self.handle.ended.is_called_off else "completed"
        if self.asking is not None:
            is_asked = not self.asking.is_replied and self.asking.requests_for(client) is not None
            return "input_required" if is_asked else _WORKING
        invocation = self.invocation
        confirms = client.opens_urls and awaits_requester(invocation) and _key(invocation) not in self.handle.answered
        return "input_required" if confirms else outward(invocation).task


def _key(invocation: Invocation) -> str:
    """Return what a request to confirm is called: each revision is another one, and is asked by another name."""
    return f"{CONFIRM}-{invocation.revision}"


def _said(given: Json) -> str | None:
    """Return what the client says that its person did on the page of confirmation; None: nothing that can be read."""
    try:
        return ElicitResult.model_validate(given).action
    except ValidationError:
        return None


def _as_json(value: BaseModel) -> dict[str, Json]:
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


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
