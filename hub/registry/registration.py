"""Registering a connector: new immutable tool versions for what changed, nothing for what did not; in use in dev."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.audit import EventKind
from hub.core.errors import Conflict, Forbidden
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.registry.composites import PREFIX, is_composite
from hub.registry.differing import registered
from hub.registry.digests import passport_digest, release_digest, version_digest
from hub.registry.linting import refuse_unfit
from hub.registry.numbering import numbered
from hub.registry.offering import Unfit, offer_tools
from hub.registry.reading import version_of
from hub.registry.stewardship import Stewards, Touched, checked_owner, outdate_catalog, require_steward
from hub.registry.stored import spec_text
from hub.registry.tables import ConnectorRow, ReleaseRow, ToolRow, ToolVersionRow
from hub.registry.using import get_release, put_in_use, release_in_use, releases_in_use, used_in
from hub.registry.values import Environment, ToolVersion
from hub.registry.words import Declared, Undeclared, counts_own_word, refuse_other_words
from hub.storage import Tx, add_in_slices, now

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A release that is to be registered, its operations' versions by the digests that they have then."""

    spec: ConnectorSpec
    digest: str
    text: str
    connector_digest: str
    versions: Mapping[str, str]


async def register_connector(
    tx: Tx,
    spec: ConnectorSpec,
    authority: Authority,
    *,
    owner_id: str | None = None,
    also: Collection[Environment] = (),
) -> list[ToolVersion]:
    """Make `spec` the newest release of its connector, in use in dev, and return the tool versions that are new.

    Registering the same again changes nothing. A changed operation, or changed code, makes a new version; the old one
    stays on record. An operation that is gone is no longer offered. Other environments keep what is in use there;
    `also` names those that take their first release at once, which only the hub's own console may say. `owner_id`
    becomes the owner of a new connector.

    Raises:
        InputError: a schema, an example, a name or the owner will not do; the message lists every problem.
        Conflict: a new tool's name is taken in a built-in server, or `also` names an environment that has a release.
        Forbidden: it is neither the owner nor an administrator, or `also` names an environment, and it is a person; or
            the code itself has to be asked, which `register_as_declared` is for.
    """
    await require_registrar(tx, spec, authority)
    if await counts_own_word(tx, spec, authority):
        refuse_other_words(spec, Undeclared(why="nobody asked it"))
    return await _register(tx, spec, authority, owner_id, also)


async def register_as_declared(
    tx: Tx, spec: ConnectorSpec, word: Declared | Undeclared, authority: Authority
) -> list[ToolVersion]:
    """Do as `register_connector` does, for the owner of a connector whose code was asked what it declares.

    Raises:
        InputError, Conflict: as there.
        Forbidden: it is neither the owner nor an administrator, or the code declares something else.
    """
    await require_registrar(tx, spec, authority)
    refuse_other_words(spec, word)
    return await _register(tx, spec, authority, None, ())


async def require_registrar(tx: Tx, spec: ConnectorSpec, authority: Authority) -> None:
    """Let those pass who may register `spec`: the owner of its connector, administrators, the hub's console.

    Raises:
        Forbidden: it is somebody else, or it would be the hub's own connector of composite tools.
    """
    _refuse_reserved(spec, authority)
    row = await tx.get(ConnectorRow, spec.name, populate_existing=True)
    owner = row.owner_id if row else None
    await require_steward(tx, authority, Stewards(owner_id=owner, what=f"the connector {spec.name!r}"))


