"""The addresses of databases: what a connection's base URL may be, read one way only."""

import re
from pathlib import PurePosixPath
from typing import Final, Literal, NamedTuple

Engine = Literal["postgresql", "sqlite"]

_POSTGRESQL: Final = re.compile(
    r"postgresql(?P<tls>\+tls)?://(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?/(?P<database>[A-Za-z0-9_][A-Za-z0-9_-]{0,62})"
)
_SQLITE: Final = re.compile(r"sqlite://(?P<path>(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+)")
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)
_LARGEST_PORT: Final = 65535
_USUAL_PORT: Final = 5432


class BadAddress(ValueError):
    """The base URL is no address of a database; the message says what to write."""


class Address(NamedTuple):
    """A database: by `host`, `port` and `database`, or by the `path` of its file."""

    engine: Engine
    host: str = ""
    port: int = _USUAL_PORT
    database: str = ""
    has_tls: bool = False
    path: str = ""

    @property
    def url(self) -> str:
        """Return the address as it is stored."""
        if self.engine == "sqlite":
            return f"sqlite://{self.path}"
        return f"postgresql{'+tls' if self.has_tls else ''}://{self.host}:{self.port}/{self.database}"


def is_sql(url: str) -> bool:
    """Return whether `url` means to be the address of a database."""
    return url.startswith(("postgresql:", "postgresql+tls:", "sqlite:"))


def address(url: str) -> Address:
    """Return the database that `url` names.

    Raises:
        BadAddress: it is not `postgresql://host[:port]/database`, `postgresql+tls://...` or `sqlite:///folder/file`.
    """
    if url.startswith("sqlite:"):
        return _file(url)
    found = _POSTGRESQL.fullmatch(url)
    if found is None:
        raise BadAddress(
            "Write postgresql+tls://host:port/database, postgresql://host:port/database or sqlite:///folder/file.db, "
            "without user, password or query; credentials belong in the vault."
        )
    host, port = found["host"].lower(), int(found["port"] or _USUAL_PORT)
    labels = host.split(".")
    is_odd = not host.startswith("[") and _NUMBER.fullmatch(labels[-1]) and not _is_plain_ipv4(labels)
    if port > _LARGEST_PORT or "" in labels or is_odd:
        raise BadAddress("The host is no plain name and no plain address, or the port is too large.")
    return Address("postgresql", host, port, found["database"], bool(found["tls"]))


def _file(url: str) -> Address:
    found = _SQLITE.fullmatch(url)
    # each segment starts with a letter, digit or underscore: no "." or "..", nothing hidden, no escape, no parameter
    if found is None:
        raise BadAddress(
            "Write sqlite:///folder/file.db: an absolute path of plain segments (letters, digits, . _ -), "
            "none of them starting with a dot; no query, no escape."
        )
    return Address("sqlite", path=str(PurePosixPath(found["path"])))


def _is_plain_ipv4(labels: list[str]) -> bool:
    parts = 4
    return len(labels) == parts and all(str(int(one)) == one and int(one) < 256 for one in labels if one.isdigit())  # noqa: PLR2004  # an octet
