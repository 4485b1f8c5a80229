"""Making recorded decisions again, from the facts on record: with the bundle that made them, or with a new one.

With the bundle that made it a decision must come out the same (`replay`); what a candidate would have decided otherwise
is told call by call (`what_if`). Nothing is asked of any system of record, and nothing is written.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from hub.audit import AuditEvent, EventKind, Stretch, values_named
from hub.bundles import recorded_bundle
from hub.core.errors import NotFound
from hub.invocations.decisions import asked, terms_of
from hub.invocations.history import history_of
from hub.invocations.journal import load
from hub.keys import Keyring
from hub.policy import REQUESTER, Action, Bundle, Decision, Denied, Facts, decide, uncounted
from hub.storage import Database, Tx

Json = Any
"""Any JSON value."""

MOST_DIFFERENCES: Final = 1000
"""How many differences are told one by one; all are counted."""
_BATCH: Final = 500
_DECIDED: Final = frozenset(
    {
        EventKind.INVOCATION_RECEIVED,
        EventKind.INVOCATION_READ,
        EventKind.INVOCATION_DENIED,
        EventKind.INVOCATION_APPROVED,
        EventKind.INVOCATION_APPROVAL_REQUESTED,
        EventKind.INVOCATION_SUPERSEDED,
        EventKind.PLAN_STEP_DECIDED,
        EventKind.VOTE_CAST,
        EventKind.VOTE_REFUSED,
        EventKind.GLASS_BROKEN,
        EventKind.GLASS_REFUSED,
    }
)
_DECIDED_AGAIN: Final = frozenset({EventKind.COMMIT_SENT, EventKind.INVOCATION_STALE})
"""What was decided when it was asked, decided once more before it was sent: another bundle's answer is told once."""


Progress = Callable[[int], None]
"""Told how many decisions have been made again so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A bundle that might be published, and where."""

    environment: str
    bundle: Bundle


class Change(StrEnum):
    """In which way two decisions on the same facts differ, for whoever asked."""

    REFUSED = "refused"
    """It was let through, or people were asked; now it is denied."""
    ASKED = "asked"
    """More people are asked than before, or people are asked at all."""
    RELIEVED = "relieved"
    """Fewer people are asked, or nobody any more."""
    LET_THROUGH = "let_through"
    """It was denied; now it is not."""
    TERMS = "terms"
    """As many are asked, or nobody, but otherwise: in another order, within another time, with another login, or with
    other reviews afterwards."""
    REASONED = "reasoned"
    """It comes to the same by other rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a decision came to: `allowed`, `obliged` or `denied`, by which rules, asking whom, for which reasons."""

    outcome: str
    rule_ids: tuple[str, ...]
    asks: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    terms: tuple[str, ...] | None = None
    """On which terms, beside whom it asks; None: that is not on record."""

    def as_json(self) -> dict[str, Json]:
        """Return it as a JSON object."""
        texts = {"rule_ids": self.rule_ids, "asks": self.asks, "reasons": self.reasons}
        terms = {} if self.terms is None else {"terms": list(self.terms)}
        return {"outcome": self.outcome, **{name: list(value) for name, value in texts.items()}, **terms}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A decision on record, with the facts it was made on."""

    event_id: str
    invocation_id: str
    at: datetime
    environment: str
    action: Action
    facts: Facts
    verdict: Verdict
    bundle_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A decision that comes out otherwise."""

    recorded: Recorded
    now: Verdict
    change: Change


@dataclass(slots=True, kw_only=True)
class Replay:
    """What became of decisions that were made again."""

    decisions: int = 0
    same: int = 0
    erased: int = 0
    """Their facts are no longer on record."""
    unreadable: int = 0
    """Their bundle is not on record, or this release reads it otherwise."""
    uncounted: int = 0
    """The bundle counts a past that nobody counted then, and that cannot be counted now."""
    changed: dict[Change, int] = field(default_factory=lambda: dict.fromkeys(Change, 0))
    differences: list[Difference] = field(default_factory=list[Difference])

    def note(self, recorded: Recorded, decision: Decision) -> None:
        """Count a decision that was made again."""
        self.decisions += 1
        now = verdict_of(decision)
        change = change_between(recorded.verdict, now)
        if change is None:
            self.same += 1
            return
        self.changed[change] += 1
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(Difference(recorded=recorded, now=now, change=change))


async def replay(database: Database, keys: Keyring, since: datetime, *, progress: Progress | None = None) -> Replay:
    """Make every decision since a moment again with the bundle that made it; there should be no difference."""
    found, bundles = Replay(), dict[str, Bundle | None]()
    async for batch in _batches(database, keys, since, found, kinds=_DECIDED | _DECIDED_AGAIN):
        async with database.reading() as tx:
            for digest in {one.bundle_digest for one in batch} - bundles.keys():
                bundles[digest] = await recorded_bundle(tx, digest)
        await asyncio.to_thread(_decide_again, batch, bundles, found)
        _tell(progress, found)
    return found


