"""`toolhub metrics`: shows governance metrics with their formulas, exports them, and counts days anew."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from hub import metrics
from hub.cli.console import fail, out, run, settings
from hub.metrics import METRICS, Answer, By, Measured, Written
from hub.opening import open_database
from hub.registry import Environment
from hub.settings import Settings
from hub.storage import now

metrics_app = typer.Typer(
    help="Governance metrics: rates, times and costs, each with its formula.", no_args_is_help=True
)

_DAY: Final = "%Y-%m-%d"
First = Annotated[
    datetime | None, typer.Option("--from", formats=[_DAY], metavar="YYYY-MM-DD", help="The first day (UTC).")
]
Last = Annotated[
    datetime | None,
    typer.Option("--to", formats=[_DAY], metavar="YYYY-MM-DD", help="The last day (UTC); usually today."),
]
In = Annotated[Environment | None, typer.Option("--environment", help="Calls in this environment alone.")]
Agent = Annotated[str, typer.Option(help="Calls of this agent alone, by name.")]
Tool = Annotated[str, typer.Option(help="Calls of this tool alone, as CONNECTOR/NAME.")]
Group = Annotated[str, typer.Option(help="Calls that this group was asked about.")]
Centre = Annotated[str, typer.Option("--cost-centre", help="Costs of this centre, by code, or `unassigned`.")]
Apart = Annotated[By, typer.Option("--by", help="What the numbers are told apart by.")]


@metrics_app.command()
def show(  # noqa: PLR0913  # one for each option of the command
    *,
    first: First = None,
    last: Last = None,
    environment: In = None,
    agent: Agent = "",
    tool: Tool = "",
    group: Group = "",
    centre: Centre = "",
    by: Apart = By.NOTHING,
    formulas: Annotated[bool, typer.Option("--formulas", help="Print what each number means.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show the metrics of a period, usually of the last thirty days.

    Examples:
      toolhub metrics show

      toolhub metrics show --from 2026-11-01 --to 2026-11-30 --by cost_centre
    """
    written = Written(
        first=_day(first),
        last=_day(last),
        environment=environment.value if environment else "",
        agent=agent,
        tool=tool,
        group=group,
        centre=centre,
        by=by,
    )
    found = run(_answer(settings(), written))
    if as_json:
        typer.echo(json.dumps(_document(found)))
        return
    _print(found)
    if formulas:
        for metric in METRICS:
            out.print(f"[bold]{metric.title}[/]: {metric.formula}", highlight=False)
            out.print(f"  {metric.says} From: {metric.records}.", highlight=False)


@metrics_app.command()
def export(
    *,
    first: First = None,
    last: Last = None,
    by: Apart = By.NOTHING,
    to: Annotated[Path | None, typer.Option("--output", help="The file to write; without it, standard output.")] = None,
) -> None:
    """Export every metric of a period as CSV, with its formula beside each number.

    Example:  toolhub metrics export --from 2026-11-01 --to 2026-11-30 --by agent --output november.csv
    """
    text = metrics.as_csv(run(_answer(settings(), Written(first=_day(first), last=_day(last), by=by))))
    if to is None:
        typer.echo(text, nl=False)
    else:
        to.write_text(text, encoding="utf-8", newline="")


@metrics_app.command()
def recompute(
    *,
    first: Annotated[
        datetime,
        typer.Option("--from", formats=[_DAY], metavar="YYYY-MM-DD", help="The first day (UTC) to count anew."),
    ],
) -> None:
    """Count whole days anew, from the records, in the place of what was counted of them.

    It changes nothing where the roll-up says what the records say. The worker counts by itself; this is for a roll-up
    that was lost, or restored from an old copy.

    Example:  toolhub metrics recompute --from 2026-11-01
    """
    done = run(_recompute(settings(), first.date()))
    out.print(f"{done.days} days were counted anew.", highlight=False)


async def _answer(chosen: Settings, written: Written) -> Answer:
    async with open_database(chosen) as database, database.reading() as tx:
        wanted = await metrics.understood(tx, written, (await now(tx)).astimezone(UTC).date())
        return await metrics.answer(tx, await metrics.allow_all(tx, wanted))


async def _recompute(chosen: Settings, first: date) -> metrics.Rolled:
    async with open_database(chosen) as database:
        return await metrics.recompute(database, first)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _print(found: Answer) -> None:
    wanted = found.allowed.wanted
    out.print(f"{wanted.first} to {wanted.last}, whole days in UTC", highlight=False)
    if found.uncounted:
        out.print(f"[yellow]Not counted yet: {found.uncounted[0]} to {found.uncounted[-1]}.[/]", highlight=False)
    table = Table(*([] if wanted.by is By.NOTHING else [wanted.by.value.replace("_", " ")]), "metric", "value", "n")
    for line in found.lines:
        for one in line.measured:
            cells = ([] if wanted.by is By.NOTHING else [escape(line.label)]) + [
                one.metric.title,
                _value(one),
                _rests_on(one),
            ]
            table.add_row(*cells)
    out.print(table)
    if found.left_off:
        fail(f"{found.left_off} more lines were left off. Ask for fewer, such as those of one environment.")


def _value(one: Measured) -> str:
    if one.value is None:
        return "no data"
    return f"{one.value} {one.unit or one.metric.unit}".removesuffix(" share")


def _rests_on(one: Measured) -> str:
    told = str(one.n) if one.of is None else f"{one.of} of {one.n}"
    return f"{told} (few)" if one.rests_on_few else told


def _document(found: Answer) -> Mapping[str, Any]:
    wanted = found.allowed.wanted
    return {
        "first": wanted.first.isoformat(),
        "last": wanted.last.isoformat(),
        "by": wanted.by.value,
        "uncounted": [day.isoformat() for day in found.uncounted],
        "left_off": found.left_off,
        "metrics": {one.name: {"formula": one.formula, "says": one.says, "records": one.records} for one in METRICS},
        "items": [
            {"key": line.key, "label": line.label, "values": [_json(one) for one in line.measured]}
            for line in found.lines
        ],
    }


def _json(one: Measured) -> Mapping[str, Any]:
    return {
        "metric": one.metric.name,
        "value": None if one.value is None else float(one.value),
        "unit": one.unit,
        "of": one.of,
        "n": one.n,
        "rests_on_few": one.rests_on_few,
    }
