"""What `check` and `record` share: which system to try a connector on, and how what was found is shown."""

import importlib
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from connectors.sdk.harness import Case, Harness, OpenHarness, PlainHarness
from connectors.sdk.spec import ConnectorSpec
from hub.cli.connector.installed import declared, installed
from hub.cli.connector.secret import ask_secret
from hub.cli.console import fail, has_no_tables, out, run
from hub.core.errors import Unavailable
from hub.invocations.proving.laboratory import Equipment
from hub.opening import missing_database, open_database
from hub.registry import GRADES, PROMISES, Badge, BadgeVerdict, connections
from hub.registry.connecting import checked_base_url
from hub.registry.differing import registered
from hub.settings import Settings
from hub.storage import Tx
from hub.wiring import reach_of

Json = Any
"""Any JSON value."""

T = TypeVar("T")

Yes = Annotated[bool, typer.Option("--yes", help="Try it without a question where connections of this hub lead.")]
"""An option of every command that tries a connector."""

_EXAMPLES: Final = TypeAdapter(dict[str, list[Mapping[str, Json]]])
_COLOURS = {
    BadgeVerdict.PASSED: "green",
    BadgeVerdict.FAILED: "bold red",
    BadgeVerdict.NOT_TRIED: "yellow",
    BadgeVerdict.NOT_APPLICABLE: "dim",
    BadgeVerdict.NOT_PROVABLE: "yellow",
}


@asynccontextmanager
async def opened_harness(spec: ConnectorSpec, on: str | None, examples: Path | None = None) -> AsyncGenerator[Harness]:
    """Yield the harness `on` (module:name), or one that knows the address `on` (or stdio:NAME) and examples alone.

    The examples are those of the file `examples` where it has any of an operation, else the connector's own.
    """
    if on is None:
        fail(
            "Say which system to try it on: --on module:name for its harness, or --on with its base URL or stdio:NAME."
        )
    if _is_address(on):
        own: dict[str, Sequence[Mapping[str, Json]]] = {one.name: one.examples[:1] for one in spec.operations}
        chosen = own | ({} if examples is None else _read_examples(examples, spec))
        cases = [Case(operation=name, arguments=given) for name, several in chosen.items() for given in several]
        if not cases:
            fail(f"{spec.name} has no example to try: name a file of them by --examples, or write a harness.")
        yield PlainHarness(system=on, base_url=on, secret=ask_secret(spec), cases=cases)
    else:
        if examples is not None:
            fail("A harness has cases of its own: give --examples with an address, or neither.")
        async with _found(on)() as opened:
            yield opened


def _read_examples(file: Path, spec: ConnectorSpec) -> dict[str, Sequence[Mapping[str, Json]]]:
    """Return the examples of a file: an object with a list of arguments for each operation's name."""
    try:
        told = _EXAMPLES.validate_json(file.read_bytes())
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.")
    except ValidationError as error:
        where = ".".join(str(one) for one in error.errors()[0]["loc"])
        at = f" at {where}" if where else ""
        fail(f'{file} has no examples{at}: {error.errors()[0]["msg"]}. Write {{"an_operation": [{{its arguments}}]}}.')
    unknown = sorted(told.keys() - {one.name for one in spec.operations})
    if unknown:
        fail(f"{spec.name} has no operation {', '.join(unknown)}, of which {file} has examples.")
    return {**told}


def spec_called(name: str, chosen: Settings) -> ConnectorSpec:
    """Return what the connector `name` declares: the installed one, else the one that was imported into this hub."""
    is_code = ":" in name or name in installed()
    imported = None if is_code else run(registered_here(name, chosen))
    return imported or declared(name)


async def registered_here(name: str, chosen: Settings) -> ConnectorSpec | None:
    """Return the newest release of `name` that this hub knows, None too where there is no hub yet: none is made."""
    return await _looked_up(chosen, lambda tx: registered(tx, name))


