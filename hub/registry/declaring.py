"""Declaring a composite tool: contradictions are refused, and each step is bound to the version its tool has now."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select, update

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass
from hub.audit import EventKind
from hub.core.errors import Forbidden, InputError, NotFound
from hub.core.texts import shown
from hub.identity.authority import Authority
from hub.registry.composites import (
    ENTRY,
    PREFIX,
    BoundStep,
    Declaration,
    DeclaredStep,
    binding_of,
    connector_of,
    is_composite,
    is_effect_assumed,
)
from hub.registry.connecting import NewConnection, create_connection
from hub.registry.fitting import Fitting
from hub.registry.reading import connection_of, highest, tool_of, version_of
from hub.registry.registration import register_connector
from hub.registry.stewardship import Stewards, outdate_catalog, require_steward
from hub.registry.tables import ConnectionRow, ToolRow, ToolVersionRow, VersionInUseRow
from hub.registry.using import release_in_use, version_in_use
from hub.registry.values import Connection, Environment, Tool, ToolVersion
from hub.storage import Tx

Json = Any
"""Any JSON value."""

_NOWHERE: Final = "https://composite.invalid"
"""The base URL of connections that lead nowhere (RFC 2606): every step goes over its own."""
_LONGEST: Final = 300
_STRENGTH: Final = (Effect.READ, Effect.CREATE, Effect.UPDATE, Effect.SEND, Effect.DELETE)
_WEAKNESS: Final = (Reversal.EXACT, Reversal.PARTIAL, Reversal.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A step with the tool it stands for, as both are now."""

    step: DeclaredStep
    tool: Tool
    version: ToolVersion
    connection: Connection

    @property
    def operation(self) -> OperationSpec:
        return self.version.spec

    @property
    def is_read(self) -> bool:
        return self.operation.effect is Effect.READ

    @property
    def bound(self) -> BoundStep:
        return BoundStep(
            name=self.step.name,
            tool=self.tool.name,
            connector=self.tool.connector,
            connection=self.connection.name,
            connection_id=self.connection.id,
            tool_version_digest=self.version.digest,
            reversal=self.operation.reversal,
            arguments=self.step.arguments,
            is_read=self.is_read,
        )


async def declare(tx: Tx, declaration: Declaration, authority: Authority) -> ToolVersion | None:
    """Publish `declaration` as a tool of its environment; return its new version, None if the very same is offered.

    Declared again it is bound to what its steps' tools are now.

    Raises:
        InputError: it contradicts itself or its tools; the message lists every problem.
        NotFound: there is no such connection or tool.
        Conflict: its name is taken in the built-in server.
        Forbidden: it is neither an administrator nor the owner of every step's tool, or of the composite tool; or it
            comes to its environment by promotion.
    """
    await outdate_catalog(tx, authority)
    _refuse_beyond_dev(declaration, authority)
    parts = await _parts(tx, declaration)
    await _require_owner(tx, declaration, parts, authority)
    itself = replace(authority, by=None)  # the connector it stands under is the hub's own
    also = () if declaration.environment is Environment.DEV else (declaration.environment,)
    made = await register_connector(tx, await release_of(tx, declaration), itself, also=also)
    await connect_composites(tx, declaration.environment, itself)
    for version in made:
        await tx.execute(_owned_by(authority.by, version.tool_id))
        facts = {"tool": declaration.name, "environment": declaration.environment.value, "digest": version.digest}
        await authority.record(tx, EventKind.COMPOSITE_DECLARED, version.tool_id, **facts)
    return made[0] if made else None


def _refuse_beyond_dev(declaration: Declaration, authority: Authority) -> None:
    where = declaration.environment.value
    if declaration.environment is not Environment.DEV and authority.by is not None:
        raise Forbidden(
            f"Composite tools come to {where} by promotion: declare {declaration.name!r} in dev, then ask for its "
            f"promotion, as by `toolhub promotion composite {declaration.name} --to {where}`."
        )


