"""From bundles, trials and faults to what the pages of policy show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from connectors.sdk.preview import Preview
from hub.bundles import Edition
from hub.identity.principals import Principal
from hub.invocations.replay import Change, Difference, Replay, Verdict, seat_in
from hub.policy import Bundle, BundleInvalid, History, Obligation, Rule, decide
from hub.web.inert import Inert, inert, inert_name
from hub.web.moments import at, span
from hub.web.views.policy import (
    Because,
    CountLine,
    DifferenceLine,
    EditionLine,
    FaultLine,
    RuleLine,
    SourceLine,
    Tally,
    TestLine,
    TrialShown,
)
from hub.web.wording import Word

MOST_SHOWN: Final = 100
"""Differences shown one by one; all are counted."""
_MOST_RECORDS: Final = 3
_AROUND: Final = 2
"""Lines shown before and after the ones a fault is about."""

_PERMIT: Final = Word(label="permits", meaning="Where nothing forbids it.", tone="good")
_FORBID: Final = Word(label="forbids", meaning="Whatever else permits it.", tone="bad")
_RAISE: Final = Word(label="raises the tier", meaning="Decided on as of a higher tier.", tone="warn")
_SUSPEND: Final = Word(label="suspends the agent", meaning="Until a person lets it act again.", tone="bad")
_ASK: Final = Word(label="asks people", meaning="It goes on once they agree.", tone="info")
ACTIVE: Final = Word(label="decides now", meaning="Every call in this environment.", tone="good")
WAITS: Final = Word(label="waits for a second person", meaning="It decides nothing yet.", tone="info")
OUTDATED: Final = Word(
    label="outdated", meaning="Another policy was published since it was proposed. Propose it again.", tone="warn"
)
PAST: Final = Word(label="replaced", meaning="It decided once.", tone="neutral")
CHANGES: Final[Mapping[Change, Word]] = {
    Change.REFUSED: Word(label="would be refused", meaning="", tone="bad"),
    Change.ASKED: Word(label="would ask more people", meaning="", tone="warn"),
    Change.RELIEVED: Word(label="would ask fewer people", meaning="", tone="info"),
    Change.LET_THROUGH: Word(label="would be let through", meaning="", tone="info"),
    Change.TERMS: Word(label="would go on other terms", meaning="", tone="warn"),
    Change.REASONED: Word(label="same, by other rules", meaning="", tone="neutral"),
}
_QUESTIONS: Final = {
    "propose": "May it be proposed?",
    "autocommit": "May it go by itself?",
    "approve": "May this person approve it?",
    "commit": "May it be carried out?",
    "see": "May its values be seen?",
    "break_glass": "May this person let it go without approval?",
}


def rule_lines(bundle: Bundle) -> tuple[RuleLine, ...]:
    """Return the rules of `bundle` in their order."""
    return tuple(
        RuleLine(
            name=inert_name(rule.id),
            kind=_kind(rule),
            why=inert(rule.why),
            asks=tuple(map(_asks, rule.obligations)),
            source=inert(bundle.stretches[rule.id].text),
        )
        for rule in bundle.rules.values()
    )


def _asks(one: Obligation) -> str:
    fresh = "" if one.fresh_seconds is None else f", login younger than {span(timedelta(seconds=one.fresh_seconds))}"
    stage = f" in stage {one.stage}" if one.stage > 1 else ""
    return f"{one.count} of {one.whom}{stage}, within {span(timedelta(seconds=one.seconds))}{fresh}"


_COUNTED: Final = {
    "sent": "writes that were sent",
    "made": "calls that were made",
    "read": "reads that succeeded",
    "rejected_in_a_row": "rejections in a row",
}


def _kind(rule: Rule) -> Word:
    if rule.is_alarm:
        return _SUSPEND if rule.suspends else _RAISE
    if rule.obligations:
        return _ASK
    return _FORBID if rule.is_forbid else _PERMIT


def count_lines(bundle: Bundle) -> tuple[CountLine, ...]:
    """Return what `bundle` counts of the past, in words."""
    return tuple(CountLine(name=inert_name(name), told=_counted(one)) for name, one in bundle.histories.items())


def _counted(one: History) -> str:
    amount = f"sum of {one.sum}" if one.sum else f"largest {one.max}"
    from_tier = f" of tier {one.from_tier.value} or above" if one.from_tier else ""
    what = f"{_COUNTED[one.count]}{from_tier}" if one.count else f"{amount}{from_tier}"
    of = f" with {one.of}" if one.of else ""
    same = f", with the same {', '.join(one.same.values())}" if one.same else ""
    return f"{what}{of}{same}, per {' and '.join(one.per)}, within {span(timedelta(seconds=one.seconds))}"


def test_lines(bundle: Bundle) -> tuple[TestLine, ...]:
    """Return the examples of `bundle`, each tried now."""
    return tuple(
        TestLine(
            name=inert_name(each.example),
            about=_QUESTIONS[each.action.value],
            expected=each.expect,
            asks=each.asks or (),
            failure=inert(each.failure(decide(each.action, bundle.situation(each), bundle)) or ""),
        )
        for each in bundle.examples
    )


def fault_lines(text: str, error: BundleInvalid) -> tuple[FaultLine, ...]:
    """Return what is wrong with `text`, each with the lines it is about and a few around them."""
    lines = text.splitlines()
    return tuple(
        FaultLine(
            where=str(fault.place).capitalize() if fault.place else "",
            message=inert(fault.message),
            lines=tuple(_excerpt(lines, fault.place.first, fault.place.last)) if fault.place else (),
        )
        for fault in error.faults
    )


def _excerpt(lines: Sequence[str], first: int, last: int) -> Iterator[SourceLine]:
    for number in range(max(1, first - _AROUND), min(len(lines), last + _AROUND) + 1):
        yield SourceLine(number=number, source=inert(lines[number - 1]), is_meant=first <= number <= last)


def edition_line(one: Edition, people: Mapping[str, Principal], *, deciding: str, now: datetime) -> EditionLine:
    """Return a bundle as a line of a list."""
    since = one.published_at or one.proposed_at
    return EditionLine(
        url=f"/policy/bundles/{one.id}",
        digest=one.digest[:12],
        by=person(one.published_by if one.published_at else one.proposed_by, people),
        since=None if since is None else at(since, now=now),
        state=edition_state(one, deciding=deciding),
    )


def edition_state(one: Edition, *, deciding: str) -> Word:
    """Return where a bundle stands; `deciding` is the digest of the one that decides now."""
    if one.is_active:
        return ACTIVE
    if one.published_at is not None:
        return PAST
    return WAITS if one.proposed_on == deciding else OUTDATED


def person(principal_id: str | None, people: Mapping[str, Principal]) -> Inert:
    """Return who somebody is, as a page says it."""
    if principal_id is None:
        return inert_name("the hub, or whoever runs its commands")
    return inert_name(people[principal_id].display_name if principal_id in people else "nobody any more")


def records_of(preview: Preview) -> tuple[Inert, ...]:
    """Return what a preview would do to which records, the first few of them."""
    named = [inert_name(f"{one.effect.value} {one.target}") for one in preview.changes[:_MOST_RECORDS]]
    more = len(preview.changes) - len(named)
    return (*named, inert_name(f"and {more:,} more")) if more else tuple(named)


def trial_shown(
    found: Replay, candidate: Bundle, records: Mapping[str, tuple[Inert, ...]], *, days: int, now: datetime
) -> TrialShown:
    """Return what became of trying `candidate` on the record; `records` are those that the calls are about."""
    notes = [
        f"{count:,} more cannot be decided again: {why}."
        for count, why in (
            (found.erased, "their facts have been erased"),
            (found.unreadable, "this release does not have the bundle that made them"),
            (found.uncounted, "what the bundle counts of their past is not on record"),
        )
        if count
    ]
    rules = {rule.id: rule for rule in candidate.rules.values()}
    changed = sum(found.changed.values())
    return TrialShown(
        days=days,
        decisions=found.decisions,
        same=found.same,
        notes=tuple(notes),
        tallies=tuple(Tally(change=CHANGES[change], count=count) for change, count in found.changed.items() if count),
        differences=tuple(
            replace(_difference(one, rules, now=now), records=records.get(one.recorded.invocation_id, ()))
            for one in found.differences[:MOST_SHOWN]
        ),
        hidden=max(0, changed - MOST_SHOWN),
    )


def _difference(one: Difference, rules: Mapping[str, Rule], *, now: datetime) -> DifferenceLine:
    recorded = one.recorded
    return DifferenceLine(
        invocation_id=recorded.invocation_id,
        tool=f"{recorded.facts.connector}.{recorded.facts.tool}, tier {recorded.facts.tier.value}",
        question=_QUESTIONS[recorded.action.value],
        when=at(recorded.at, now=now),
        change=CHANGES[one.change],
        was=_verdict(recorded.verdict, one.change),
        would_be=_verdict(one.now, one.change),
        because=tuple(_because(recorded.verdict, one.now, rules)),
    )


def _verdict(verdict: Verdict, change: Change) -> str:
    """Return a verdict in words: allowed, denied, or whom it asks; and on which terms, where those would change."""
    terms = ", ".join(verdict.terms or ()) if change is Change.TERMS else ""
    told = f" ({terms})" if terms else ""
    if not verdict.asks:
        return f"{'allowed' if verdict.outcome == 'allowed' else 'refused'}{told}"
    return f"asks {' and '.join(map(_seat, verdict.asks))}{told}"


def _seat(asked: str) -> str:
    """Return one entry of `asked` in words; it reads like `legal:2 in stage 2 (rule)`."""
    seat = seat_in(asked)
    named, _, stage = seat.partition(" ")
    group, _, count = named.rpartition(":")
    return f"{count} of {group} {stage}".strip() if group else "the person it is done for"


def _because(before: Verdict, after: Verdict, rules: Mapping[str, Rule]) -> Iterator[Because]:
    for rule_id in after.rule_ids:
        if rule_id not in before.rule_ids:
            why = rules[rule_id].why if rule_id in rules else ""
            yield Because(rule=inert_name(rule_id), verb="decides now", why=inert(why))
    for rule_id in before.rule_ids:
        if rule_id not in after.rule_ids:
            gone = "" if rule_id in rules else "It is not in this bundle."
            yield Because(rule=inert_name(rule_id), verb="decides no longer", why=inert(gone))
