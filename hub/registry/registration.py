"""Registering a connector: new immutable tool versions for what changed, nothing for what did not."""

from typing import Any, Final

from sqlalchemy import func, select

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.audit import EventKind
from hub.core.canonical import digest
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.registry.linting import refuse_unfit
from hub.registry.offering import offer_everywhere
from hub.registry.reading import version_of
from hub.registry.stewardship import Stewards, outdate_catalog, require_steward
from hub.registry.tables import ConnectorRow, ReleaseRow, ToolRow, ToolVersionRow
from hub.registry.values import ToolVersion
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

_PASSPORT: Final = {"name", "entry", "runs", "artefact_digest", "auth", "safe", "rpc"}
"""What a connector brings to each of its tools beside the operation itself."""


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


def passport_digest(spec: ConnectorSpec) -> str:
    """Return the digest of what a connector brings to each of its tools: code, sign-in, safe requests."""
    return digest(spec.model_dump(mode="json", include=_PASSPORT))


def version_digest(operation: OperationSpec, connector_digest: str) -> str:
    """Return the digest of one immutable tool version: SHA-256 over the JCS of operation and connector."""
    return digest({"operation": operation.model_dump(mode="json"), "connector": connector_digest})


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
    rows = await tx.scalars(select(ToolRow).where(ToolRow.connector == spec.name))
    tools = {row.name: row for row in rows}
    new = list[ToolVersion]()
    for operation in spec.operations:
        tool = tools.pop(operation.name, None)
        if tool is None:
            tool = ToolRow(id=new_id("tool"), connector=spec.name, name=operation.name, owner_id=connector.owner_id)
            tx.add(tool)
            await tx.flush()
            await offer_everywhere(tx, tool)
        version = await _publish_version(tx, tool, operation, spec, connector)
        if version is not None:
            new.append(version_of(version, tool))
            facts = {"tool": tool.name, "version": version.id, "digest": version.digest}
            await authority.record(tx, EventKind.TOOL_VERSION_PUBLISHED, tool.id, **facts)
    for gone in tools.values():
        if gone.current_version_id is not None:
            gone.current_version_id = None
            await authority.record(tx, EventKind.TOOL_CHANGED, gone.id, tool=gone.name, changed="no longer offered")
    await tx.flush()
    return new


async def _publish_version(
    tx: Tx, tool: ToolRow, operation: OperationSpec, spec: ConnectorSpec, connector: ConnectorRow
) -> ToolVersionRow | None:
    """Make the version for `operation` the current one of `tool`; return it if there was none like it before."""
    connector_digest = passport_digest(spec)
    wanted = version_digest(operation, connector_digest)
    which = (ToolVersionRow.tool_id == tool.id, ToolVersionRow.digest == wanted)
    known = await tx.scalar(select(ToolVersionRow).where(*which))
    if known is not None:
        tool.current_version_id = None if known.withdrawn else known.id
        return None
    last = await tx.scalar(select(func.max(ToolVersionRow.number)).where(ToolVersionRow.tool_id == tool.id))
    version = ToolVersionRow(
        id=new_id("ver"),
        tool_id=tool.id,
        number=(last or 0) + 1,
        digest=wanted,
        release_id=connector.release_id or "",
        connector_digest=connector_digest,
        spec=operation.model_dump_json(),
        published_at=await now(tx),
    )
    tx.add(version)
    tool.current_version_id = version.id
    await tx.flush()
    return version