async def _looked_up(chosen: Settings, read: Callable[[Tx], Awaitable[T]]) -> T | None:
    """Return what `read` finds on this hub's record, None where there is none."""
    if missing_database(chosen) is not None:
        return None
    try:
        async with open_database(chosen) as database, database.reading() as tx:
            return await read(tx)
    except Unavailable:
        return None
    except SQLAlchemyError as error:
        if has_no_tables(error):  # a hub that has never run knows nothing
            return None
        raise


def ask_first(on: str | None, chosen: Settings) -> None:
    """Ask before a system is tried that connections of this hub lead to, or end the command."""
    if on is None or not _is_address(on):
        return
    address = checked_base_url(on)
    found = run(_looked_up(chosen, connections)) or []
    if names := [one.name for one in found if one.is_enabled and one.base_url == address]:
        used = f"{on} is where connections of this hub lead ({', '.join(names)}), and it is written to for real."
        typer.confirm(f"{used} Try it there all the same (--yes in scripts)?", abort=True, err=True)


def _is_address(on: str) -> bool:
    return "://" in on or on.startswith("stdio:")


def equipment(settings: Settings) -> Equipment:
    """Return what a laboratory takes from this hub's settings."""
    far = reach_of(settings)
    return Equipment(minimum=settings.sandbox_minimum, paths=settings.connector_paths, reach=far)


def show_badge(badge: Badge, spec: ConnectorSpec, *, as_json: bool) -> None:
    """Print what was found, and what of `spec` was not tried; end with exit code 1 if a line failed."""
    untried = [one.name for one in spec.operations if one.name not in badge.covers]
    if as_json:
        typer.echo(json.dumps({**badge_json(badge), "untried": untried}, indent=2))
    else:
        _print(badge, untried)
    if not badge.is_clean:
        raise typer.Exit(1)


def badge_json(badge: Badge) -> dict[str, Json]:
    """Return the badge as JSON."""
    return {
        "connector": badge.connector,
        "version": badge.version,
        "artefact_digest": badge.artefact_digest,
        "system": badge.system,
        "checked_at": badge.checked_at.isoformat(),
        "is_clean": badge.is_clean,
        "lines": [
            {
                "operation": line.operation,
                "promise": line.promise.value,
                "title": PROMISES[line.promise],
                "verdict": line.verdict.value,
                "grade": line.grade.value,
                "reason": line.reason,
            }
            for line in badge.lines
        ],
    }


def _print(badge: Badge, untried: Sequence[str]) -> None:
    table = Table("operation", "check", "found", "how", title=f"{badge.connector} {badge.version} on {badge.system}")
    grades = {line.grade for line in badge.lines}
    for line in badge.lines:
        verdict = f"[{_COLOURS[line.verdict]}]{line.verdict.value}[/]"
        how = line.reason if len(grades) == 1 else f"{GRADES[line.grade]}: {line.reason}"
        table.add_row(line.operation, PROMISES[line.promise], verdict, escape(how))
    if len(grades) == 1:
        out.print(f"Tried {GRADES[grades.pop()]}:")
    out.print(table)
    failed = [line for line in badge.lines if line.verdict is BadgeVerdict.FAILED]
    if untried:
        names = ", ".join(untried)
        out.print(
            f"[yellow]Not tried:[/] {names}. Give them examples (--examples), or cases in a harness.", highlight=False
        )
    out.print("[green]No line failed.[/]" if badge.is_clean else f"[bold red]{len(failed)} line(s) failed:[/]")
    for line in failed:
        told = f"  {line.operation}, {PROMISES[line.promise]}: {line.reason}"
        out.print(escape(told), highlight=False, soft_wrap=True)


def _found(harness: str) -> OpenHarness:
    module, _, name = harness.partition(":")
    if not (module and name):
        fail(f"{harness!r} is no harness and no address. Write --on module:name, or --on with the system's base URL.")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)  # an author's harness stands in the project at hand, not in what it installs
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        fail(f"The harness {harness} cannot be loaded: {error}. Write --on module:name, or the system's base URL.")
    if not callable(found):
        fail(f"{harness} is no function: a harness is an async context manager that yields a `Harness`.")
    return found  # type: ignore[no-any-return]  # what an author wrote; using it tells whether it is one
