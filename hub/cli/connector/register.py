"""`toolhub connector register`: makes a connector's operations tools of this hub."""

from typing import Annotated

import typer

from connectors.sdk.spec import ConnectorSpec
from hub.cli.connector.installed import declared
from hub.cli.console import out, run, settings
from hub.identity.authority import Authority
from hub.registry import register_connector
from hub.settings import Settings
from hub.wiring import open_database, open_keyring


def register(name: Annotated[str, typer.Argument(help="An installed connector's name, or module:name.")]) -> None:
    """Register a connector's tools, or the new versions of them. Registering the same again changes nothing.

    The connector's module is imported with your rights to read what it declares; its operations only ever run confined.

    Example:  toolhub connector register tryton
    """
    spec = declared(name)
    new = run(_register(settings(), spec))
    out.print(f"[green]Registered[/] {spec.name} {spec.version}: {new} new tool version(s).")


async def _register(chosen: Settings, spec: ConnectorSpec) -> int:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            return len(await register_connector(tx, spec, authority))
