"""Carrying a composite tool to the next environment: the same steps, once their tools' versions are used there."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select, update

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.core.errors import NotFound
from hub.core.texts import shown
from hub.identity.authority import Authority
from hub.registry.composites import BoundStep, Declaration, DeclaredStep, connector_of, steps_of
from hub.registry.declaring import release_of
from hub.registry.reading import version_of
from hub.registry.registration import register_connector
from hub.registry.tables import ConnectionRow, ConnectorRow, ToolRow
from hub.registry.using import Release, get_release, release_in_use, version_in_use
from hub.registry.values import Environment, ToolVersion
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrying:
    """That the composite tool `name` be offered in `to` as it is in `source`, its steps over `connections` there."""

    name: str
    source: Environment
    to: Environment
    connections: Mapping[str, str]
    """By the names of steps; where a connector has one connection there, that is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What has to be there first, a sentence each."""

    reasons: tuple[str, ...]


async def carried(tx: Tx, wanted: Carrying) -> Declaration | Missing:
    """Return the declaration that makes the tool in the other environment what it is in the one before.

    Raises:
        NotFound: the one before offers no such composite tool.
    """
    version = await _composite(tx, wanted.name, wanted.source)
    steps, missing = list[DeclaredStep](), list[str]()
    for number, step in enumerate(steps_of(version.spec), 1):
        found = await _step(tx, step, wanted)
        if isinstance(found, str):
            missing.append(f"Step {number}, {step.name}: {found}")
        else:
            steps.append(found)
    if missing:
        return Missing(reasons=tuple(missing))
    spec = version.spec
    return Declaration(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        environment=wanted.to,
        input_schema=spec.input_schema,
        examples=tuple(spec.examples),
        steps=tuple(steps),
    )


async def _composite(tx: Tx, name: str, environment: Environment) -> ToolVersion:
    connector = connector_of(environment)
    row = await tx.scalar(select(ToolRow).where(ToolRow.connector == connector, ToolRow.name == name))
    version = None if row is None else await version_in_use(tx, row.id, environment)
    if version is None:
        raise NotFound(f"There is no composite tool {shown(name)} in {environment}.")
    return version_of(version, (environment,))


async def _step(tx: Tx, step: BoundStep, wanted: Carrying) -> DeclaredStep | str:
    """Return the step as it is declared in the other environment, or what has to be there first."""
    there = wanted.to.value
    query = select(ToolRow).where(ToolRow.connector == step.connector, ToolRow.name == step.tool)
    tool = (await tx.scalars(query)).one()
    used = await version_in_use(tx, tool.id, wanted.to)
    if used is None or used.digest != step.tool_version_digest:
        which = "no version" if used is None else "another version"
        return (
            f"{there} uses {which} of {step.tool!r}; promote the release of {step.connector!r} first that "
            f"{wanted.source.value} uses."
        )
    where = (ConnectionRow.connector == step.connector, ConnectionRow.environment == there)
    names = sorted(await tx.scalars(select(ConnectionRow.name).where(*where, ConnectionRow.disabled_at.is_(None))))
    chosen = wanted.connections.get(step.name)
    if chosen is None and len(names) == 1:
        chosen = names[0]
    if chosen not in names:
        known = ", ".join(names) or f"there is none of {step.connector!r} in {there} yet"
        return f"say which connection it goes over ({known})."
    return DeclaredStep(name=step.name, tool=step.tool, connection=chosen, arguments=step.arguments)


async def register_carried(tx: Tx, declaration: Declaration, authority: Authority) -> Release:
    """Put a release on record that offers the composite tool beside those that its environment has; use it nowhere yet.

    Raises:
        InputError: it contradicts its tools.
    """
    made = await _registered(tx, await release_of(tx, declaration), authority)
    before = connector_of(_before(declaration.environment))
    owner = await tx.scalar(
        select(ToolRow.owner_id).where(ToolRow.connector == before, ToolRow.name == declaration.name)
    )
    mine = (ToolRow.connector == made.connector, ToolRow.name == declaration.name, ToolRow.owner_id.is_(None))
    await tx.execute(update(ToolRow).where(*mine).values(owner_id=owner))
    return made


def _before(environment: Environment) -> Environment:
    order = list(Environment)
    return order[order.index(environment) - 1]


async def register_restored(tx: Tx, release: Release, former: Release | None, authority: Authority) -> Release | None:
    """Put a release on record with what `release` brought as it was before, and everything else as it is now.

    None: then nothing would be left.
    """
    environment = environment_of(release)
    current = await release_in_use(tx, release.connector, environment)
    brought, before = brought_by(release, former), {} if former is None else _operations(former)
    there = {} if current is None else _operations(current)
    for name in brought:
        there.pop(name, None)
        if name in before:
            there[name] = before[name]
    if not there:
        return None
    operations = tuple(there[name] for name in sorted(there))
    spec = ConnectorSpec.model_validate({**release.spec.model_dump(), "operations": operations})
    return await _registered(tx, spec, authority)


async def _registered(tx: Tx, spec: ConnectorSpec, authority: Authority) -> Release:
    await register_connector(tx, spec, Authority(database=authority.database, keys=authority.keys))
    row = await tx.get_one(ConnectorRow, spec.name, populate_existing=True)
    return await get_release(tx, row.release_id or "")


def brought_by(release: Release, former: Release | None) -> tuple[str, ...]:
    """Return which composite tools `release` changes, or brings, in place of `former`."""
    before = {} if former is None else _operations(former)
    return tuple(name for name, one in sorted(_operations(release).items()) if before.get(name) != one)


def _operations(release: Release) -> dict[str, OperationSpec]:
    return {one.name: one for one in release.spec.operations}


def environment_of(release: Release) -> Environment:
    """Return the environment whose composite tools a release has."""
    return next(one for one in Environment if connector_of(one) == release.connector)
