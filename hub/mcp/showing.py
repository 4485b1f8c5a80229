"""What one caller is shown at one server, as digests: equal as long as its tools, resources and prompts are.

A federated server's word that a list of its own has changed changes them too, for those who are shown some of it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.mcp_upstream.serving import PROMPTS, RESOURCES
from hub.bundles import BUNDLES_CHANGED
from hub.core.canonical import digest
from hub.identity.principals import Caller
from hub.invocations.masking import hidden_from, look_at
from hub.invocations.runtime import Runtime
from hub.mcp.needing_tasks import shown_to
from hub.registry import CATALOG_CHANNEL, PublishedTool
from hub.watches import LIST_WORDS, list_words

CHANGES: Final = (CATALOG_CHANNEL, BUNDLES_CHANGED, LIST_WORDS)
"""Where it is signalled that a list may have changed; of changed people and agents identity signals."""
MOST_KEPT: Final = 512
TOOLS: Final = "tools"
LISTS: Final = (TOOLS, RESOURCES, PROMPTS)
_EVERYTHING: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Shown:
    """A list as one caller is shown it, and over which connections what stands in it comes."""

    digest: str
    connections: frozenset[str]


class Showing:
    """Digests of lists, kept for the streams of one process, since many of them look at the same moment."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._kept: OrderedDict[str, Mapping[str, _Shown]] = OrderedDict()

    async def to(self, caller: Caller, *, server: str, takes_tasks: bool = False) -> Mapping[str, str]:
        """Return the digest of each list that `caller` is shown at `server`, by its name in `LISTS`.

        What it is shown of tools depends on whether its client `takes_tasks`.

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
                "takes_tasks": takes_tasks,
            }
        )
        known = self._kept.get(key)
        if known is None:
            beside = {kind: await self._beside(kind, caller, server) for kind in (RESOURCES, PROMPTS)}
            known = self._kept[key] = {TOOLS: await self._tools(caller, server, takes_tasks=takes_tasks), **beside}
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        async with self._runtime.database.reading() as tx:
            words = await list_words(tx)
        return {kind: _heard(kind, shown, words) for kind, shown in known.items()}

    async def _tools(self, caller: Caller, server: str, *, takes_tasks: bool) -> _Shown:
        if not await self._runtime.catalog.lists_all(server=server, caller=caller):
            return _Shown(digest("found by searching"), frozenset())  # what is listed there is always the same
        offered = await self._runtime.catalog.page(server=server, caller=caller, limit=_EVERYTHING)
        tools = shown_to(offered, takes_tasks=takes_tasks)
        lines: list[list[str | bool]] = []
        for tool in tools:
            is_masked = bool(await hidden_from(caller, look_at(tool), self._runtime))
            lines.append([tool.name, tool.version.id, tool.tier.value, is_masked])
        return _shown(lines, tools)

    async def _beside(self, kind: str, caller: Caller, server: str) -> _Shown:
        readers = await self._runtime.catalog.beside_tools(kind, server=server, caller=caller)
        return _shown([[one.connection.name, one.name, one.version.id] for one in readers], readers)


def _shown(lines: list[list[str | bool]], tools: Iterable[PublishedTool]) -> _Shown:
    return _Shown(digest(lines), frozenset(one.connection.id for one in tools))


def _heard(kind: str, shown: _Shown, words: Mapping[tuple[str, str], int]) -> str:
    said = sorted((of, times) for (of, about), times in words.items() if about == kind and of in shown.connections)
    return digest([shown.digest, [[of, times] for of, times in said]]) if said else shown.digest
