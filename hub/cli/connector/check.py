"""`toolhub connector check`: tries a connector on a system or a recording, and prints its badge."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from connectors.sdk.spec import ConnectorSpec
from hub.cli.connector.sending import sender_to
from hub.cli.connector.trying import Yes, ask_first, equipment, opened_harness, show_badge, spec_called
from hub.cli.console import err, fail, run, settings
from hub.identity.authority import Authority
from hub.invocations.proving.recording import Recording
from hub.invocations.proving.session import check_live, check_recorded
from hub.opening import open_database, open_keyring
from hub.registry import Badge, keep_badge
from hub.registry.differing import registered
from hub.settings import Settings


def check(  # noqa: PLR0913  # one for each option of the command
    name: Annotated[str, typer.Argument(help="An installed or imported connector's name, or module:name.")],
    *,
    on: Annotated[
        str | None, typer.Option(help="The test system: its harness (module:name), its base URL, or stdio:NAME.")
    ] = None,
    examples: Annotated[Path | None, typer.Option(help="JSON: a list of arguments for each operation to try.")] = None,
    recording: Annotated[Path | None, typer.Option(help="Try it on what `record` has written.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Show the badge in this hub's catalog.")] = False,
    yes: Yes = False,
    send: Annotated[str | None, typer.Option(help="Report what was found to the hub at this address.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the badge as JSON.")] = False,
) -> None:
    """Try everything a connector promises on a system where that does no harm, and print what held.

    It writes for real, confined and through the broker as in every hub; where a connection of this hub leads, it asks
    first, unless you say --yes. Exit code 1 means that a line failed.

    --send is for owners who do not work at the hub's console, say from their CI. It takes an access token for the
    hub's API from TOOLHUB_REPORT_TOKEN. The report is shown there as the owner's word. If an administrator has
    registered this machine as a runner, TOOLHUB_RUNNER names it and TOOLHUB_RUNNER_KEY the file of its key (Ed25519,
    PEM); then it counts.

    Examples:
      toolhub connector check acme_crm --on acme_crm.harness:opened

      toolhub connector check acme_crm --on http://127.0.0.1:8700

      toolhub connector check notes --on https://notes-test.example.com/mcp --examples notes.json --keep

      toolhub connector check terms --on stdio:terms --examples terms.json --keep

      toolhub connector check acme_crm --recording acme.json --json

      toolhub connector check acme_crm --on acme_crm.harness:opened --send https://hub.example.com
    """
    chosen = settings()
    sender = None if send is None else sender_to(send)
    spec = spec_called(name, chosen)
    if recording is None and not yes:
        ask_first(on, chosen)
    if keep:
        run(_refuse_unpublished(chosen, spec))
    if recording is not None:
        badge = run(check_recorded(spec, _read(recording), equipment(chosen)))
    else:
        badge = run(_check_live(spec, on, examples, chosen))
    if keep:
        run(_keep(chosen, badge))
        err.print(f"[green]Kept[/] the badge of {badge.connector} {badge.version} in this hub's catalog.")
    if sender is not None:
        err.print(f"[green]Reported[/] to {send}: {sender.send(badge)}.", highlight=False)
    show_badge(badge, spec, as_json=as_json)


async def _check_live(spec: ConnectorSpec, on: str | None, examples: Path | None, chosen: Settings) -> Badge:
    async with opened_harness(spec, on, examples) as opened:
        return await check_live(spec, opened, equipment(chosen))


async def _refuse_unpublished(chosen: Settings, spec: ConnectorSpec) -> None:
    """End the command if its badge could not be kept, before anything is tried."""
    async with open_database(chosen) as database, database.reading() as tx:
        release = await registered(tx, spec.name)
    if release is None or release.artefact_digest != spec.artefact_digest:
        fail(f"{spec.name} is not published with this code; publish it first, then its badge can be kept.")


async def _keep(chosen: Settings, badge: Badge) -> None:
    async with open_database(chosen) as database:
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            await keep_badge(tx, badge, authority)


def _read(file: Path) -> Recording:
    try:
        return Recording.model_validate_json(file.read_bytes())
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.")
    except ValidationError as error:
        fail(f"{file} is no recording of this release ({error.error_count()} errors); record it again.")
