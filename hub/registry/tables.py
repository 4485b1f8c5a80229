"""Tables of connectors, connections, tools, their versions, servers and what they offer."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class ConnectorRow(Base):
    """A connector by name; `release_id` is the release that was registered last."""

    __tablename__ = "connectors"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("principals.id"))
    release_id: Mapped[str | None] = mapped_column(String(40))
    registered_at: Mapped[datetime] = mapped_column(Moment)


class ReleaseRow(Base):
    """One connector spec as it was registered; never changed. The text keeps the order in which it was written."""

    __tablename__ = "connector_releases"
    __table_args__ = (UniqueConstraint("connector", "digest"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    connector: Mapped[str] = mapped_column(String(32), ForeignKey("connectors.name"))
    digest: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(32))
    spec: Mapped[str] = mapped_column(Text, deferred=True, deferred_raiseload=True)
    """Megabytes, where there are thousands of operations; see `hub.registry.stored`."""
    registered_by: Mapped[str | None] = mapped_column(String(40))
    """Who registered it; None: the hub's own console."""
    registered_at: Mapped[datetime] = mapped_column(Moment)


class ReleaseInUseRow(Base):
    """Which release of a connector is in use in one environment."""

    __tablename__ = "connector_releases_in_use"

    connector: Mapped[str] = mapped_column(String(32), ForeignKey("connectors.name"), primary_key=True)
    environment: Mapped[str] = mapped_column(String(16), primary_key=True)
    release_id: Mapped[str] = mapped_column(String(40), ForeignKey("connector_releases.id"))
    since: Mapped[datetime] = mapped_column(Moment)


class BadgeRow(Base):
    """What the contract kit found of one connector's very code, the last time it was asked.

    What is only reported (`is_claim`) stands beside what was run here or by a registered runner, never in its place.
    """

    __tablename__ = "connector_badges"

    connector: Mapped[str] = mapped_column(String(32), ForeignKey("connectors.name"), primary_key=True)
    artefact_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    is_claim: Mapped[bool] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(String(32))
    system: Mapped[str] = mapped_column(String(200))
    checked_at: Mapped[datetime] = mapped_column(Moment)
    lines: Mapped[list[dict[str, str]]] = mapped_column(Json)
    source: Mapped[str] = mapped_column(String(16))
    run_by: Mapped[str] = mapped_column(String(120))
    place: Mapped[str] = mapped_column(String(200))
    kit: Mapped[str] = mapped_column(String(32))


