"""News of resources for clients: how often what a caller waits for has been said to change, whoever has heard it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from connectors.mcp_upstream.serving import RESOURCES
from hub import watches
from hub.core.errors import NotFound
from hub.identity.principals import Caller
from hub.invocations.beside_tools import offered
from hub.invocations.entering import would_enter
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call
from hub.watches import Watch

TOO_MANY: Final = (
    f"Of one server's resources one agent listens to {watches.MOST_OF_ONE} at most, and all together to "
    f"{watches.MOST}; stop listening to others first."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """How often each resource has been said to change, and which of them are more than the hub listens to."""

    times: Mapping[str, int] = field(default_factory=dict[str, int])
    too_many: tuple[str, ...] = ()


async def news_of(uris: Iterable[str], *, server: str, caller: Caller, runtime: Runtime) -> News:
    """Return how often each resource, by its published address, has been said to change; ask again within a minute.

    What `caller` could not read at `server` now is left out. A number that differs from the one before is news,
    whatever the numbers are; `hub.watches.NEWS` is signalled, in every process.

    Raises:
        NotFound: there is no such server, or the caller may not see it.
    """
    wanted, found = dict.fromkeys(uris), dict[str, Watch]()
    if not wanted:
        return News()
    there = await offered(server, caller, runtime)
    for uri in wanted:
        try:
            reader, own = await there.find(uri)
        except NotFound:
            continue
        asked = Call(caller=caller, server=server, tool=reader.name, arguments={"uri": own}, trace_id="")
        if await would_enter(replace(asked, beside=RESOURCES), runtime):
            found[uri] = Watch(reader.connection.id, own)
    if not found:
        return News()
    async with runtime.database.transaction() as tx:
        times = await watches.want(tx, runtime.database, caller.actor.id, found.values())
    told = {uri: times[watch] for uri, watch in found.items() if watch in times}
    return News(times=told, too_many=tuple(uri for uri in found if uri not in told))
