"""`toolhub connector list`: the connectors at hand, those that this hub has, and the accounts they are connected to."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from hub import registry
from hub.cli.connector.installed import installed
from hub.cli.console import folding, has_no_tables, out, run, settings
from hub.core.errors import Unavailable
from hub.opening import missing_database, open_database
from hub.registry import Connection, Environment
from hub.registry.using import get_release, releases_in_use
from hub.settings import Settings
from hub.storage import Tx

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Here:
    """What this hub has: its connectors with the version that each environment uses, and its connections."""

    published: list[dict[str, Json]]
    connections: list[dict[str, Json]]


_NOTHING = _Here(published=[], connections=[])


def list_connectors(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the connectors that are installed, those that are published in this hub, and their connections.

    Example:  toolhub connector list
    """
    found, here = installed(), run(_here(settings()))
    if as_json:
        whole = {"installed": found, "published": here.published, "connections": here.connections}
        typer.echo(json.dumps(whole, indent=2))
        return
    _print("Installed: publish one by its name", ["name", "code"], sorted(found.items()))
    _print(
        "Published in this hub",
        ["name", "newest", *Environment],
        [[one["name"], one["version"], *(one["in_use"].get(e, "") for e in Environment)] for one in here.published],
    )
    _print(
        "Connections",
        ["name", "connector", "environment", "address", "stands"],
        [list(one.values()) for one in here.connections],
    )


def _print(title: str, heads: list[str], rows: list[Any]) -> None:
    if not rows:
        out.print(f"[bold]{title}[/]\n  none")
        return
    columns = [folding(head, [row[number] for row in rows]) for number, head in enumerate(heads)]
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


async def _here(chosen: Settings) -> _Here:
    """Return what the hub of these settings has; one that has never run has nothing, and is not begun by looking."""
    if missing_database(chosen):
        return _NOTHING
    try:
        async with open_database(chosen) as database, database.reading() as tx:
            published = [
                {"name": spec.name, "version": spec.version, "in_use": await _in_use(tx, spec.name)}
                for spec in await registry.connectors(tx)
            ]
            return _Here(published=published, connections=[_line(one) for one in await registry.connections(tx)])
    except Unavailable:
        return _NOTHING
    except SQLAlchemyError as error:
        if has_no_tables(error):
            return _NOTHING
        raise


async def _in_use(tx: Tx, connector: str) -> dict[str, str]:
    """Return which version each environment uses."""
    used = await releases_in_use(tx, connector)
    return {place.value: (await get_release(tx, release_id)).version for place, release_id in used.items()}


def _line(one: Connection) -> dict[str, Json]:
    return {
        "name": one.name,
        "connector": one.connector,
        "environment": one.environment.value,
        "address": one.base_url,
        "stands": "disabled" if not one.is_enabled else "in use",
    }