class RunnerRow(Base):
    """A machine elsewhere whose signed reports about one connector count like a run here, until it is revoked."""

    __tablename__ = "badge_runners"
    __table_args__ = (UniqueConstraint("connector", "name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    connector: Mapped[str] = mapped_column(String(32), ForeignKey("connectors.name"))
    name: Mapped[str] = mapped_column(String(48))
    public_key: Mapped[str] = mapped_column(String(64))
    """Ed25519, 32 bytes in base64."""
    agent_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("principals.id"))
    """The agent that may send its reports beside the connector's owner, if there is one."""
    registered_by: Mapped[str | None] = mapped_column(String(40))
    registered_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class ConnectionRow(Base):
    """One configured account of a connector; its secrets are elsewhere."""

    __tablename__ = "connections"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(48), unique=True)
    connector: Mapped[str] = mapped_column(String(32), ForeignKey("connectors.name"), index=True)
    environment: Mapped[str] = mapped_column(String(16))
    base_url: Mapped[str] = mapped_column(String(500))
    prefix: Mapped[str] = mapped_column(String(24))
    generation: Mapped[int] = mapped_column(Integer)
    owner_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("principals.id"))
    settings: Mapped[dict[str, object]] = mapped_column(Json)
    held: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    """The tools that are held back over this connection alone, by name, each with the reason."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)


class ToolRow(Base):
    """A tool, whatever its version."""

    __tablename__ = "tools"
    __table_args__ = (UniqueConstraint("connector", "name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    connector: Mapped[str] = mapped_column(String(32), ForeignKey("connectors.name"))
    name: Mapped[str] = mapped_column(String(48))
    owner_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("principals.id"), index=True)
    owner_tier: Mapped[str | None] = mapped_column(String(16))
    raised_tier: Mapped[str | None] = mapped_column(String(16))
    raised_reason: Mapped[str | None] = mapped_column(String(500))
    quarantined: Mapped[str | None] = mapped_column(String(500))
    is_trusted: Mapped[bool] = mapped_column(default=False)
    """Whether its owner vouches for what it brings back: no stranger can have written it."""
    rules: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)


class ToolVersionRow(Base):
    """One immutable definition of a tool, within the connector release that brought it first."""

    __tablename__ = "tool_versions"
    __table_args__ = (UniqueConstraint("tool_id", "digest"), UniqueConstraint("tool_id", "number"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tool_id: Mapped[str] = mapped_column(String(40), ForeignKey("tools.id"))
    number: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    release_id: Mapped[str] = mapped_column(String(40), ForeignKey("connector_releases.id"))
    connector_digest: Mapped[str] = mapped_column(String(64))
    spec: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn: Mapped[str | None] = mapped_column(String(500))


class VersionInUseRow(Base):
    """Which version of a tool one environment offers; without one it is not offered there."""

    __tablename__ = "tool_versions_in_use"

    tool_id: Mapped[str] = mapped_column(String(40), ForeignKey("tools.id"), primary_key=True)
    environment: Mapped[str] = mapped_column(String(16), primary_key=True)
    version_id: Mapped[str] = mapped_column(String(40), ForeignKey("tool_versions.id"), index=True)


class ServerRow(Base):
    """A named bundle of tools in one environment; a retired one keeps its name for ever."""

    __tablename__ = "servers"

    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    environment: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(String(1000), default="")
    instructions: Mapped[str] = mapped_column(Text, default="")
    listing: Mapped[str] = mapped_column(String(16), default="automatic")
    owner_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("principals.id"))
    owner_group: Mapped[str | None] = mapped_column(String(64), ForeignKey("groups.name"))
    """Whose people look after it beside its owner."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    retired_at: Mapped[datetime | None] = mapped_column(Moment)


class ServerProposalRow(Base):
    """What a server is to be, on record for a second person; it becomes so when that person publishes it."""

    __tablename__ = "server_proposals"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    server: Mapped[str] = mapped_column(String(48), index=True)
    definition: Mapped[dict[str, object]] = mapped_column(Json)
    former_digest: Mapped[str] = mapped_column(String(64))
    """The digest of what it was when this was proposed: what its proposer meant to replace."""
    reason: Mapped[str] = mapped_column(String(500))
    proposed_by: Mapped[str | None] = mapped_column(String(40))
    proposed_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(16))
    decided_by: Mapped[str | None] = mapped_column(String(40))
    decided_at: Mapped[datetime | None] = mapped_column(Moment)


class EntryRow(Base):
    """One tool as one server offers it: under which name, against which connection."""

    __tablename__ = "server_entries"
    __table_args__ = (UniqueConstraint("server", "tool_id", "connection_id"),)

    server: Mapped[str] = mapped_column(String(48), ForeignKey("servers.name"), primary_key=True)
    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    tool_id: Mapped[str] = mapped_column(String(40), ForeignKey("tools.id"), index=True)
    connection_id: Mapped[str] = mapped_column(String(40), ForeignKey("connections.id"), index=True)
    needs_tasks: Mapped[bool] = mapped_column(default=False)
    """Whether it is for clients alone that know tasks."""


class CatalogChangeRow(Base):
    """What changed with one generation of the catalog, for those who have the one before: ids by kind."""

    __tablename__ = "catalog_changes"

    generation: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    touched: Mapped[dict[str, list[str]] | None] = mapped_column(Json)
    """None: it may be anything."""


class CatalogGenerationRow(Base):
    """One row whose number grows with every change of what can be called."""

    __tablename__ = "catalog_generation"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    generation: Mapped[int] = mapped_column(Integer)
