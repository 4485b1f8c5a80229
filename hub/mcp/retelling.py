"""Retelling what a server behind the hub says: addresses of its resources are told as they are published here.

So an address that an agent gets of one server, in a resource, a prompt or the result of a tool, is read from that one
and from no other.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from hub.core.errors import NotFound
from hub.identity.principals import Caller
from hub.invocations.beside_tools import Addresses, addresses_over
from hub.invocations.masking import answer_for
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.registry import get_connection

Json = Any
"""Any JSON value."""

RESULT: Final = frozenset({"content", "structuredContent"})
"""The members of what a tool of a federated server answers."""
_WITH_ADDRESS: Final = frozenset({"resource_link", "resource"})


async def told_at(server: str, caller: Caller, standing: Invocation, runtime: Runtime) -> Invocation:
    """Return a call as the agent that asks for it at `server` may see it."""
    shown = await answer_for(caller, standing, runtime)
    blocks = _blocks(shown.output)
    if not any(_type(block) in _WITH_ADDRESS for block in blocks):
        return shown
    async with runtime.database.reading() as tx:
        connection = await get_connection(tx, shown.connection_id)
    try:
        addresses = await addresses_over(connection, server=server, caller=caller, runtime=runtime)
    except NotFound:  # the caller no longer sees the server; what became of the call is told all the same
        addresses = Addresses(connection=connection.name, names={})
    return replace(shown, output={**shown.output, "content": [retold(block, addresses) for block in blocks]})


def retold(content: Json, addresses: Addresses) -> Json:
    """Return a block of content with the addresses of resources in it as they are published here."""
    match _type(content):
        case "resource_link":
            return renamed(content, addresses)
        case "resource":
            return {**content, "resource": renamed(content.get("resource"), addresses)}
        case _:
            return content


def renamed(content: Json, addresses: Addresses) -> Json:
    """Return a content of a resource, or a link to one, with its address as it is published here."""
    if not isinstance(content, dict) or not isinstance(uri := cast("dict[str, Json]", content).get("uri"), str):
        return cast("Json", content)
    return {**cast("dict[str, Json]", content), "uri": addresses.outward(uri)}


def _blocks(output: Json) -> list[Json]:
    """Return the blocks of content in what a tool answered, if it is such an answer."""
    if not isinstance(output, Mapping) or cast("Mapping[str, Json]", output).keys() - RESULT:
        return []
    content = cast("Mapping[str, Json]", output).get("content")
    return cast("list[Json]", content) if isinstance(content, list) else []


def _type(block: Json) -> Json:
    return cast("dict[str, Json]", block).get("type") if isinstance(block, dict) else None