async def release_of(tx: Tx, declaration: Declaration) -> ConnectorSpec:
    """Return what offers a declared composite tool beside those that its environment has.

    Raises:
        InputError: it contradicts itself or its tools; the message lists every problem.
        NotFound: there is no such connection or tool.
    """
    parts = await _parts(tx, declaration)
    problems = [*_problems(declaration, parts)]
    if problems:
        raise InputError(f"The composite tool {declaration.name!r} cannot be declared. {'; '.join(problems)}.")
    return await _release_with(tx, declaration, parts)


async def _parts(tx: Tx, declaration: Declaration) -> list[_Part]:
    return [await _part(tx, step, declaration.environment) for step in declaration.steps]


def _owned_by(owner_id: str | None, tool_id: str) -> Any:  # noqa: ANN401  # SQLAlchemy's own type of a statement
    return update(ToolRow).where(ToolRow.id == tool_id, ToolRow.owner_id.is_(None)).values(owner_id=owner_id)


async def _part(tx: Tx, step: DeclaredStep, environment: Environment) -> _Part:
    found = await tx.scalar(select(ConnectionRow).where(ConnectionRow.name == step.connection))
    if found is None or found.environment != environment.value or found.connector.startswith(PREFIX):
        raise NotFound(f"step {step.name!r}: there is no connection {shown(step.connection)} in {environment}.")
    row = await tx.scalar(select(ToolRow).where(ToolRow.connector == found.connector, ToolRow.name == step.tool))
    version = None if row is None else await version_in_use(tx, row.id, environment)
    if row is None or version is None:
        raise NotFound(f"step {step.name!r}: the connection {step.connection!r} offers no tool {step.tool!r}.")
    return _Part(
        step=step, tool=tool_of(row), version=version_of(version, (environment,)), connection=connection_of(found)
    )


async def _require_owner(tx: Tx, declaration: Declaration, parts: list[_Part], authority: Authority) -> None:
    connector = connector_of(declaration.environment)
    query = select(ToolRow).where(ToolRow.connector == connector, ToolRow.name == declaration.name)
    known = await tx.scalar(query)
    if known is not None:
        what = f"the composite tool {declaration.name!r}"
        await require_steward(tx, authority, Stewards(owner_id=known.owner_id, what=what))
    for part in parts:
        what = f"what is made of the tool {part.tool.name!r}"
        await require_steward(tx, authority, Stewards(owner_id=part.tool.owner_id, what=what))


def _problems(declaration: Declaration, parts: list[_Part]) -> list[str]:
    problems = [*_out_of_order(parts)]
    answers = dict[str, Json]()
    for part in parts:
        if part.step.name in answers:
            problems.append(f"two steps are called {part.step.name!r}")
        if _has_secrets(part.operation):
            problems.append(
                f"step {part.step.name!r}: {part.tool.name!r} takes or returns secrets, which no plan passes on"
            )
        fitting = Fitting(input_schema=declaration.input_schema, answers=answers)
        problems += fitting.contradictions(part.step, part.operation)
        answers |= {part.step.name: part.operation.output_schema}
    if "x-secret" in json.dumps(dict(declaration.input_schema)):
        problems.append("no plan takes secrets: leave x-secret out of the input schema")
    return problems


def _out_of_order(parts: list[_Part]) -> Iterator[str]:
    """Yield what is wrong with where reads stand: people decide on what they answer, so they come before any write."""
    writes = [number for number, part in enumerate(parts) if not part.is_read]
    if not writes:
        yield "all of its steps only read; let the agent call their tools"
        return
    for part in parts[writes[0] :]:
        if part.is_read:
            what, first = f"step {part.step.name!r}: {part.tool.name!r} only reads", parts[writes[0]].step.name
            yield f"{what}; put it before {first!r}, the first step that writes"


def _has_secrets(operation: OperationSpec) -> bool:
    return any("x-secret" in json.dumps(dict(schema)) for schema in (operation.input_schema, operation.output_schema))


