"""`subscriptions/listen` (2026-07-28): streams on which a client hears that one of its lists, or a task, has changed.

Nothing is queued for a client: a stream looks again when something was signalled, in this process or another, and says
what is different from what it said last. So a list is told to have changed only where this caller's has, and a client
that reads slowly misses nothing but what has been overtaken. One that does not read at all is dropped.

A stream lives no longer than its token: suspension, revocation and expiry end it at once.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, cast

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    Notification,
    NotificationParams,
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ResourceUpdatedNotification,
    ResourceUpdatedNotificationParams,
    ServerNotification,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    ToolListChangedNotification,
)
from pydantic import ConfigDict

from connectors.mcp_upstream.serving import PROMPTS, RESOURCES
from hub.core.errors import HubError, NotFound
from hub.identity.authority import IDENTITY_CHANNEL
from hub.invocations.beside_tools import MOST_LISTENED_TO
from hub.invocations.handles import Handle, find_handle
from hub.invocations.journal import channel_of
from hub.invocations.resource_news import TOO_MANY
from hub.invocations.runtime import Runtime
from hub.mcp.abilities import Abilities, abilities, demand_tasks
from hub.mcp.admission import Admitted, admitted
from hub.mcp.challenges import NOT_AVAILABLE, NOT_PERMITTED
from hub.mcp.event_streams import first_of
from hub.mcp.outlook import Outlook
from hub.mcp.showing import CHANGES, LISTS, TOOLS, Showing
from hub.mcp.streams import Streams
from hub.mcp.tasks import TaskDoor
from hub.watches import NEWS

Json = Any
"""Any JSON value."""

Context = ServerRequestContext[Any, Any]

MOST_TASKS: Final = 64
LOOK_AGAIN_SECONDS: Final = 30.0
"""How often a stream looks without having heard anything: another process may have written to SQLite."""


Changed = ToolListChangedNotification | ResourceListChangedNotification | PromptListChangedNotification

_CHANGED: Final[Mapping[str, Callable[[NotificationParams], Changed]]] = {
    TOOLS: lambda params: ToolListChangedNotification(params=params),
    RESOURCES: lambda params: ResourceListChangedNotification(params=params),
    PROMPTS: lambda params: PromptListChangedNotification(params=params),
}


class TaskParams(NotificationParams):
    """A whole task."""

    model_config = ConfigDict(extra="allow")


class TaskNotification(Notification[TaskParams, Literal["notifications/tasks"]]):
    """`notifications/tasks`: how a task stands, as `tasks/get` would tell it."""

    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: TaskParams


@dataclass(slots=True, kw_only=True)
class _Stream:
    """One open stream: what was agreed to be told on it, and what was told last."""

    context: Context
    known: Admitted
    client: Abilities
    send_seconds: float
    outlook: Outlook
    handles: dict[str, Handle]
    uris: tuple[str, ...] = ()
    """Of which resources it tells that they have changed, as far as the caller sees them."""
    told: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])

    @property
    def channels(self) -> tuple[str, ...]:
        """What is listened to; a task that has gone on with another round is heard of elsewhere."""
        tasks = sorted(channel_of(one.invocation_id) for one in self.handles.values())
        return (*CHANGES, IDENTITY_CHANNEL, *tasks, *([NEWS] if self.uris else []))

    @property
    def meta(self) -> dict[str, Json]:
        return {SUBSCRIPTION_ID_META_KEY: self.context.request_id}

    async def send(self, notification: ServerNotification) -> None:
        """Send one message; a client that does not take it in time has lost its stream."""
        async with asyncio.timeout(self.send_seconds):
            await self.context.session.send_notification(notification, related_request_id=self.context.request_id)


class Listening:
    """Serves `subscriptions/listen` for one process."""

    def __init__(self, runtime: Runtime, tasks: TaskDoor, streams: Streams) -> None:
        self._runtime = runtime
        self._tasks = tasks
        self._streams = streams
        self._showing = Showing(runtime)

    async def listen(self, context: Context, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """Serve one stream until its client goes, its token ends, or the hub shuts down."""
        if context.request_id is None:
            raise MCPError(code=INVALID_REQUEST, message="subscriptions/listen is a request, and has an id.")
        try:
            stream = await self._agreed(context, params)
            with self._streams.place(stream.known.caller.visible_key) as ending:
                await self._serve(stream, ending)
        except TimeoutError as error:
            message = "What was sent on this stream was not read; open another one."
            raise MCPError(code=NOT_AVAILABLE, message=message) from error
        except HubError as error:
            code = NOT_PERMITTED if error.code == "unauthenticated" else NOT_AVAILABLE
            raise MCPError(code=code, message=error.message) from error
        return SubscriptionsListenResult(_meta=stream.meta)

    async def _agreed(self, context: Context, params: SubscriptionsListenRequestParams) -> _Stream:
        """Return the stream with what can be told on it: changes of the list of tools, and the caller's own tasks."""
        known, asked = admitted(context), params.notifications
        task_ids = _task_ids(asked)
        client = demand_tasks(context) if task_ids else abilities(context)
        wanted = frozenset(kind for kind in LISTS if getattr(asked, f"{kind}_list_changed") is True)
        return _Stream(
            context=context,
            known=known,
            client=client,
            send_seconds=self._streams.send_seconds,
            outlook=Outlook(wanted=wanted, takes_tasks=client.takes_tasks),
            handles={one.id: one async for one in self._own(known, task_ids)},
            uris=_uris(asked),
        )

    async def _own(self, known: Admitted, task_ids: Iterable[str]) -> AsyncGenerator[Handle]:
        async with self._runtime.database.reading() as tx:
            for task_id in task_ids:
                try:
                    yield await find_handle(tx, known.caller, known.server, task_id)
                except NotFound:
                    continue  # it is not agreed to, and nothing else is said of it

    async def _serve(self, stream: _Stream, ending: asyncio.Event) -> None:
        await self._look(stream, first=True)
        await stream.send(_acknowledgement(stream))
        while not ending.is_set():
            channels = stream.channels
            async with self._runtime.database.listening(*channels) as heard:
                while not ending.is_set():
                    heard.clear()
                    left = await self._look(stream, first=False)
                    if stream.channels != channels:
                        break
                    await first_of([heard, ending], seconds=min(left, LOOK_AGAIN_SECONDS))

    async def _look(self, stream: _Stream, *, first: bool) -> float:
        """Say what has changed; return for how many seconds the token is good."""
        caller, left = await stream.known.again()
        known = replace(stream.known, caller=caller)
        found = await stream.outlook.look(
            caller, known.server, stream.uris, showing=self._showing, runtime=self._runtime
        )
        if first and found.too_many:
            raise MCPError(code=NOT_AVAILABLE, message=TOO_MANY)
        if first:
            stream.uris = tuple(stream.outlook.changed)  # of those that the caller sees it is agreed to tell
            return left
        for kind in found.lists:
            await stream.send(_CHANGED[kind](NotificationParams(_meta=stream.meta)))
        for uri in found.uris:
            params = ResourceUpdatedNotificationParams(uri=uri, _meta=stream.meta)
            await stream.send(ResourceUpdatedNotification(params=params))
        await self._tell_tasks(stream, known)
        return left

    async def _tell_tasks(self, stream: _Stream, known: Admitted) -> None:
        """Tell the tasks that have changed, masked for the caller as it is now."""
        for handle in tuple(stream.handles.values()):
            async with self._runtime.database.reading() as tx:
                fresh = await find_handle(tx, known.caller, known.server, handle.id)
            stream.handles[handle.id] = fresh
            task = await self._tasks.detailed(known, stream.client, fresh)
            if stream.told.get(handle.id) == task:
                continue
            stream.told[handle.id] = task
            params = TaskParams.model_validate({**task, "_meta": stream.meta})
            await stream.send(cast("ServerNotification", TaskNotification(params=params)))


