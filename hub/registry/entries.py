"""One entry of a server with all that belongs to it, and whether it can be called."""

from dataclasses import dataclass, field

from connectors.sdk.spec import ConnectorSpec
from hub.core.errors import NotFound, Quarantined, Unavailable
from hub.core.texts import shown
from hub.registry.badge_values import Badge
from hub.registry.publishing import Parts, published
from hub.registry.values import Connection, PublishedTool, Server, Tool, ToolVersion, serves
from hub.registry.visibility import Sight


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A published name with its tool and connection.

    `version` and `connector` are None when the tool has nothing to offer. `also_on` names every server on which this
    tool of this connection stands.
    """

    name: str
    server: Server
    tool: Tool
    version: ToolVersion | None
    connector: ConnectorSpec | None
    connection: Connection
    also_on: frozenset[str]
    badge: Badge | None = None
    needs_tasks: bool = False
    """Whether it is for clients alone that know tasks."""
    _published: list[PublishedTool] = field(default_factory=list[PublishedTool], init=False, repr=False, compare=False)

    @property
    def is_offered(self) -> bool:
        """Whether it is listed as a tool: it has a version, is not held back, and its connection is enabled."""
        return self.is_callable and self.serves is None

    @property
    def serves(self) -> str | None:
        """What it reads beside tools, if it is none itself."""
        return None if self.version is None else serves(self.version.spec)

    @property
    def is_callable(self) -> bool:
        """Whether it can be called now, by whoever sees it."""
        return self.version is not None and self.held is None and self.connection.is_enabled

    @property
    def held(self) -> str | None:
        """Why it is held back, everywhere or over this connection; None while it is not."""
        return self.tool.quarantined or self.connection.held.get(self.tool.name)

    @property
    def why_not_offered(self) -> str:
        """Why it is not listed and cannot be called, in a sentence; empty while it is offered."""
        if self.version is None:
            return f"Withdrawn: nothing that is in use in {self.connection.environment} has this tool any more."
        if self.held is not None:
            return f"Held back until its owner has looked: {self.held}"
        return "" if self.connection.is_enabled else "Its connection is disabled."

    def is_visible(self, sight: Sight) -> bool:
        """Return whether it exists for whoever sees so far."""
        return sight.reaches(self.server.name, self.also_on)

    def is_on(self, server: str, sight: Sight) -> bool:
        """Return whether whoever sees so far may use this tool of this connection on `server` as well."""
        return server in self.also_on and sight.reaches(server, self.also_on)

    def published(self) -> PublishedTool:
        """Return it as a published tool; it is made once, for a page of a list asks a hundred of them.

        Raises:
            NotFound: the tool has no version to offer.
        """
        if self._published:
            return self._published[0]
        if self.version is None or self.connector is None:
            raise unknown_tool(self.name)
        parts = Parts(
            name=self.name,
            server=self.server,
            tool=self.tool,
            version=self.version,
            connector=self.connector,
            connection=self.connection,
            badge=self.badge,
            needs_tasks=self.needs_tasks,
        )
        self._published.append(published(parts))
        return self._published[0]


def callable_tool(entry: Entry | None, name: str, sight: Sight) -> PublishedTool:
    """Return the published tool of `entry` to a caller that sees as far as `sight`.

    Raises:
        NotFound: there is none, or the caller may not see it: the two look the same.
        Quarantined: it is held back until its owner has looked.
        Unavailable: its connection is disabled.
    """
    if entry is None or not entry.is_visible(sight):
        raise unknown_tool(name)
    tool = entry.published()
    if entry.held is not None:
        raise Quarantined(f"{name!r} is held back until its owner has looked: {entry.held}")
    if not entry.connection.is_enabled:
        raise Unavailable(f"{name!r} cannot be called now: its connection is disabled. Nothing was changed.")
    return tool


def unknown_tool(name: str, *, is_listed: bool = True) -> NotFound:
    """Return the error for a tool that does not exist or that the caller may not see, where tools are listed or not."""
    find = "list the tools to see which there are" if is_listed else "search for what you need with hub_find_tools"
    return NotFound(f"There is no tool {shown(name)} here; {find}.")
