"""`tools/call`: one message becomes one governed call, and whatever comes of it an answer that its client can take.

What a call that has to wait is answered with is one table (wire): a task, a request to confirm, the pending envelope.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, CallToolResult, InputRequiredResult

from hub.core.errors import HubError
from hub.invocations.envelope import Status, awaits_requester, envelope, outward
from hub.invocations.masking import answer_for
from hub.invocations.queries import call_off_quietly, wait_while
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call, Client, Invocation
from hub.mcp.abilities import abilities
from hub.mcp.admission import CALLED, Admitted, admitted
from hub.mcp.asking import client_in, questions_of
from hub.mcp.claims import claims_in, idempotency_key_in
from hub.mcp.confirming import CONFIRM, Round, first_round, next_round, request_to_confirm, round_of, says
from hub.mcp.finding import Asked, find, unwrapped
from hub.mcp.hub_tool_descriptions import LONGEST_WAIT
from hub.mcp.hub_tools import HUB_TOOLS, Asker
from hub.mcp.needing_tasks import refuse_without_tasks
from hub.mcp.questioning import Questions
from hub.mcp.relaying import Cancellations, Relay
from hub.mcp.results import internal_error, refusal, result_of
from hub.mcp.retelling import told_at
from hub.mcp.search_tool_descriptions import FIND
from hub.mcp.tasks import TaskDoor

Json = Any
"""Any JSON value."""

Answer = CallToolResult | InputRequiredResult | dict[str, Json]

_WAITS: Final = frozenset({Status.PENDING_APPROVAL, Status.RUNNING, Status.IN_DOUBT})
_DECLINED: Final = "Its client says that it was declined."

_log = structlog.get_logger(__name__)

Context = ServerRequestContext[Any, Any]
Handler = Callable[[Context, CallToolRequestParams], Awaitable[Answer]]


def calling(runtime: Runtime, tasks: TaskDoor, questions: Questions) -> Handler:
    """Return the handler of `tools/call`."""
    answering = _Answering(runtime, tasks, questions)

    async def call(context: Context, params: CallToolRequestParams) -> Answer:
        known = admitted(context)
        client = client_in(known, context, params, runtime.keys)
        reached = None if client else round_of(known, params, runtime.keys)
        try:
            hub_tool = HUB_TOOLS.get(params.name)
            if hub_tool is not None:
                return await hub_tool.answer(
                    runtime, Asker(caller=known.caller, server=known.server), params.arguments or {}
                )
            if params.name == FIND.name:
                return await find(runtime, known, params.arguments or {}, takes_tasks=abilities(context).takes_tasks)
            await refuse_without_tasks(runtime, known, context)
            if reached is not None:
                return await answering.again(known, params, reached)
            return await answering.anew(known, params, context)
        except HubError as error:
            return refusal(error)
        except MCPError:
            raise  # what has to be an error of the protocol
        except Exception:  # noqa: BLE001  # the door: logged, and answered without internals
            _log.exception("a tool call failed", trace_id=known.trace_id, tool=params.name[:64])
            return internal_error(known.trace_id)

    return call


class _Answering:
    """What a client is told of a call: what it can do something with."""

    def __init__(self, runtime: Runtime, tasks: TaskDoor, questions: Questions) -> None:
        self._runtime = runtime
        self._tasks = tasks
        self._questions = questions
        self._cancellations = Cancellations(runtime)

    async def anew(self, known: Admitted, params: CallToolRequestParams, context: Context) -> Answer:
        """Carry out a call, or find the one that it repeats."""
        client, invocation = abilities(context), await self._invoked(known, params, context)
        told = await answer_for(known.caller, invocation, self._runtime)
        if questions := questions_of(known, context, params, told, self._runtime.keys):
            return questions
        if outward(invocation).status in _WAITS and client.takes_tasks:
            return await self._tasks.created(known, client, invocation)
        if awaits_requester(invocation) and client.opens_urls:
            asked = {CONFIRM: request_to_confirm(invocation, self._runtime.public_url)}
            state = first_round(known, params, invocation, self._runtime.keys)
            return InputRequiredResult(input_requests={**asked}, request_state=state)
        return await self._result(known, invocation)

    async def _invoked(self, known: Admitted, params: CallToolRequestParams, context: Context) -> Invocation:
        call, relay = _call(known, unwrapped(params)), Relay(self._runtime, known, context)
        known_as = known.line.call_id if known.line else None
        client = client_in(known, context, params, self._runtime.keys) or Client()
        client = replace(client, hear=relay.hear if relay.is_wanted else None)
        late_round = 1 if abilities(context).takes_tasks else None
        call = replace(call, known_as=known_as, client=client, late_round=late_round)
        if context.request_id is None:
            return await self._questions.carried_out(known, call)
        with self._cancellations.heard(known, context.request_id) as called_off:
            return await self._questions.carried_out(known, replace(call, called_off=called_off))

    async def again(self, known: Admitted, params: CallToolRequestParams, reached: Round) -> Answer:
        """Hold a client that goes on with a call until there is something to tell it, and for four seconds at most.

        That its person agreed, a client may say as often as it likes. That they declined ends the call: whoever makes
        a call may call it off.
        """
        said = says(params.input_responses)
        if said == "decline":
            await call_off_quietly(self._runtime, known.caller, reached.invocation_id, reason=_DECLINED)
        held = 0 if said in {"decline", "cancel"} else LONGEST_WAIT
        standing = await wait_while(_is_under_way, self._runtime, known.caller, reached.invocation_id, seconds=held)
        if held and _is_under_way(standing) and (more := next_round(known, params, reached, self._runtime.keys)):
            return more
        return await self._result(known, standing)

    async def _result(self, known: Admitted, invocation: Invocation) -> CallToolResult:
        shown = await told_at(known.server, known.caller, invocation, self._runtime)
        return result_of(envelope(shown, public_url=self._runtime.public_url))


def _is_under_way(invocation: Invocation) -> bool:
    """Return whether the person it is done for has yet to confirm it, or has and it is being carried out."""
    return awaits_requester(invocation) or outward(invocation).status is Status.RUNNING


def called_schema(name: str) -> Mapping[str, Json] | None:
    """Return the input schema of the tool that is being called, if headers repeat some of its arguments.

    Without it the SDK would list all tools for every call. `x-mcp-header` marks such an argument (2026-07-28).
    """
    tool = CALLED.get()
    if tool is None or tool.name != name or not _mirrors_arguments(tool.input_schema):
        return None
    return tool.input_schema


def _mirrors_arguments(schema: Mapping[str, Json]) -> bool:
    properties = schema.get("properties", {})
    return any("x-mcp-header" in one for one in properties.values() if isinstance(one, Mapping))


def _call(known: Admitted, asked: Asked) -> Call:
    meta: Mapping[str, Json] = asked.meta
    return Call(
        caller=known.caller,
        server=known.server,
        tool=asked.tool,
        arguments=asked.arguments,
        through=asked.through,
        trace_id=known.trace_id,
        claims=claims_in(meta),
        idempotency_key=idempotency_key_in(meta, known.idempotency_key),
    )
