"""`toolhub connector show`: what a connector declares of its operations."""

from typing import Annotated

import typer
from rich.table import Table

from hub.cli.connector.installed import declared
from hub.cli.console import out


def show(
    name: Annotated[str, typer.Argument(help="An installed connector's name, or module:name.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole spec as JSON.")] = False,
) -> None:
    """Show a connector's operations: effect, tier, upstream class, how far they can be previewed and undone.

    Examples:
      toolhub connector show tryton

      toolhub connector show acme.crm:connector --json
    """
    spec = declared(name)
    if as_json:
        typer.echo(spec.model_dump_json(indent=2))
        return
    table = Table("operation", "effect", "tier", "class", "fidelity", "undo", title=f"{spec.title} {spec.version}")
    for one in spec.operations:
        row = (one.effect, one.tier, one.upstream_class, one.fidelity, one.reversal)
        table.add_row(one.name, *(value.value for value in row))
    out.print(table)
