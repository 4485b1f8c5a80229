"""An interceptor for langchain-mcp-adapters: a write that waits for people interrupts the graph until it is resumed."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from langchain_mcp_adapters.interceptors import MCPToolCallRequest
from langgraph.types import Command, Interrupt, interrupt

from toolhub_clients.pending import pending_in

Json = Any


async def wait_for_people(
    request: MCPToolCallRequest, handler: Callable[[MCPToolCallRequest], Awaitable[Json]]
) -> Json:
    """Return the result of a call; while it waits for people, interrupt the graph instead.

    A node that is resumed runs again from its beginning, so the call is made again: under the same key, by which the
    hub knows it for the same decision of the model.
    """
    result = await handler(_under_its_key(request))
    if (pending := pending_in(getattr(result, "structuredContent", None))) is None:
        return result
    while True:  # each resume before is answered here once more; the one after the last ends this run of the node
        interrupt(pending.as_json())


def look_again(interrupts: Iterable[Interrupt]) -> Command:
    """Return what resumes every write among `interrupts`, however many there are; any other is left alone."""
    return Command(resume={one.id: "look" for one in interrupts if pending_in(one.value) is not None})


def _under_its_key(request: MCPToolCallRequest) -> MCPToolCallRequest:
    """Return the request with a key that is the same whenever its node runs for the same call of the model."""
    call_id = getattr(request.runtime, "tool_call_id", None)
    config = getattr(request.runtime, "config", None) or {}
    thread = config.get("configurable", {}).get("thread_id")
    if call_id is None or thread is None:
        return request
    key = hashlib.sha256(f"{thread}\n{call_id}\n{request.name}".encode()).hexdigest()
    return request.override(headers={**(request.headers or {}), "Idempotency-Key": key})
