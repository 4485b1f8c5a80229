"""Which release of a connector is in use in which environment, and so which version of each of its tools is."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.core.errors import NotFound
from hub.core.texts import shown
from hub.registry.digests import passport_digest, version_digest
from hub.registry.stored import release_spec
from hub.registry.tables import ConnectorRow, ReleaseInUseRow, ReleaseRow, ToolRow, ToolVersionRow, VersionInUseRow
from hub.registry.values import Connection, Environment
from hub.storage import Tx, add_in_slices, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One connector spec as it was registered; `registered_by` is None for the hub's own console."""

    id: str
    connector: str
    digest: str
    version: str
    registered_by: str | None
    registered_at: datetime
    spec: ConnectorSpec


async def put_in_use(tx: Tx, release: Release, environment: Environment) -> list[ToolRow]:
    """Let `release` be the one in use in `environment`, and return the tools that are no longer offered there.

    A version that was withdrawn is not offered, whatever release brings it. The caller has outdated the catalog.
    """
    await tx.merge(
        ReleaseInUseRow(
            connector=release.connector, environment=environment.value, release_id=release.id, since=await now(tx)
        )
    )
    tools = {row.name: row for row in await tx.scalars(select(ToolRow).where(ToolRow.connector == release.connector))}
    was_offered = await _offered(tx, [tool.id for tool in tools.values()], environment)
    versions = await versions_of(tx, release)
    await _take_out_of_use(tx, [tool.id for tool in tools.values()], environment)
    offered = {row.tool_id for row in versions if row.withdrawn is None}
    used = (row for row in versions if row.withdrawn is None)
    here = environment.value
    await add_in_slices(tx, (VersionInUseRow(tool_id=row.tool_id, environment=here, version_id=row.id) for row in used))
    named = {operation.name for operation in release.spec.operations}
    return [tool for tool in tools.values() if tool.name not in named and tool.id in was_offered - offered]


async def take_out_of_use(tx: Tx, connector: str, environment: Environment) -> None:
    """Let no release of `connector` be in use in `environment`. The caller has outdated the catalog."""
    tools = (await tx.scalars(select(ToolRow.id).where(ToolRow.connector == connector))).all()
    await _take_out_of_use(tx, tools, environment)
    here = (ReleaseInUseRow.connector == connector, ReleaseInUseRow.environment == environment.value)
    await tx.execute(delete(ReleaseInUseRow).where(*here))


async def release_in_use(tx: Tx, connector: str, environment: Environment) -> Release | None:
    """Return the release of `connector` that is in use in `environment`, as the database has it now; None: none is."""
    row = await tx.get(ReleaseInUseRow, (connector, environment.value), populate_existing=True)
    return None if row is None else await get_release(tx, row.release_id)


async def releases_in_use(tx: Tx, connector: str) -> dict[Environment, str]:
    """Return the id of the release in use in each environment that has one."""
    rows = await tx.scalars(select(ReleaseInUseRow).where(ReleaseInUseRow.connector == connector))
    return {Environment(row.environment): row.release_id for row in rows}


async def get_release(tx: Tx, release_id: str) -> Release:
    """Return one release.

    Raises:
        NotFound: there is none.
    """
    row = await tx.get(ReleaseRow, release_id)
    if row is None:
        raise NotFound(f"There is no release {shown(release_id)}.")
    return Release(
        id=row.id,
        connector=row.connector,
        digest=row.digest,
        version=row.version,
        registered_by=row.registered_by,
        registered_at=row.registered_at,
        spec=await release_spec(tx, row.id),
    )


async def newest_release(tx: Tx, connector: str) -> Release:
    """Return the release that was registered last.

    Raises:
        NotFound: there is no such connector.
    """
    row = await tx.get(ConnectorRow, connector, populate_existing=True)
    if row is None or row.release_id is None:
        raise NotFound(f"There is no connector {shown(connector)}; publish it first.")
    return await get_release(tx, row.release_id)


async def release_id_for(tx: Tx, connection: Connection) -> str | None:
    """Return the id of the release that a connection's calls are made with, without reading what stands in it."""
    used = await tx.get(ReleaseInUseRow, (connection.connector, connection.environment), populate_existing=True)
    if used is not None:
        return used.release_id
    newest = await tx.get(ConnectorRow, connection.connector, populate_existing=True)
    return None if newest is None else newest.release_id


async def spec_for(tx: Tx, connection: Connection) -> ConnectorSpec:
    """Return the connector as a connection's calls are made with it; the newest one as long as none is in use there."""
    used = await release_in_use(tx, connection.connector, connection.environment)
    return (used or await newest_release(tx, connection.connector)).spec


async def version_in_use(tx: Tx, tool_id: str, environment: Environment) -> ToolVersionRow | None:
    """Return the version of a tool that `environment` offers, as the database has it now; None: it offers none."""
    used = await tx.get(VersionInUseRow, (tool_id, environment.value), populate_existing=True)
    return None if used is None else await tx.get_one(ToolVersionRow, used.version_id, populate_existing=True)


async def versions_of(tx: Tx, release: Release) -> Sequence[ToolVersionRow]:
    """Return the versions that the operations of `release` are, withdrawn ones included."""
    connector_digest, wanted = await asyncio.to_thread(_version_digests, release.spec)
    query = (
        select(ToolVersionRow)
        .join(ToolRow, ToolRow.id == ToolVersionRow.tool_id)
        .where(ToolRow.connector == release.connector, ToolVersionRow.connector_digest == connector_digest)
        .order_by(ToolVersionRow.id)
        .execution_options(populate_existing=True)
    )
    return [row for row in await tx.scalars(query) if row.digest in wanted]


def _version_digests(spec: ConnectorSpec) -> tuple[str, frozenset[str]]:
    connector_digest = passport_digest(spec)
    return connector_digest, frozenset(version_digest(one, connector_digest) for one in spec.operations)


async def cost_units(tx: Tx) -> frozenset[str]:
    """Return the units in which tools tell what a call of them costs, of all that are in use anywhere."""
    used = select(VersionInUseRow.version_id)
    telling = (ToolVersionRow.id.in_(used), ToolVersionRow.spec.contains('"cost":{'))
    specs = (await tx.scalars(select(ToolVersionRow.spec).where(*telling))).all()
    return await asyncio.to_thread(_units, specs)


def _units(specs: Sequence[str]) -> frozenset[str]:
    costs = [OperationSpec.model_validate_json(spec).cost for spec in specs]
    return frozenset(one.unit for one in costs if one is not None)


async def used_in(tx: Tx, version_ids: Iterable[str]) -> dict[str, tuple[Environment, ...]]:
    """Return where each version is in use, by its id, in the order of the environments."""
    query = select(VersionInUseRow).where(VersionInUseRow.version_id.in_(list(version_ids)))
    found = defaultdict[str, set[str]](set)
    for row in await tx.scalars(query):
        found[row.version_id].add(row.environment)
    return {one: tuple(each for each in Environment if each.value in known) for one, known in found.items()}


async def _offered(tx: Tx, tool_ids: Sequence[str], environment: Environment) -> set[str]:
    here = (VersionInUseRow.tool_id.in_(tool_ids), VersionInUseRow.environment == environment.value)
    return set(await tx.scalars(select(VersionInUseRow.tool_id).where(*here)))


async def _take_out_of_use(tx: Tx, tool_ids: Sequence[str], environment: Environment) -> None:
    here = (VersionInUseRow.tool_id.in_(tool_ids), VersionInUseRow.environment == environment.value)
    await tx.execute(delete(VersionInUseRow).where(*here))
