"""A server as its owner defines it: one document with everything about it, and what differs between two of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from connectors.sdk.spec import TOOL_NAME
from hub.core.canonical import digest
from hub.identity.directory import get_many
from hub.identity.tables import OpenServerRow
from hub.registry.tables import ConnectionRow, EntryRow, ServerRow, ToolRow
from hub.registry.values import CLIENTS_WITH_TASKS, Environment, Listing
from hub.storage import Tx

MOST_TOOLS: Final = 2000

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DefinedTool(_Value):
    """A tool of a connection's connector, and the name it is published under: its own when that is left out.

    One that `needs_tasks` is for clients that know tasks and for no others: it takes longer than clients wait that do
    not, and those give up and call again.
    """

    tool: str = Field(pattern=TOOL_NAME)
    connection: str = Field(min_length=1, max_length=48)
    name: str = Field(default="", max_length=48)
    needs_tasks: bool = Field(default=False, description="Whether it is for MCP clients alone that know tasks.")

    @property
    def published_name(self) -> str:
        """Return the name it has on the server."""
        return self.name or self.tool

    @property
    def clients(self) -> str:
        """Return in words which clients may call it."""
        return CLIENTS_WITH_TASKS if self.needs_tasks else "all"


class ServerDefinition(_Value):
    """Everything that people decide about a server. `groups` are those whose agents may use it."""

    name: Name
    environment: Environment
    title: str = Field(min_length=1, max_length=120)
    description: str = Field(default="", max_length=1000)
    instructions: str = Field(default="", max_length=4000)
    listing: Listing = Listing.AUTOMATIC
    owner: str | None = Field(default=None, max_length=120)
    owner_group: str | None = Field(default=None, max_length=64)
    groups: tuple[str, ...] = Field(default=(), max_length=100)
    tools: tuple[DefinedTool, ...] = Field(default=(), max_length=MOST_TOOLS)

    @property
    def digest(self) -> str:
        """Return what stands for all of it, in whichever order it was written."""
        tools = sorted((one.published_name, one.tool, one.connection, one.clients) for one in self.tools)
        said = self.model_dump(mode="json", exclude={"tools", "groups"})
        return digest({**said, "groups": sorted(set(self.groups)), "tools": [list(one) for one in tools]})

    def by_name(self) -> dict[str, DefinedTool]:
        """Return its tools by the name they are published under."""
        return {one.published_name: one for one in self.tools}


NOTHING: Final = ""
"""The digest of a server that does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that another definition changes: what it is, how it was and how it would be."""

    what: str
    before: str
    after: str


def differences(before: ServerDefinition | None, after: ServerDefinition) -> tuple[Difference, ...]:
    """Return what `after` changes, tools that only get another name told as such."""
    return (*_settings(before, after), *_tools(before.by_name() if before else {}, after.by_name()))


def _settings(before: ServerDefinition | None, after: ServerDefinition) -> Iterator[Difference]:
    for field in ("title", "description", "instructions", "listing", "owner", "owner_group"):
        was, is_now = str(getattr(before, field, None) or ""), str(getattr(after, field) or "")
        if was != is_now and not (field == "owner" and after.owner is None):  # left out: it stays who it is
            yield Difference(what=field.replace("_", " "), before=was, after=is_now)
    open_to, opened_to = set(before.groups) if before else set[str](), set(after.groups)
    for group in sorted(open_to ^ opened_to):
        here = "its agents may use it"
        is_new = group in opened_to
        yield Difference(what=f"group {group}", before="" if is_new else here, after=here if is_new else "")


def _tools(before: Mapping[str, DefinedTool], after: Mapping[str, DefinedTool]) -> Iterator[Difference]:
    gone = {_told(one): name for name, one in before.items() if name not in after or _told(after[name]) != _told(one)}
    new = {name: one for name, one in after.items() if name not in before or _told(before[name]) != _told(one)}
    for name, one in sorted(new.items()):
        former = gone.pop(_told(one), None)
        if former is not None:
            yield Difference(what=f"name of {_told(one)}", before=former, after=name)
        else:
            yield Difference(what=f"tool {name}", before="", after=_told(one))
    for told, name in sorted(gone.items(), key=lambda each: each[1]):
        yield Difference(what=f"tool {name}", before=told, after="")
    yield from _clients({_told(one): one for one in before.values()}, after)


def _clients(before: Mapping[str, DefinedTool], after: Mapping[str, DefinedTool]) -> Iterator[Difference]:
    """Yield for which tools others may call them than before; a new one is for all, unless it says otherwise."""
    for name, one in sorted(after.items()):
        known = before.get(_told(one))
        was = known.clients if known is not None else DefinedTool(tool=one.tool, connection=one.connection).clients
        if was != one.clients:
            yield Difference(what=f"clients of {name}", before=was, after=one.clients)


def _told(one: DefinedTool) -> str:
    return f"{one.tool} of {one.connection}"


async def definition_of(tx: Tx, name: str) -> ServerDefinition | None:
    """Return a server as it is defined now, or None: there is none, or it is retired."""
    row = await tx.get(ServerRow, name, populate_existing=True)
    if row is None or row.retired_at is not None:
        return None
    columns = (EntryRow.name, ToolRow.name, ConnectionRow.name, EntryRow.needs_tasks)
    query = (
        select(*columns)
        .join(ToolRow, ToolRow.id == EntryRow.tool_id)
        .join(ConnectionRow, ConnectionRow.id == EntryRow.connection_id)
        .where(EntryRow.server == name)
        .order_by(EntryRow.name)
    )
    owners = await get_many(tx, [row.owner_id] if row.owner_id else [])
    groups = await tx.scalars(select(OpenServerRow.group_name).where(OpenServerRow.server == name))
    return ServerDefinition(
        name=row.name,
        environment=Environment(row.environment),
        title=row.title,
        description=row.description,
        instructions=row.instructions,
        listing=Listing(row.listing),
        owner=owners[row.owner_id].name if row.owner_id in owners else None,
        owner_group=row.owner_group,
        groups=tuple(sorted(groups)),
        tools=tuple(
            DefinedTool(tool=tool, connection=connection, name="" if name == tool else name, needs_tasks=needs_tasks)
            for name, tool, connection, needs_tasks in await tx.execute(query)
        ),
    )
