"""Governance metrics: the numbers of a period as far as somebody may see them, each with its formula."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hub import metrics
from hub.api.access import Person, RuntimeParameter
from hub.api.bodies import Body
from hub.metrics import MEANINGS, METRICS, Answer, By, Count, Line, Measured, Metric, Of, Selection
from hub.storage import now

router = APIRouter(prefix="/metrics", tags=["metrics"])


class MetricView(BaseModel):
    """What a metric is."""

    name: str
    title: str
    says: str
    formula: str
    counts: dict[Count, str] = Field(description="What the words of the formula stand for.")
    unit: str
    records: str = Field(description="What it is computed from.")


class ValueView(BaseModel):
    """One metric of some calls; of a cost, one for each unit."""

    metric: str
    value: float | None = Field(description="A share from 0 to 1, seconds, or a cost; null: there is no data.")
    unit: str = Field(description="Of a cost: the currency, in whose minor units it is, or what it is told in.")
    of: int | None = Field(description="Of a share: how many were so.")
    n: int = Field(description="What it rests on: how many there were; of a cost per case, the cases.")
    rests_on_few: bool = Field(description="Fewer than five: it says little.")


class LineView(BaseModel):
    """The metrics of what has one key, such as one agent."""

    key: str
    label: str
    values: list[ValueView] = Field(
        description="Owners of tools are told of votes only where five people or more cast them, and never by group."
    )


class MetricsView(BaseModel):
    """The numbers of a period."""

    first: date
    last: date
    by: By
    of: Of = Field(description="Whose numbers they are.")
    at: datetime = Field(description="When they were read; earlier days may be five minutes old.")
    metrics: list[MetricView]
    items: list[LineView]
    left_off: int = Field(description="Lines that were left off; those with the most calls come first.")
    uncounted: list[date] = Field(description="Days in the period that have not been counted yet.")


class MetricsQuery(Body):
    """Which calls; a day is a whole UTC day, and a number belongs to the day on which its call was made."""

    first: date | None = Field(default=None, description="The first day; without it, 29 days before the last.")
    last: date | None = Field(default=None, description="The last day; without it, today.")
    environment: str | None = Field(default=None, max_length=16)
    agent_id: str | None = Field(default=None, max_length=40)
    tool_id: str | None = Field(default=None, max_length=40)
    group: str | None = Field(default=None, max_length=64, description="Calls that this group was asked about.")
    cost_centre: str | None = Field(default=None, max_length=40, description="Its id, or `unassigned`.")
    by: By = Field(default=By.NOTHING, description="What the numbers are told apart by.")
    of: Of | None = Field(default=None, description="Whose numbers; without it, the most that one may see.")


@router.get("", operation_id="getMetrics", summary="Governance metrics")
async def get_metrics(
    runtime: RuntimeParameter, acting: Person, wanted: Annotated[MetricsQuery, Query()]
) -> MetricsView:
    """Return the metrics of a period: operators and auditors those of all calls, owners those of their tools, everybody
    those of the calls that they decided on.
    """
    async with runtime.database.reading() as tx:
        chosen = selected(wanted, (await now(tx)).astimezone(UTC).date())
        found = await metrics.answer(tx, await metrics.allow(tx, acting.principal, chosen, wanted.of))
    return _view(found)


def selected(wanted: MetricsQuery, today: date) -> Selection:
    """Return the selection that a query names; what it does not name is not asked for."""
    usual = metrics.latest(wanted.last or today)
    return replace(
        usual,
        first=wanted.first or usual.first,
        environment=wanted.environment or None,
        agent_id=wanted.agent_id or None,
        tool_id=wanted.tool_id or None,
        group=wanted.group or None,
        centre_id=wanted.cost_centre or None,
        by=wanted.by,
    )


def _view(found: Answer) -> MetricsView:
    wanted = found.allowed.wanted
    return MetricsView(
        first=wanted.first,
        last=wanted.last,
        by=wanted.by,
        of=found.allowed.of,
        at=found.at,
        metrics=[_metric(one) for one in METRICS],
        items=[_line(one) for one in found.lines],
        left_off=found.left_off,
        uncounted=list(found.uncounted),
    )


def _metric(one: Metric) -> MetricView:
    return MetricView(
        name=one.name,
        title=one.title,
        says=one.says,
        formula=one.formula,
        counts={count: MEANINGS[count] for count in one.counts},
        unit=one.unit,
        records=one.records,
    )


def _line(line: Line) -> LineView:
    return LineView(key=line.key, label=line.label, values=[_value(one) for one in line.measured])


def _value(one: Measured) -> ValueView:
    return ValueView(
        metric=one.metric.name,
        value=None if one.value is None else float(one.value),
        unit=one.unit,
        of=one.of,
        n=one.n,
        rests_on_few=one.rests_on_few,
    )
