"""Tools that are published for clients alone that know tasks: who else calls one is refused before anything is done.

A read that takes minutes is answered with "running" to everybody who knows no tasks; measured, most of those give up or
call again. So a definition of a server may keep a tool from them. They are not shown it either.
"""

from collections.abc import Iterable
from typing import Any

from mcp.server.context import ServerRequestContext

from hub.core.errors import TasksNeeded
from hub.invocations.refuse import Attempt, record_attempt
from hub.invocations.runtime import Runtime
from hub.mcp.abilities import TASKS, abilities, tasks_missing
from hub.mcp.admission import CALLED, Admitted
from hub.registry import PublishedTool


def shown_to(tools: Iterable[PublishedTool], *, takes_tasks: bool) -> list[PublishedTool]:
    """Return those of `tools` that a client may call: an agent is not shown what it cannot."""
    return [tool for tool in tools if takes_tasks or not tool.needs_tasks]


async def refuse_without_tasks(runtime: Runtime, known: Admitted, context: ServerRequestContext[Any, Any]) -> None:
    """Refuse the call at hand if its tool is for clients that know tasks, and this one does not say that it does.

    Raises:
        MCPError: the protocol's own error, for a client that knows what it means.
        TasksNeeded: for one of the older protocol. It is told a result, for measured, some of those answer an error
            with the same call.
    """
    tool, client = CALLED.get(), abilities(context)
    if tool is None or not tool.needs_tasks or client.takes_tasks:
        return
    refusal = TasksNeeded(
        f"{tool.name!r} takes longer than calls are waited for: it is for clients that know tasks (the extension "
        f"{TASKS} of the protocol 2026-07-28). Nothing was done; do not call it again with this client."
    )
    attempt = Attempt(caller=known.caller, server=known.server, tool=tool.name, trace_id=known.trace_id)
    await record_attempt(attempt, refusal, runtime)
    if client.is_modern:
        raise tasks_missing(refusal.message)
    raise refusal
