"""The list of a server's tools, within bounds: page after page, and of its tools those that can be read as they are."""

from typing import Any, Final, TypeGuard, cast

from connectors.mcp_upstream.apart import each_apart
from connectors.mcp_upstream.keepable import unreadable
from connectors.mcp_upstream.protocol import Call, RpcError, Session, refusal
from connectors.sdk.errors import Unreadable
from connectors.sdk.wire import Transport, WireRequest, WireResponse

Json = Any
"""Any JSON value."""

_MOST_PAGES: Final = 200
_MOST_TOOLS: Final = 5000
_MOST_LISTED: Final = 12 * 1024 * 1024
"""Characters of everything that a server says while it is looked at: all of it is parsed, and most of it kept."""


class Bounded:
    """A transport that carries no more than a look at a server may cost."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._said = 0

    async def send(self, request: WireRequest) -> WireResponse:
        """Send `request`; once the server has said too much, that is all there is to say of it."""
        response = await self._transport.send(request)
        self._said += len(response.body)
        if self._said > _MOST_LISTED:
            raise Unreadable(f"The MCP server lists more than {_MOST_LISTED} characters; have it list less.")
        return response


async def listed(session: Session) -> tuple[dict[str, dict[str, Json]], list[tuple[str, str]]]:
    """Return the tools that can be read as they are listed, by their names; of the others the names, and why not.

    Raises:
        ConnectorError: they cannot be listed.
    """
    tools = await _tools(session)
    names = sorted(tools)
    problems = await each_apart(lambda name: unreadable(tools[name]), names)
    refused = [(name, why) for name, why in zip(names, problems, strict=True) if why is not None]
    for name, _ in refused:
        del tools[name]
    return tools, refused


async def _tools(session: Session) -> dict[str, dict[str, Json]]:
    tools: dict[str, dict[str, Json]] = {}
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        try:
            page = await session.ask(Call("tools/list", {} if cursor is None else {"cursor": cursor}))
        except RpcError as error:
            raise refusal(error, is_safe=True) from error
        found = page.get("tools")
        if not _are_tools(found):
            raise Unreadable("The MCP server's list of tools holds something else; nothing of it can be used.")
        tools |= {str(tool.get("name", "")): tool for tool in found}
        cursor = session.after(page)
        if len(tools) > _MOST_TOOLS:
            raise Unreadable(f"The MCP server lists more than {_MOST_TOOLS} tools; have it list fewer.")
        if cursor is None:
            return tools
    raise Unreadable(f"The MCP server's list of tools does not end (after {len(tools)} tools).")


def _are_tools(listed: Json) -> TypeGuard[list[dict[str, Json]]]:
    return isinstance(listed, list) and all(isinstance(one, dict) for one in cast("list[Json]", listed))
