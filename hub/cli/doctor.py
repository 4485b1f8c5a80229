"""`toolhub doctor`: says what is wrong with this installation, and what to do about it."""

import json
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from hub.cli.allowed_programs import problem_with_program, program_user
from hub.cli.console import out, run, settings, spelling
from hub.core.errors import HubError, Unavailable
from hub.identity.issuer_keys import IssuerLink
from hub.invocations.runtime import confinement_here
from hub.opening import missing_database, open_database, open_keyring
from hub.settings import Settings, StdioServerSettings
from hub.storage.migrations import current, head
from hub.wiring import external_issuers


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: whether it is well, what was found, and what to do if not."""

    what: str
    is_well: bool
    found: str
    advice: str = ""


_Check = Callable[[Settings], Awaitable[Finding]]

_SILENT: Final = "Check TOOLHUB_DATABASE_URL, and that the database runs and lets this machine in."


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Look at settings, database, keys and confinement; say what is wrong and what to do. Exit 1 if anything is.

    Example:  toolhub doctor --json
    """
    findings = run(_examine(settings()))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("", "what", *(Column(name, overflow="fold") for name in ("found", "what to do")))
        for one in findings:
            table.add_row(
                "[green]ok[/]" if one.is_well else "[red]no[/]", one.what, escape(one.found), escape(one.advice)
            )
        out.print(table)
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(1)


async def _examine(chosen: Settings) -> list[Finding]:
    others: list[tuple[str, str, _Check]] = [
        ("master key", "Put the right key back: TOOLHUB_MASTER_KEY, or its file from your backup.", _keys),
        ("confinement", "Needs Linux with Landlock and seccomp.", _confinement),
    ]
    findings = [_python(), _spelling(), _channels(chosen), *map(_program, chosen.stdio_servers)]
    findings += [await _issuer(link) for link in external_issuers(chosen)]
    findings.append(database := await _looked(chosen, "database", _SILENT, _database))
    if database.advice == _SILENT:
        others[0] = ("master key", "", _keys_unseen)
    return findings + [await _looked(chosen, *other) for other in others]


async def _looked(chosen: Settings, what: str, advice: str, check: _Check) -> Finding:
    """Return what `check` finds, or that it could not be looked at, with what to do then."""
    try:
        return await check(chosen)
    except HubError as error:
        return Finding(what=what, is_well=False, found=error.message, advice=advice)
    except (OSError, SQLAlchemyError) as error:
        return Finding(what=what, is_well=False, found=str(error).splitlines()[0], advice=advice)


def _python() -> Finding:
    is_well = sys.version_info >= (3, 11)
    advice = "" if is_well else "Install Python 3.11 or newer, and make .venv again: make clean, then make run."
    return Finding(what="python", is_well=is_well, found=platform.python_version(), advice=advice)


def _spelling() -> Finding:
    wrong = spelling()
    if not wrong:
        return Finding(what="settings", is_well=True, found="every TOOLHUB_ variable is one")
    return Finding(
        what="settings", is_well=False, found=" ".join(wrong), advice="Correct or remove it, here or in .env."
    )


def _channels(chosen: Settings) -> Finding:
    """Return by which ways people hear that something waits; the log is always one."""
    ways = ["people hear of what waits in the log"]
    if chosen.mail_host is not None:
        ways.append(f"by e-mail over {chosen.mail_host}:{chosen.mail_port} ({chosen.mail_tls})")
    ways += [f"by webhook {one.name}" for one in chosen.webhooks]
    if chosen.slack_token is not None:
        ways.append("in Slack")
    return Finding(what="channels", is_well=True, found=", ".join(ways))


def _program(one: StdioServerSettings) -> Finding:
    """Return whether a program could be started that connections may lead to; it is not."""
    whom, problem = program_user(one), problem_with_program(one)
    found = problem or f"{one.command[0]} can be started"
    advice = "Correct it in TOOLHUB_STDIO_SERVERS, or let that user read and run it." if problem else ""
    return Finding(what=f"program {one.name}", is_well=not problem, found=f"{found} (as {whom})", advice=advice)


async def _issuer(link: IssuerLink) -> Finding:
    """Return whether an external issuer answers as the one it is named for, with keys that can be used."""
    what = f"issuer {link.issuer.name}"
    try:
        metadata = await link.metadata()
        count = await link.count_keys()
    except Unavailable as error:
        advice = (
            "Check `issuer` in TOOLHUB_ISSUERS, letter by letter, and TOOLHUB_PRIVATE_NAMES if it is an internal one."
        )
        return Finding(what=what, is_well=False, found=error.message, advice=advice)
    if not count:
        return Finding(
            what=what, is_well=False, found=f"no key of use at {metadata.jwks_uri}", advice="Ask its operator."
        )
    return Finding(what=what, is_well=True, found=f"{metadata.issuer} answers, with {count} keys")


async def _database(chosen: Settings) -> Finding:
    if file := missing_database(chosen):
        advice = "Start the hub: `toolhub serve` makes it. If there was one, check TOOLHUB_HOME and where you are."
        return Finding(what="database", is_well=False, found=f"there is no {file} yet", advice=advice)
    async with open_database(chosen) as database:
        revision = await current(database)
    shown = f"{database.url.render_as_string(hide_password=True)} at revision {revision or 'none'}"
    if revision == head():
        return Finding(what="database", is_well=True, found=shown)
    return Finding(what="database", is_well=False, found=shown, advice=f"Run `toolhub migrate` (to {head()}).")


async def _keys(chosen: Settings) -> Finding:
    if missing_database(chosen):
        return Finding(what="master key", is_well=False, found="nothing to open yet", advice="First the database.")
    file = chosen.master_key_file
    if chosen.master_key is None and chosen.database.startswith("sqlite") and not file.exists():
        advice = "Put it back from your backup. A new hub has nothing to lose: `toolhub serve` makes one."
        return Finding(what="master key", is_well=False, found=f"there is no {file}", advice=advice)
    async with open_database(chosen) as database:
        if await current(database) is None:
            return Finding(what="master key", is_well=False, found="no tables yet", advice="Run `toolhub migrate`.")
        await open_keyring(chosen, database)
    return Finding(what="master key", is_well=True, found="opens the keys on record")


async def _keys_unseen(_chosen: Settings) -> Finding:
    found = "not looked at: the database does not answer"
    return Finding(what="master key", is_well=False, found=found, advice="First the database.")


async def _confinement(_chosen: Settings) -> Finding:
    level, spaces = await confinement_here()
    apart = f", with {', '.join(spaces)} of its own" if spaces else ""
    found = f"{level}{apart} (as {'root' if os.geteuid() == 0 else 'an ordinary user'} on {platform.machine()})"
    advice = "" if level == "full" else "Needs Linux with Landlock and seccomp; set TOOLHUB_SANDBOX_MINIMUM to insist."
    return Finding(what="confinement", is_well=level == "full", found=found, advice=advice)
