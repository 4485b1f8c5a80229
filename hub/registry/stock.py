"""The rows that a catalog is made of, as values in memory: read in one go, or only what has changed since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, and_, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.registry.badge_values import Badge
from hub.registry.badges import all_badges
from hub.registry.reading import connection_of, server_of, tool_of
from hub.registry.stewardship import Touched
from hub.registry.stored import release_spec
from hub.registry.tables import (
    ConnectionRow,
    EntryRow,
    ReleaseInUseRow,
    ServerRow,
    ToolRow,
    ToolVersionRow,
    VersionInUseRow,
)
from hub.registry.values import Connection, Environment, Server, Tool, ToolVersion
from hub.storage import Tx

_Held = TypeVar("_Held")

Place = tuple[str, str]
"""A server and a name on it."""
Pair = tuple[str, str]
"""A tool and a connection, by their ids."""
Used = tuple[ToolVersion, ConnectorSpec]
"""The version of a tool that an environment offers, and its connector as it is there."""

_AT_ONCE: Final = 500
"""Ids in one query; well below the number of parameters that either engine takes."""


@dataclass(slots=True)
class Specs:
    """What has been read of versions and releases; both are immutable, so it stays right for ever."""

    operations: dict[str, OperationSpec] = field(default_factory=dict[str, OperationSpec])
    releases: dict[str, ConnectorSpec] = field(default_factory=dict[str, ConnectorSpec])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Everything that was read. `of_tool` tells where a tool stands."""

    servers: Mapping[str, Server] = field(default_factory=dict[str, Server])
    connections: Mapping[str, Connection] = field(default_factory=dict[str, Connection])
    tools: Mapping[str, Tool] = field(default_factory=dict[str, Tool])
    versions: Mapping[Pair, Used] = field(default_factory=dict[Pair, Used])
    """By the id of the tool and the environment."""
    badges: Mapping[tuple[str, str], Badge] = field(default_factory=dict[tuple[str, str], Badge])
    entries: Mapping[Place, Pair] = field(default_factory=dict[Place, Pair])
    of_tool: Mapping[str, frozenset[Place]] = field(default_factory=dict[str, frozenset[Place]])
    need_tasks: frozenset[Place] = frozenset()
    """Where what stands is for clients alone that know tasks."""

    def servers_of(self, pair: Pair) -> frozenset[str]:
        """Return every server on which a tool of a connection stands."""
        return frozenset(server for server, name in self.of_tool.get(pair[0], ()) if self.entries[server, name] == pair)

    def within(self, touched: Touched) -> set[Place]:
        """Return the places that hang on what is touched."""
        places = {place for tool_id in touched.tools for place in self.of_tool.get(tool_id, ())}
        if not (touched.connections or touched.connectors or touched.servers):
            return places
        return places | {place for place, pair in self.entries.items() if self._is_within(place, pair, touched)}

    def _is_within(self, place: Place, pair: Pair, touched: Touched) -> bool:
        tool = self.tools.get(pair[0])
        is_of_connector = tool is not None and tool.connector in touched.connectors
        return place[0] in touched.servers or pair[1] in touched.connections or is_of_connector


async def read_stock(tx: Tx, specs: Specs) -> Stock:
    """Return everything as the database has it."""
    rows, need_tasks = await _rows(tx, None)
    return Stock(
        servers=await _servers(tx),
        connections=await _connections(tx, None),
        tools=await _tools(tx, None),
        versions=await _versions(tx, None, specs),
        badges=await all_badges(tx),
        entries=rows,
        of_tool=_by_tool(rows),
        need_tasks=need_tasks,
    )


async def read_again(tx: Tx, known: Stock, touched: Touched, specs: Specs) -> tuple[Stock, set[Place]]:
    """Return `known` with what is touched as the database has it now, and every place that may be another now."""
    servers = await _servers(tx)
    changed = {name for name in servers.keys() | known.servers.keys() if servers.get(name) != known.servers.get(name)}
    touched = replace(touched, servers=touched.servers | changed)
    before, (after, need_tasks) = known.within(touched), await _rows(tx, touched)
    tools = {**known.tools, **await _tools(tx, touched)}
    fresh = set(touched.tools)
    if touched.connectors:
        fresh |= {tool.id for tool in tools.values() if tool.connector in touched.connectors}
    moved = {pair[0] for pair in [*(known.entries[place] for place in before), *after.values()]}
    stock = Stock(
        servers=servers,
        connections={**known.connections, **await _connections(tx, touched)},
        tools=tools,
        versions=_without(known.versions, ((tool_id, place.value) for tool_id in fresh for place in Environment))
        | await _versions(tx, touched, specs),
        badges=await all_badges(tx) if touched.connectors else known.badges,
        entries=_without(known.entries, before) | after,
        of_tool={**known.of_tool, **_moved(known.of_tool, before, after, moved)},
        need_tasks=(known.need_tasks - before) | need_tasks,
    )
    beside = {place for tool_id in moved for place in stock.of_tool[tool_id]}  # what else they stand on has changed
    return stock, before | after.keys() | beside


