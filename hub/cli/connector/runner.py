"""`toolhub connector runner`: machines elsewhere whose signed reports about one connector count like a run here."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hub.cli.console import fail, out, run, settings
from hub.core.errors import InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.directory import find
from hub.opening import open_database, open_keyring
from hub.registry.runners import NewRunner, Runner, public_key_in, register_runner, revoke_runner, runners_of
from hub.settings import Settings
from hub.storage import Tx

runner_app = typer.Typer(
    help="Runners: machines elsewhere whose signed reports of the contract kit count.", no_args_is_help=True
)

Connector = Annotated[str, typer.Argument(help="A registered connector.")]
Named = Annotated[str, typer.Argument(help="The runner's name, as TOOLHUB_RUNNER tells it there.")]


@runner_app.command()
def register(
    connector: Connector,
    name: Named,
    key: Annotated[Path, typer.Option(help="The file of its public key: Ed25519, PEM.")],
    agent: Annotated[str | None, typer.Option(help="The agent or service that may send its reports.")] = None,
) -> None:
    """Let what a machine elsewhere signs about a connector count like a run of the kit here.

    The machine keeps its private key. Its reports are sent by the connector's owner, or by the agent that is named.

    Example, with the first two lines on that machine:

      openssl genpkey -algorithm ed25519 -out runner.pem

      openssl pkey -in runner.pem -pubout -out runner.pub

      toolhub connector runner register acme_crm acme-ci --key runner.pub
    """
    made = run(_register(settings(), connector, NewRunner(name=name, public_key=_public_key(key)), agent))
    out.print(f"[green]Registered[/] {made.name}: what it signs about {connector} counts.", highlight=False)


@runner_app.command("list")
def list_them(
    connector: Connector, *, as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False
) -> None:
    """List the runners of a connector, those that were revoked included."""
    found = run(_found(settings(), connector))
    if as_json:
        said = [{"name": one.name, "public_key": one.public_key, "is_revoked": bool(one.revoked_at)} for one in found]
        typer.echo(json.dumps(said, indent=2))
        return
    table = Table("name", "public key", "registered", "revoked")
    for one in found:
        revoked = f"{one.revoked_at:%Y-%m-%d %H:%M}" if one.revoked_at else ""
        table.add_row(one.name, one.public_key, f"{one.registered_at:%Y-%m-%d %H:%M}", revoked)
    out.print(table)


@runner_app.command()
def revoke(connector: Connector, name: Named) -> None:
    """Let nothing more that a runner signs count. What it proved stays until the connector is checked again."""
    run(_revoke(settings(), connector, name))
    out.print(f"Revoked {name}: what it signs about {connector} counts no more.", highlight=False)


def _public_key(file: Path) -> str:
    """Return the key in `file` in base64, or end the command."""
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.")
    try:
        return public_key_in(content.decode("utf-8", "replace"))
    except InputError as error:
        fail(f"{file}: {error.message}")


async def _register(chosen: Settings, connector: str, wanted: NewRunner, agent: str | None) -> Runner:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            agent_id = None if agent is None else await _agent(tx, agent)
            new = NewRunner(name=wanted.name, public_key=wanted.public_key, agent_id=agent_id)
            return await register_runner(tx, connector, new, authority)


async def _agent(tx: Tx, name: str) -> str:
    found = await find(tx, name)
    if found is None:
        raise NotFound(f"There is no agent or service {name!r}.")
    return found.id


async def _found(chosen: Settings, connector: str) -> list[Runner]:
    async with open_database(chosen) as database, database.reading() as tx:
        return await runners_of(tx, connector)


async def _revoke(chosen: Settings, connector: str, name: str) -> None:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            found = [one for one in await runners_of(tx, connector) if one.name == name]
            if not found:
                raise NotFound(f"{connector} has no runner {name!r}.")
            await revoke_runner(tx, connector, found[0].id, authority)
