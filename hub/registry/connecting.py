"""Connections: one account of a connector in one environment, with a generation that grows when it changes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import select

from connectors.sql.addresses import BadAddress, address, is_sql
from hub.audit import EventKind
from hub.core.canonical import canonical_json
from hub.core.errors import Conflict, InputError, NotFound
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.registry.limits import check_limits
from hub.registry.names import check_place, check_prefix
from hub.registry.offering import offer_connection
from hub.registry.reading import connection_of, connection_row
from hub.registry.stewardship import Stewards, Touched, checked_owner, outdate_catalog, require_steward
from hub.registry.tables import ConnectionRow, ConnectorRow
from hub.registry.values import TWIN, Connection, Environment
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """An account of `connector` to make. `prefix` stands before its tools' names in the built-in server."""

    name: str
    connector: str
    environment: Environment
    base_url: str
    prefix: str = ""
    owner_id: str | None = None
    settings: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChange:
    """What to change of a connection; None leaves a value as it is."""

    base_url: str | None = None
    owner_id: str | None = None
    settings: Mapping[str, Json] | None = None


async def create_connection(tx: Tx, new: NewConnection, authority: Authority) -> Connection:
    """Make a connection and offer its tools in the built-in server of its environment.

    Raises:
        InputError: the name, the base URL, the prefix or the owner will not do.
        NotFound: there is no such connector.
        Conflict: the connection's name, or that of one of its tools, is taken.
        Forbidden: it is neither the connector's owner nor an administrator.
    """
    await outdate_catalog(tx, authority, Touched(connectors=frozenset({new.connector})))
    connector = await tx.get(ConnectorRow, new.connector)
    if connector is None:
        raise NotFound(f"There is no connector {new.connector!r}; register it first.")
    await require_steward(
        tx, authority, Stewards(owner_id=connector.owner_id, what=f"the connections of {new.connector!r}")
    )
    check_place(new.name, what="a connection")
    check_prefix(new.prefix)
    base_url = checked_base_url(new.base_url)
    settings = checked_settings(new.settings, base_url)
    if await tx.scalar(select(ConnectionRow.id).where(ConnectionRow.name == new.name)) is not None:
        raise Conflict(f"There is a connection {new.name!r} already; choose another name or change that one.")
    row = ConnectionRow(
        id=new_id("con"),
        name=new.name,
        connector=new.connector,
        environment=new.environment.value,
        base_url=base_url,
        prefix=new.prefix,
        generation=1,
        owner_id=await checked_owner(tx, new.owner_id) or authority.by,
        settings=settings,
        created_at=await now(tx),
    )
    tx.add(row)
    await tx.flush()
    await offer_connection(tx, row)
    facts = {"connection": row.name, "connector": row.connector, "environment": row.environment}
    await authority.record(tx, EventKind.CONNECTION_CREATED, row.id, base_url=row.base_url, **facts)
    return connection_of(row)


async def change_connection(tx: Tx, connection_id: str, change: ConnectionChange, authority: Authority) -> Connection:
    """Change a connection and return it, a generation older; a change to what it is already changes nothing.

    Raises:
        InputError: the base URL, the settings or the owner will not do.
        NotFound: there is no such connection.
        Forbidden: it is neither the owner nor an administrator.
    """
    row = await _owned(tx, connection_id, authority)
    changed = list[str]()
    if change.base_url is not None and checked_base_url(change.base_url) != row.base_url:
        row.base_url = checked_base_url(change.base_url)
        changed.append("base_url")
    if change.owner_id is not None and change.owner_id != row.owner_id:
        row.owner_id = await checked_owner(tx, change.owner_id)
        changed.append("owner")
    settings = checked_settings(row.settings if change.settings is None else change.settings, row.base_url)
    if canonical_json(settings) != canonical_json(row.settings):
        row.settings = settings
        changed.append("settings")
    return await _renewed(tx, row, changed, authority) if changed else connection_of(row)


async def renew_connection(tx: Tx, connection_id: str, authority: Authority, *, changed: str) -> Connection:
    """Let the generation grow because something kept elsewhere, its credentials, has changed.

    Raises:
        NotFound: there is no such connection.
        Forbidden: it is neither the owner nor an administrator.
    """
    return await _renewed(tx, await _owned(tx, connection_id, authority), [changed], authority)


