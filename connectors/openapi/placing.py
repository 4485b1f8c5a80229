"""Where operations stand: the base URL that a connection leads to, and each path below it as it is sent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from connectors.openapi.operations import Operation

_VARIABLE: Final = re.compile(r"(\{[^{}]*\})")
_SAFE: Final = "-._~!$&'()*+,;=:@/%"
_CARRIED: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class Misplaced(ValueError):
    """No request can be made of an operation; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The origin and the path that all requests begin with. `origin` is empty where the document names none."""

    origin: str
    path: str

    @property
    def url(self) -> str:
        """Return what to enter as a connection's base URL."""
        return f"{self.origin}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An operation's path below the base URL, as it is sent, with its variables; and what its query always says."""

    path: str
    query: tuple[str, ...] = ()


def base_of(operations: Iterable[Operation], root: tuple[str, ...]) -> Base:
    """Return the base that most of the API is below: the document's first server, shortened for those beside it."""
    first = root[0] if root else ""
    origin = _origin(first)
    paths = {
        _path(url) for url in {first, *(one.servers[0] for one in operations if one.servers)} if _is_at(url, origin)
    }
    split = [path.split("/") for path in paths]
    shared = [{*at} for at in zip(*split, strict=False)]
    differs = next((number for number, found in enumerate(shared) if len(found) > 1), len(shared))
    return Base(origin=origin, path="/".join(split[0][:differs]))


def place_of(operation: Operation, base: Base) -> Place:
    """Return where `operation` stands below `base`.

    Raises:
        Misplaced: it stands elsewhere, or nothing can be sent there.
    """
    if operation.method not in _CARRIED:
        raise Misplaced(f"the broker sends no {operation.method}")
    server = operation.servers[0] if operation.servers else base.url
    if not _is_at(server, base.origin):
        raise Misplaced(f"it is served at {_origin(server)}, and a connection leads to one origin ({base.origin})")
    path, _, query = operation.path.partition("#")[0].partition("?")
    whole = f"{_path(server)[len(base.path) :]}{path}"
    if "//" in whole or {".", ".."} & {*whole.split("/")}:
        raise Misplaced("its path has a segment that is empty or made of dots")
    if whole.endswith("/") and whole != "/" and not path.endswith("/"):
        whole = whole.rstrip("/")
    parts = [part if _VARIABLE.fullmatch(part) else quote(part, safe=_SAFE) for part in _VARIABLE.split(whole)]
    return Place(path="".join(parts), query=tuple(part for part in query.split("&") if part and "{" not in part))


def variables_of(path: str) -> list[str]:
    """Return the names of the variables in `path`."""
    return [variable[1:-1] for variable in _VARIABLE.findall(path)]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""


def _path(url: str) -> str:
    path = urlsplit(url).path.rstrip("/")
    return path if path.startswith("/") or not path else f"/{path}"


def _is_at(url: str, origin: str) -> bool:
    return _origin(url) in {"", origin}
