"""`toolhub connector connect`: an account of a system, with its credential, for a registered connector."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, NoReturn

import typer

from hub import registry
from hub.cli.connector.correct import told, tried
from hub.cli.connector.installed import installed
from hub.cli.connector.secret import ask_secret
from hub.cli.console import fail, out, run, settings
from hub.credentials import Vault
from hub.identity.authority import Authority
from hub.opening import open_database, open_keyring
from hub.registry import Environment, NewConnection, create_connection
from hub.settings import Settings


def connect(
    connector: Annotated[str, typer.Argument(help="A registered connector.")],
    name: Annotated[str, typer.Argument(help="What to call the connection.")],
    base_url: Annotated[str, typer.Option(help="Where the system's API is.")],
    environment: Annotated[Environment, typer.Option(help="Which environment it leads to.")] = Environment.DEV,
    prefix: Annotated[str, typer.Option(help="Put before its tools' names in the built-in server.")] = "",
) -> None:
    """Connect an account of a system, and offer its tools in the environment's built-in server.

    Address and credential are tried at once; nothing is changed at the system. Exit 1 if it cannot be used; the
    connection is there, and `correct` puts it right. The credential's fields are asked for,
    or taken from TOOLHUB_SECRET_<FIELD>; they are never arguments, which other users of the machine can see.

    Example:  toolhub connector connect tryton erp --base-url http://127.0.0.1:8000/erp
    """
    new = NewConnection(name=name, connector=connector, environment=environment, base_url=base_url, prefix=prefix)
    if run(_connect(settings(), new)):
        out.print(f"[green]Connected[/] {name}: the tools of {connector} are offered in {environment.value}.")
    else:
        told_next = f"`toolhub promotion ask {connector} --to {environment.value}`"
        out.print(f"[green]Connected[/] {name}. No release of {connector} is in use in {environment.value} yet, so no")
        out.print(f"tool is offered there: promote one by {told_next}.")
    if not told(name, run(tried(settings(), name))):
        raise typer.Exit(1)


async def _connect(chosen: Settings, new: NewConnection) -> bool:
    """Return whether a release is in use where the connection leads."""
    async with open_database(chosen) as database:
        keys = await open_keyring(chosen, database)
        async with database.reading() as tx:
            specs = {spec.name: spec for spec in await registry.connectors(tx)}
            used = await registry.release_in_use(tx, new.connector, new.environment)
        if new.connector not in specs:
            _refuse_unknown(new.connector, specs)
        secret = ask_secret(specs[new.connector] if used is None else used.spec)
        authority = Authority(database=database, keys=keys)
        async with database.transaction() as tx:
            connection = await create_connection(tx, new, authority)
            if secret:
                await Vault(keys).put(tx, connection.id, secret, authority)
    return used is not None


def _refuse_unknown(name: str, known: Iterable[str]) -> NoReturn:
    """End the command saying what was meant, or how a connector of that name comes here."""
    if name in installed():
        fail(f"{name!r} is not published. Run `toolhub connector publish {name}` first.")
    meant = get_close_matches(name, [*known, *installed()], n=1)
    more = f"Did you mean {meant[0]}?" if meant else "`toolhub connector publish` or `import` brings one."
    fail(f"There is no connector {name!r}. {more}")
