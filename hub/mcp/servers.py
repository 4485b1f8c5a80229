"""The SDK's servers: one for each published server, made when it is first asked for."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup, TaskStatus
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions
from mcp.server.lowlevel import Server as SdkServer
from mcp.server.models import InitializationOptions
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_REQUEST,
    CallToolRequestParams,
    DiscoverResult,
    EmptyResult,
    RequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.invocations.runtime import Runtime
from hub.mcp.abilities import TASKS
from hub.mcp.admission import admitted
from hub.mcp.beside_tools import BesideTools
from hub.mcp.calling import called_schema, calling
from hub.mcp.listening import Listening
from hub.mcp.listing import listing
from hub.mcp.messages import LONGEST_BODY
from hub.mcp.questioning import Questions
from hub.mcp.resuming import Resuming
from hub.mcp.sessions import Sessions
from hub.mcp.standing import Standing
from hub.mcp.streams import Streams
from hub.mcp.subscribing import Subscribing
from hub.mcp.tasks import TaskDoor, TaskParams, UpdateTaskParams
from hub.registry import Server

INSTRUCTIONS: Final = """\
Tools of this server run through a governed hub. A read answers at once. A write may come back with a result whose \
status is "pending_approval" or "running": it has NOT happened yet. Do not make the same call again; tell the person \
who must approve it and by when, and ask later with hub_invocation_get and the invocation id. A result with isError \
says in reason_code and reason why a call was refused and in retryable whether trying again can help. Where the list \
has hub_find_tools, it is not everything: say with it, in your own words, what you want to do, and call what it finds \
with hub_call_tool."""


MOST_BY_GET: Final = 32
"""Streams of one pair of principals that are opened by a GET: many clients open one for each session, asked or not."""


class _HubsServer(SdkServer[Any]):
    """A server of the SDK that tells clients of both protocols when lists change: those of the older one by a GET."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Return what `initialize` is answered with."""
        told = notification_options or NotificationOptions(
            prompts_changed=True, resources_changed=True, tools_changed=True
        )
        return super().create_initialization_options(told, experimental_capabilities, extensions)


@dataclass(slots=True, kw_only=True, eq=False)
class _Started:
    """A session manager that runs for one definition of a server, until the last message it serves after that."""

    server: Server
    manager: StreamableHTTPSessionManager
    _ends: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    _serving: int = 0
    _is_former: bool = False

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run the manager until it is former and serves nothing."""
        with self._ends:
            async with self.manager.run():
                task_status.started()
                await anyio.sleep_forever()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one message."""
        self._serving += 1
        try:
            await self.manager.handle_request(scope, receive, send)
        finally:
            self._serving -= 1
            self._end_if_idle()

    def make_former(self) -> None:
        """Let it end: another definition is served now."""
        self._is_former = True
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._is_former and not self._serving:
            self._ends.cancel()


class Servers:
    """Runs the SDK's session managers: they keep no session, only what one process needs to answer."""

    def __init__(self, runtime: Runtime, streams: Streams) -> None:
        self._runtime = runtime
        self._tasks: TaskGroup | None = None
        self._started: dict[tuple[str, bool], _Started] = {}
        self._starting = anyio.Lock()
        self._tasks_door = TaskDoor(runtime)
        self.sessions = Sessions(runtime.database, runtime.keys)
        self.questions = Questions(runtime, streams)
        self.by_get = Streams(most_of_one=MOST_BY_GET, send_seconds=streams.send_seconds)
        self.standing = Standing(runtime, self.sessions, self.by_get)
        self.resuming = Resuming(runtime, self.by_get)
        self._call = calling(runtime, self._tasks_door, self.questions)  # one, which sees all the calls under way
        self._listening = Listening(runtime, self._tasks_door, streams)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Keep the servers alive for as long as the block lasts."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                self._started.clear()
                tasks.cancel_scope.cancel()

    async def application(self, name: str, *, as_stream: bool = False) -> ASGIApp:
        """Return the ASGI application that serves the messages of the published server `name`.

        `as_stream` is for calls whose client wants to hear of their progress before the answer.

        Raises:
            NotFound: it is not published (any more).
        """
        server = await self._runtime.catalog.server(name)
        known = self._started.get((name, as_stream))
        if known is not None and known.server == server:
            return known.serve
        async with self._starting:
            if self._tasks is None:
                raise RuntimeError("the MCP door is not running")
            manager = StreamableHTTPSessionManager(
                self._sdk_server(name, server),
                json_response=not as_stream,
                stateless=True,
                max_request_body_size=LONGEST_BODY,
            )
            started = _Started(server=server, manager=manager)
            await self._tasks.start(started.run)
            former = self._started.pop((name, as_stream), None)
            self._started[name, as_stream] = started
            if former is not None:
                former.make_former()
            return started.serve

    def _sdk_server(self, name: str, server: Server) -> SdkServer[Any]:
        beside, subscribing = BesideTools(self._runtime), Subscribing(self._runtime)
        tasks = self._tasks_door
        sdk = _HubsServer(
            f"toolhub/{name}",
            version=version("toolhub"),
            title=server.title,
            instructions=f"{server.instructions}\n\n{INSTRUCTIONS}" if server.instructions else INSTRUCTIONS,
            get_tool_input_schema=called_schema,
            on_list_tools=listing(self._runtime),
            on_list_resources=beside.list_resources,
            on_list_resource_templates=beside.list_templates,
            on_read_resource=beside.read_resource,
            on_list_prompts=beside.list_prompts,
            on_get_prompt=beside.get_prompt,
            on_completion=beside.complete,
            on_subscriptions_listen=self._listening.listen,
        )
        sdk.add_request_handler("server/discover", RequestParams, _discovering(sdk))
        sdk.add_request_handler("tools/call", CallToolRequestParams, self._call)
        sdk.add_request_handler("logging/setLevel", SetLevelRequestParams, _setting_level(self.sessions))
        sdk.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribing.subscribe)
        sdk.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, subscribing.unsubscribe)
        sdk.add_request_handler("tasks/get", TaskParams, tasks.get)
        sdk.add_request_handler("tasks/update", UpdateTaskParams, tasks.update)
        sdk.add_request_handler("tasks/cancel", TaskParams, tasks.cancel)
        return sdk


def _setting_level(
    sessions: Sessions,
) -> Callable[[ServerRequestContext[Any], SetLevelRequestParams], Awaitable[EmptyResult]]:
    """Return the handler of `logging/setLevel`."""

    async def set_level(context: ServerRequestContext[Any], params: SetLevelRequestParams) -> EmptyResult:
        session = admitted(context).session
        if session is None:
            message = "A level of log is kept for a session; send the session id that `initialize` is answered with."
            raise MCPError(code=INVALID_REQUEST, message=message)
        await sessions.set_level(session, params.level)
        return EmptyResult()

    return set_level


def _discovering(
    sdk: SdkServer[Any],
) -> Callable[[ServerRequestContext[Any], RequestParams], Awaitable[DiscoverResult]]:
    """Return the handler of `server/discover`, with what clients of this protocol can have here."""

    async def discover(context: ServerRequestContext[Any], params: RequestParams) -> DiscoverResult:
        del params
        can = sdk.get_capabilities(extensions={TASKS: {}}, protocol_version=context.protocol_version)
        can.logging = None  # this protocol has given it up
        versions = list(MODERN_PROTOCOL_VERSIONS)
        return DiscoverResult(supported_versions=versions, capabilities=can, instructions=sdk.instructions)

    return discover
