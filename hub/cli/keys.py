"""`toolhub keys`: the hub's own keys, by id and never by value, and their rotation."""

import json
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from hub.audit import rotate_key
from hub.cli.console import out, run, settings
from hub.opening import open_database, open_keyring
from hub.settings import Settings

keys_app = typer.Typer(help="The hub's own keys: which there are, and replacing one.", no_args_is_help=True)


class Rotatable(StrEnum):
    """What a key is for."""

    DATA = "data"
    TOKENS = "tokens"
    CHECKPOINTS = "checkpoints"


@keys_app.command("list")
def list_keys(*, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """Show the public signing keys: what tokens and checkpoints of this hub verify with.

    Example:  toolhub keys list --json > keys.json
    """
    found = run(_public_keys(settings()))
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table("for", "key", "algorithm", "")
    for purpose, keys in found.items():
        for key in keys:
            table.add_row(purpose, key["kid"], key["alg"], "signs now" if key is keys[-1] else "verifies only")
    out.print(table)


@keys_app.command()
def rotate(
    purpose: Annotated[Rotatable, typer.Argument(help="data (encryption at rest), tokens, or checkpoints.")],
) -> None:
    """Replace the current key for PURPOSE; every running process follows by itself within a minute.

    What the old key encrypted still opens. Tokens that it signed stay valid until they expire, and checkpoints that it
    signed verify for ever. The rotation is an event in the audit log.

    Example:  toolhub keys rotate tokens
    """
    key_id = run(_rotate(settings(), purpose))
    out.print(f"[green]Rotated.[/] {purpose.value} now uses key {key_id}.", highlight=False)


async def _public_keys(chosen: Settings) -> dict[str, list[dict[str, str]]]:
    async with open_database(chosen) as database:
        keys = await open_keyring(chosen, database)
        return {
            "tokens": [dict(key) for key in keys.public_keys("tokens")],
            "checkpoints": [dict(key) for key in keys.public_keys("checkpoints")],
        }


async def _rotate(chosen: Settings, purpose: Rotatable) -> str:
    async with open_database(chosen) as database:
        keys = await open_keyring(chosen, database)
        async with database.transaction() as tx:
            return await rotate_key(tx, keys, purpose.value)
