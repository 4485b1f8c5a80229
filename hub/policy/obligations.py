"""Obligations: how many people of which groups a rule asks for, in which order, and how several rules come together."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

Json = Any
"""Any JSON value."""

ANY_OF: Final = "|"
ALL_OF: Final = "&"
REQUESTER: Final = "@requester"
"""Whoever the agent acts for, in the place of a group; no group can be called so."""
CONFIRMATION_STAGE: Final = 0
"""What the requester does not want, nobody else is asked about."""


def admits(asked: str, groups: frozenset[str]) -> bool:
    """Return whether somebody in `groups` is asked by `asked`, written as in `Obligation.group`."""
    return any(one <= groups for one in alternatives(asked))


def alternatives(asked: str) -> list[frozenset[str]]:
    """Return what `asked` comes to: sets of groups, one of which somebody must be in as a whole."""
    named = groups_of(asked)
    return [named] if ALL_OF in asked else [frozenset({group}) for group in sorted(named)]


def groups_of(asked: str) -> frozenset[str]:
    """Return the groups that `asked` names."""
    return frozenset(asked.replace(ALL_OF, ANY_OF).split(ANY_OF))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Which share of what a rule lets go by itself is looked at afterwards, and by whom, as in `Obligation.group`."""

    group: str
    per_mille: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What must be met before a write may go on: `count` people whom `group` admits, within `seconds`.

    `group` names one group, or several: `finance|treasury` admits whoever is in one of them, `finance&board` whoever
    is in all, and `REQUESTER` whoever the agent acts for. They are asked once everything of the stages before `stage`
    is met. `escalate` names the groups that are told when most of the time is over.
    """

    group: str
    count: int
    seconds: int
    fresh_seconds: int | None
    rule_id: str
    why: str
    stage: int = 1
    escalate: tuple[str, ...] = ()
    carries: bool = False
    """Whether a vote on an earlier preview counts for a new one that would change the very same."""

    @property
    def groups(self) -> frozenset[str]:
        """Return the groups that are named."""
        return groups_of(self.group)

    def admits(self, groups: frozenset[str]) -> bool:
        """Return whether somebody in `groups` is asked."""
        return admits(self.group, groups)

    @property
    def whom(self) -> str:
        """Return who is asked, in words."""
        named = sorted(self.groups)
        if self.is_confirmation:
            return "the person it is done for"
        if len(named) == 1:
            return named[0]
        if ALL_OF in self.group:
            return f"people in all of {', '.join(named)}"
        return f"{', '.join(named[:-1])} or {named[-1]}"

    @property
    def seat(self) -> str:
        """Return who is asked and when, as it goes on record: `finance:1`, or `legal:2 in stage 2`."""
        if self.is_confirmation:
            return "confirmed by requester"
        return f"{self.group}:{self.count}{f' in stage {self.stage}' if self.stage > 1 else ''}"

    @property
    def is_confirmation(self) -> bool:
        """Return whether it asks nobody but the person for whom the agent acts."""
        return self.group == REQUESTER

    def as_json(self) -> dict[str, Json]:
        """Return the obligation as it is stored and as digests take it."""
        return {**asdict(self), "escalate": list(self.escalate)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Json]) -> "Obligation":
        """Return the obligation that `as_json` wrote down."""
        members: dict[str, Json] = {**stored}
        members["escalate"] = tuple(members["escalate"])
        return cls(**members)


def strictest(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """Return one obligation a stage and group: the highest count, the shortest times, the rule that asks for most.

    Stages come together one by one: the first of every rule, then the second of every rule. So every rule keeps its own
    order, and its own people, even where two rules name the same groups the other way round. Every obligation gets the
    shortest time of all (a question is open as long as its most impatient rule allows) and everybody whom any rule
    wants to be told. In which order or how often obligations are put together makes no difference.
    """
    # The time is no part of the order: after a first round it is no longer the rule's own.
    asked = sorted(obligations, key=lambda one: (one.stage, one.group, -one.count, one.rule_id, one.why))
    if not asked:
        return ()
    seconds = min(one.seconds for one in asked)
    fresh = [one.fresh_seconds for one in asked if one.fresh_seconds is not None]
    told = sorted({group for one in asked for group in one.escalate})
    kept: dict[tuple[int, str], Obligation] = {}
    for one in asked:
        kept.setdefault((one.stage, one.group), one)
    return tuple(
        Obligation(
            group=one.group,
            count=one.count,
            seconds=seconds,
            fresh_seconds=min(fresh) if fresh else None,
            rule_id=one.rule_id,
            why=one.why,
            stage=one.stage,
            escalate=tuple(told),
            carries=all(other.carries for other in asked),
        )
        for one in kept.values()
    )
