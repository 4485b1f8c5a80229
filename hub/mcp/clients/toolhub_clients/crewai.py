"""Tools for CrewAI that wait for the end of a write: they ask how it stands, and never make the call again."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import httpx
from anyio import fail_after
from anyio.from_thread import BlockingPortal, start_blocking_portal
from crewai.tools import BaseTool
from crewai_tools.adapters.mcp_adapter import CrewAIToolAdapter
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ClientRequest,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

from toolhub_clients.ending import LONGEST_HELD, ended
from toolhub_clients.pending import LOOK, Pending, pending_call

Json = Any

LONGEST_CALL: Final = 60.0
"""Seconds after which the answer to a call counts as lost; a hub answers within four, unless it is told otherwise."""


@contextmanager
def patient_tools(
    url: str, *, patience: float, auth: httpx.Auth | None = None, headers: Mapping[str, str] | None = None
) -> Generator[list[BaseTool]]:
    """Yield the tools of the hub at `url`; each waits up to `patience` seconds for the end of its call."""
    with start_blocking_portal() as portal:
        client = create_mcp_http_client(headers=dict(headers or {}), timeout=httpx.Timeout(LONGEST_CALL), auth=auth)
        hub = _Hub(url, client, patience)
        try:
            yield [_adapted(hub, portal, tool) for tool in portal.call(hub.tools)]
        finally:
            portal.call(client.aclose)


def _adapted(hub: "_Hub", portal: BlockingPortal, tool: Tool) -> BaseTool:
    return CrewAIToolAdapter().adapt(partial(portal.call, hub.called, tool.name), tool)


class _Hub:
    """A hub, reached anew for each call: a connection of MCP does not outlive an answer that is lost."""

    def __init__(self, url: str, client: httpx.AsyncClient, patience: float) -> None:
        self._url = url
        self._client = client
        self._patience = patience

    async def tools(self) -> list[Tool]:
        """Return all of its tools."""
        async with (
            streamable_http_client(self._url, http_client=self._client) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            page = await session.list_tools()
            found = [*page.tools]
            while page.nextCursor:
                page = await session.list_tools(params=PaginatedRequestParams(cursor=page.nextCursor))
                found += page.tools
            return found

    async def called(self, name: str, arguments: dict[str, Json]) -> CallToolResult:
        """Return what a call has come to."""
        try:
            with fail_after(LONGEST_CALL):
                result = await self._call(name, arguments)
        except Exception as error:  # noqa: BLE001  # frameworks make a call again that raised
            return _said(
                f"No answer came ({_why(error)}). The call may be on record: look with hub_invocations_mine first."
            )
        if (pending := pending_call(name, result.structuredContent)) is None:
            return result
        return _said(await ended(partial(self._look, pending), pending, patience=self._patience))

    async def _look(self, pending: Pending) -> Mapping[str, Json]:
        result = await self._call(LOOK, {"id": pending.invocation_id, "wait_seconds": LONGEST_HELD})
        return {} if result.isError else result.structuredContent or {}

    async def _call(self, name: str, arguments: dict[str, Json]) -> CallToolResult:
        """Make one call; the hub has checked what comes of it, so the tools are not listed once more to do so here."""
        async with (
            streamable_http_client(self._url, http_client=self._client) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            params = CallToolRequestParams(name=name, arguments=arguments)
            request = ClientRequest(CallToolRequest(params=params))
            return await session.send_request(request, CallToolResult)


def _said(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)])


def _why(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
