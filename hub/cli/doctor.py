"""`toolhub doctor`: says what is wrong with this installation, and what to do about it."""

import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.table import Table

from hub.cli.console import out, run, settings
from hub.core.errors import HubError
from hub.invocations.runtime import confinement_here
from hub.settings import Settings
from hub.storage.migrations import current, head
from hub.wiring import open_database, open_keyring


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: whether it is well, what was found, and what to do if not."""

    what: str
    is_well: bool
    found: str
    advice: str = ""


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Look at settings, database, keys and confinement; say what is wrong and what to do. Exit 1 if anything is.

    Example:  toolhub doctor --json
    """
    findings = run(_examine(settings()))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("", "what", "found", "what to do")
        for one in findings:
            table.add_row("[green]ok[/]" if one.is_well else "[red]no[/]", one.what, one.found, one.advice)
        out.print(table)
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(1)


async def _examine(chosen: Settings) -> list[Finding]:
    checks: list[tuple[str, Callable[[Settings], Awaitable[Finding]]]] = [
        ("database", _database),
        ("master key", _keys),
        ("confinement", _confinement),
    ]
    findings = [_python()]
    for what, check in checks:
        try:
            findings.append(await check(chosen))
        except HubError as error:
            findings.append(Finding(what=what, is_well=False, found=error.message, advice="See the message."))
        except OSError as error:
            findings.append(Finding(what=what, is_well=False, found=str(error), advice="Check that it can be reached."))
    return findings


def _python() -> Finding:
    return Finding(what="python", is_well=sys.version_info >= (3, 11), found=platform.python_version())


async def _database(chosen: Settings) -> Finding:
    async with open_database(chosen) as database:
        revision = await current(database)
    shown = f"{database.url.render_as_string(hide_password=True)} at revision {revision or 'none'}"
    if revision == head():
        return Finding(what="database", is_well=True, found=shown)
    return Finding(what="database", is_well=False, found=shown, advice=f"Run `toolhub migrate` (to {head()}).")


async def _keys(chosen: Settings) -> Finding:
    async with open_database(chosen) as database:
        if await current(database) is None:
            return Finding(what="master key", is_well=False, found="no database yet", advice="Run `toolhub migrate`.")
        await open_keyring(chosen, database)
    return Finding(what="master key", is_well=True, found="opens the keys on record")


async def _confinement(_chosen: Settings) -> Finding:
    level, spaces = await confinement_here()
    apart = f", with {', '.join(spaces)} of its own" if spaces else ""
    found = f"{level}{apart} (as {'root' if os.geteuid() == 0 else 'an ordinary user'} on {platform.machine()})"
    advice = "" if level == "full" else "Needs Linux with Landlock and seccomp; set TOOLHUB_SANDBOX_MINIMUM to insist."
    return Finding(what="confinement", is_well=level == "full", found=found, advice=advice)