def _without(known: Mapping[Pair, _Held], gone: Iterable[Pair]) -> dict[Pair, _Held]:
    left = dict(known)
    for key in gone:
        left.pop(key, None)
    return left


def _moved(
    known: Mapping[str, frozenset[Place]], before: set[Place], after: Mapping[Place, Pair], moved: Iterable[str]
) -> dict[str, frozenset[Place]]:
    fresh = _by_tool(after)
    return {tool_id: (known.get(tool_id, frozenset()) - before) | fresh.get(tool_id, frozenset()) for tool_id in moved}


def _by_tool(entries: Mapping[Place, Pair]) -> dict[str, frozenset[Place]]:
    found = dict[str, list[Place]]()
    for place, (tool_id, _) in entries.items():
        found.setdefault(tool_id, []).append(place)
    return {tool_id: frozenset(places) for tool_id, places in found.items()}


def _about_tools(touched: Touched | None) -> ColumnElement[bool]:
    if touched is None:
        return true()
    return _among((ToolRow.id, touched.tools), (ToolRow.connector, touched.connectors))


def _among(*wanted: tuple[InstrumentedAttribute[str], frozenset[str]]) -> ColumnElement[bool]:
    """Return the condition that one of the columns has one of its values; what has none is not asked, so that each
    that is asked can be answered from its index.
    """
    return or_(false(), *(column.in_(values) for column, values in wanted if values))


async def _servers(tx: Tx) -> dict[str, Server]:
    return {row.name: server_of(row) for row in await tx.scalars(select(ServerRow))}


async def _connections(tx: Tx, touched: Touched | None) -> dict[str, Connection]:
    query = select(ConnectionRow).execution_options(populate_existing=True)
    if touched is not None:
        if not (touched.connections or touched.connectors):
            return {}
        query = query.where(
            _among((ConnectionRow.id, touched.connections), (ConnectionRow.connector, touched.connectors))
        )
    return {row.id: connection_of(row) for row in await tx.scalars(query)}


async def _tools(tx: Tx, touched: Touched | None) -> dict[str, Tool]:
    rows: Sequence[Any] = (await tx.execute(select(*ToolRow.__table__.columns).where(_about_tools(touched)))).all()
    return {row.id: tool_of(row) for row in rows}  # rows have the attributes of a ToolRow, in a tenth of the time


async def _rows(tx: Tx, touched: Touched | None) -> tuple[dict[Place, Pair], frozenset[Place]]:
    """Return what stands where, and the places whose tools are for clients alone that know tasks."""
    query = select(EntryRow.server, EntryRow.name, EntryRow.tool_id, EntryRow.connection_id, EntryRow.needs_tasks)
    if touched is not None:
        own = _among(
            (EntryRow.server, touched.servers),
            (EntryRow.connection_id, touched.connections),
            (EntryRow.tool_id, touched.tools),
        )
        if touched.connectors:
            theirs = select(ToolRow.id).where(ToolRow.connector.in_(touched.connectors))
            own = or_(own, EntryRow.tool_id.in_(theirs))
        query = query.where(own)
    rows = (await tx.execute(query)).all()
    need_tasks = frozenset((row.server, row.name) for row in rows if row.needs_tasks)
    return {(row.server, row.name): (row.tool_id, row.connection_id) for row in rows}, need_tasks


async def _versions(tx: Tx, touched: Touched | None, specs: Specs) -> dict[Pair, Used]:
    """Return the version of each tool that each environment offers, with its connector as it is there."""
    columns = (
        ToolVersionRow.id,
        ToolVersionRow.tool_id,
        ToolVersionRow.number,
        ToolVersionRow.digest,
        ToolVersionRow.connector_digest,
        ToolVersionRow.release_id.label("brought_by"),
        ToolRow.name,
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
        .where(_about_tools(touched))
    )
    rows = (await tx.execute(query)).all()
    await _read_releases(tx, {row.release_id for row in rows} - specs.releases.keys(), specs)
    _take_operations({(row.id, row.brought_by, row.name) for row in rows if row.id not in specs.operations}, specs)
    await _read_operations(tx, sorted({row.id for row in rows} - specs.operations.keys()), specs)
    return {
        (row.tool_id, row.environment): (
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


def _take_operations(versions: set[tuple[str, str, str]], specs: Specs) -> None:
    """Take versions from the releases that brought them, where these have been read: they say the same."""
    of_release = dict[str, dict[str, OperationSpec]]()
    for version_id, release_id, name in versions:
        if release_id not in specs.releases:
            continue
        if release_id not in of_release:
            of_release[release_id] = {one.name: one for one in specs.releases[release_id].operations}
        specs.operations[version_id] = of_release[release_id][name]


async def _read_operations(tx: Tx, ids: Sequence[str], specs: Specs) -> None:
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        query = select(ToolVersionRow.id, ToolVersionRow.spec).where(ToolVersionRow.id.in_(some))
        for version_id, spec in await tx.execute(query):
            specs.operations[version_id] = OperationSpec.model_validate_json(spec)


async def _read_releases(tx: Tx, ids: set[str], specs: Specs) -> None:
    for release_id in sorted(ids):
        specs.releases[release_id] = await release_spec(tx, release_id)
