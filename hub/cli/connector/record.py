"""`toolhub connector record`: checks a connector on a system, and writes down what the system answered."""

import os
from pathlib import Path
from typing import Annotated

import typer

from connectors.sdk.spec import ConnectorSpec
from hub.cli.connector.trying import Yes, ask_first, equipment, opened_harness, show_badge, spec_called
from hub.cli.console import err, fail, run, settings
from hub.invocations.proving.session import Recorded, check_and_record
from hub.settings import Settings


def record(  # noqa: PLR0913  # one for each option of the command
    name: Annotated[str, typer.Argument(help="An installed or imported connector's name, or module:name.")],
    file: Annotated[Path, typer.Argument(help="Where to write the recording.")],
    *,
    on: Annotated[str, typer.Option(help="The test system: its harness (module:name), its base URL, or stdio:NAME.")],
    examples: Annotated[Path | None, typer.Option(help="JSON: a list of arguments for each operation to try.")] = None,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the badge as JSON.")] = False,
) -> None:
    """Check a connector on a test system and keep what it answered, so that `check --recording` can do without it.

    Secrets, and values of fields marked `x-secret` or `x-data-class`, are replaced by made-up ones everywhere. Read the
    file before you publish it all the same.

    Example:  toolhub connector record acme_crm acme.json --on acme_crm.harness:opened
    """
    chosen = settings()
    spec = spec_called(name, chosen)
    if not yes:
        ask_first(on, chosen)
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        fail(f"{file} cannot be written. Nothing was tried; choose a file in a folder that is there.")
    recorded = run(_record(spec, on, examples, chosen))
    try:
        file.write_text(recorded.recording.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}.")
    err.print(f"[green]Recorded[/] {len(recorded.recording.exchanges)} exchanges in {file}.")
    show_badge(recorded.badge, spec, as_json=as_json)


async def _record(spec: ConnectorSpec, on: str, examples: Path | None, chosen: Settings) -> Recorded:
    async with opened_harness(spec, on, examples) as opened:
        return await check_and_record(spec, opened, equipment(chosen))
