"""Typed examples of the pages of metrics and of cost centres."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.metrics import MEANINGS, METRICS
from hub.web.inert import inert
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.metrics import (
    Asked,
    CentreLine,
    CentrePage,
    CentresPage,
    Figure,
    LineShown,
    MetricShown,
    MetricsPage,
    StretchLine,
)

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
ASKED = Asked(
    first="2026-10-23",
    last="2026-11-21",
    environment="",
    agent="",
    tool="",
    group="",
    centre="",
    by="nothing",
    of="all",
    metric="approval_frequency",
)
FIGURES: dict[str, tuple[Figure, ...]] = {
    "approval_frequency": (Figure(value="12.4 %", rests_on="310 of 2,500", bar=12),),
    "time_to_decide_median": (Figure(value="4 min 10 s", rests_on="296 decided"),),
    "time_to_decide_p90": (Figure(value="1 d 3 h", rests_on="296 decided"),),
    "edit_rate": (Figure(value="4.5 %", rests_on="14 of 310", bar=4),),
    "rejection_rate": (Figure(value="7.1 %", rests_on="22 of 310", bar=7),),
    "rollback_rate": (Figure(value="0.4 %", rests_on="9 of 2,410", bar=0),),
    "divergence_rate": (Figure(value="25.0 %", rests_on="1 of 4", bar=25, is_few=True),),
    "in_doubt_rate": (Figure(value="no data", rests_on="0 of 0"),),
    "tool_call_accuracy": (Figure(value="96.2 %", rests_on="24,050 of 25,000", bar=96),),
    "too_fast_to_read": (Figure(value="2.0 %", rests_on="6 of 300", bar=2),),
    "cost": (
        Figure(value="EUR\u00a01,234.50", rests_on=""),
        Figure(value="USD\u00a00.05", rests_on=""),
        Figure(value="40,210 credits", rests_on=""),
    ),
    "cost_per_case": (Figure(value="EUR\u00a03.17", rests_on="389 cases"),),
}
SHOWN = tuple(
    MetricShown(
        title=one.title,
        says=one.says,
        formula=one.formula,
        meanings=tuple((count.value, MEANINGS[count]) for count in one.counts),
        records=one.records,
        figures=FIGURES[one.name],
    )
    for one in METRICS
)
PAGE = MetricsPage(
    asked=ASKED,
    environments=(Choice(value="dev", label="dev"), Choice(value="prod", label="prod")),
    bys=(Choice(value="nothing", label="nothing: every metric of all of them"), Choice(value="agent", label="agent")),
    ofs=(Choice(value="all", label="all calls"), Choice(value="decisions", label="the calls that you decided on")),
    names=tuple(Choice(value=one.name, label=one.title) for one in METRICS),
    whose="all calls",
    metrics=SHOWN,
    csv_url="/metrics/download?by=nothing",
    centres_url="/cost-centres",
)
LINES = (
    LineShown(label="invoice-bot", url="/metrics?agent=invoice-bot", figures=FIGURES["approval_frequency"]),
    LineShown(
        label="restocking-agent-of-the-warehouse-in-the-north",
        url="/metrics?agent=restocking",
        figures=(Figure(value="100.0 %", rests_on="3 of 3", bar=100, is_few=True),),
    ),
    LineShown(label="2026-11-20", url="", figures=FIGURES["in_doubt_rate"]),
)
COMPARED = replace(
    PAGE,
    asked=replace(ASKED, by="agent", environment="prod"),
    metrics=(),
    compared=replace(SHOWN[0], figures=()),
    lines=LINES,
    left_off=14,
    uncounted="2026-11-12 to 2026-11-19",
)
METRIC_PAGES = {
    "all": PAGE,
    "compared": COMPARED,
    "nothing": replace(COMPARED, lines=(), left_off=0, uncounted=""),
    "wrong": replace(PAGE, metrics=(), csv_url="", centres_url="", problem="The last day comes before the first."),
}
CENTRE = CentreLine(
    url="/cost-centres/cc_1", code="4711", title=inert("Sales, northern region"), owner="carl", closed=None
)
CENTRE_LISTS = {
    "some": CentresPage(
        centres=(CENTRE, replace(CENTRE, code="0815", closed=at(NOW - timedelta(days=40), now=NOW))), may_manage=True
    ),
    "none": CentresPage(centres=(), may_manage=False, problem="There is a cost centre 4711 already."),
}
STRETCH = StretchLine(
    kind="agent", subject="invoice-bot", begins=at(NOW - timedelta(days=9), now=NOW), ends=None, by="carl"
)
OPEN = CentrePage(
    id="cc_1",
    code="4711",
    title=inert("Sales, northern region"),
    owner="carl",
    closed=None,
    stretches=(STRETCH, replace(STRETCH, kind="server", subject="sales", ends=at(NOW, now=NOW))),
    kinds=(Choice(value="agent", label="an agent, by its id"), Choice(value="server", label="a server")),
    may_manage=True,
    may_assign=True,
    numbers_url="/metrics?centre=4711",
)
CENTRES = {
    "open": OPEN,
    "wrong": replace(OPEN, problem="Past costs stay where they were: assign from now on, or from a later moment."),
    "closed": replace(OPEN, closed=at(NOW, now=NOW), stretches=(), may_manage=False, may_assign=False, numbers_url=""),
}