async def disable_connection(tx: Tx, connection_id: str, authority: Authority, *, reason: str) -> Connection:
    """Stop every call of this connection's tools; what has been sent already is finished.

    Raises:
        NotFound: there is no such connection.
        Forbidden: it is neither the owner nor an administrator nor an operator.
    """
    row = await _owned(tx, connection_id, authority, operators_may=True)
    if row.disabled_at is None:
        row.disabled_at = await now(tx)
        await tx.flush()
        facts = {"connection": row.name, "reason": reason}
        await authority.record(tx, EventKind.CONNECTION_DISABLED, row.id, **facts)
    return connection_of(row)


async def enable_connection(tx: Tx, connection_id: str, authority: Authority) -> Connection:
    """Let a disabled connection be used again.

    Raises:
        NotFound: there is no such connection.
        Forbidden: it is neither the owner nor an administrator nor an operator.
    """
    row = await _owned(tx, connection_id, authority, operators_may=True)
    if row.disabled_at is not None:
        row.disabled_at = None
        await tx.flush()
        facts = {"connection": row.name, "changed": "enabled"}
        await authority.record(tx, EventKind.CONNECTION_CHANGED, row.id, **facts)
    return connection_of(row)


_PROGRAM: Final = re.compile(r"stdio:[a-z][a-z0-9-]{0,47}")
_SCHEMES: Final = frozenset({"http", "https", "smtp", "smtps"})


def checked_base_url(url: str) -> str:
    """Return `url` as it is stored: http(s) or smtp(s), a host, perhaps a port and a path, no slash at the end.

    Raises:
        InputError: it is something else, or carries a user name, a query or a fragment.
    """
    if is_sql(url):
        return _checked_database(url)
    if url.startswith("stdio:"):
        return _checked_program(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{url[:200]!r} is no URL: {error}") from error
    if parts.scheme not in _SCHEMES or not parts.hostname or port == 0:
        forms = "'https://host' or 'http://host', perhaps with a port and a path, or 'stdio:NAME'"
        raise InputError(f"{url[:200]!r} will not do: write {forms}.")
    if parts.username is not None or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise InputError("A base URL holds no user name, query or fragment; credentials belong in the vault.")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def checked_settings(settings: Mapping[str, Json], base_url: str) -> dict[str, Json]:
    """Return `settings` as they are stored, for a connection to `base_url`.

    Raises:
        InputError: they are no JSON, name a twin to which the connection's credential must not be shown, or limits
            that there are not.
    """
    canonical_json(dict(settings))
    check_limits(settings, base_url)
    if TWIN not in settings:
        return dict(settings)
    if is_sql(base_url) or not isinstance(settings[TWIN], str):
        raise InputError(f"The setting {TWIN!r} is the base URL of a copy of the connection's system, over HTTP.")
    twin = checked_base_url(settings[TWIN])
    if twin == base_url or not is_same_system(twin, base_url):
        raise InputError(
            "A twin stands beside the system itself: the same scheme, host and port, and another path. "
            "The connection's credential is shown nowhere else."
        )
    return {**settings, TWIN: twin}


def is_same_system(one: str, other: str) -> bool:
    """Return whether two base URLs lead to one place, so that a credential meant for one may be shown to the other."""
    return system_of(one) == system_of(other)


def system_of(base_url: str) -> str:
    """Return which system a base URL leads to: its scheme, host and port, without the path."""
    if base_url.startswith("stdio:"):
        return base_url
    parts = urlsplit(base_url)
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}"


def _checked_program(url: str) -> str:
    if not _PROGRAM.fullmatch(url):
        raise InputError(f"{url[:200]!r} will not do: write 'stdio:NAME' with the name of a program that is allowed.")
    return url


def _checked_database(url: str) -> str:
    try:
        return address(url).url
    except BadAddress as error:
        raise InputError(str(error)) from error


async def _owned(tx: Tx, connection_id: str, authority: Authority, *, operators_may: bool = False) -> ConnectionRow:
    await outdate_catalog(tx, authority, Touched(connections=frozenset({connection_id})))
    row = await connection_row(tx, connection_id)
    what = f"the connection {row.name!r}"
    await require_steward(tx, authority, Stewards(owner_id=row.owner_id, what=what, operators_may=operators_may))
    return row


async def _renewed(tx: Tx, row: ConnectionRow, changed: list[str], authority: Authority) -> Connection:
    row.generation = ConnectionRow.generation + 1
    await tx.flush()
    await tx.refresh(row)
    facts = {"connection": row.name, "changed": ", ".join(changed), "generation": str(row.generation)}
    await authority.record(tx, EventKind.CONNECTION_CHANGED, row.id, **facts)
    return connection_of(row)
