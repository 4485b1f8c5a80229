"""What travels between a connector's code and the egress broker: one request out, one answer back, as JSON lines."""

from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict


class WireRequest(BaseModel):
    """An HTTP request as the connector wants it sent. `path` is relative to the connection's base URL.

    `operation` is the RPC method name where the protocol is RPC over POST; the broker reads it from the body itself
    and refuses a request whose claim and body differ. Credentials are never here: the broker adds them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: str | None = None
    operation: str | None = None


class WireResponse(BaseModel):
    """The upstream's answer, bounded in size, without credentials or cookies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int
    headers: Mapping[str, str]
    body: str


class Transport(Protocol):
    """The only way out of a connector: the hub's channel in production, a plain client in an author's own tests."""

    async def send(self, request: WireRequest) -> WireResponse:
        """Send `request` through the broker.

        Raises:
            Fenced: this channel may not carry it.
            Unavailable: it was not sent.
            Unknown: it was sent and no clear answer came.
        """
        ...
