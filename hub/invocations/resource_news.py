"""News of resources for clients: how often what a caller waits for has been said to change, whoever has heard it."""

from collections.abc import Iterable
from dataclasses import replace

from connectors.mcp_upstream.serving import RESOURCES
from hub import watches
from hub.core.errors import NotFound
from hub.identity.principals import Caller
from hub.invocations.beside_tools import find_resource
from hub.invocations.entering import would_enter
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call
from hub.watches import Watch


async def news_of(uris: Iterable[str], *, server: str, caller: Caller, runtime: Runtime) -> dict[str, int]:
    """Return how often each resource, by its published address, has been said to change; ask again within a minute.

    What `caller` could not read at `server` now is left out, and so is what is more than the hub listens to. A number
    that differs from the one before is news, whatever the numbers are; `hub.watches.NEWS` is signalled, in every
    process.

    Raises:
        NotFound: there is no such server, or the caller may not see it.
    """
    found = dict[str, Watch]()
    for uri in dict.fromkeys(uris):
        try:
            reader, own = await find_resource(uri, server=server, caller=caller, runtime=runtime)
        except NotFound:
            continue
        asked = Call(caller=caller, server=server, tool=reader.name, arguments={"uri": own}, trace_id="")
        if await would_enter(replace(asked, beside=RESOURCES), runtime):
            found[uri] = Watch(reader.connection.id, own)
    if not found:
        return {}
    async with runtime.database.transaction() as tx:
        times = await watches.want(tx, runtime.database, found.values())
    return {uri: times[watch] for uri, watch in found.items() if watch in times}
