"""Governance metrics on their page: chosen by a form, compared as bars, with formulas on demand, and as a CSV file."""

from dataclasses import asdict, replace
from datetime import UTC, date
from typing import Final, TypeVar
from urllib.parse import urlencode

from starlette.responses import Response

from hub import metrics
from hub.core.errors import Forbidden, InputError, NotFound
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal
from hub.metrics import METRICS, Answer, By, Metric, Of, Written
from hub.registry import Environment
from hub.storage import now
from hub.web.metric_words import figure, longest_by_unit, of_metric, shown
from hub.web.views.catalog import Choice
from hub.web.views.metrics import Asked, LineShown, MetricsPage
from hub.web.visits import Shown, Visit, show

_BYS: Final = {
    By.NOTHING: "nothing: every metric of all of them",
    By.DAY: "day",
    By.ENVIRONMENT: "environment",
    By.AGENT: "agent",
    By.TOOL: "tool",
    By.GROUP: "group that was asked",
    By.APPROVER: "approver",
    By.COST_CENTRE: "cost centre",
}
_OFS: Final = {
    Of.ALL: "all calls",
    Of.TOOLS: "the calls of the tools that you own",
    Of.DECISIONS: "the calls that you decided on",
}
_NAMED: Final = {By.ENVIRONMENT: "environment", By.AGENT: "agent", By.TOOL: "tool", By.GROUP: "group"}
"""By what lines are told apart whose own page is found by their name in the form."""
_LONGEST: Final = 160

WordT = TypeVar("WordT", By, Of)


async def show_metrics(visit: Visit) -> Response:
    """Show the numbers that the address asks for, as far as this person may see them."""
    asked = _asked(visit)
    try:
        found = await _answer(visit, asked)
    except (Forbidden, InputError, NotFound) as error:
        return _page(visit, replace(_frame(visit.person, asked), problem=error.message), status=400)
    return _page(visit, _filled(visit, _asked_for(asked, found), found))


async def download_metrics(visit: Visit) -> Response:
    """Return the same numbers as CSV, every metric of every line."""
    found = await _answer(visit, _asked(visit))
    wanted = found.allowed.wanted
    name = f"metrics-{wanted.first.isoformat()}-{wanted.last.isoformat()}.csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(metrics.as_csv(found), media_type="text/csv; charset=utf-8", headers=headers)


def _asked(visit: Visit) -> Asked:
    given = visit.request.query_params
    return Asked(**{name: given.get(name, "").strip()[:_LONGEST] for name in Asked.__slots__})


async def _answer(visit: Visit, asked: Asked) -> Answer:
    """Return the numbers.

    Raises:
        Forbidden: this person may not see them.
        InputError: the form contradicts itself.
        NotFound: there is no such tool.
    """
    async with visit.runtime.database.reading() as tx:
        wanted = await metrics.understood(tx, _written(asked), (await now(tx)).astimezone(UTC).date())
        of = None if not asked.of else _one_of(Of, asked.of)
        return await metrics.answer(tx, await metrics.allow(tx, visit.person, wanted, of))


def _written(asked: Asked) -> Written:
    return Written(
        first=_day(asked.first),
        last=_day(asked.last),
        environment=asked.environment,
        agent=asked.agent,
        tool=asked.tool,
        group=asked.group,
        centre=asked.centre,
        by=_one_of(By, asked.by or By.NOTHING.value),
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InputError("Write days as 2026-11-21.") from error


def _one_of(kind: type[WordT], text: str) -> WordT:
    try:
        return kind(text)
    except ValueError as error:
        raise InputError("Choose one of those that are offered.") from error


def _asked_for(asked: Asked, found: Answer) -> Asked:
    """Return the form as it was understood, with the days and the metric that stand there unless somebody chooses."""
    wanted = found.allowed.wanted
    return replace(
        asked,
        first=wanted.first.isoformat(),
        last=wanted.last.isoformat(),
        by=wanted.by.value,
        of=found.allowed.of.value,
        metric=_metric(asked).name,
    )


def _metric(asked: Asked) -> Metric:
    return next((one for one in METRICS if one.name == asked.metric), METRICS[0])


def _frame(person: Principal, asked: Asked) -> MetricsPage:
    """Return the page without numbers."""
    sees_all, audits = may(person, Permission.SEE_METRICS), may(person, Permission.SEE_AUDIT)
    return MetricsPage(
        asked=asked,
        environments=tuple(Choice(value=one.value, label=one.value) for one in Environment),
        bys=tuple(_choice(by, label) for by, label in _BYS.items() if audits or by is not By.APPROVER),
        ofs=tuple(_choice(of, label) for of, label in _OFS.items() if sees_all or of is not Of.ALL),
        names=tuple(Choice(value=one.name, label=one.title) for one in METRICS),
        whose=_OFS[Of(asked.of)] if asked.of in set(Of) else "",
        centres_url="/cost-centres" if sees_all or may(person, Permission.MANAGE_COSTS) else "",
    )


def _choice(value: By | Of, label: str) -> Choice:
    return Choice(value=value.value, label=label)


def _filled(visit: Visit, asked: Asked, found: Answer) -> MetricsPage:
    page = replace(
        _frame(visit.person, asked),
        left_off=found.left_off,
        uncounted=_uncounted(found),
        csv_url=f"/metrics/download?{_query(asked)}",
    )
    if found.allowed.wanted.by is By.NOTHING:
        (line,) = found.lines
        return replace(page, metrics=tuple(shown(one, of_metric(line, one)) for one in METRICS))
    metric = _metric(asked)
    measured = [one for line in found.lines for one in of_metric(line, metric)]
    longest = longest_by_unit(measured)
    lines = tuple(
        LineShown(
            label=line.label or line.key,
            url=_url_of(asked, found.allowed.wanted.by, line.key, line.label),
            figures=tuple(figure(one, longest.get(one.unit)) for one in of_metric(line, metric)),
        )
        for line in found.lines
    )
    return replace(page, compared=shown(metric, ()), lines=lines)


def _url_of(asked: Asked, by: By, key: str, label: str) -> str:
    """Return the page with all numbers of one line; a group goes by its key, all else by its name."""
    name = key if by is By.GROUP else label
    if by is By.DAY:
        return f"/metrics?{_query(replace(asked, first=key, last=key, by=By.NOTHING.value))}"
    if by is By.COST_CENTRE:
        if label == key:  # it may not be named
            return ""
        return f"/metrics?{_query(replace(asked, centre=label.split(maxsplit=1)[0], by=By.NOTHING.value))}"
    if not key or by not in _NAMED:
        return ""
    return f"/metrics?{_query(replace(asked, **{_NAMED[by]: name}, by=By.NOTHING.value))}"


def _uncounted(found: Answer) -> str:
    if not found.uncounted:
        return ""
    first, last = found.uncounted[0].isoformat(), found.uncounted[-1].isoformat()
    return first if first == last else f"{first} to {last}"


def _query(asked: Asked) -> str:
    return urlencode({name: value for name, value in asdict(asked).items() if value})


def _page(visit: Visit, page: MetricsPage, *, status: int = 200) -> Response:
    return show(visit, Shown(template="metrics.html", title="Metrics", page=page, here="metrics", status=status))
