"""What one caller is shown at one server, as digests: equal as long as its tools, resources and prompts are."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from connectors.mcp_upstream.serving import PROMPTS, RESOURCES
from hub.bundles import BUNDLES_CHANGED
from hub.core.canonical import digest
from hub.identity.principals import Caller
from hub.invocations.masking import hidden_from, look_at
from hub.invocations.runtime import Runtime
from hub.registry import CATALOG_CHANNEL

CHANGES: Final = (CATALOG_CHANNEL, BUNDLES_CHANGED)
"""Where it is signalled that a list may have changed; of changed people and agents identity signals."""
MOST_KEPT: Final = 512
TOOLS: Final = "tools"
LISTS: Final = (TOOLS, RESOURCES, PROMPTS)
_EVERYTHING: Final = 1_000_000


class Showing:
    """Digests of lists, kept for the streams of one process, since many of them look at the same moment."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._kept: OrderedDict[str, Mapping[str, str]] = OrderedDict()

    async def to(self, caller: Caller, *, server: str) -> Mapping[str, str]:
        """Return the digest of each list that `caller` is shown at `server`, by its name in `LISTS`.

        Raises:
            NotFound: there is no such server any more, or the caller may not see it.
        """
        standing = await self._runtime.catalog.server(server)
        bundle = await self._runtime.bundles.active(standing.environment)
        key = digest(
            {
                "generation": await self._runtime.catalog.generation(),
                "policy": bundle.digest,
                "server": server,
                "caller": caller.visible_key,
                "groups": [sorted(caller.actor.groups), sorted(caller.subject.groups)],
                "servers": sorted(caller.actor.allowed_servers),
            }
        )
        known = self._kept.get(key)
        if known is None:
            beside = {kind: await self._beside(kind, caller, server) for kind in (RESOURCES, PROMPTS)}
            known = self._kept[key] = {TOOLS: await self._tools(caller, server), **beside}
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return known

    async def _tools(self, caller: Caller, server: str) -> str:
        if not await self._runtime.catalog.lists_all(server=server, caller=caller):
            return digest("found by searching")  # what is listed there is always the same
        tools = await self._runtime.catalog.page(server=server, caller=caller, limit=_EVERYTHING)
        lines: list[list[str | bool]] = []
        for tool in tools:
            is_masked = bool(await hidden_from(caller, look_at(tool), self._runtime))
            lines.append([tool.name, tool.version.id, tool.tier.value, is_masked])
        return digest(lines)

    async def _beside(self, kind: str, caller: Caller, server: str) -> str:
        readers = await self._runtime.catalog.beside_tools(kind, server=server, caller=caller)
        return digest([[one.connection.name, one.name, one.version.id] for one in readers])
