"""`toolhub pins`: what federated servers say otherwise than was accepted, looking again, and deciding about it."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hub import pins, registry
from hub.cli.connector.publish import print_difference
from hub.cli.console import fail, folding, out, run, settings, whole
from hub.core.errors import NotFound
from hub.invocations.pinning import Seen, changed_by, look_for
from hub.invocations.runtime import Runtime
from hub.pins import Change, State
from hub.registry.differing import Difference
from hub.settings import Settings
from hub.wiring import open_runtime

pins_app = typer.Typer(help="Pins: what federated MCP servers say now and nobody has accepted.", no_args_is_help=True)

Json = Any
"""Any JSON value."""

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Named = Annotated[str, typer.Argument(help="The id of a change.")]


@pins_app.command("list")
def list_them(*, as_json: AsJson = False) -> None:
    """List what servers have said otherwise, the newest first.

    Example:  toolhub pins list --json
    """
    found = run(_found(settings()))
    if as_json:
        typer.echo(json.dumps([as_document(one) for one in found], indent=2))
        return
    rows = [(one.connector, one.state.value, str(len(one.advice)), f"{one.found_at:%Y-%m-%d %H:%M}") for one in found]
    heads = ("connector", "state", "to look at twice", "found")
    columns = [folding(head, [row[number] for row in rows]) for number, head in enumerate(heads)]
    table = Table(whole("id", [one.id for one in found]), *columns)
    for one, row in zip(found, rows, strict=True):
        table.add_row(one.id, *row)
    out.print(table)


@pins_app.command()
def show(change: Named) -> None:
    """Show what a server says otherwise, field by field, and what to look at twice.

    Example:  toolhub pins show pin_01m833k2j9yq4k2hsm1jjtqakp
    """
    one, found = run(_one(settings(), change))
    for advice in one.advice:
        where = advice.operation or "the server itself"
        out.print(f"[yellow]{advice.sign.value}[/] {escape(where)}: {escape(advice.says)}", highlight=False)
    for each in found:
        print_difference(each, longest=None)
    if one.state is State.WAITING:
        out.print(f"To accept exactly this: toolhub pins accept {one.id} --digest {one.digest}", soft_wrap=True)


@pins_app.command()
def look(connection: Annotated[str, typer.Argument(help="A connection that leads to an MCP server.")]) -> None:
    """Look at a server now. Exit code 1 says that it cannot be looked at.

    Example:  toolhub pins look notes
    """
    seen = run(_looked(settings(), connection))
    if seen.problem is not None:
        fail(f"{connection} cannot be looked at: {seen.problem}")
    if seen.waits is None:
        out.print("Nothing new.")
        return
    still = "Nothing new since, and it still waits" if seen.change is None else "Waits"
    out.print(f"{still}: see it by `toolhub pins show {seen.waits.id}`.", soft_wrap=True)


@pins_app.command()
def accept(
    change: Named, digest: Annotated[str, typer.Option(help="Of what you have looked at; `show` tells it.")]
) -> None:
    """Make a release of what the server says, in use in dev at once.

    Example:  toolhub pins accept pin_01m833k2j9yq4k2hsm1jjtqakp --digest 44136fa355b3...
    """
    done = run(_decided(settings(), change, digest, None))
    out.print(f"[green]Accepted[/]: {done.connector} is in use in dev as its server describes it.", highlight=False)


@pins_app.command()
def refuse(
    change: Named,
    digest: Annotated[str, typer.Option(help="Of what you have looked at; `show` tells it.")],
    reason: Annotated[str, typer.Option(help="Why not; everybody reads it.")],
) -> None:
    """Leave everything as it was accepted.

    Example:  toolhub pins refuse pin_01m833k2j9yq4k2hsm1jjtqakp --digest 44136fa355b3... --reason "Too bold."
    """
    run(_decided(settings(), change, digest, reason))
    out.print("Refused. Everything stays as it was accepted.")


def as_document(one: Change) -> dict[str, Json]:
    """Return a change as JSON."""
    return {
        "id": one.id,
        "connector": one.connector,
        "connection_id": one.connection_id,
        "state": one.state.value,
        "digest": one.digest,
        "found_at": one.found_at.isoformat(),
        "advice": [each.as_json() for each in one.advice],
    }


async def _found(chosen: Settings) -> list[Change]:
    async with open_runtime(chosen) as runtime, runtime.database.reading() as tx:
        return await pins.changes(tx)


async def _one(chosen: Settings, change_id: str) -> tuple[Change, list[Difference]]:
    async with open_runtime(chosen) as runtime, runtime.database.reading() as tx:
        change = await pins.get_change(tx, change_id)
        return change, await changed_by(tx, change)


async def _looked(chosen: Settings, name: str) -> Seen:
    async with open_runtime(chosen) as runtime:
        async with runtime.database.reading() as tx:
            connection = await registry.find_connection(tx, name)
        if connection is None:
            raise NotFound(f"There is no connection {name!r}.")
        return await look_for(connection.id, runtime, runtime.authority)


async def _decided(chosen: Settings, change_id: str, digest: str, refusal: str | None) -> Change:
    async with open_runtime(chosen) as runtime:
        return await _decide(runtime, change_id, digest, refusal)


async def _decide(runtime: Runtime, change_id: str, digest: str, refusal: str | None) -> Change:
    async with runtime.database.transaction() as tx:
        if refusal is None:
            return await pins.accept(tx, change_id, digest, runtime.authority)
        return await pins.refuse(tx, change_id, digest, refusal, runtime.authority)