async def _register(
    tx: Tx, spec: ConnectorSpec, authority: Authority, owner_id: str | None, also: Collection[Environment]
) -> list[ToolVersion]:
    wanted, newest = {*_at_once(spec), *also}, await registered(tx, spec.name)
    new = await asyncio.to_thread(_new, spec, newest)
    if await _is_in_use(tx, new, wanted):
        return []
    await asyncio.to_thread(refuse_unfit, spec)
    # First, because it also makes registrations wait for each other.
    await outdate_catalog(tx, authority, Touched(connectors=frozenset({spec.name})))
    if (newer := await registered(tx, spec.name)) is not newest:
        new = await asyncio.to_thread(_new, spec, newer)
    row = await tx.get(ConnectorRow, spec.name, populate_existing=True)
    if row is None:
        owner = await checked_owner(tx, owner_id) or authority.by
        row = ConnectorRow(name=spec.name, owner_id=owner, registered_at=await now(tx))
        tx.add(row)
        await tx.flush()
    await _refuse_beyond(tx, spec.name, new.digest, also, authority)
    release_id = row.release_id = await _release(tx, new, authority)
    facts = {"version": new.spec.version, "digest": new.digest, "artefact": spec.artefact_digest}
    places = [one.value for one in Environment if one in wanted]
    await authority.record(tx, EventKind.CONNECTOR_REGISTERED, spec.name, in_use=places, **facts)
    published = await _publish_versions(tx, new, row, authority)
    release = await get_release(tx, release_id)
    for environment in sorted(wanted):
        await _record_retired(tx, await put_in_use(tx, release, environment), environment, authority)
    used = await used_in(tx, [version.id for version, _ in published])
    return [version_of(version, used.get(version.id, ()), spec) for version, spec in published]


def _new(spec: ConnectorSpec, newest: ConnectorSpec | None) -> _New:
    """Return the release that `spec` makes after `newest`. For thousands of operations that takes seconds."""
    spec = numbered(spec, newest)
    connector_digest = passport_digest(spec)
    return _New(
        spec=spec,
        digest=release_digest(spec),
        text=spec_text(spec),
        connector_digest=connector_digest,
        versions={one.name: version_digest(one, connector_digest) for one in spec.operations},
    )


def _refuse_reserved(spec: ConnectorSpec, authority: Authority) -> None:
    """Let nobody but the hub itself register what makes composite tools; people declare them instead.

    Raises:
        Forbidden: it would be one.
    """
    is_reserved = spec.name.startswith(PREFIX) or any(map(is_composite, spec.operations))
    if is_reserved and authority.by is not None:
        raise Forbidden(f"Composite tools are declared, not registered; see `toolhub composite`. ({spec.name!r})")


def _at_once(spec: ConnectorSpec) -> frozenset[Environment]:
    """Return where a release is in use as soon as it is registered: in dev, if it is not of another environment."""
    is_elsewhere = spec.name.startswith(PREFIX) and spec.name != f"{PREFIX}{Environment.DEV}"
    return frozenset() if is_elsewhere else frozenset({Environment.DEV})


async def _is_in_use(tx: Tx, new: _New, environments: Collection[Environment]) -> bool:
    """Return whether the very same was registered last, and is in use in all of `environments`."""
    connector = await tx.get(ConnectorRow, new.spec.name)
    if connector is None:
        return False
    newest = await tx.scalar(select(ReleaseRow.digest).where(ReleaseRow.id == connector.release_id))
    used = await releases_in_use(tx, connector.name)
    return newest == new.digest and all(used.get(one) == connector.release_id for one in environments)


async def _refuse_beyond(
    tx: Tx, connector: str, new_digest: str, also: Collection[Environment], authority: Authority
) -> None:
    if also and authority.by is not None:
        raise Forbidden("A release is in use in dev at once; ask for its promotion to any other environment.")
    for environment in sorted(also):
        there = await release_in_use(tx, connector, environment)
        if there is not None and there.digest != new_digest:
            where, what = environment.value, f"{connector} {there.version}"
            raise Conflict(
                f"{what} is in use in {where}. Publish without --also {where}, then promote what you have tried: "
                f"`toolhub promotion ask {connector} --to {where}`."
            )


