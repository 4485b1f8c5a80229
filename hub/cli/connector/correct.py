"""`toolhub connector try` and `correct`: whether a connection can be used, and putting right what keeps it from it."""

from typing import Annotated

import typer
from rich.markup import escape

from hub import registry
from hub.cli.connector.secret import ask_secret
from hub.cli.console import fail, out, run, settings
from hub.core.errors import NotFound
from hub.invocations.trying import Tried, try_connection
from hub.registry import TWIN, Connection, ConnectionChange, is_same_system
from hub.settings import Settings
from hub.wiring import open_runtime


def try_it(name: Annotated[str, typer.Argument(help="The connection.")]) -> None:
    """Sign in to a connection's system and look; nothing is changed there. Exit 1 if it cannot be used.

    Example:  toolhub connector try erp
    """
    if not told(name, run(tried(settings(), name))):
        raise typer.Exit(1)


def correct(
    name: Annotated[str, typer.Argument(help="The connection.")],
    base_url: Annotated[str | None, typer.Option(help="Where the system's API is, from now on.")] = None,
    twin: Annotated[
        str | None, typer.Option(help="A copy of the system, at the same host, to try previews in; '' for none.")
    ] = None,
    *,
    credential: Annotated[bool, typer.Option("--credential", help="Ask for the credential again.")] = False,
) -> None:
    """Correct a connection's address, its twin or its credential, and try it. Exit 1 if it cannot be used.

    The credential's fields are asked for, or taken from TOOLHUB_SECRET_<FIELD>; another host asks for them too.
    Approvals that wait for the connection are void and will be asked again.

    Examples:
      toolhub connector correct erp --base-url https://erp.example/company

      toolhub connector correct erp --credential
    """
    if base_url is None and twin is None and not credential:
        fail("Say what to correct: --base-url, --twin or --credential.")
    run(_correct(settings(), name, (base_url, twin), credential=credential))
    out.print(f"[green]Corrected[/] {name}.", highlight=False)
    try_it(name)


async def tried(chosen: Settings, name: str) -> Tried:
    """Return what came of trying the connection `name`."""
    async with open_runtime(chosen) as runtime:
        async with runtime.database.reading() as tx:
            connection = await registry.find_connection(tx, name)
        return await try_connection(runtime, _there(connection, name).id, runtime.authority)


def told(name: str, tried: Tried) -> bool:
    """Say what came of trying, and return whether the connection can be used."""
    if tried.is_usable:
        out.print(f"[green]It works.[/] {escape(tried.message)}", highlight=False, soft_wrap=True)
        return True
    out.print(f"[yellow]It cannot be used as it is.[/] {escape(tried.message)}", highlight=False, soft_wrap=True)
    out.print(f"Correct it by `toolhub connector correct {name} --base-url ...` or `--credential`.", soft_wrap=True)
    return False


async def _correct(chosen: Settings, name: str, where: tuple[str | None, str | None], *, credential: bool) -> None:
    base_url, twin = where
    async with open_runtime(chosen) as runtime:
        async with runtime.database.reading() as tx:
            connection = _there(await registry.find_connection(tx, name), name)
            spec = await registry.spec_for(tx, connection)
        is_elsewhere = base_url is not None and not is_same_system(base_url, connection.base_url)
        # what was entered for one system is never shown to another
        secret = ask_secret(spec) if credential or is_elsewhere else {}
        async with runtime.database.transaction() as tx:
            others = {key: value for key, value in connection.settings.items() if key != TWIN}
            chosen_settings = None if twin is None else {**others, TWIN: twin} if twin else others
            change = ConnectionChange(base_url=base_url, settings=chosen_settings)
            await registry.change_connection(tx, connection.id, change, runtime.authority)
            if secret:
                await runtime.vault.put(tx, connection.id, secret, runtime.authority)


def _there(connection: Connection | None, name: str) -> Connection:
    if connection is None:
        raise NotFound(f"There is no connection {name!r}.")
    return connection