def operation_of(declaration: Declaration, parts: list[_Part]) -> OperationSpec:
    """Return the operation that a declaration makes: as risky as its riskiest step, as weak as its weakest."""
    writing = [part for part in parts if not part.is_read]
    specs = [part.operation for part in writing]
    reversal, effect = _reversal(specs), max((spec.effect for spec in specs), key=_STRENGTH.index)
    is_assumed = all(is_effect_assumed(spec) for spec in specs if spec.effect is effect)
    return OperationSpec(
        name=declaration.name,
        title=declaration.title,
        description=declaration.description,
        effect=effect,
        tier=_tier(parts),
        input_schema=declaration.input_schema,
        output_schema=_output_schema(writing),
        examples=declaration.examples,
        reversal=reversal,
        residue=_residue(writing) if reversal is Reversal.PARTIAL else (),
        fidelity=min((spec.fidelity for spec in specs), key=lambda fidelity: Fidelity(fidelity).rank),
        upstream_class=max((spec.upstream_class for spec in specs), key=list(UpstreamClass).index),
        data_classes=tuple(sorted({name for part in parts for name in part.operation.data_classes})),
        timeout_seconds=_LONGEST,
        max_unsafe_requests=0,
        binding=binding_of(tuple(part.bound for part in parts), is_assumed=is_assumed),
    )


def _tier(parts: list[_Part]) -> Tier:
    return highest(*(highest(one.operation.tier, one.tool.owner_tier, one.tool.raised_tier) for one in parts))


def _reversal(specs: list[OperationSpec]) -> Reversal:
    """Return the weakest of all; at best partial: a plan is taken back step by step, never by one call."""
    return max((Reversal.PARTIAL, *(spec.reversal for spec in specs)), key=_WEAKNESS.index)


def _residue(parts: list[_Part]) -> tuple[str, ...]:
    left = [f"{part.step.name}: {line}" for part in parts for line in part.operation.residue]
    return ("each step is taken back by its own undo, in reverse; no one call undoes them all", *left)


def _output_schema(parts: list[_Part]) -> dict[str, Json]:
    answers = {part.step.name: _answer(part) for part in parts}
    return {"type": "object", "required": [*answers], "properties": answers}


def _answer(part: _Part) -> dict[str, Json]:
    """Return the schema of a step's answer; one with definitions of its own is told as an object, no more."""
    schema = part.operation.output_schema
    if "$ref" in json.dumps(dict(schema)) or "$defs" in schema:
        return {"type": "object", "description": f"What {part.tool.name} answers"}
    return {key: said for key, said in schema.items() if key != "$schema"}


async def _release_with(tx: Tx, declaration: Declaration, parts: list[_Part]) -> ConnectorSpec:
    name = connector_of(declaration.environment)
    current = await release_in_use(tx, name, declaration.environment)
    others = () if current is None else current.spec.operations
    kept = [one for one in others if one.name != declaration.name]
    return ConnectorSpec(
        name=name,
        version="1.0.0",
        title=f"Composite tools in {declaration.environment}",
        description="Steps of other tools, previewed, approved and carried out as one plan.",
        entry=ENTRY,
        runs="direct",
        artefact_digest=sha256(ENTRY.encode()).hexdigest(),
        operations=(*kept, operation_of(declaration, parts)),
    )


async def connect_composites(tx: Tx, environment: Environment, authority: Authority) -> None:
    """Make the connection that offers composite tools in `environment`, where it is missing; it leads nowhere."""
    name = f"composite-{environment}"
    if await tx.scalar(select(ConnectionRow.id).where(ConnectionRow.name == name)) is None:
        new = NewConnection(name=name, connector=connector_of(environment), environment=environment, base_url=_NOWHERE)
        await create_connection(tx, new, authority)


async def composite_tools(tx: Tx, environment: Environment) -> list[ToolVersion]:
    """Return the composite tools offered in `environment`, in the order of their names."""
    query = (
        select(ToolVersionRow)
        .join(ToolRow, ToolRow.id == ToolVersionRow.tool_id)
        .join(VersionInUseRow, VersionInUseRow.version_id == ToolVersionRow.id)
        .where(ToolRow.connector == connector_of(environment), VersionInUseRow.environment == environment.value)
        .order_by(ToolRow.name)
    )
    found = [version_of(version, (environment,)) for version in await tx.scalars(query)]
    return [version for version in found if is_composite(version.spec)]
