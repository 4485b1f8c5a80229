"""`toolhub connector`: lists the connectors at hand, registers their tools, and connects accounts of systems."""

import json
import os
from importlib.metadata import entry_points
from typing import Annotated

import typer
from rich.table import Table

from connectors.sdk.connector import load
from connectors.sdk.spec import ConnectorSpec
from hub import registry
from hub.cli.console import fail, out, run, settings
from hub.credentials import Vault
from hub.identity.authority import Authority
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.settings import Settings
from hub.wiring import open_database, open_keyring

GROUP = "toolhub.connectors"
"""The entry point group under which packages offer connectors."""

connector_app = typer.Typer(help="Connectors: what is at hand, register it, connect an account.", no_args_is_help=True)


@connector_app.command("list")
def list_connectors(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the connectors that are installed, by the name to register them under.

    Example:  toolhub connector list
    """
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("name", "code")
    for name, entry in sorted(found.items()):
        table.add_row(name, entry)
    out.print(table)


@connector_app.command()
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
    spec = _spec(name)
    if as_json:
        typer.echo(spec.model_dump_json(indent=2))
        return
    table = Table("operation", "effect", "tier", "class", "fidelity", "undo", title=f"{spec.title} {spec.version}")
    for one in spec.operations:
        row = (one.effect, one.tier, one.upstream_class, one.fidelity, one.reversal)
        table.add_row(one.name, *(value.value for value in row))
    out.print(table)


@connector_app.command()
def register(name: Annotated[str, typer.Argument(help="An installed connector's name, or module:name.")]) -> None:
    """Register a connector's tools, or the new versions of them. Registering the same again changes nothing.

    The connector's module is imported with your rights to read what it declares; its operations only ever run confined.

    Example:  toolhub connector register tryton
    """
    spec = _spec(name)
    new = run(_register(settings(), spec))
    out.print(f"[green]Registered[/] {spec.name} {spec.version}: {new} new tool version(s).")


@connector_app.command()
def connect(
    connector: Annotated[str, typer.Argument(help="A registered connector.")],
    name: Annotated[str, typer.Argument(help="What to call the connection.")],
    base_url: Annotated[str, typer.Option(help="Where the system's API is.")],
    environment: Annotated[Environment, typer.Option(help="Which environment it leads to.")] = Environment.DEV,
    prefix: Annotated[str, typer.Option(help="Put before its tools' names in the built-in server.")] = "",
) -> None:
    """Connect an account of a system, and offer its tools in the environment's built-in server.

    The credential's fields are asked for, or taken from TOOLHUB_SECRET_<FIELD>; they are never arguments, which other
    users of the machine can see.

    Example:  toolhub connector connect tryton erp --base-url http://127.0.0.1:8000/erp
    """
    new = NewConnection(name=name, connector=connector, environment=environment, base_url=base_url, prefix=prefix)
    run(_connect(settings(), new))
    out.print(f"[green]Connected[/] {name}: the tools of {connector} are offered in {environment.value}.")


def _spec(name: str) -> ConnectorSpec:
    points = {point.name: point.value for point in entry_points(group=GROUP)}
    entry = points.get(name, name)
    if ":" not in entry:
        fail(f"There is no connector {name!r}. Installed: {', '.join(sorted(points)) or 'none'}; or give module:name.")
    try:
        return load(entry).spec
    except (ImportError, AttributeError) as error:
        fail(f"{entry} cannot be loaded: {error}")


async def _register(chosen: Settings, spec: ConnectorSpec) -> int:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            return len(await register_connector(tx, spec, authority))


async def _connect(chosen: Settings, new: NewConnection) -> None:
    async with open_database(chosen) as database:
        keys = await open_keyring(chosen, database)
        async with database.reading() as tx:
            specs = {spec.name: spec for spec in await registry.connectors(tx)}
        if new.connector not in specs:
            fail(f"{new.connector!r} is not registered. Run `toolhub connector register {new.connector}` first.")
        secret = {field: _secret(field) for field in specs[new.connector].auth.secret_fields}
        authority = Authority(database=database, keys=keys)
        async with database.transaction() as tx:
            connection = await create_connection(tx, new, authority)
            if secret:
                await Vault(keys).put(tx, connection.id, secret, authority)


def _secret(field: str) -> str:
    given = os.environ.get(f"TOOLHUB_SECRET_{field.upper()}")
    return given if given is not None else str(typer.prompt(field, hide_input=True))
