"""`toolhub connector show`: what a connector declares of its operations."""

from typing import Annotated

import typer
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from connectors.sdk.spec import ConnectorSpec
from hub.cli.connector.installed import declared, installed
from hub.cli.console import fail, has_no_tables, out, run, settings
from hub.core.errors import NotFound
from hub.opening import missing_database, open_database
from hub.registry.using import newest_release
from hub.settings import Settings


def show(
    name: Annotated[str, typer.Argument(help="The name of one installed or published here, or module:name.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole spec as JSON.")] = False,
) -> None:
    """Show a connector's operations: effect, tier, upstream class, how far they can be previewed and undone.

    One that is not installed, such as an imported one, is shown as it was published last.

    Examples:
      toolhub connector show tryton

      toolhub connector show acme.crm:connector --json
    """
    spec = declared(name) if name in installed() or ":" in name else run(_published(settings(), name))
    if as_json:
        typer.echo(spec.model_dump_json(indent=2))
        return
    table = Table("operation", "effect", "tier", "class", "fidelity", "undo", title=f"{spec.title} {spec.version}")
    for one in spec.operations:
        row = (one.effect, one.tier, one.upstream_class, one.fidelity, one.reversal)
        table.add_row(one.name, *(value.value for value in row))
    out.print(table)


async def _published(chosen: Settings, name: str) -> ConnectorSpec:
    """Return what was published last under a name that no installed connector has, or end the command."""
    known = ", ".join(sorted(installed())) or "none"
    unknown = f"There is no connector {name!r}, installed or published. Installed: {known}; or give module:name."
    if missing_database(chosen):
        fail(unknown)
    try:
        async with open_database(chosen) as database, database.reading() as tx:
            return (await newest_release(tx, name)).spec
    except NotFound:
        fail(unknown)
    except SQLAlchemyError as error:
        if has_no_tables(error):
            fail(unknown)
        raise
