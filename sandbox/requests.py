"""What may leave at all, on whatever channel: requests below the base URL that two readers read alike."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote, urlsplit

from connectors.sdk.rpc import Rpc
from connectors.sdk.wire import WireRequest, is_reserved
from sandbox.calls import WITHOUT_BODY, call_problem
from sandbox.reach import literal_address
from sandbox.weight import MOST_VALUES, is_heavy

LARGEST_BODY: Final = 10 * 1024 * 1024
LARGEST_HEAD: Final = 16 * 1024
"""Of path, query and headers together; servers refuse more, and some of them by cutting it off."""
_LONG_HEAD: Final = f"Its path, query and headers are longer than {LARGEST_HEAD} characters."
_LARGE_BODY: Final = f"Its body is larger than {LARGEST_BODY} bytes."

_ALLOWED_HEADERS: Final = frozenset(
    {"accept", "accept-language", "content-type", "if-match", "if-none-match", "if-modified-since"}
    | {"if-unmodified-since", "idempotency-key", "prefer", "range", "last-event-id"}
    | {"mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name"}
)
"""The list says what is allowed, not what is refused: nobody knows every header that means something to a proxy."""
_ALLOWED_PREFIX: Final = "mcp-param-"
_HEADER_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-f]*", re.IGNORECASE)
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HIDDEN: Final = re.compile(r"%(?:2f|5c|25[0-9a-f]{2}|[01][0-9a-f]|7f)", re.IGNORECASE)
"""Escapes of slashes, of control characters and of escapes: a second reader could see another path in them."""


class BadBaseUrl(ValueError):
    """A connection's base URL cannot be used; the message says what to write instead."""


def checked_base_url(url: str) -> str:
    """Return `url` without a trailing slash.

    Raises:
        BadBaseUrl: it is not plain `http(s)://host[:port][/path]`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadBaseUrl(f"The base URL is malformed: {error}.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise BadBaseUrl("A base URL starts with https:// (or http://) and names a host.")
    if "%" in parts.netloc:
        raise BadBaseUrl("A base URL has no escapes and no interface in its host.")
    if "@" in parts.netloc:
        raise BadBaseUrl("A base URL holds no user or password: enter them as the connection's credential.")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise BadBaseUrl("A base URL has neither a query nor a fragment.")
    if literal_address(parts.hostname) is None and not _is_plain_name(parts.hostname):
        raise BadBaseUrl("Write the host as a plain name, as 192.0.2.1 or as [2001:db8::1]: no other form is read.")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or _path_problem(parts.path):
        raise BadBaseUrl("A base URL holds only plain ASCII characters and no '.' or '..' in its path.")
    return url.rstrip("/")


def _is_plain_name(host: str) -> bool:
    """Return whether every reader takes `host` for a name: none for a number in octal, hexadecimal or one piece."""
    labels = host.split(".")
    is_number = labels[-1].isdigit() or _HEXADECIMAL.fullmatch(labels[-1]) is not None
    return all(map(_LABEL.fullmatch, labels)) and not is_number


def size_problem(request: WireRequest, rpc: Rpc) -> str | None:
    """Return why `request` is too large even to be read, or None; it looks at no more than lengths and separators."""
    asked = sum(len(name) + len(value) for name, value in request.query)
    if len(request.path) + len(request.encoded_query) + asked > LARGEST_HEAD:
        return _LONG_HEAD
    if max(len(request.body or ""), len(request.body_base64 or "") * 3 // 4 - 2) > LARGEST_BODY:
        return _LARGE_BODY
    if rpc != "none" and is_heavy((request.body or "").encode(errors="replace")):
        return f"Its body holds more than {MOST_VALUES} values."
    return None


def problem_with(request: WireRequest, rpc: Rpc, declared: Collection[str] = ()) -> str | None:
    """Return why `request` may not leave on any channel, or None; `declared` are headers its connector may send."""
    return (
        _path_problem(request.path)
        or _headers_problem(request, declared)
        or _body_problem(request)
        or call_problem(request, rpc)
    )


def _path_problem(path: str) -> str | None:
    if _BROKEN_ESCAPE.search(path) or _HIDDEN.search(path):
        return "Its path hides a slash, a control character or another escape in an escape."
    segments = [unquote(segment).partition(";")[0] for segment in path.split("/")]
    if {".", ".."} & {*segments}:
        return "Its path leads upwards."
    return None


def _headers_problem(request: WireRequest, declared: Collection[str]) -> str | None:
    names = [name.lower() for name in request.headers]
    for name in names:
        if not _may_send(name, declared):
            return f"A connector may not send the header {name[:64]!r}."
    if len(set(names)) < len(names):
        return "It has a header twice."
    if not all(_HEADER_VALUE.fullmatch(value) for value in request.headers.values()):
        return "A header holds something else than printable ASCII characters."
    head = [request.path, request.query_string, *request.headers.values()]
    if sum(len(text) for text in head) > LARGEST_HEAD:
        return _LONG_HEAD
    return None


def _may_send(name: str, declared: Collection[str]) -> bool:
    if name in _ALLOWED_HEADERS or (name in declared and not is_reserved(name)):
        return True
    return name.startswith(_ALLOWED_PREFIX) and _HEADER_NAME.fullmatch(name) is not None


def _body_problem(request: WireRequest) -> str | None:
    try:
        content = request.content
    except UnicodeEncodeError:
        return "Its body holds half a surrogate pair."
    if content is None:
        return None
    if request.method in WITHOUT_BODY:
        return f"A {request.method} has no body."
    size = len(content)
    return _LARGE_BODY if size > LARGEST_BODY else None