def _task_ids(asked: SubscriptionFilter) -> list[str]:
    """Return the tasks that the client wants to hear of, each once.

    Raises:
        MCPError: they are too many, or no texts.
    """
    given: object = (asked.model_extra or {}).get("taskIds") or []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in cast("list[object]", given)):
        raise MCPError(code=INVALID_PARAMS, message="taskIds has to be a list of task ids.")
    ids = list(dict.fromkeys(cast("list[str]", given)))
    if len(ids) > MOST_TASKS:
        raise MCPError(code=INVALID_PARAMS, message=f"One stream tells of {MOST_TASKS} tasks at most.")
    return ids


def _uris(asked: SubscriptionFilter) -> tuple[str, ...]:
    """Return the resources that the client wants to hear of, each once.

    Raises:
        MCPError: they are too many.
    """
    uris = tuple(dict.fromkeys(asked.resource_subscriptions or ()))
    if len(uris) > MOST_LISTENED_TO:
        raise MCPError(code=INVALID_PARAMS, message=f"One stream tells of {MOST_LISTENED_TO} resources at most.")
    return uris


def _acknowledgement(stream: _Stream) -> SubscriptionsAcknowledgedNotification:
    agreed: dict[str, Json] = {f"{kind}ListChanged": True for kind in LISTS if kind in stream.outlook.wanted}
    if stream.uris:
        agreed["resourceSubscriptions"] = list(stream.uris)
    if stream.handles:
        agreed["taskIds"] = list(stream.handles)
    params = {"notifications": agreed, "_meta": stream.meta}
    return SubscriptionsAcknowledgedNotification(
        params=SubscriptionsAcknowledgedNotificationParams.model_validate(params)
    )
