"""`toolhub composite`: declares tools that are made of steps, and lists them."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from connectors.sdk.faults import faults
from hub.cli.console import fail, out, run, settings
from hub.core.canonical import parse_json
from hub.core.errors import HubError
from hub.identity.authority import Authority
from hub.opening import open_database, open_keyring
from hub.registry import Declaration, Environment, ToolVersion, composite_tools, declare, steps_of
from hub.settings import Settings

composite_app = typer.Typer(
    help="Tools made of steps: one preview, one approval, and the steps done before a failure are taken back.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="A declaration, as schemas/composite.v1.json says.", exists=True)]
Where = Annotated[Environment, typer.Option("--environment", help="Where they are offered.")]


@composite_app.command("declare")
def declare_file(file: File) -> None:
    """Publish a composite tool from its declaration; declare it again after a tool of one of its steps has changed.

    Example:  toolhub composite declare order_for_new_customer.json
    """
    declaration = _read(file)
    made = run(_declare(settings(), declaration))
    if made is None:
        out.print(f"Nothing is new: {declaration.name} is offered like this already.", highlight=False)
        return
    steps = ", ".join(step.name for step in steps_of(made.spec))
    out.print(f"[green]Version {made.number}[/] of {declaration.name} is offered: {steps}.", highlight=False)


@composite_app.command("list")
def list_composites(*, environment: Where = Environment.DEV) -> None:
    """Show the composite tools of an environment with their steps, and which of those can be taken back.

    Example:  toolhub composite list --environment staging
    """
    found = run(_composites(settings(), environment))
    if not found:
        out.print(f"There are no composite tools in {environment}.", highlight=False)
        return
    table = Table("Tool", "Version", "Tier", "Steps")
    for version in found:
        steps = [f"{one.name}{'' if one.can_be_taken_back else ' (for good)'}" for one in steps_of(version.spec)]
        table.add_row(version.spec.name, str(version.number), version.spec.tier, " → ".join(steps))
    out.print(table)


def _read(file: Path) -> Declaration:
    try:
        return Declaration.model_validate(parse_json(file.read_bytes()))
    except HubError as error:
        fail(f"{file}: {error.message}")
    except ValidationError as error:
        lines = [f"/{'/'.join(map(str, one.where))}: {one.what}" for one in faults(error)]
        fail(f"{file} is no declaration of a composite tool:\n  " + "\n  ".join(lines))


async def _declare(chosen: Settings, declaration: Declaration) -> ToolVersion | None:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            return await declare(tx, declaration, authority)


async def _composites(chosen: Settings, environment: Environment) -> list[ToolVersion]:
    async with open_database(chosen) as database, database.reading() as tx:
        return await composite_tools(tx, environment)
