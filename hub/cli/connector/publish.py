"""`toolhub connector publish`: makes a connector's operations tools of this hub, and shows what that changes."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.markup import escape

from connectors.sdk.spec import ConnectorSpec
from hub.cli.connector.installed import declared
from hub.cli.console import out, run, settings
from hub.core.errors import Conflict
from hub.identity.authority import Authority
from hub.opening import open_database, open_keyring
from hub.registry import Environment, register_connector
from hub.registry.differing import Difference, FieldChange, Kind, differences, registered
from hub.settings import Settings

Json = Any
"""Any JSON value."""

Also = Annotated[
    list[Environment] | None,
    typer.Option(help="Use this first release in an environment beside dev, too; may be repeated."),
]
"""An option of every command that publishes."""

_LONGEST_VALUE = 100
_COLOURS = {Kind.NEW: "green", Kind.CHANGED: "yellow", Kind.GONE: "red"}


def publish(
    name: Annotated[str, typer.Argument(help="An installed connector's name, or module:name.")],
    *,
    only_show: Annotated[bool, typer.Option("--only-show", help="Show the difference and change nothing.")] = False,
    also: Also = None,
    older: Annotated[
        bool, typer.Option("--older", help="Go back beyond dev, though a newer one is registered.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the difference as JSON.")] = False,
) -> None:
    """Publish a connector's tools, or the new versions of them. Publishing the same again changes nothing.

    The connector's module is imported with your rights to read what it declares; its operations only ever run confined.
    Its tools are offered where it has connections: `toolhub connector connect` makes one, in dev unless you say else.
    A release is in use in dev at once. Other environments keep theirs until another one is promoted to them; where none
    is in use yet, the first one may be used at once: --also prod. A release that is older than the one registered
    last is published in dev alone, and said to be older; beside dev only with --older.

    Examples:
      toolhub connector publish tryton

      toolhub connector publish tryton --also staging

      toolhub connector publish acme_crm --only-show --json
    """
    spec = declared(name)
    wanted = publish_spec(settings(), spec, only_show=only_show, also=also or (), may_go_back=older)
    found, versions = run(wanted)
    if as_json:
        told = {"versions": versions, "newer": newer_than(found), "differences": [_json(one) for one in found]}
        typer.echo(json.dumps(told, indent=2))
    else:
        show_difference(spec, found, None if only_show else versions)


async def publish_spec(
    chosen: Settings,
    spec: ConnectorSpec,
    *,
    only_show: bool,
    also: Collection[Environment],
    may_go_back: bool = False,
) -> tuple[Sequence[Difference], int]:
    """Return what publishing `spec` changes and how many tool versions are new; `only_show` changes nothing.

    Raises:
        Conflict: one of `also` has a release in use already, or a newer release is registered and nobody said that
            going back beyond dev is meant.
    """
    async with open_database(chosen) as database:
        async with database.reading() as tx:
            found = differences(await registered(tx, spec.name), spec)
        if only_show:
            return found, 0
        newer = newer_than(found)
        if newer is not None and {*also} - {Environment.DEV} and not may_go_back:
            raise Conflict(
                f"{spec.name} {spec.version} is older than {newer}, which is registered; nothing was published. Leave "
                "--also out to use it in dev alone; `toolhub connector publish` takes --older if you mean it."
            )
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            return found, len(await register_connector(tx, spec, authority, also=also))


def newer_than(found: Sequence[Difference]) -> str | None:
    """Return the version that was registered last, if the release that made the difference `found` is older than it."""
    for field in (field for one in found for field in one.fields if not one.operation and field.pointer == "/version"):
        if not field.is_absent_before and _numbers(field.after) < _numbers(field.before):
            return str(field.before)
    return None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def show_difference(spec: ConnectorSpec, found: Sequence[Difference], versions: int | None) -> None:
    """Print what a release changes field by field, and how many `versions` are new; None if none was published."""
    for one in found:
        print_difference(one if one.kind is Kind.CHANGED else replace(one, fields=()))
    if (newer := newer_than(found)) is not None:
        out.print(
            f"[yellow]Older:[/] {spec.version} takes the place of {newer} in dev, which is newer.", highlight=False
        )
    if versions is not None:
        out.print(f"[green]Published[/] {spec.name} {spec.version}: {versions} new tool version(s).")
    elif not found:
        out.print(f"{spec.name} {spec.version} is published already; nothing would change.")


def print_difference(found: Difference, longest: int | None = _LONGEST_VALUE) -> None:
    """Print what changes of one operation, field by field; of each value `longest` characters, None: all of it."""
    out.print(f"[{_COLOURS[found.kind]}]{found.kind.value}[/] {found.operation or 'the connector itself'}")
    for field in found.fields:
        before = _side(field.before, longest, is_absent=field.is_absent_before)
        after = _side(field.after, longest, is_absent=field.is_absent_after)
        told = f"    {escape(field.pointer)}: {escape(before)} -> {escape(after)}"
        out.print(told, highlight=False, soft_wrap=longest is None)


def _side(value: Json, longest: int | None, *, is_absent: bool) -> str:
    text = "nothing" if is_absent else _visible(json.dumps(value, ensure_ascii=False))
    return text if longest is None or len(text) <= longest else f"{text[:longest]}..."


def _visible(text: str) -> str:
    """Return JSON with escapes for what a terminal would not show, or be steered by."""
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _json(found: Difference) -> dict[str, Json]:
    return {
        "operation": found.operation or None,
        "kind": found.kind.value,
        "fields": [_field_json(field) for field in found.fields],
    }


def _field_json(field: FieldChange) -> dict[str, Json]:
    sides: dict[str, Json] = {"pointer": field.pointer}
    if not field.is_absent_before:
        sides["before"] = field.before
    if not field.is_absent_after:
        sides["after"] = field.after
    return sides
