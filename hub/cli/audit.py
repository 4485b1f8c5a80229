"""`toolhub audit`: exports the audit log, verifies an export without the hub, and plays recorded writes again."""

import json
import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hub import audit
from hub.bundles import recorded_policy
from hub.cli.console import err, fail, out, run, settings
from hub.cli.erasing import erase
from hub.cli.evidence_page import page_of_proven
from hub.core.errors import HubError
from hub.invocations.promoting import play_since
from hub.opening import open_database, open_keyring
from hub.promotions import Likeness, Played
from hub.settings import Settings
from hub.wiring import open_runtime

_LONGEST_NOTE = 64 * 1024
_STEP = 256

Replace = Annotated[bool, typer.Option("--replace", help="Write over FILE if it is there already.")]

Advance = Callable[[int, int], None]

audit_app = typer.Typer(help="The audit log: export it, and verify an export anywhere.", no_args_is_help=True)


@audit_app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write the export (one JSON line per event), mode 0600.")],
    *,
    with_values: Annotated[bool, typer.Option(help="Open private values; an auditor's export.")] = False,
    replace: Replace = False,
    since_checkpoint: Annotated[
        Path | None, typer.Option(help="Export only what came after this older checkpoint, and prove that it follows.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write the audit log to FILE so that anybody can verify it. That it was exported is an event of its own.

    Examples:
      toolhub audit export log.jsonl

      toolhub audit export log.jsonl --with-values

      toolhub audit export new.jsonl --since-checkpoint march.checkpoint
    """
    since = None if since_checkpoint is None else _read_note(since_checkpoint)
    order = audit.ExportOrder(by=None, with_values=with_values, since=since)
    with _written(file, replace=replace) as lines:
        events = run(_export(settings(), lines, order))
    if as_json:
        typer.echo(json.dumps({"file": str(file), "events": events, "values": with_values}))
    else:
        out.print(f"[green]Exported[/] {events} events to {file}. Verify with: toolhub audit verify {file}")


@audit_app.command("replay")
def replay_effects(
    *,
    days: Annotated[int, typer.Option(min=1, help="How far back previews are played again.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Play the previews of recorded writes again, each with the version that was called, from the record alone.

    Nothing is sent to any system. Exit code 1 says that some came out otherwise; what cannot be told is counted apart.
    The decisions on record are made again by `toolhub policy replay`.

    Example:  toolhub audit replay --days 7
    """
    found = run(_played(settings(), days))
    counts = {one: sum(each.likeness is one for each in found) for one in Likeness}
    if as_json:
        played = [{"invocation": p.invocation_id, "tool": p.tool, "likeness": p.likeness.value} for p in found]
        typer.echo(json.dumps({**{one.value: count for one, count in counts.items()}, "played": played}))
    else:
        out.print(f"{len(found):,} recorded writes were played again; {counts[Likeness.SAME]:,} agree.")
        out.print(f"  {counts[Likeness.DIFFERENT]:,} differ, and of {counts[Likeness.UNSURE]:,} it cannot be told.")
        for one in found:
            if one.likeness is not Likeness.SAME:
                told = escape("; ".join(one.reasons))
                out.print(f"  {one.likeness.value} {one.invocation_id} {one.tool}: {told}", highlight=False)
    if counts[Likeness.DIFFERENT]:
        raise typer.Exit(1)


async def _played(chosen: Settings, days: int) -> list[Played]:
    since = datetime.now(UTC) - timedelta(days=days)
    async with open_runtime(chosen) as runtime:
        return await play_since(since, runtime)


@audit_app.command()
def feed(
    file: Annotated[Path, typer.Argument(help="Where to write the events (one JSON line each), mode 0600.")],
    *,
    shape: Annotated[audit.ForeignFormat, typer.Option("--format", help="What the other system reads.")],
    first: Annotated[int, typer.Option(min=0, help="Write the events from this number on, not so many.")] = 0,
    replace: Replace = False,
) -> None:
    """Write events to FILE as another system reads them: OCSF, CloudEvents, or OTLP. Private values stay here.

    Example:  toolhub audit feed events.jsonl --format ocsf --first 1200
    """
    with _written(file, replace=replace) as lines:
        written = run(_feed(settings(), lines, audit.FeedOrder(by=None, shape=shape, first=first)))
    out.print(f"[green]Wrote[/] {written} events to {file}. Go on later with: --first {first + written}")


@audit_app.command()
def verify(  # noqa: PLR0913  # one for each option of the command
    file: Annotated[Path, typer.Argument(help="An export, or evidence on one invocation.")],
    *,
    since_checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint you kept: nothing before it may have been rewritten or cut off.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A verifier key you trust; without one, the keys in the export are used.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Where to write a page to read of evidence, once that is proven (HTML).")
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Look up in this hub's database what ids on the page are called now.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Verify an export or evidence, without a hub or a database: exit 0 if all is proven, 1 and where it breaks if not.

    Examples:
      toolhub audit verify log.jsonl

      toolhub audit verify log.jsonl --since-checkpoint march.checkpoint

      toolhub audit verify case.jsonl --page case.html --names

      toolhub audit verify log.jsonl --key 'toolhub/4f1d...+c74f20a3+ARpc2QcU...' --json
    """
    note = None if since_checkpoint is None else _read_note(since_checkpoint)
    try:
        held = audit.Held(keys=[audit.parse_key(text) for text in key or []], checkpoint=note)
    except HubError as error:
        fail(error.message)
    with _opened(file) as lines, _progress("Verifying") as advance:
        first = lines.readline()
        is_evidence = audit.is_evidence(first)
        whole = [first, *lines] if is_evidence else []
        if is_evidence:
            report, _ = audit.verify_evidence(whole, held)
        else:
            report = audit.verify_export(chain([first], lines), held, progress=advance)
    if page is not None and is_evidence and report.is_sound:
        proven = page_of_proven(whole, settings() if names else None)
        with _written(page, replace=True) as html:
            html.write(proven)
    elif page is not None and not is_evidence:
        fail("An export has no page; --page is for evidence on one invocation.")
    if as_json:
        typer.echo(json.dumps(_as_json(report), indent=2))
    else:
        _print(report, holds_checkpoint=note is not None)
    if not report.is_sound:
        raise typer.Exit(1)


audit_app.command()(erase)


@audit_app.command()
def evidence(
    invocation: Annotated[str, typer.Argument(help="The id of the invocation, inv_...")],
    file: Annotated[Path, typer.Argument(help="Where to write the evidence, mode 0600.")],
    *,
    with_values: Annotated[bool, typer.Option(help="Open private values; an auditor's evidence.")] = False,
    replace: Replace = False,
) -> None:
    """Write all that the log holds on one invocation to FILE: events, proofs, policies, and a page for people.

    Examples:
      toolhub audit evidence inv_06dvh3x5m8qk2v7c1n4pz9tbwr case.jsonl

      toolhub audit verify case.jsonl --page case.html
    """
    with _written(file, replace=replace) as lines:
        run(_evidence(settings(), lines, invocation, with_values=with_values))
    out.print(f"[green]Wrote[/] the evidence on {invocation} to {file}. Verify with: toolhub audit verify {file}")
    if not with_values:
        out.print("What was said and changed stays closed in it; --with-values writes that, too, for auditors.")


@audit_app.command()
def checkpoint() -> None:
    """Print the newest signed checkpoint: keep it elsewhere, and no later export can hide a rewritten past from you.

    Example:  toolhub audit checkpoint > "$(date -I).checkpoint"
    """
    typer.echo(run(_checkpoint(settings())), nl=False)


@audit_app.command()
def keys() -> None:
    """Print the verifier keys that sign, or once signed, this hub's checkpoints: for auditors, ahead of time.

    Example:  toolhub audit keys
    """
    for text in run(_keys(settings())):
        typer.echo(text)


async def _export(chosen: Settings, lines: TextIO, order: audit.ExportOrder) -> int:
    async with open_database(chosen) as database:
        keyring = await open_keyring(chosen, database)
        with _progress("Exporting") as advance:
            return await audit.export(database, keyring, lines, order, progress=advance)


async def _feed(chosen: Settings, lines: TextIO, order: audit.FeedOrder) -> int:
    written = 0
    async with open_database(chosen) as database:
        async for line in audit.feed_lines(database, await open_keyring(chosen, database), order):
            lines.write(line.decode())
            written += 1
    return written


async def _evidence(chosen: Settings, lines: TextIO, invocation: str, *, with_values: bool) -> None:
    order = audit.EvidenceOrder(subject=invocation, by=None, policy=recorded_policy, with_values=with_values)
    async with open_database(chosen) as database:
        keyring = await open_keyring(chosen, database)
        async for line in audit.evidence_lines(database, keyring, order):
            lines.write(line.decode())


async def _checkpoint(chosen: Settings) -> str:
    async with open_database(chosen) as database:
        keyring = await open_keyring(chosen, database)
        await audit.sequence(database, keyring)
        async with database.reading() as tx:
            newest = await audit.latest_checkpoint(tx, keyring)
    if newest is None:
        fail("The audit log is empty; there is nothing to sign yet.")
    return newest.note


async def _keys(chosen: Settings) -> list[str]:
    async with open_database(chosen) as database:
        return [str(key) for key in audit.note_keys(await open_keyring(chosen, database))]


def _read_note(file: Path) -> str:
    with _opened(file) as content:
        return content.read(_LONGEST_NOTE).decode("utf-8", "replace")


@contextmanager
def _opened(file: Path) -> Generator[BinaryIO]:
    try:
        content = file.open("rb")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.")
    with content:
        yield content


@contextmanager
def _written(file: Path, *, replace: bool) -> Generator[TextIO]:
    """Yield a file to write to that others may not read, and that takes its place whole or not at all."""
    if file.exists() and not replace:
        fail(f"{file} is there already, and was left as it is. Choose another name, or add --replace.")
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # mkstemp makes it 0600
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as lines:
            yield lines
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _progress(doing: str) -> Generator[Advance]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(doing, total=None)

        def advance(done: int, total: int) -> None:
            if done % _STEP == 0 or done == total:
                bar.update(task, completed=done, total=total)

        yield advance


def _print(report: audit.Report, *, holds_checkpoint: bool) -> None:
    for finding in report.findings:
        err.print(f"[bold red]Broken:[/] {_inert(str(finding))}", highlight=False, soft_wrap=True)
    if report.more_findings:
        err.print(f"... and {report.more_findings} more.")
    if not report.is_sound:
        err.print(f"[bold red]Not proven.[/] {len(report.findings) + report.more_findings} finding(s).")
        return
    out.print(f"[green]Proven:[/] {_which(report)}, under one signed checkpoint.", soft_wrap=True)
    erased = f"{report.erased} erased" + (f" ({report.retired} by retention)" if report.retired else "")
    out.print(f"Private values: {report.opened} open and proven, {erased}, {report.closed} kept closed.")
    if report.continues is not None:
        out.print(f"It continues the older checkpoint over {report.continues} events.")
    if not report.is_key_trusted:
        out.print("Signed with the keys that the export brings; compare them with those you were given:")
        for text in report.keys:
            out.print(f"  {_inert(text)}", highlight=False, soft_wrap=True)
    if not holds_checkpoint:
        out.print("Keep its checkpoint: with --since-checkpoint a later export cannot hide a rewritten past.")


def _which(report: audit.Report) -> str:
    if report.about is None:
        return f"{report.events} events, from number {report.first}"
    about, first, last = _inert(report.about), report.first, report.last
    return f"{report.events} events of evidence on {about}, numbers {first} to {last} of the log"


def _inert(text: str) -> str:
    """Return `text`, parts of which come from the file, without anything a terminal or rich would act on."""
    return escape("".join(letter if letter.isprintable() else "\ufffd" for letter in text))


def _as_json(report: audit.Report) -> dict[str, Any]:
    signed = report.checkpoint
    return {
        "proven": report.is_sound,
        "checkpoint": None if signed is None else {"origin": signed.origin, "size": signed.size, "note": signed.note},
        "about": report.about,
        "first": report.first,
        "last": report.last if report.about is not None else report.first + report.events - 1,
        "events": report.events,
        "values": {
            "open": report.opened,
            "erased": report.erased,
            "erased_by_retention": report.retired,
            "closed": report.closed,
        },
        "keys": list(report.keys),
        "is_key_trusted": report.is_key_trusted,
        "continues": report.continues,
        "findings": [
            {
                "line": finding.line,
                "event": finding.position,
                "field": finding.field,
                "proof": finding.proof.value,
                "message": finding.message,
            }
            for finding in report.findings
        ],
        "more_findings": report.more_findings,
    }
