"""`toolhub connector list`: the connectors at hand."""

import json
from typing import Annotated

import typer
from rich.table import Table

from hub.cli.connector.installed import installed
from hub.cli.console import out


def list_connectors(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the connectors that are installed, by the name to register them under.

    Example:  toolhub connector list
    """
    found = installed()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("name", "code")
    for name, entry in sorted(found.items()):
        table.add_row(name, entry)
    out.print(table)
