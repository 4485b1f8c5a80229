"""What travels between a connector's code and the egress broker: one request out, one answer back, as JSON lines."""

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol
from urllib.parse import quote, unquote

from pydantic import AfterValidator, BaseModel, ConfigDict

_FORBIDDEN_IN_PATH = frozenset("?#\\\t\r\n ")


def _plain_path(path: str) -> str:
    if path and not path.startswith("/"):
        raise ValueError("a path is empty (the base URL itself) or starts with '/'")
    if _FORBIDDEN_IN_PATH & set(path) or not path.isascii() or not path.isprintable():
        raise ValueError("a path holds no query, fragment, backslash, blank or non-ASCII character: build it with at()")
    if "//" in path or {".", ".."} & set(unquote(path).replace("\\", "/").split("/")):
        raise ValueError("a path holds no empty, '.' or '..' segment: build it with at()")
    return path


RelativePath = Annotated[str, AfterValidator(_plain_path)]
"""Appended to the base URL as it stands; it cannot leave it, and two readers cannot disagree on where it leads."""


def at(*segments: str | int) -> str:
    """Return the path made of `segments`, each quoted, so that an argument cannot reach into another path.

    Raises:
        ValueError: a segment is empty, "." or "..".
    """
    texts = [str(segment) for segment in segments]
    if {"", ".", ".."} & set(texts):
        raise ValueError(f"{texts} cannot be a path: a segment is empty or made of dots.")
    return "".join(f"/{quote(text, safe='')}" for text in texts)


class WireRequest(BaseModel):
    """An HTTP request as the connector wants it sent. `path` is appended to the connection's base URL.

    `operation` is the RPC method name where the protocol is RPC over POST; the broker reads it from the body itself
    and refuses a request whose claim and body differ. Credentials are never here: the broker adds them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: RelativePath
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: str | None = None
    operation: str | None = None


class WireResponse(BaseModel):
    """The upstream's answer, bounded in size, without credentials or cookies. Header names are in lower case."""

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
