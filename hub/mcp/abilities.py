"""What a client says it can do with the request at hand: nothing of it is remembered from one request to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND, MISSING_REQUIRED_CLIENT_CAPABILITY, ClientCapabilities
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension in which a call that takes long is answered with a task."""
ASKED: Final = ("elicitation", "roots", "sampling")
"""The capabilities of clients with which they answer what servers ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What answers a client can do something with."""

    is_modern: bool = False
    """It speaks a protocol in which a result may be something else than the tool's."""
    takes_tasks: bool = False
    opens_urls: bool = False
    can: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What servers may ask it; its extensions are between it and the hub."""


def abilities(context: ServerRequestContext[Any, Any]) -> Abilities:
    """Return what the request at hand declares."""
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return Abilities()
    declared = context.session.client_capabilities
    if declared is None:
        return Abilities(is_modern=True)
    return Abilities(
        is_modern=True,
        takes_tasks=TASKS in (declared.extensions or {}),
        opens_urls=declared.elicitation is not None and declared.elicitation.url is not None,
        can=_can(declared),
    )


def _can(declared: ClientCapabilities) -> dict[str, Any]:
    said = declared.model_dump(mode="json", by_alias=True, exclude_none=True, include=set(ASKED))
    forms = without_pages(said.pop("elicitation", None))
    if "sampling" in said:
        said["sampling"].pop("context", None)  # what was said through the hub is for no server behind it
    return said if forms is None else {**said, "elicitation": forms}


def demand_tasks(context: ServerRequestContext[Any, Any]) -> Abilities:
    """Return what the request declares, which is the tasks extension at least.

    Raises:
        MCPError: its protocol does not know tasks like these, or it does not declare them.
    """
    client = abilities(context)
    if not client.is_modern:
        raise MCPError(code=METHOD_NOT_FOUND, message="Method not found", data=context.method)
    if not client.takes_tasks:
        raise tasks_missing(f"This needs a client that declares the extension {TASKS} with each request.")
    return client


def tasks_missing(message: str) -> MCPError:
    """Return the error of a request for which its client would have to declare that it knows tasks."""
    data: dict[str, Any] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
    return MCPError(code=MISSING_REQUIRED_CLIENT_CAPABILITY, message=message, data=data)


def without_pages(elicitation: object) -> dict[str, dict[str, object]] | None:
    """Return what of a client's capability to be asked is told to servers: forms; None: it takes none.

    Where a server leads people to is for its owner to say, not for an answer of a call.
    """
    takes_forms = isinstance(elicitation, Mapping) and ("form" in elicitation or not elicitation)
    return {"form": {}} if takes_forms else None
