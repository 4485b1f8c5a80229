"""What the registry knows, as values: connections, tools, their immutable versions, servers, published tools."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from connectors.sdk.rules import Rule, tier_of
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import SERVES, Effect, Tier
from hub.identity.scopes import needed_scopes
from hub.registry.badge_values import Badge, Promise
from hub.registry.digests import proof_digest
from hub.registry.limits import ConnectionLimits, limits_in
from schemas import CompiledSchema

Json = Any
"""Any JSON value."""


class Environment(StrEnum):
    """Where a connection leads to and a server is published."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


EVERYTHING = "everything"
"""The built-in server of the hub's default environment, at `/mcp`; that of environment E is `everything-E`."""


TWIN: Final = "twin"
"""The setting of a connection that names a copy of its system."""


def serves(operation: OperationSpec) -> str | None:
    """Return what `operation` reads of an MCP server beside tools; None: it is a tool of its own."""
    kind: str | None = operation.binding.get(SERVES)
    return kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One configured account of a connector in one environment.

    `generation` grows whenever the base URL, the credentials, the owner or the settings change.
    """

    id: str
    name: str
    connector: str
    environment: Environment
    base_url: str
    generation: int
    owner_id: str | None
    is_enabled: bool
    settings: Mapping[str, Json]
    prefix: str = ""
    """What stands before the names of its tools in the built-in server."""
    held: Mapping[str, str] = field(default_factory=dict[str, str])
    """The tools that are held back over this connection, by name, each with the reason."""

    @property
    def twin(self) -> str | None:
        """Return the base URL of a copy of its system, in which previews may be tried, or None."""
        twin: str | None = self.settings.get(TWIN)
        return twin

    @property
    def limits(self) -> ConnectionLimits:
        """Return how much it may take."""
        return limits_in(self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool of a connector, whatever its version.

    `owner_tier` is what its owner set, `raised_tier` what the hub raised it to after trouble, and `raised_reason` says
    after which; `quarantined` says why it is held back, and is None when it is not. `rules` are its owner's.
    """

    id: str
    name: str
    connector: str
    owner_id: str | None
    owner_tier: Tier | None
    raised_tier: Tier | None
    quarantined: str | None
    raised_reason: str | None = None
    rules: tuple[Rule, ...] = ()
    is_trusted: bool = False
    """Whether its owner vouches for its results: no stranger can have written what stands in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersion:
    """One immutable definition of a tool; id and digest stand for all of it, so two with the same are equal.

    `withdrawn` says why it may not be used any more; `used_in` in which environments it is the one that is offered.
    `connector_digest` covers what the connector brings beside the operation: code, sign-in, safe requests.
    """

    id: str
    tool_id: str
    number: int
    digest: str
    spec: OperationSpec = field(compare=False)
    connector_digest: str
    withdrawn: str | None
    used_in: tuple[Environment, ...] = field(default=(), compare=False)

    @property
    def is_current(self) -> bool:
        """Whether it is offered anywhere now."""
        return bool(self.used_in)


class Listing(StrEnum):
    """What `tools/list` of a server holds: every tool, or only the two that search and call the others."""

    ALL = "all"
    SEARCH = "search"
    AUTOMATIC = "automatic"
    """Every tool, as long as the caller may use no more than `MOST_LISTED`."""


CLIENTS_WITH_TASKS: Final = "only those that know tasks"
"""Which clients may call a tool that needs tasks."""
MOST_LISTED: Final = 300
"""How many tools a server lists by itself; above, a list would fill the context of every agent that reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A named bundle of tools published at one MCP URL, in one environment.

    `description` says to people what it is for, and `instructions` to agents how to use it. A retired one is answered
    no more; its name stays taken, so that no token for it ever opens another.
    """

    name: str
    environment: Environment
    title: str
    owner_id: str | None
    description: str = ""
    instructions: str = ""
    listing: Listing = Listing.AUTOMATIC
    owner_group: str | None = None
    is_retired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """MCP's hints, derived from what the tool does; a client may show them, the hub never decides by them."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTool:
    """A tool as one server offers it: published name, version, and the connection it is carried out against.

    `tier` is the maximum of what the connector declares, the owner set and the hub raised it to. `output` is the
    tool's own output schema; `output_schema` is what clients see, in which the hub's envelope is an alternative.
    """

    name: str
    tool: Tool
    version: ToolVersion
    connector: ConnectorSpec
    connection: Connection
    server: str
    environment: Environment
    tier: Tier
    input: CompiledSchema
    output: CompiledSchema
    output_schema: Mapping[str, Json]
    annotations: Annotations
    needs_tasks: bool = False
    """Whether it is for clients alone that know tasks."""
    badge: Badge | None = None
    """What the contract kit found of this code; `is_checked` says whether of exactly this tool."""

    @property
    def serves(self) -> str | None:
        """What it reads of an MCP server beside tools (`resources`, `prompts`, `completions`); None: it is a tool."""
        return serves(self.version.spec)

    @property
    def is_checked(self) -> bool:
        """Whether the contract kit has tried exactly this tool, with exactly this code."""
        covered = self.badge.covers.get(self.operation.name) if self.badge else None
        return covered is not None and covered == proof_digest(self.connector, self.operation)

    @property
    def undo_proven(self) -> bool:
        """Whether the contract kit has done it and undone it on a live system, exactly as it stands here."""
        return self.badge is not None and self.badge.proves(self.operation.name, Promise.UNDO) and self.is_checked

    @property
    def operation(self) -> OperationSpec:
        """The operation spec of this version."""
        return self.version.spec

    @property
    def title(self) -> str:
        """The title for people."""
        return self.version.spec.title

    @property
    def description(self) -> str:
        """What agents read."""
        return self.version.spec.description

    @property
    def input_schema(self) -> Mapping[str, Json]:
        """The schema of the arguments, as clients see it."""
        return self.version.spec.input_schema

    @property
    def effect(self) -> Effect:
        """What a call does to the outside."""
        return self.version.spec.effect

    def tier_for(self, arguments: Mapping[str, Json]) -> Tier:
        """Return the tier of a call with `arguments`: a condition of the operation may raise it, never lower it."""
        if not self.version.spec.tier_when:
            return self.tier
        return max(self.tier, tier_of(self.version.spec, arguments), key=lambda tier: tier.rank)

    def needed_scopes(self, *, allowed: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """Return every scope to ask for before calling it; `allowed` is all that the agent may ever hold."""
        return needed_scopes(self.tool.connector, self.name, self.effect, allowed=allowed)
