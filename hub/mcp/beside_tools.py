"""Resources, prompts and completions of federated servers, as the hub's own endpoints serve them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import structlog
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
)
from pydantic import BaseModel, ValidationError

from hub.core.errors import HubError, Malformed, NotFound
from hub.invocations.beside_tools import (
    PROMPT,
    RESOURCE,
    TEMPLATE,
    Addresses,
    Kind,
    Read,
    complete,
    get_prompt,
    read_resource,
    things,
)
from hub.invocations.envelope import Status, envelope
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call, Client
from hub.keys import open_cursor, seal_cursor
from hub.mcp.admission import Admitted, admitted
from hub.mcp.asking import Params, client_in, questions_of
from hub.mcp.claims import claims_in
from hub.mcp.confirming import not_ours
from hub.mcp.retelling import renamed, retold

Json = Any
"""Any JSON value."""

PAGE: Final = 100
FRESH_MILLISECONDS: Final = 30_000
NO_RESOURCE: Final = -32002
"""Of the older protocol; the newer one calls it invalid parameters."""
_MODERN: Final = "2026-07-28"
_log = structlog.get_logger(__name__)

Context = ServerRequestContext[Any, Any]
Model = TypeVar("Model", bound=BaseModel)
Page = Callable[[Context, PaginatedRequestParams | None], Awaitable[tuple[list[dict[str, Json]], str | None]]]


class BesideTools:
    """The handlers, over one hub."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def list_resources(self, context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        """List the resources that the caller may read."""
        found, cursor = await self._page(RESOURCE, context, params)
        return ListResourcesResult(resources=_parsed(Resource, found), next_cursor=cursor, **_FRESH)

    async def list_templates(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """List the templates of resources that the caller may read."""
        found, cursor = await self._page(TEMPLATE, context, params)
        listed = _parsed(ResourceTemplate, found)
        return ListResourceTemplatesResult(resource_templates=listed, next_cursor=cursor, **_FRESH)

    async def list_prompts(self, context: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
        """List the prompts that the caller may use."""
        found, cursor = await self._page(PROMPT, context, params)
        return ListPromptsResult(prompts=_parsed(Prompt, found), next_cursor=cursor, **_FRESH)

    async def read_resource(
        self, context: Context, params: ReadResourceRequestParams
    ) -> ReadResourceResult | InputRequiredResult:
        """Read one resource, or say what its server asks first."""
        read = await self._read(context, lambda call: read_resource(call, str(params.uri), self._runtime), params)
        if asked := questions_of(admitted(context), context, params, read.invocation, self._runtime.keys):
            return asked
        output = self._output(read)
        contents = [renamed(one, read.addresses) for one in output["contents"]]
        return _checked(ReadResourceResult, {**output, "contents": contents, "ttlMs": 0, "cacheScope": "private"})

    async def get_prompt(
        self, context: Context, params: GetPromptRequestParams
    ) -> GetPromptResult | InputRequiredResult:
        """Fill one prompt in, or say what its server asks first."""
        named = params.name, params.arguments
        read = await self._read(context, lambda call: get_prompt(call, *named, self._runtime), params)
        if asked := questions_of(admitted(context), context, params, read.invocation, self._runtime.keys):
            return asked
        output = self._output(read)
        return _checked(
            GetPromptResult, {**output, "messages": [_retold(one, read.addresses) for one in output["messages"]]}
        )

    async def complete(self, context: Context, params: CompleteRequestParams) -> CompleteResult:
        """Complete one argument."""
        question = params.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"meta"})
        read = await self._read(context, lambda call: complete(call, question, self._runtime))
        return _checked(CompleteResult, self._output(read))

    async def _page(
        self, kind: Kind, context: Context, params: PaginatedRequestParams | None
    ) -> tuple[list[dict[str, Json]], str | None]:
        known, runtime = admitted(context), self._runtime
        purpose = f"mcp-{kind.listed}:{known.server}:{known.caller.visible_key}"
        try:
            cursor = params.cursor if params else None
            after = None if cursor is None else open_cursor(runtime.keys, cursor, purpose=purpose)
            found = await things(kind, server=known.server, caller=known.caller, runtime=runtime)
        except Malformed as error:
            raise MCPError(code=INVALID_PARAMS, message=error.message) from error
        except HubError as error:
            raise MCPError(code=INTERNAL_ERROR, message=error.message) from error
        left = [one for one in found if after is None or one.name > after]
        more = seal_cursor(runtime.keys, left[PAGE - 1].name, purpose=purpose) if len(left) > PAGE else None
        return [one.described for one in left[:PAGE]], more

    async def _read(
        self, context: Context, read: Callable[[Call], Awaitable[Read]], asks: Params | None = None
    ) -> Read:
        known = admitted(context)
        client = Client() if asks is None else client_in(known, context, asks, self._runtime.keys)
        if client is None:
            raise not_ours()
        try:
            return await read(replace(_call(known, context.meta or {}), client=client))
        except NotFound as error:
            is_old = context.protocol_version < _MODERN and context.method == "resources/read"
            code = NO_RESOURCE if is_old else INVALID_PARAMS
            raise MCPError(code=code, message=error.message, data=_named(context)) from error
        except HubError as error:
            raise MCPError(code=INVALID_PARAMS, message=error.message, data={"reason_code": error.code}) from error
        except Exception as error:
            _log.exception("a read failed", trace_id=known.trace_id, method=context.method)
            message = f"Something went wrong inside the hub; its log says more under {known.trace_id}."
            raise MCPError(code=INTERNAL_ERROR, message=message) from error

    def _output(self, read: Read) -> dict[str, Json]:
        """Return what was read.

        Raises:
            MCPError: it was not; there is no other way to say so of what is no tool.
        """
        said = envelope(read.invocation, public_url=self._runtime.public_url)
        if said.status is not Status.DONE:
            raise MCPError(code=INTERNAL_ERROR, message=said.text, data=dict(said.structured))
        return dict(said.structured)


_FRESH: Final[dict[str, Any]] = {"ttl_ms": FRESH_MILLISECONDS, "cache_scope": "private"}


def _named(context: Context) -> dict[str, Json] | None:
    """Return what an error about a resource says of it: the address that was asked for."""
    return {"uri": (context.params or {}).get("uri")} if context.method == "resources/read" else None


def _call(known: Admitted, meta: Mapping[str, Json]) -> Call:
    return Call(
        caller=known.caller,
        server=known.server,
        tool="",
        arguments={},
        trace_id=known.trace_id,
        claims=claims_in(meta),
    )


def _parsed(model: type[Model], found: Sequence[Mapping[str, Json]]) -> list[Model]:
    """Return what can be read as the protocol has it; a server's malformed line empties nobody's list."""
    read = list[Model]()
    for one in found:
        try:
            read.append(model.model_validate(one))
        except ValidationError:
            continue
    return read


def _checked(model: type[Model], output: Mapping[str, Json]) -> Model:
    try:
        return model.model_validate(output)
    except ValidationError as error:
        message = "The server behind this answered something that is no result of the protocol."
        raise MCPError(code=INTERNAL_ERROR, message=message) from error


def _retold(message: Json, addresses: Addresses) -> Json:
    """Return a message of a prompt with the addresses of resources in it as they are published here."""
    if not isinstance(message, dict):
        return message
    members = cast("dict[str, Json]", message)
    return {**members, "content": retold(members.get("content"), addresses)}
