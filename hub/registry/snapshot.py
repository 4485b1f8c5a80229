"""The catalog as it stood at one generation, read in one go and kept in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import and_, select

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.core.errors import NotFound
from hub.core.texts import shown
from hub.registry.badges import all_badges
from hub.registry.entries import Entry
from hub.registry.names import is_built_in
from hub.registry.reading import connection_of, server_of, tool_of
from hub.registry.stewardship import catalog_generation
from hub.registry.tables import (
    ConnectionRow,
    EntryRow,
    ReleaseInUseRow,
    ReleaseRow,
    ServerRow,
    ToolRow,
    ToolVersionRow,
    VersionInUseRow,
)
from hub.registry.values import Environment, Server, ToolVersion
from hub.registry.visibility import Sight
from hub.storage import Tx

_AT_ONCE: Final = 500
"""Ids in one query; well below the number of parameters that either engine takes."""


@dataclass(slots=True)
class Specs:
    """What has been read of versions and releases; both are immutable, so it stays right for ever."""

    operations: dict[str, OperationSpec] = field(default_factory=dict[str, OperationSpec])
    releases: dict[str, ConnectorSpec] = field(default_factory=dict[str, ConnectorSpec])


_MOST_SIGHTS: Final = 64
"""For so many different sights it is kept what they see of a server."""


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
            entries = self.entries
            known = [name for name in self.names if entries[name].is_offered and entries[name].is_visible(sight)]
            self._seen[sight] = known
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything there is, callable or not, at one generation."""

    generation: int
    servers: Mapping[str, Server]
    shelves: Mapping[str, Shelf]

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
        snapshot = await _read(tx, generation, specs)
        if await catalog_generation(tx) == generation:  # else it changed between two of our queries
            return snapshot


async def _read(tx: Tx, generation: int, specs: Specs) -> Snapshot:
    servers = {row.name: server_of(row) for row in await tx.scalars(select(ServerRow))}
    connections = {row.id: connection_of(row) for row in await tx.scalars(select(ConnectionRow))}
    tools = {row.id: tool_of(row) for row in await tx.scalars(select(ToolRow))}
    versions, badges = await _versions_in_use(tx, specs), await all_badges(tx)
    rows = (await tx.scalars(select(EntryRow))).all()
    also_on = dict[tuple[str, str], set[str]]()
    for row in rows:
        also_on.setdefault((row.tool_id, row.connection_id), set()).add(row.server)
    entries = dict[str, dict[str, Entry]]()
    for row in rows:
        if row.server not in servers or row.tool_id not in tools or row.connection_id not in connections:
            continue  # made since we read those; the generation has grown, and we shall read again
        connection = connections[row.connection_id]
        version, connector = versions.get((row.tool_id, connection.environment), (None, None))
        entries.setdefault(row.server, {})[row.name] = Entry(
            name=row.name,
            server=servers[row.server],
            tool=tools[row.tool_id],
            version=version,
            connector=connector,
            connection=connection,
            also_on=frozenset(also_on[row.tool_id, row.connection_id]),
            badge=badges.get((connector.name, connector.artefact_digest)) if connector else None,
        )
    shelves = {server: Shelf(entries=held, names=sorted(held)) for server, held in entries.items()}
    return Snapshot(generation=generation, servers=servers, shelves=shelves)


async def _versions_in_use(tx: Tx, specs: Specs) -> dict[tuple[str, Environment], tuple[ToolVersion, ConnectorSpec]]:
    """Return the version of each tool that each environment offers, with its connector as it is there."""
    columns = (
        ToolVersionRow.id,
        ToolVersionRow.tool_id,
        ToolVersionRow.number,
        ToolVersionRow.digest,
        ToolVersionRow.connector_digest,
        VersionInUseRow.environment,
        ReleaseInUseRow.release_id,  # what undoes a tool may have changed since, and the tool itself not
    )
    here = and_(
        ReleaseInUseRow.connector == ToolRow.connector, ReleaseInUseRow.environment == VersionInUseRow.environment
    )
    query = (
        select(*columns)
        .join(VersionInUseRow, VersionInUseRow.version_id == ToolVersionRow.id)
        .join(ToolRow, ToolRow.id == VersionInUseRow.tool_id)
        .join(ReleaseInUseRow, here)
    )
    rows = (await tx.execute(query)).all()
    await _read_operations(tx, sorted({row.id for row in rows} - specs.operations.keys()), specs)
    await _read_releases(tx, {row.release_id for row in rows} - specs.releases.keys(), specs)
    return {
        (row.tool_id, Environment(row.environment)): (
            ToolVersion(
                id=row.id,
                tool_id=row.tool_id,
                number=row.number,
                digest=row.digest,
                spec=specs.operations[row.id],
                connector_digest=row.connector_digest,
                withdrawn=None,
                used_in=(Environment(row.environment),),
            ),
            specs.releases[row.release_id],
        )
        for row in rows
    }


async def _read_operations(tx: Tx, ids: Sequence[str], specs: Specs) -> None:
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        query = select(ToolVersionRow.id, ToolVersionRow.spec).where(ToolVersionRow.id.in_(some))
        for version_id, spec in await tx.execute(query):
            specs.operations[version_id] = OperationSpec.model_validate_json(spec)


async def _read_releases(tx: Tx, ids: set[str], specs: Specs) -> None:
    query = select(ReleaseRow.id, ReleaseRow.spec).where(ReleaseRow.id.in_(ids))
    for release_id, spec in await tx.execute(query):
        specs.releases[release_id] = ConnectorSpec.model_validate_json(spec)