async def what_if(
    candidate: Candidate, database: Database, keys: Keyring, since: datetime, *, progress: Progress | None = None
) -> Replay:
    """Make every decision since a moment in its environment with `candidate`; the differences are what it changes."""
    found = Replay()
    async for batch in _batches(database, keys, since, found):
        theirs = [one for one in batch if one.environment == candidate.environment]
        theirs = await _with_history(database, theirs, candidate.bundle)
        candidates = dict.fromkeys({one.bundle_digest for one in theirs}, candidate.bundle)
        await asyncio.to_thread(_decide_again, theirs, candidates, found)
        _tell(progress, found)
    return found


async def _with_history(database: Database, batch: list[Recorded], bundle: Bundle) -> list[Recorded]:
    """Return `batch` with what `bundle` counts of the past and nobody had counted, as the record tells it today."""
    if not any(uncounted(one.action, one.facts, bundle) for one in batch):
        return batch
    async with database.reading() as tx:
        return [await _counted(tx, one, bundle) for one in batch]


async def _counted(tx: Tx, recorded: Recorded, bundle: Bundle) -> Recorded:
    names = uncounted(recorded.action, recorded.facts, bundle)
    if not names:
        return recorded
    try:
        standing = await load(tx, recorded.invocation_id)
    except NotFound:
        return recorded
    found = await history_of(tx, standing, [bundle.histories[name] for name in sorted(names)], recorded.at)
    return replace(recorded, facts=replace(recorded.facts, history={**found, **recorded.facts.history}))


def change_between(before: Verdict, now: Verdict) -> Change | None:
    """Return how `now` differs from `before`, or None: not at all."""
    has_other_terms = before.terms is not None and now.terms is not None and before.terms != now.terms
    if (before.outcome, before.rule_ids, before.asks) == (now.outcome, now.rule_ids, now.asks) and not has_other_terms:
        return None
    if now.outcome != before.outcome:
        if now.outcome == Denied.outcome:
            return Change.REFUSED
        if before.outcome == Denied.outcome:
            return Change.LET_THROUGH
    needed, needs = _people(before.asks), _people(now.asks)
    if any(needs[group] > needed[group] for group in needs):
        return Change.ASKED
    if any(needed[group] > needs[group] for group in needed):
        return Change.RELIEVED
    has_other_seats = sorted(map(seat_in, before.asks)) != sorted(map(seat_in, now.asks))
    return Change.TERMS if has_other_terms or has_other_seats else Change.REASONED


def verdict_of(decision: Decision) -> Verdict:
    """Return what `decision` came to."""
    return Verdict(
        outcome=decision.outcome,
        rule_ids=decision.rule_ids,
        asks=tuple(asked(decision)),
        reasons=decision.reasons if isinstance(decision, Denied) else (),
        terms=tuple(terms_of(decision)),
    )


def seat_in(entry: str) -> str:
    """Return whom an entry of `asks` asks, and in which stage: it reads `seat (rule)`."""
    return entry.rpartition(" (")[0]


def _people(asks: Iterable[str]) -> Counter[str]:
    """Return how many of each group are asked, in all stages together; the requester is one."""
    found = Counter[str]()
    for entry in asks:
        group, _, count = seat_in(entry).partition(" in stage ")[0].rpartition(":")
        found[group or REQUESTER] += int(count) if group else 1
    return found


async def _batches(
    database: Database, keys: Keyring, since: datetime, found: Replay, *, kinds: frozenset[EventKind] = _DECIDED
) -> AsyncIterator[list[Recorded]]:
    after = 0
    while True:
        async with database.reading() as tx:
            stretch = Stretch(kinds=kinds, since=since, after=after, limit=_BATCH)
            kept = await values_named(tx, "decided_on", keys, stretch)
        if not kept:
            return
        after = kept[-1].event.entry
        gone = [one.event for one in kept if one.value is None and "decided_on" in one.event.commitments]
        found.erased += sum(len(_said(event)) for event in gone)
        readable = [one for one in kept if one.value is not None]
        yield [_recorded(one.event, said, one.value) for one in readable for said in _said(one.event)]


def _said(event: AuditEvent) -> list[Mapping[str, Json]]:
    """Return what an event says of each decision that was made on its facts."""
    return [event.facts, *event.facts.get("also", ())]


def _recorded(event: AuditEvent, said: Mapping[str, Json], facts: Json) -> Recorded:
    return Recorded(
        event_id=event.id,
        invocation_id=event.subject,
        at=event.at,
        environment=event.facts["environment"],
        action=Action(said["action"]),
        facts=Facts.from_json(facts),
        verdict=Verdict(
            outcome=said["outcome"],
            rule_ids=tuple(said["rule_ids"]),
            asks=tuple(said.get("obligations", ())),
            reasons=tuple(said.get("reasons", ())),
            terms=tuple(said["terms"]) if "terms" in said else None,
        ),
        bundle_digest=said["policy_digest"],
    )


def _decide_again(batch: list[Recorded], bundles: dict[str, Bundle] | dict[str, Bundle | None], found: Replay) -> None:
    for recorded in batch:
        bundle = bundles[recorded.bundle_digest]
        if bundle is None:
            found.unreadable += 1
        elif uncounted(recorded.action, recorded.facts, bundle) and bundle.digest != recorded.bundle_digest:
            found.uncounted += 1
        else:
            found.note(recorded, decide(recorded.action, recorded.facts, bundle))


def _tell(progress: Progress | None, found: Replay) -> None:
    if progress is not None:
        progress(found.decisions)
