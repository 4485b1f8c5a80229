"""What travels between a connector's code and the egress broker: one request out, one answer back, as JSON lines."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, Protocol, Self, cast
from urllib.parse import parse_qsl, quote, unquote, urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

_FORBIDDEN_IN_PATH = frozenset("?#\\\t\r\n ")
_QUERY: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
"""What may stand in a query as it is sent. Source: RFC 3986 section 3.4."""
_RESERVED: Final = frozenset(
    {"host", "authorization", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
    | {"content-length", "content-encoding", "accept-encoding", "via", "forwarded", "x-real-ip", "origin", "referer"}
    | {"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"}
)
_DISGUISES: Final = frozenset({"content-encoding", "x-http-method", "x-http-method-override", "x-method-override"})
_METHOD_FIELDS: Final = (_DISGUISES - {"content-encoding"}) | {"-method", "-httpmethod", "-http-method"}
"""Where frameworks look for another method than the one in the first line, `_` written as `-`: Rails, Laravel and
Symfony in `_method`, Salesforce in `_HttpMethod`."""
LARGEST_READ: Final = 256 * 1024
"""Bytes of a body with a field that may look like a method that is read to find out; a larger one is taken for one."""
_PART_NAME: Final = re.compile(r'name="?([^";\r\n]*)', re.IGNORECASE)
_RESERVED_PREFIXES: Final = ("proxy-", "x-forwarded-", "sec-", "mcp-")


def is_reserved(header: str) -> bool:
    """Return whether the request header means something to the connection, to a proxy or to the hub itself."""
    name = header.lower().replace("_", "-")  # some servers take one for the other
    return name in _RESERVED or name.startswith(_RESERVED_PREFIXES)


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

    Where an API demands a query of its own style, `encoded_query` is sent as it stands instead of `query`; a body
    that is no text is given as `body_base64`. With `wants_bytes` the answer's body comes in base64.

    `on_twin` sends it to the connection's twin, a copy of the system, instead: previews alone may.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: RelativePath
    query: tuple[tuple[str, str], ...] = ()
    encoded_query: str = ""
    headers: Mapping[str, str] = {}
    body: str | None = None
    body_base64: str | None = None
    wants_bytes: bool = False
    operation: str | None = None
    on_twin: bool = False

    @property
    def query_string(self) -> str:
        """Return the query as it is sent."""
        return self.encoded_query or urlencode(self.query)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Return names and values of the query, as a server reads them."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    @property
    def content(self) -> bytes | None:
        """Return the body as it is sent.

        Raises:
            UnicodeEncodeError: it holds half a surrogate pair.
        """
        if self.body_base64 is not None:
            return base64.b64decode(self.body_base64)
        return None if self.body is None else self.body.encode()

    @property
    def is_disguised(self) -> bool:
        """Return whether a header, or a field of the query or the body, may make a server see another request in it."""
        if _DISGUISES & {name.lower() for name in self.headers}:
            return True
        if len(self.content or b"") > LARGEST_READ and not _is_innocent(self.content or b""):
            return True  # whoever wants to know what it names would have to read it for seconds
        fields = [*(name for name, _ in self.asked), *_fields(self.content or b"")]
        return not _METHOD_FIELDS.isdisjoint(name.strip().lower().replace("_", "-") for name in fields)

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if self.query and self.encoded_query:
            raise ValueError("a request has a query or an encoded query, not both")
        if not _QUERY.fullmatch(self.encoded_query):
            raise ValueError("an encoded query holds only what RFC 3986 allows in one, the rest in escapes")
        if self.body is not None and self.body_base64 is not None:
            raise ValueError("a request has one body")
        if self.body_base64 is not None:
            base64.b64decode(self.body_base64, validate=True)
        return self


def _is_innocent(body: bytes) -> bool:
    """Return whether a body can name no method in any of its fields: it has neither the word nor an escape in it."""
    return not (b"%" in body or b"\\" in body or b"\0" in body or b"method" in body.lower())


def _fields(body: bytes) -> list[str]:
    """Return the names at the top of a body, read as every kind of body: what it says of itself may be a lie."""
    if _is_innocent(body):
        return []
    text = body.decode("utf-8", errors="replace")
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return [*_PART_NAME.findall(text), *(name for name, _ in parse_qsl(text, keep_blank_values=True))]
    return list(map(str, cast("dict[str, object]", members))) if isinstance(members, dict) else []


class WireResponse(BaseModel):
    """The upstream's answer, bounded in size, without credentials or cookies. Header names are in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: int
    headers: Mapping[str, str]
    body: str


def joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers as they arrived by their names in lower case; one that came more than once is joined by commas."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("ascii").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


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


class ToTwin:
    """Sends requests to the twin of a connection: `transport` says how, and whether that may be."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, request: WireRequest) -> WireResponse:
        """Send `request` to the twin, as `Transport.send` says."""
        return await self._transport.send(request.model_copy(update={"on_twin": True}))
