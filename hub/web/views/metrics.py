"""Governance metrics and cost centres as their pages show them."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.catalog import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number: in words, as a bar of a hundred where it can be one, and what it rests on."""

    value: str
    rests_on: str
    bar: int | None = None
    is_few: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricShown:
    """One metric with its figures, of which a cost has one for each unit, and its formula in words."""

    title: str
    says: str
    formula: str
    meanings: tuple[tuple[str, str], ...]
    records: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineShown:
    """One of those that are compared, and the page with all its numbers, if it has one."""

    label: str
    url: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The filter form as it stands."""

    first: str
    last: str
    environment: str
    agent: str
    tool: str
    group: str
    centre: str
    by: str
    of: str
    metric: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPage:
    """Every metric of some calls, or one metric of several lines."""

    asked: Asked
    environments: tuple[Choice, ...]
    bys: tuple[Choice, ...]
    ofs: tuple[Choice, ...]
    names: tuple[Choice, ...]
    whose: str
    metrics: tuple[MetricShown, ...] = ()
    compared: MetricShown | None = None
    lines: tuple[LineShown, ...] = ()
    left_off: int = 0
    uncounted: str = ""
    csv_url: str = ""
    centres_url: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreLine:
    """A cost centre in the list."""

    url: str
    code: str
    title: Inert
    owner: str
    closed: At | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchLine:
    """From when until when something was assigned."""

    kind: str
    subject: str
    begins: At
    ends: At | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CentrePage:
    """One cost centre, what was ever assigned to it, and the forms that change it."""

    id: str
    code: str
    title: Inert
    owner: str
    closed: At | None
    stretches: tuple[StretchLine, ...]
    kinds: tuple[Choice, ...]
    may_manage: bool
    may_assign: bool
    numbers_url: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CentresPage:
    """The cost centres that somebody may see, and the form that opens one."""

    centres: tuple[CentreLine, ...]
    may_manage: bool
    problem: str = ""
