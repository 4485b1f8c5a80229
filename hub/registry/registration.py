"""Registering a connector: new immutable tool versions for what changed, nothing for what did not."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec
from hub.audit import EventKind
from hub.core.canonical import digest
from hub.core.errors import Forbidden
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.registry.composites import PREFIX, is_composite
from hub.registry.digests import passport_digest, version_digest
from hub.registry.linting import refuse_unfit
from hub.registry.offering import offer_tools
from hub.registry.reading import version_of
from hub.registry.stewardship import Stewards, outdate_catalog, require_steward
from hub.registry.tables import ConnectorRow, ReleaseRow, ToolRow, ToolVersionRow
from hub.registry.values import ToolVersion
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""


async def register_connector(
    tx: Tx, spec: ConnectorSpec, authority: Authority, *, owner_id: str | None = None
) -> list[ToolVersion]:
    """Make `spec` the release of its connector in use, and return the tool versions that are new.

    Registering the same again changes nothing. A changed operation, or changed code, makes a new version; the old one
    stays on record. An operation that is gone is no longer offered. `owner_id` becomes the owner of a new connector.

    Raises:
        InputError: a schema, an example or a name will not do; the message lists every problem.
        Conflict: a new tool's name is taken in a built-in server.
        Forbidden: it is neither the owner nor an administrator.
    """
    _refuse_reserved(spec, authority)
    row = await tx.get(ConnectorRow, spec.name, populate_existing=True)
    owner = row.owner_id if row else None
    await require_steward(tx, authority, Stewards(owner_id=owner, what=f"the connector {spec.name!r}"))
    release_digest = digest(spec.model_dump(mode="json"))
    if row is not None and await _digest_of(tx, row.release_id) == release_digest:
        return []
    refuse_unfit(spec)
    await outdate_catalog(tx, authority)  # first, because it also makes registrations wait for each other
    if row is None:
        row = ConnectorRow(name=spec.name, owner_id=owner_id or authority.by, registered_at=await now(tx))
        tx.add(row)
        await tx.flush()
    row.release_id = await _release(tx, spec, release_digest)
    facts = {"version": spec.version, "digest": release_digest, "artefact": spec.artefact_digest}
    await authority.record(tx, EventKind.CONNECTOR_REGISTERED, spec.name, **facts)
    return await _publish_versions(tx, spec, row, authority)


def _refuse_reserved(spec: ConnectorSpec, authority: Authority) -> None:
    """Let nobody but the hub itself register what makes composite tools; people declare them instead.

    Raises:
        Forbidden: it would be one.
    """
    is_reserved = spec.name.startswith(PREFIX) or any(map(is_composite, spec.operations))
    if is_reserved and authority.by is not None:
        raise Forbidden(f"Composite tools are declared, not registered; see `toolhub composite`. ({spec.name!r})")


async def _digest_of(tx: Tx, release_id: str | None) -> str | None:
    return await tx.scalar(select(ReleaseRow.digest).where(ReleaseRow.id == release_id))


async def _release(tx: Tx, spec: ConnectorSpec, release_digest: str) -> str:
    query = select(ReleaseRow.id).where(ReleaseRow.connector == spec.name, ReleaseRow.digest == release_digest)
    known = await tx.scalar(query)
    if known is not None:
        return known
    release = ReleaseRow(
        id=new_id("rel"),
        connector=spec.name,
        digest=release_digest,
        version=spec.version,
        spec=spec.model_dump_json(),
        registered_at=await now(tx),
    )
    tx.add(release)
    await tx.flush()
    return release.id


async def _publish_versions(
    tx: Tx, spec: ConnectorSpec, connector: ConnectorRow, authority: Authority
) -> list[ToolVersion]:
    tools = await _tools_for(tx, spec, connector)
    known = await _known_versions(tx, spec.name)
    connector_digest, at = passport_digest(spec), await now(tx)
    new = list[tuple[ToolVersionRow, ToolRow]]()
    for operation in spec.operations:
        tool, wanted = tools.pop(operation.name), version_digest(operation, connector_digest)
        before = known.get(tool.id, {})
        if wanted in before:
            tool.current_version_id = None if before[wanted].withdrawn else before[wanted].id
            continue
        version = ToolVersionRow(
            id=new_id("ver"),
            tool_id=tool.id,
            number=max((each.number for each in before.values()), default=0) + 1,
            digest=wanted,
            release_id=connector.release_id or "",
            connector_digest=connector_digest,
            spec=operation.model_dump_json(),
            published_at=at,
        )
        tool.current_version_id = version.id
        new.append((version, tool))
    tx.add_all(version for version, _ in new)
    await tx.flush()
    await _record_versions(tx, new, authority)
    await _retire(tx, tools.values(), authority)
    return [version_of(version, tool) for version, tool in new]


async def _tools_for(tx: Tx, spec: ConnectorSpec, connector: ConnectorRow) -> dict[str, ToolRow]:
    """Return the tools of the connector by name, those included that `spec` brings for the first time."""
    rows = await tx.scalars(select(ToolRow).where(ToolRow.connector == spec.name))
    tools = {row.name: row for row in rows}
    new = [
        ToolRow(id=new_id("tool"), connector=spec.name, name=operation.name, owner_id=connector.owner_id)
        for operation in spec.operations
        if operation.name not in tools
    ]
    tx.add_all(new)
    await tx.flush()
    await offer_tools(tx, spec.name, new)
    return tools | {tool.name: tool for tool in new}


class _Known(NamedTuple):
    id: str
    number: int
    withdrawn: str | None


async def _known_versions(tx: Tx, connector: str) -> dict[str, dict[str, _Known]]:
    """Return every version of the connector's tools, by the tool's id and the version's digest."""
    columns = (ToolVersionRow.id, ToolVersionRow.number, ToolVersionRow.withdrawn)
    query = (
        select(ToolVersionRow.tool_id, ToolVersionRow.digest, *columns)
        .join(ToolRow, ToolRow.id == ToolVersionRow.tool_id)
        .where(ToolRow.connector == connector)
    )
    known = dict[str, dict[str, _Known]]()
    for row in await tx.execute(query):
        known.setdefault(row.tool_id, {})[row.digest] = _Known(row.id, row.number, row.withdrawn)
    return known


async def _record_versions(tx: Tx, new: list[tuple[ToolVersionRow, ToolRow]], authority: Authority) -> None:
    for version, tool in new:
        facts = {"tool": tool.name, "version": version.id, "digest": version.digest}
        await authority.record(tx, EventKind.TOOL_VERSION_PUBLISHED, tool.id, **facts)


async def _retire(tx: Tx, gone: Iterable[ToolRow], authority: Authority) -> None:
    for tool in gone:
        if tool.current_version_id is not None:
            tool.current_version_id = None
            await authority.record(tx, EventKind.TOOL_CHANGED, tool.id, tool=tool.name, changed="no longer offered")
    await tx.flush()
