"""`toolhub policy`: shows, tries and publishes the rules that decide, and tells what others would have decided."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hub.bundles import Bundles, Publication, publish_bundle
from hub.cli.console import err, fail, out, run, settings
from hub.invocations.replay import Candidate, Change, Difference, Replay, Verdict, replay, what_if
from hub.opening import open_database, open_keyring
from hub.policy import Bundle, refuse_unfit, remarks
from hub.registry import Environment
from hub.settings import Settings

policy_app = typer.Typer(
    help="The rules that decide: show, try and publish them, and ask the record what others would change.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="A bundle: Cedar, with its examples in comments.", exists=True)]
Where = Annotated[Environment, typer.Option("--environment", help="Where the rules decide.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="How far back the record is read.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_SHOWN = 20
_WORDS = {
    Change.REFUSED: "would be refused",
    Change.ASKED: "would ask more people",
    Change.RELIEVED: "would ask fewer people, or nobody",
    Change.LET_THROUGH: "would be let through",
    Change.TERMS: "would go on other terms: another order, time, login or review",
    Change.REASONED: "would come to the same by other rules",
}


@policy_app.command()
def show(*, environment: Where = Environment.DEV) -> None:
    """Print the bundle that decides, so that it can be edited and tried.

    Example:  toolhub policy show --environment prod > prod.cedar
    """
    typer.echo(run(_active(settings(), environment)).text, nl=False)


@policy_app.command()
def check(file: File) -> None:
    """Try a bundle on its own: is it valid, and does it decide each of its examples as the example says?

    Example:  toolhub policy check prod.cedar
    """
    bundle = _read(file)
    out.print(f"[green]Valid.[/] {len(bundle.rules)} rules, {len(bundle.examples)} examples hold.", highlight=False)
    _look(bundle)


@policy_app.command()
def whatif(file: File, *, environment: Where = Environment.DEV, days: Days = 30, as_json: AsJson = False) -> None:
    """Make the decisions on record again with the bundle in FILE, and tell what would have been different.

    Nothing is changed, and no system is asked: each call is decided on the facts that were recorded with it.

    Examples:
      toolhub policy whatif stricter.cedar

      toolhub policy whatif stricter.cedar --environment prod --days 90 --json
    """
    candidate = Candidate(environment=environment.value, bundle=_read(file))
    found = run(_with_progress(settings(), days, candidate))
    if as_json:
        typer.echo(json.dumps(as_document(found)))
        return
    _tell(found)
    for change, words in _WORDS.items():
        if found.changed[change]:
            out.print(f"  [bold]{found.changed[change]:,}[/] {words}", highlight=False)
    _tell_differences(found.differences)


@policy_app.command("replay")
def replay_decisions(*, days: Days = 1, as_json: AsJson = False) -> None:
    """Make the decisions on record again, each with the bundle that made it. They must come out the same.

    Exit code 1 says that some did not.

    Example:  toolhub policy replay --days 7
    """
    found = run(_with_progress(settings(), days, None))
    if as_json:
        typer.echo(json.dumps(as_document(found)))
    else:
        _tell(found)
        _tell_differences(found.differences)
    if found.decisions != found.same:
        raise typer.Exit(1)


@policy_app.command()
def publish(file: File, *, environment: Where = Environment.DEV) -> None:
    """Let the bundle in FILE decide from now on. In prod this takes two people, and so the API or the pages.

    Example:  toolhub policy publish stricter.cedar --environment staging
    """
    bundle = _read(file)
    published = run(_publish(settings(), Publication(environment=environment.value, text=bundle.text, by=None)))
    out.print(f"[green]Published[/] in {environment.value}: bundle {published.digest[:12]}.", highlight=False)
    _look(bundle)


def _look(bundle: Bundle) -> None:
    """Say what somebody should look at; none of it stands against publishing."""
    for told in remarks(bundle):
        err.print("[yellow]Look:[/]", told, highlight=False)


def as_document(found: Replay) -> dict[str, Any]:
    """Return what came of making decisions again, as JSON."""
    return {
        "decisions": found.decisions,
        "same": found.same,
        "erased": found.erased,
        "unreadable": found.unreadable,
        "uncounted": found.uncounted,
        "changed": {change.value: count for change, count in found.changed.items()},
        "differences": [_difference(one) for one in found.differences],
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "invocation": one.recorded.invocation_id,
        "event": one.recorded.event_id,
        "at": one.recorded.at.isoformat(),
        "tool": f"{one.recorded.facts.connector}.{one.recorded.facts.tool}",
        "action": one.recorded.action.value,
        "change": one.change.value,
        "was": one.recorded.verdict.as_json(),
        "would_be": one.now.as_json(),
    }


def _tell(found: Replay) -> None:
    out.print(f"{found.decisions:,} decisions on record were made again; {found.same:,} came out the same.")
    if found.erased:
        out.print(f"  {found.erased:,} more cannot be: their facts have been erased.")
    if found.unreadable:
        out.print(f"  {found.unreadable:,} more cannot be: this release does not have the bundle that made them.")
    if found.uncounted:
        out.print(f"  {found.uncounted:,} more cannot be: what the bundle counts of their past is not on record.")


def _tell_differences(differences: list[Difference]) -> None:
    if not differences:
        return
    table = Table("call", "tool", "asked", "was", "would be", "by")
    for one in differences[:_SHOWN]:
        was, now = one.recorded.verdict, one.now
        table.add_row(
            one.recorded.invocation_id,
            one.recorded.facts.tool,
            one.recorded.action.value,
            ", ".join((was.outcome, *was.asks, *_terms(was, one.change))),
            ", ".join((now.outcome, *now.asks, *now.reasons, *_terms(now, one.change))),
            ", ".join(now.rule_ids) or "no rule",
        )
    out.print(table)
    if len(differences) > _SHOWN:
        out.print(f"... and more; --json tells the first {len(differences):,} one by one.")


def _terms(verdict: Verdict, change: Change) -> tuple[str, ...]:
    return (verdict.terms or ()) if change is Change.TERMS else ()


def _read(file: Path) -> Bundle:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        fail(f"{file} is not a text in UTF-8.")
    return run(_tried(text))


async def _tried(text: str) -> Bundle:
    bundle = Bundle.parse(text)
    refuse_unfit(bundle)
    return bundle


async def _active(chosen: Settings, environment: Environment) -> Bundle:
    async with open_database(chosen) as database:
        return await Bundles(database).active(environment.value)


async def _publish(chosen: Settings, publication: Publication) -> Bundle:
    async with open_database(chosen) as database:
        keys = await open_keyring(chosen, database)
        async with database.transaction() as tx:
            return await publish_bundle(tx, database, keys, publication)


async def _with_progress(chosen: Settings, days: int, candidate: Candidate | None) -> Replay:
    since = datetime.now(UTC) - timedelta(days=days)
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f}"), TimeElapsedColumn())
    async with open_database(chosen) as database:
        keys = await open_keyring(chosen, database)
        with Progress(*columns, console=err, transient=True) as shown:
            task = shown.add_task("deciding again", total=None)

            def advance(done: int) -> None:
                shown.update(task, completed=done)

            if candidate is None:
                return await replay(database, keys, since, progress=advance)
            return await what_if(candidate, database, keys, since, progress=advance)
