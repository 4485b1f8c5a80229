"""`toolhub connector import`: an API's own document becomes a connector, and a report says what came of it."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table

from connectors.openapi import (
    BadOverlay,
    Compilation,
    Importing,
    UnknownKind,
    Unreadable,
    compile_document,
    read_document,
)
from connectors.openapi.report import report_of
from connectors.sdk.names import normalised
from hub.cli.connector.naming import checked_name
from hub.cli.connector.publish import Also, publish_spec, show_difference
from hub.cli.console import err, fail, out, run, settings

Json = Any
"""Any JSON value."""

_SHOWN = 25
_FIGURES: Final = {
    "operations": "in the document",
    "tools": "made of them",
    "exposed": "offered to agents once they are published",
    "refused": "that cannot be tools, each with the reason above",
    "dangling": "references in their schemas that lead nowhere",
    "invalid": "schemas that are none",
    "non_portable": "tools whose schema some agents' frameworks could not read",
    "bytes_per_tool": "that a model reads to know one tool",
}
_HEADS: Final = (
    "class: what the system offers against a write that happens twice: A a key, B a condition, C a lookup, D nothing.\n"
    "preview: how far a write is tried before anybody agrees to it; contract: its arguments were checked, no more."
)
_LONGEST_NAME = 32

import_app = typer.Typer(help="Connectors made of an API's own document, without code.", no_args_is_help=True)


@import_app.callback()
def _imports() -> None:
    """Keep `openapi` a command of its own beside those that may follow."""


@import_app.command()
def openapi(  # noqa: PLR0913  # one for each option of the command
    file: Annotated[Path, typer.Argument(help="OpenAPI 3.1 or 3.0, or Swagger 2.0; JSON or YAML.", exists=True)],
    *,
    overlay: Annotated[list[Path] | None, typer.Option(help="What the owner says: an OpenAPI Overlay 1.1.")] = None,
    name: Annotated[str, typer.Option(help="What to call the connector; else it is named after the file.")] = "",
    report: Annotated[Path | None, typer.Option(help="Write the whole report to this file, as JSON.")] = None,
    register: Annotated[bool, typer.Option("--register", help="Publish what the overlay exposes.")] = False,
    also: Also = None,
) -> None:
    """Import an API: every operation becomes a tool, or is listed with the reason why it cannot be one.

    Nothing is published unless an overlay exposes it (x-hub: {expose: true}) and --register is given. What each tool
    does and how much care it needs is inferred; the report says why, for the owner to confirm.

    Examples:
      toolhub connector import openapi billing.yaml --report billing.json

      toolhub connector import openapi billing.yaml --overlay billing.overlay.yaml --name billing --register
    """
    compilation = _compiled(file, overlay or [], Importing(name=checked_name(name or _name_of(file))))
    came = report_of(compilation)
    if not came["operations"]:
        fail(f"{file} describes no operation, so there is nothing to import. Is it the whole document?")
    show_import(compilation, came)
    if report is not None:
        report.write_text(json.dumps(came, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if not register:
        if not compilation.spec.operations:
            _tell_next(file, came)
        return
    if not compilation.spec.operations:
        fail("No operation is exposed, so nothing was published. Expose some in an overlay: x-hub: {expose: true}.")
    found, versions = run(publish_spec(settings(), compilation.spec, only_show=False, also=also or ()))
    show_difference(compilation.spec, found, versions)


def _tell_next(file: Path, came: dict[str, Json]) -> None:
    """Show the overlay that would expose one tool, and the command that publishes it."""
    overlay = f"{file.stem}.overlay.yaml"
    out.print(f"Nothing is exposed yet, so agents would be offered nothing. Next: say what to expose, in {overlay}:\n")
    if came["tools"]:
        method, _, path = came["tools"][0]["operation"].partition(" ")
        for line in (
            "overlay: 1.1.0",
            "info: {title: What agents may do, version: 1.0.0}",
            "actions:",
            f"  - target: $.paths[{json.dumps(path)}].{method.lower()}",
            "    update: {x-hub: {expose: true}}",
        ):
            out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    how = f"toolhub connector import openapi {file} --overlay {overlay} --register"
    out.print(f"\nThen publish it: {how}", markup=False, highlight=False, soft_wrap=True)


def _name_of(file: Path) -> str:
    return name_of(file.name)


def name_of(text: str) -> str:
    """Return what to call a connector that is made of the file or service called `text`."""
    return normalised([text.partition(".")[0]]).popitem()[1][:_LONGEST_NAME].rstrip("_")


def _compiled(file: Path, overlays: list[Path], importing: Importing) -> Compilation:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Operations", total=None)
        try:
            said = [read_document(one.read_bytes()) for one in overlays]
            return compile_document(
                read_document(file.read_bytes()),
                importing,
                overlays=said,
                progress=lambda done, of_all: progress.update(task, completed=done, total=of_all),
            )
        except (Unreadable, UnknownKind, BadOverlay) as error:
            fail(str(error))
        except ValidationError as error:
            fail("; ".join(one["msg"] for one in error.errors(include_url=False)))


def show_import(compilation: Compilation, came: dict[str, Json]) -> None:
    """Print what came of an import: its tools with their reasons, what was refused, and the figures."""
    _print_tools(came)
    _print_list("Refused", [f"{one['operation']}: {one['reason']}" for one in came["refusals"]])
    _print_list("Found in the document", [f"{one['finding']} ({one['times']}x)" for one in came["findings"]])
    figures = Table.grid(padding=(0, 2))
    counts = {
        "operations": came["operations"],
        "tools": len(came["tools"]),
        "exposed": len(compilation.spec.operations),
        "refused": len(came["refusals"]),
        **{key: came[key] for key in ("dangling", "invalid", "non_portable", "bytes_per_tool")},
    }
    for what, count in counts.items():
        figures.add_row(what.replace("_", " "), str(count), f"[dim]{_FIGURES[what]}[/]")
    out.print(figures)
    out.print(f"Base URL {came['base_url'] or '(the document names none)'}, sign-in: {came['sign_in']}.")


def _print_tools(came: dict[str, Json]) -> None:
    table = Table(Column("tool", overflow="fold"), "effect", "tier", "class", "preview", "why")
    for tool in came["tools"][:_SHOWN]:
        name = f"[green]{tool['name']}[/]" if tool["exposed"] else tool["name"]
        why = escape(f"{tool['reasons']['effect']}; {tool['reasons']['tier']}")
        named = f"{name}\n[dim]{escape(tool['operation'])}[/]"
        table.add_row(named, tool["effect"], tool["tier"], tool["upstream_class"], tool["fidelity"], why)
    out.print(table)
    out.print(_HEADS, style="dim", highlight=False)
    if len(came["tools"]) > _SHOWN:
        out.print(f"... and {len(came['tools']) - _SHOWN} more; --report FILE lists all of them.")


def _print_list(title: str, lines: list[str]) -> None:
    if lines:
        out.print(f"[bold]{title}[/]")
    for line in lines[:_SHOWN]:
        out.print(f"  {escape(line)}", highlight=False)
    if len(lines) > _SHOWN:
        out.print(f"  ... and {len(lines) - _SHOWN} more in the report.")
