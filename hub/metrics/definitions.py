"""The metrics as data: what each one says in words, its formula, its unit, and the records it is computed from."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WORDS_PER_MINUTE: Final = 300
"""Faster than most adults read: 238 words of non-fiction in a minute is usual (Brysbaert 2019, 190 studies)."""
FEW: Final = 5
"""What rests on fewer than so many says little, and is said to."""


class Count(StrEnum):
    """What is counted. A metric is made of nothing else, so that days can be added up."""

    CALLS = "calls"
    ACCURATE = "accurate"
    SETTLED = "settled"
    DECIDED = "decided"
    EDITED = "edited"
    REJECTED = "rejected"
    WAIT = "wait"
    """Decisions, by the whole seconds they took."""
    COMMITTED = "committed"
    UNDONE = "undone"
    COMPARED = "compared"
    DIVERGED = "diverged"
    SENT = "sent"
    DOUBTED = "doubted"
    VOTES = "votes"
    HASTY = "hasty"
    COST = "cost"
    CASE = "case"
    """Calls, by their case."""
    CASE_COST = "case_cost"
    """Cost, by case and unit."""


MEANINGS: Final = {
    Count.CALLS: "calls of agents that have ended, and those turned away for their arguments or an unknown tool; "
    "neither steps of a plan, nor undos, nor what a limit, a switch or an unreachable system refused",
    Count.ACCURATE: "calls whose arguments, policy and preview passed the first time, and whose write was neither "
    "rejected, edited, undone nor diverged",
    Count.SETTLED: "writes that were let go by policy, people, a standing grant or broken glass, or that people were "
    "asked about; the steps of a plan are decided with it",
    Count.DECIDED: "writes that people decided: approved or confirmed, rejected, or replaced by a counter-proposal",
    Count.EDITED: "writes that people decided for which one of them proposed other arguments",
    Count.REJECTED: "writes that people decided and rejected",
    Count.WAIT: "questions that people decided, by the seconds from the question to the decision that ended it",
    Count.COMMITTED: "writes that were carried out, each step of a plan by itself; no undos",
    Count.UNDONE: "writes that were carried out and then taken back by an undo that was carried out",
    Count.COMPARED: "writes that were read back and could be compared with their preview",
    Count.DIVERGED: "writes that did something else than their preview said",
    Count.SENT: "writes of which something was sent to a system, each step of a plan by itself",
    Count.DOUBTED: "writes of which it was unknown, at some time, whether they had happened",
    Count.VOTES: "votes cast by people; one that was carried over from an earlier preview is not counted again",
    Count.HASTY: "votes for which there was less time than reading what was asked takes",
    Count.COST: "declared cost of the calls that reached a system: reads when executed, writes when sent",
    Count.CASE: "cases: sets of runs, each run in the first case that one of its calls named",
    Count.CASE_COST: "declared cost of the calls that belong to a case",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of some are so."""

    of: Count
    among: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """The time within which this share of the questions was decided; of the times themselves, never between two."""

    per_cent: int


@dataclass(frozen=True, slots=True)
class Total:
    """The cost of all calls."""


@dataclass(frozen=True, slots=True)
class PerCase:
    """The cost of one case, on the average."""


