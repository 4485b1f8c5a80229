"""A promotion in the words and lines of its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.identity.principals import Principal
from hub.promotions import Gate, Likeness, Promotion, Stand, State
from hub.registry.differing import Difference
from hub.web.changed_lines import changed_part
from hub.web.inert import Inert, inert, inert_name, inert_prose
from hub.web.moments import at
from hub.web.views.promotions import GateLine, PlayedLine, PromotionLine, PromotionPage
from hub.web.wording import Word

STATES: Final = {
    State.ASKED: Word(label="waits", meaning="It waits for its gates and a decision.", tone="warn"),
    State.IN_FORCE: Word(label="in use", meaning="The release is in use there from now on.", tone="good"),
    State.REJECTED: Word(label="refused", meaning="Refused; nothing has changed.", tone="bad"),
    State.WITHDRAWN: Word(label="withdrawn", meaning="Withdrawn; nothing has changed.", tone="neutral"),
    State.REVERTED: Word(label="taken back", meaning="The former release is in use again.", tone="bad"),
    State.REPLACED: Word(label="replaced", meaning="A later promotion is in use.", tone="neutral"),
}
_STANDS: Final = {
    Stand.HOLDS: Word(label="holds", meaning="", tone="good"),
    Stand.OPEN: Word(label="open", meaning="", tone="warn"),
    Stand.FAILS: Word(label="fails", meaning="", tone="bad"),
}
_GATES: Final = {
    Gate.PATH: ("Path", "In use in the environment before, and nothing of it withdrawn."),
    Gate.BADGE: ("Badge", "The contract kit has tried every write of exactly this release."),
    Gate.REPLAY: ("Replay", "Recorded writes come out the same, or it is explained why not."),
    Gate.PERSON: ("Second person", "Somebody else has looked at all of it and agrees."),
}
_LIKENESS: Final = {
    Likeness.SAME: Word(label="the same", meaning="", tone="good"),
    Likeness.DIFFERENT: Word(label="otherwise", meaning="", tone="bad"),
    Likeness.UNSURE: Word(label="cannot be told", meaning="", tone="warn"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the page shows beside the promotion: people, what the release changes, and what the viewer may do."""

    people: Mapping[str, Principal]
    changed: Sequence[Difference]
    now: datetime
    shows_calls: bool
    may_ask: bool
    may_decide: bool
    may_revert: bool
    deciders: str
    changed_from: str = ""
    """From which line on, as the page's address has it."""


def promotion_line(one: Promotion, moment: datetime) -> PromotionLine:
    """Return a promotion as a line of the list."""
    return PromotionLine(
        url=f"/promotions/{one.id}",
        connector=one.connector,
        environment=one.environment.value,
        version=one.release_name,
        former=one.former_name or "nothing",
        state=STATES[one.state],
        asked=at(one.asked_at, now=moment),
    )


def promotion_page(one: Promotion, seen: Seen, *, problem: str = "") -> PromotionPage:
    """Return a promotion as its page shows it to whoever looks."""
    needs_person = any(each.gate is Gate.PERSON for each in one.findings)
    played = one.rehearsal.played if one.rehearsal and seen.shows_calls else ()
    return PromotionPage(
        address=f"/promotions/{one.id}",
        connector=one.connector,
        environment=one.environment.value,
        version=one.version,
        former=one.former_version or "nothing",
        is_first=one.former_version is None,
        state=STATES[one.state],
        digest=one.digest,
        asked_by=_person(one.asked_by, seen.people),
        asked=at(one.asked_at, now=seen.now),
        reason=inert(one.reason),
        gates=tuple(
            GateLine(
                name=_GATES[each.gate][0],
                meaning=_GATES[each.gate][1],
                stand=_STANDS[each.stand],
                reason=inert_prose(each.reason),
            )
            for each in one.findings
        ),
        changed=changed_part(seen.changed, f"/promotions/{one.id}", seen.changed_from),
        played=tuple(
            PlayedLine(
                invocation_id=each.invocation_id,
                tool=each.tool,
                likeness=_LIKENESS[each.likeness],
                reasons=tuple(inert(reason) for reason in each.reasons),
            )
            for each in played
        ),
        shows_calls=seen.shows_calls,
        explanation=inert(one.explanation) if one.explanation and seen.shows_calls else None,
        explained_by=_person(one.explained_by, seen.people),
        decided_by=_person(one.decided_by, seen.people) if one.decided_at else None,
        decided=at(one.decided_at, now=seen.now) if one.decided_at else None,
        ended=at(one.ended_at, now=seen.now) if one.ended_at else None,
        ended_why=inert(one.ended_why) if one.ended_why else None,
        waits=one.state is State.ASKED,
        may_ask=seen.may_ask,
        may_explain=seen.may_ask and _can_be_explained(one),
        may_decide=seen.may_decide if needs_person else seen.may_ask,
        may_revert=seen.may_revert,
        why_not=_why_not(seen.deciders, needs_person=needs_person),
        problem=problem,
    )


def _can_be_explained(one: Promotion) -> bool:
    """Return whether there is a gate for words: the one that compares calls, once they have been played."""
    return one.rehearsal is not None and any(each.gate is Gate.REPLAY for each in one.findings)


def _why_not(deciders: str, *, needs_person: bool) -> str:
    if needs_person:
        return f"Somebody of {deciders} decides, who neither asked for it nor explained, published or owns it."
    return "The connector's owner or an administrator puts it in use."


def _person(principal_id: str | None, people: Mapping[str, Principal]) -> Inert:
    if principal_id is None:
        return inert_name("the hub's console")
    return inert_name(people[principal_id].display_name if principal_id in people else principal_id)
