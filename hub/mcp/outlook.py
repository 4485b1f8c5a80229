"""What one open stream tells its client of: lists and resources, and how they stood when it last looked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.identity.principals import Caller
from hub.invocations.resource_news import news_of
from hub.invocations.runtime import Runtime
from hub.mcp.showing import LISTS, Showing


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is other than it was at the last look."""

    lists: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    too_many: tuple[str, ...] = ()
    """Which resources it does not tell of, because they are more than the hub listens to."""


@dataclass(slots=True, kw_only=True)
class Outlook:
    """How the lists and resources of one stream stood for its caller when it last looked."""

    wanted: frozenset[str] = frozenset()
    """Of which lists it tells that they have changed."""
    takes_tasks: bool = False
    """Whether its client knows tasks, for which some tools are alone."""
    lists: Mapping[str, str] = field(default_factory=dict[str, str])
    changed: Mapping[str, int] = field(default_factory=dict[str, int])

    async def look(
        self, caller: Caller, server: str, uris: Iterable[str], *, showing: Showing, runtime: Runtime
    ) -> Changes:
        """Return what has changed since the last look, of what the caller sees as it is now.

        Of what was not looked at before, nothing has.

        Raises:
            NotFound: there is no such server any more, or the caller may not see it.
        """
        lists: Mapping[str, str] = dict[str, str]()
        if self.wanted:
            lists = await showing.to(caller, server=server, takes_tasks=self.takes_tasks)
        news = await news_of(uris, server=server, caller=caller, runtime=runtime)
        found = Changes(
            lists=tuple(
                kind for kind in LISTS if kind in self.wanted and self.lists.get(kind, lists[kind]) != lists[kind]
            ),
            uris=tuple(uri for uri, times in news.times.items() if self.changed.get(uri, times) != times),
            too_many=news.too_many,
        )
        self.lists, self.changed = lists, {**self.changed, **news.times}
        return found
