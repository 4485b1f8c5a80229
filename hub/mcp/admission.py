"""What the endpoint has found out about a request, for the handlers that serve its message."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from starlette.types import Scope

from hub.identity.principals import Caller
from hub.mcp.lines import Line
from hub.mcp.sessions import ClientSession
from hub.registry import PublishedTool

_KEY: Final = "toolhub.admitted"

CALLED: Final[ContextVar[PublishedTool | None]] = ContextVar("called", default=None)
"""The tool of the call at hand, for what the SDK asks outside of any handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that may be served: who asks, at which server, and what its headers add to its message."""

    caller: Caller
    server: str
    trace_id: str
    idempotency_key: str | None
    token_digest: str
    """The same for every request that brings this very token, and for no other."""
    again: Callable[[], Awaitable[tuple[Caller, float]]]
    """Asks anew who calls, for what outlives the moment: the caller as it is then, and how many seconds are left.

    It raises `Unauthenticated` once the token is good no more.
    """
    scheme: str
    """How the token came."""
    nonce: str | None = None
    """For the next proof of a client that proves to hold the key of its token."""
    session: ClientSession | None = None
    """The session of a client of the older protocol, if it names one."""
    line: Line | None = None
    """The stream of the answer, if there is one in which the client can be told more."""

    def travel_in(self, scope: Scope) -> None:
        """Put this where `admitted` finds it, in whichever task the message is handled."""
        scope[_KEY] = self


def admitted(context: ServerRequestContext[Any, Any]) -> Admitted:
    """Return what is known about the request whose message a handler serves."""
    found = None if context.request is None else context.request.scope.get(_KEY)
    if not isinstance(found, Admitted):
        raise TypeError("this message did not come in through the endpoint")
    return found
