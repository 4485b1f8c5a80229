"""The test upstream as a server: its tools behind both protocols, its state sealed, its lists that change."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata

from conformance.everything import asking, beside, plain, slowly
from conformance.everything.answers import Answer, Given, Json, Questions, Tells, Tool, text

Context = ServerRequestContext[Any]

NAME = "everything"
_KEY = b"the-test-upstream-keeps-no-secrets-but-seals"
_MODERN = "2026-07-28"
_MOST_ROUNDS = 8
_REPLIES: Mapping[str, type[types.ElicitResult | types.CreateMessageResult | types.ListRootsResult]] = {
    "elicitation/create": types.ElicitResult,
    "sampling/createMessage": types.CreateMessageResult,
    "roots/list": types.ListRootsResult,
}
_HINT = CacheHint(ttl_ms=1000, scope="public")
_HINTS: Mapping[CacheableMethod, CacheHint] = {
    "server/discover": _HINT,
    "tools/list": _HINT,
    "prompts/list": _HINT,
    "resources/list": _HINT,
    "resources/templates/list": _HINT,
    "resources/read": _HINT,
}


class Telling(Tells):
    """Says what a tool says in the stream of its call."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def log(self, text: str) -> None:
        """Send a line of log; in the newer protocol only a call that asked for lines gets them."""
        if self._context.protocol_version >= _MODERN and types.LOG_LEVEL_META_KEY not in (self._context.meta or {}):
            return
        said = types.LoggingMessageNotificationParams(level="info", data=text)
        line = types.LoggingMessageNotification(params=said)
        await self._context.session.send_notification(line, related_request_id=self._context.request_id)

    async def progress(self, done: float, total: float) -> None:
        """Tell how far the work is, if the client wants to know."""
        await self._context.session.report_progress(done, total, f"{done:g} of {total:g}")

    async def hang_up(self) -> None:
        """End the stream, so that the client has to come back for the rest."""
        if self._context.close_sse_stream is not None:
            await self._context.close_sse_stream()


class Everything:
    """The handlers of the server."""

    def __init__(self) -> None:
        self._bus = InMemorySubscriptionBus()
        self.listen = ListenHandler(self._bus)
        changing = (
            Tool(name="test_trigger_tool_change", description="Changes the list of tools.", answer=self._change_tools),
            Tool(
                name="test_trigger_prompt_change",
                description="Changes the list of prompts.",
                answer=self._change_prompts,
            ),
        )
        self._tools = {tool.name: tool for tool in (*plain.TOOLS, *asking.TOOLS, *slowly.TOOLS, *changing)}

    async def list_tools(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """List the tools."""
        del context, params
        return types.ListToolsResult(tools=[tool.described for tool in self._tools.values()])

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Call a tool."""
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name}.")
        try:
            answer = await self._answer(tool, given(context, params, params.arguments or {}), context)
        except ValueError as error:
            return types.CallToolResult(content=[text(str(error))], is_error=True)
        return required(answer) if isinstance(answer, Questions) else types.CallToolResult(content=answer)

    async def _answer(self, tool: Tool, known: Given, context: Context) -> Answer:
        answer = await tool.answer(known, Telling(context))
        for _ in range(_MOST_ROUNDS):
            if not isinstance(answer, Questions) or context.protocol_version >= _MODERN:
                break
            replies = {name: await _asked(context, question) for name, question in answer.asked.items()}
            known = replace(known, replies=replies, state=answer.state)
            answer = await tool.answer(known, Telling(context))
        return answer

    async def get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult:
        """Fill a prompt in."""
        if params.name != beside.ASKS:
            return types.GetPromptResult(messages=beside.filled(params.name, params.arguments or {}))
        answer = await asking.context(given(context, params, {}))
        if isinstance(answer, Questions):
            return required(answer)
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=one) for one in answer])

    async def _change_tools(self, given: Given, tells: Tells) -> Answer:
        del given, tells
        await self._bus.publish(ToolsListChanged())
        return [text("The list of tools has changed.")]

    async def _change_prompts(self, given: Given, tells: Tells) -> Answer:
        del given, tells
        await self._bus.publish(PromptsListChanged())
        return [text("The list of prompts has changed.")]


def given(
    context: Context, params: types.CallToolRequestParams | types.GetPromptRequestParams, arguments: Mapping[str, Json]
) -> Given:
    """Return what a call brings."""
    return Given(
        arguments=arguments,
        replies=params.input_responses or {},
        state=params.request_state,
        can=context.session.client_capabilities or types.ClientCapabilities(),
    )


def required(questions: Questions) -> types.InputRequiredResult:
    """Return questions as the result that they are in the newer protocol."""
    return types.InputRequiredResult(input_requests=dict(questions.asked), request_state=questions.state)


async def _asked(context: Context, question: types.InputRequest) -> types.InputResponse:
    """Return the reply of the client, asked while its call lasts."""
    where = ServerMessageMetadata(related_request_id=context.request_id)
    return await context.session.send_request(question, _REPLIES[question.method], metadata=where)


async def _subscribed(
    context: Context, params: types.SubscribeRequestParams | types.UnsubscribeRequestParams
) -> types.EmptyResult:
    del context, params
    return types.EmptyResult()


async def _levelled(context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
    del context, params
    return types.EmptyResult()


def made() -> Server[Any]:
    """Return the server."""
    everything = Everything()
    server: Server[Any] = Server(
        NAME,
        version="1.0.0",
        cache_hints=_HINTS,
        on_list_tools=everything.list_tools,
        on_call_tool=everything.call_tool,
        on_list_resources=beside.list_resources,
        on_list_resource_templates=beside.list_templates,
        on_read_resource=beside.read,
        on_list_prompts=beside.list_prompts,
        on_get_prompt=everything.get_prompt,
        on_completion=beside.complete,
        on_subscriptions_listen=everything.listen,
    )
    # An older protocol's methods stay out of the constructor, which warns of them.
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, _levelled)
    server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, _subscribed)
    server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, _subscribed)
    server.middleware.append(RequestStateBoundary(RequestStateSecurity(keys=[_KEY]), default_audience=NAME))
    return server
