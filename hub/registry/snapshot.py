"""The catalog as it stood at one generation, kept in memory: read in one go, then kept current change by change."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub.core.errors import NotFound
from hub.core.texts import shown
from hub.registry.entries import Entry
from hub.registry.names import is_built_in
from hub.registry.stewardship import catalog_generation, touched_since
from hub.registry.stock import Place, Specs, Stock, read_again, read_stock
from hub.registry.values import Server
from hub.registry.visibility import Sight
from hub.storage import Tx

_MOST_SIGHTS: Final = 64
"""For so many different sights it is kept what they see of a server."""
_FEW: Final = 64
"""Up to so many changed entries, what is kept is mended; above, it is made again when somebody asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What one server holds; `names` is sorted."""

    entries: Mapping[str, Entry]
    names: Sequence[str]
    _seen: dict[Sight, Sequence[str]] = field(default_factory=dict[Sight, Sequence[str]], repr=False, compare=False)

    def offered(self, sight: Sight) -> Sequence[str]:
        """Return the names of what is offered here to whoever sees so far, in their order."""
        known = self._seen.get(sight)
        if known is None:
            if len(self._seen) >= _MOST_SIGHTS:
                self._seen.clear()
            known = [name for name in self.names if _is_seen(self.entries[name], sight)]
            self._seen[sight] = known
        return known

    def changed(self, entries: Mapping[str, Entry | None]) -> "Shelf":
        """Return the shelf with these entries by their names, None for one that is here no more."""
        held = {**self.entries}
        for name, entry in entries.items():
            if entry is None:
                held.pop(name, None)
            else:
                held[name] = entry
        names = self.names if held.keys() == self.entries.keys() else sorted(held)
        if len(entries) > _FEW:
            return Shelf(entries=held, names=names)
        seen = {sight: _mended(known, entries, sight) for sight, known in self._seen.items()}
        return Shelf(entries=held, names=names, _seen=seen)


def _is_seen(entry: Entry, sight: Sight) -> bool:
    return entry.is_offered and entry.is_visible(sight)


def _mended(known: Sequence[str], entries: Mapping[str, Entry | None], sight: Sight) -> Sequence[str]:
    mended = list(known)
    for name, entry in entries.items():
        at = bisect_left(mended, name)
        was_seen, is_seen = mended[at : at + 1] == [name], entry is not None and _is_seen(entry, sight)
        if was_seen and not is_seen:
            del mended[at]
        elif is_seen and not was_seen:
            insort(mended, name)
    return mended


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything there is, callable or not, at one generation."""

    generation: int
    servers: Mapping[str, Server]
    shelves: Mapping[str, Shelf]
    stock: Stock = field(default_factory=Stock, repr=False)

    def shelf(self, server: str, sight: Sight) -> Shelf:
        """Return what `server` (its full name) holds.

        Raises:
            NotFound: there is none, or the caller may not see it.
        """
        known = self.servers.get(server)
        is_there = is_built_in(server) if known is None else not known.is_retired
        if not is_there or not sight.reaches_server(server):
            raise NotFound(f"There is no server {shown(server)}.")
        return self.shelves.get(server, Shelf(entries={}, names=()))


async def read_snapshot(tx: Tx, specs: Specs) -> Snapshot:
    """Return the catalog as the database has it now, adding to `specs` what was not read before."""
    while True:
        generation = await catalog_generation(tx)
        stock = await read_stock(tx, specs)
        if await catalog_generation(tx) == generation:  # else it changed between two of our queries
            return Snapshot(
                generation=generation,
                servers=stock.servers,
                shelves=_shelves({}, stock, stock.entries),
                stock=stock,
            )


async def renewed(tx: Tx, known: Snapshot, specs: Specs) -> Snapshot:
    """Return `known` as the database has it now: only what changed is read, unless nobody can tell what that is."""
    while (generation := await catalog_generation(tx)) != known.generation:
        touched = await touched_since(tx, known.generation, generation)
        if touched is None:
            return await read_snapshot(tx, specs)
        stock, places = await read_again(tx, known.stock, touched, specs)
        if await catalog_generation(tx) == generation:
            shelves = _shelves(known.shelves, stock, places)
            return Snapshot(generation=generation, servers=stock.servers, shelves=shelves, stock=stock)
    return known


def _shelves(known: Mapping[str, Shelf], stock: Stock, places: Iterable[Place]) -> Mapping[str, Shelf]:
    """Return `known` with the entries at these places as `stock` has them."""
    changes = dict[str, dict[str, Entry | None]]()
    for server, name in places:
        changes.setdefault(server, {})[name] = _entry(stock, server, name)
    empty = Shelf(entries={}, names=())
    return {**known, **{server: known.get(server, empty).changed(entries) for server, entries in changes.items()}}


def _entry(stock: Stock, server: str, name: str) -> Entry | None:
    pair = stock.entries.get((server, name))
    if pair is None or server not in stock.servers:
        return None
    tool, connection = stock.tools.get(pair[0]), stock.connections.get(pair[1])
    if tool is None or connection is None:
        return None  # made since we read those; the generation has grown, and we shall read again
    version, connector = stock.versions.get((tool.id, connection.environment.value), (None, None))
    return Entry(
        name=name,
        server=stock.servers[server],
        tool=tool,
        version=version,
        connector=connector,
        connection=connection,
        also_on=stock.servers_of(pair),
        badge=stock.badges.get((connector.name, connector.artefact_digest)) if connector else None,
        needs_tasks=(server, name) in stock.need_tasks,
    )
