"""Making a published tool: the tier that applies, the hints for clients, the schemas ready to use."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import Effect, Reversal, Tier
from hub.registry.badge_values import Badge
from hub.registry.reading import highest
from hub.registry.values import Annotations, Connection, PublishedTool, Server, Tool, ToolVersion
from schemas import CompiledSchema, envelope_schema

Json = Any
"""Any JSON value."""

_KEPT: Final = 20_000
"""Versions whose compiled schemas are kept; they are immutable, so what is kept never goes wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a published tool is made of."""

    name: str
    server: Server
    tool: Tool
    version: ToolVersion
    connector: ConnectorSpec
    connection: Connection
    badge: Badge | None = None
    needs_tasks: bool = False


def published(parts: Parts) -> PublishedTool:
    """Return the tool as its server offers it."""
    operation = parts.version.spec  # its schemas were checked when it was registered
    tier = highest(operation.tier, parts.tool.owner_tier, parts.tool.raised_tier)
    schemas = _schemas(parts.version)
    return PublishedTool(
        name=parts.name,
        tool=parts.tool,
        version=parts.version,
        connector=parts.connector,
        connection=parts.connection,
        server=parts.server.name,
        environment=parts.server.environment,
        tier=tier,
        input=schemas.input,
        output=schemas.output,
        output_schema=schemas.published_output,
        annotations=annotations(operation, tier),
        badge=parts.badge,
        needs_tasks=parts.needs_tasks,
    )


def annotations(operation: OperationSpec, tier: Tier) -> Annotations:
    """Return MCP's hints for an operation that is of `tier`.

    Destructive is what deletes, sends, needs an approval anyway, or overwrites without an exact way back. Idempotent,
    beside reads, is what its connector declares to be so by nature: the hub recognises a repeat for some time only.
    """
    effect = operation.effect
    is_read = effect is Effect.READ
    overwrites = effect is Effect.UPDATE and operation.reversal is not Reversal.EXACT
    destroys = effect in {Effect.DELETE, Effect.SEND} or tier.rank >= Tier.HIGH.rank
    return Annotations(
        read_only=is_read,
        destructive=not is_read and (overwrites or destroys),
        idempotent=is_read or (operation.idempotency is not None and operation.idempotency.kind == "natural"),
        open_world=effect is Effect.SEND,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schemas:
    input: CompiledSchema
    output: CompiledSchema
    published_output: Mapping[str, Json]


@lru_cache(maxsize=_KEPT)
def _schemas(version: ToolVersion) -> _Schemas:
    return _Schemas(
        input=CompiledSchema(version.spec.input_schema),
        output=CompiledSchema(version.spec.output_schema),
        published_output=envelope_schema(_told_output(version.spec)),
    )


def _told_output(operation: OperationSpec) -> Mapping[str, Json]:
    """Return the schema of the structured content that clients get.

    What a federated server answers stands on record with its content; its clients get both as the server gave them.
    """
    whole = operation.output_schema
    parts: Mapping[str, Json] = whole.get("properties", {})
    if "tool" not in operation.binding or {*parts} != {"structuredContent", "content"}:
        return whole
    own = parts["structuredContent"]
    kinds = own.get("type", "object")
    if kinds != "object" and "object" not in kinds:
        return whole  # what is no object is told beside the content
    return {**own, "$defs": whole["$defs"]} if "$defs" in whole else own
