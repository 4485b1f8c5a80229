"""`toolhub server`: shows servers as documents, makes them what a document says, and retires them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from connectors.sdk.faults import faults
from hub import registry
from hub.cli.console import fail, out, run, settings
from hub.core.canonical import parse_json
from hub.core.errors import HubError, NotFound
from hub.identity.authority import Authority
from hub.opening import open_database, open_keyring
from hub.registry import BY_TWO, MOST_LISTED, Difference, Server, ServerDefinition
from hub.settings import Settings

server_app = typer.Typer(help="Servers: bundles of tools, each at one MCP address.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A definition, as `toolhub server show` prints it.", exists=True)]
Named = Annotated[str, typer.Argument(help="A server's name.")]
Why = Annotated[str, typer.Option("--reason", help="Why; everybody reads it.")]

_LISTING: Final = (
    f"Listing: automatic lists every tool that the caller may use, up to {MOST_LISTED}; beyond, only hub_find_tools and"
    " hub_call_tool, which search the tools and call them. `all` and `search` have it one way."
)


@server_app.command("list")
def list_servers() -> None:
    """Show every server, the retired ones too."""
    table = Table("Server", "Environment", "Title", "Lists", "")
    for one in run(_servers(settings())):
        state = "retired" if one.is_retired else ""
        table.add_row(one.name, one.environment.value, escape(one.title), one.listing.value, state)
    out.print(table)


@server_app.command()
def show(name: Named) -> None:
    """Print a server's definition, so that it can be edited and put back.

    Example:  toolhub server show sales > sales.json
    """
    found = run(_definition(settings(), name))
    typer.echo(found.model_dump_json(indent=2, exclude_defaults=True))


@server_app.command()
def check(file: File) -> None:
    """Check a definition and show what it would change; nothing is changed.

    Example:  toolhub server check sales.json
    """
    _tell(run(_checked(settings(), _read(file))), otherwise="Nothing would change.")


@server_app.command()
def put(file: File, *, reason: Why = "") -> None:
    """Make a server what its definition says, and show what that changes. In prod it is proposed to a second person.

    The least there is to say of one:

      {"name": "sales", "environment": "dev", "title": "Sales", "tools": [{"tool": "sale_get", "connection": "erp"}]}

    Example:  toolhub server put sales.json --reason "The desk gives refunds from Monday on."
    """
    wanted = _read(file)
    changed = run(_put(settings(), wanted, reason))
    _tell(changed, otherwise="Nothing is new: it is like this already.")
    if changed and wanted.environment in BY_TWO:
        out.print("[yellow]Proposed.[/] Somebody publishes it on the page of servers.", highlight=False)
    elif changed:
        out.print(f"[green]Published[/] in {wanted.environment.value}: {wanted.name}.", highlight=False)


@server_app.command()
def retire(name: Named, reason: Why) -> None:
    """Take a server out of use at once and for good; its name stays taken.

    Example:  toolhub server retire sales --reason "The desk is closed."
    """
    run(_retire(settings(), name, reason))
    out.print(f"Retired: {name}.", highlight=False)


def _tell(changes: Sequence[Difference], *, otherwise: str) -> None:
    if not changes:
        out.print(otherwise)
        return
    table = Table("What", "Now", "Then")
    for one in changes:
        table.add_row(escape(one.what), escape(one.before) or "[dim]nothing[/]", escape(one.after) or "[dim]nothing[/]")
    out.print(table)
    if any(one.what == "listing" for one in changes):
        out.print(_LISTING, highlight=False)


def _read(file: Path) -> ServerDefinition:
    try:
        return ServerDefinition.model_validate(parse_json(file.read_bytes()))
    except HubError as error:
        fail(f"{file}: {error.message}")
    except ValidationError as error:
        lines = [f"/{'/'.join(map(str, one.where))}: {one.what}" for one in faults(error)]
        fail(f"{file} is no definition of a server:\n  " + "\n  ".join(lines))


async def _servers(chosen: Settings) -> list[Server]:
    async with open_database(chosen) as database, database.reading() as tx:
        return await registry.servers(tx)


async def _definition(chosen: Settings, name: str) -> ServerDefinition:
    async with open_database(chosen) as database, database.reading() as tx:
        found = await registry.definition_of(tx, name)
    if found is None:
        raise NotFound(f"There is no server {name!r} in use; `toolhub server list` shows which there are.")
    return found


async def _checked(chosen: Settings, wanted: ServerDefinition) -> Sequence[Difference]:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.reading() as tx:
            return await registry.check_definition(tx, wanted, authority)


async def _put(chosen: Settings, wanted: ServerDefinition, reason: str) -> Sequence[Difference]:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            if wanted.environment not in BY_TWO:
                return await registry.define_server(tx, wanted, authority)
            if not await registry.check_definition(tx, wanted, authority):
                return ()
            return (await registry.propose_server(tx, wanted, reason, authority)).changes


async def _retire(chosen: Settings, name: str, reason: str) -> None:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            await registry.retire_server(tx, name, reason, authority)