Rule = Share | Quantile | Total | PerCase


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric."""

    name: str
    title: str
    says: str
    formula: str
    unit: str
    records: str
    rule: Rule

    @property
    def counts(self) -> tuple[Count, ...]:
        """What it is made of."""
        match self.rule:
            case Share(of=of, among=among):
                return (of, among)
            case Quantile():
                return (Count.WAIT,)
            case Total():
                return (Count.COST,)
            case PerCase():
                return (Count.CASE_COST, Count.CASE)


_WAITS: Final = (
    "Time in which nobody works is not subtracted. The day is that of the call, as of every number here, and a time is "
    "counted in whole seconds."
)


METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="approval_frequency",
        title="Approval frequency",
        says="How often people have to decide about a write.",
        formula="decided / settled",
        unit="share",
        records="questions, votes and counter-proposals; how an invocation was approved",
        rule=Share(of=Count.DECIDED, among=Count.SETTLED),
    ),
    Metric(
        name="time_to_decide_median",
        title="Time to decide, median",
        says=f"Half of the questions were decided within this time. {_WAITS}",
        formula="smallest t with: questions decided within t >= 50 % of the questions decided",
        unit="seconds",
        records="questions, votes and counter-proposals",
        rule=Quantile(per_cent=50),
    ),
    Metric(
        name="time_to_decide_p90",
        title="Time to decide, 90th percentile",
        says=f"Nine in ten questions were decided within this time. {_WAITS}",
        formula="smallest t with: questions decided within t >= 90 % of the questions decided",
        unit="seconds",
        records="questions, votes and counter-proposals",
        rule=Quantile(per_cent=90),
    ),
    Metric(
        name="edit_rate",
        title="Edit rate",
        says="How often an approver wanted other arguments.",
        formula="edited / decided",
        unit="share",
        records="counter-proposals; questions and votes",
        rule=Share(of=Count.EDITED, among=Count.DECIDED),
    ),
    Metric(
        name="rejection_rate",
        title="Rejection rate",
        says="How often people said no.",
        formula="rejected / decided",
        unit="share",
        records="votes; counter-proposals; questions",
        rule=Share(of=Count.REJECTED, among=Count.DECIDED),
    ),
    Metric(
        name="rollback_rate",
        title="Rollback rate",
        says="How often what was carried out was taken back.",
        formula="undone / committed",
        unit="share",
        records="invocations and the undos of them",
        rule=Share(of=Count.UNDONE, among=Count.COMMITTED),
    ),
    Metric(
        name="divergence_rate",
        title="Divergence rate",
        says="How often a write did something else than its preview said.",
        formula="diverged / compared",
        unit="share",
        records="invocations, read back after their commit; what could not be read back is left out",
        rule=Share(of=Count.DIVERGED, among=Count.COMPARED),
    ),
    Metric(
        name="in_doubt_rate",
        title="In-doubt rate",
        says="How often it was unknown, at some time, whether a write had happened; most doubts end by themselves.",
        formula="doubted / sent",
        unit="share",
        records="invocations; events commit.in_doubt",
        rule=Share(of=Count.DOUBTED, among=Count.SENT),
    ),
    Metric(
        name="tool_call_accuracy",
        title="Tool-call accuracy",
        says="How often an agent's call was right the first time, and nobody had to correct it afterwards. A read is "
        "right when its arguments and policy passed; a write that nobody let go in time is not held against it.",
        formula="accurate / calls",
        unit="share",
        records="invocations, their steps and undos; votes and counter-proposals; events invocation.refused",
        rule=Share(of=Count.ACCURATE, among=Count.CALLS),
    ),
    Metric(
        name="too_fast_to_read",
        title="Decided faster than it can be read",
        says="Advice to auditors, never a block. A vote counts where the time from the question, or from the same "
        "person's last vote on something of another shape, whichever was later, is shorter than reading takes: "
        f"{WORDS_PER_MINUTE} words in a minute, of the words and values that the decision summary shows. Nobody is "
        "counted for reading that began later than that; the share of hasty votes may be higher.",
        formula=f"hasty / votes; hasty: available seconds < words * 60 / {WORDS_PER_MINUTE}",
        unit="share",
        records="votes; the questions' times, shapes and numbers of words",
        rule=Share(of=Count.HASTY, among=Count.VOTES),
    ),
    Metric(
        name="cost",
        title="Cost",
        says="What the calls cost, as their operations declare it, in each unit by itself: units are never summed.",
        formula="sum of cost, for each unit",
        unit="minor units of a currency, or what the cost is told in",
        records="invocations; the declared cost of the very tool versions that were called",
        rule=Total(),
    ),
    Metric(
        name="cost_per_case",
        title="Cost per case",
        says="What one case costs on the average, in each unit by itself. A case is a set of runs, as agents name it "
        "(dev.toolhub/case): their claim, which nobody checks.",
        formula="case_cost / number of different cases, for each unit",
        unit="minor units of a currency, or what the cost is told in",
        records="invocations, their runs and cases; declared costs",
        rule=PerCase(),
    ),
)


def metric_named(name: str) -> Metric | None:
    """Return the metric with this name."""
    return next((one for one in METRICS if one.name == name), None)