async def _release(tx: Tx, new: _New, authority: Authority) -> str:
    query = select(ReleaseRow.id).where(ReleaseRow.connector == new.spec.name, ReleaseRow.digest == new.digest)
    known = await tx.scalar(query)
    if known is not None:
        return known
    release = ReleaseRow(
        id=new_id("rel"),
        connector=new.spec.name,
        digest=new.digest,
        version=new.spec.version,
        spec=new.text,
        registered_by=authority.by,
        registered_at=await now(tx),
    )
    tx.add(release)
    await tx.flush()
    return release.id


async def _publish_versions(
    tx: Tx, release: _New, connector: ConnectorRow, authority: Authority
) -> list[tuple[ToolVersionRow, OperationSpec]]:
    tools = await _tools_for(tx, release.spec, connector, authority)
    known = await _known_versions(tx, release.spec.name)
    at = await now(tx)
    new = list[tuple[ToolVersionRow, OperationSpec]]()

    def rows() -> Iterator[ToolVersionRow]:
        for operation in release.spec.operations:
            tool_id, wanted = tools[operation.name].id, release.versions[operation.name]
            before = known.get(tool_id, {})
            if wanted in before:
                continue
            version = ToolVersionRow(
                id=new_id("ver"),
                tool_id=tool_id,
                number=max(before.values(), default=0) + 1,
                digest=wanted,
                release_id=connector.release_id or "",
                connector_digest=release.connector_digest,
                spec=operation.model_dump_json(),
                published_at=at,
            )
            new.append((version, operation))
            yield version

    await add_in_slices(tx, rows())
    await _record_versions(tx, new, authority)
    return new


async def _tools_for(tx: Tx, spec: ConnectorSpec, connector: ConnectorRow, authority: Authority) -> dict[str, ToolRow]:
    """Return the tools of the connector by name, those included that `spec` brings for the first time.

    A federated server's tool whose name will not do here is on record as not offered, and keeps no other one out.
    """
    rows = await tx.scalars(select(ToolRow).where(ToolRow.connector == spec.name))
    tools = {row.name: row for row in rows}
    new = list[ToolRow]()

    def added() -> Iterator[ToolRow]:
        for operation in spec.operations:
            if operation.name not in tools:
                tool = ToolRow(id=new_id("tool"), connector=spec.name, name=operation.name, owner_id=connector.owner_id)
                new.append(tool)
                yield tool

    await add_in_slices(tx, added())
    unfit = list[Unfit]() if spec.rpc == "mcp" else None
    await offer_tools(tx, spec.name, new, unfit=unfit)
    not_offered = (
        (
            one.tool.id,
            {"tool": one.tool.name, "connection": one.connection_id, "changed": "not offered", "reason": one.why},
        )
        for one in unfit or ()
    )
    await authority.record_many(tx, EventKind.TOOL_CHANGED, not_offered)
    return tools | {tool.name: tool for tool in new}


async def _known_versions(tx: Tx, connector: str) -> dict[str, dict[str, int]]:
    """Return the number of every version of the connector's tools, by the tool's id and the version's digest."""
    query = (
        select(ToolVersionRow.tool_id, ToolVersionRow.digest, ToolVersionRow.number)
        .join(ToolRow, ToolRow.id == ToolVersionRow.tool_id)
        .where(ToolRow.connector == connector)
    )
    known = dict[str, dict[str, int]]()
    for row in await tx.execute(query):
        known.setdefault(row.tool_id, {})[row.digest] = row.number
    return known


async def _record_versions(tx: Tx, new: list[tuple[ToolVersionRow, OperationSpec]], authority: Authority) -> None:
    published = (
        (version.tool_id, {"tool": spec.name, "version": version.id, "digest": version.digest}) for version, spec in new
    )
    await authority.record_many(tx, EventKind.TOOL_VERSION_PUBLISHED, published)


async def _record_retired(tx: Tx, gone: Iterable[ToolRow], environment: Environment, authority: Authority) -> None:
    facts = {"changed": "no longer offered", "environment": environment.value}
    await authority.record_many(tx, EventKind.TOOL_CHANGED, ((tool.id, {"tool": tool.name, **facts}) for tool in gone))
