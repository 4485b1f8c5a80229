"""One event of an invocation in words: what happened, what of it matters most, and the facts that are left."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from hub.audit import EventKind
from hub.web.event_kinds import UNCOUNTED, event_word, found_word, vote_word
from hub.web.inert import Inert, inert
from hub.web.wording import Word

Json = Any
"""Any JSON value."""
Names = Mapping[str, str]
"""What those are called whom facts name by their ids."""

_SAID_ELSEWHERE: Final = frozenset(
    {
        "connection_generation",
        "connection_id",
        "connector",
        "effect",
        "environment",
        "from",
        "intent_digest",
        "policy_digest",
        "server",
        "state",
        "tier",
        "tool",
        "tool_version_digest",
    }
)
"""Facts that every event of an invocation repeats; the page shows them once, beside the timeline."""

_NOTED: Final = ("why", "reason", "reasons", "error", "message", "fidelity", "policy")
"""Facts worth reading without unfolding anything, the first that there is."""
_DECIDED_AGAIN: Final = frozenset(
    {EventKind.COMMIT_SENT, EventKind.INVOCATION_STALE, EventKind.VOTE_REFUSED, EventKind.GLASS_REFUSED}
)
"""Events that are no decision of policy themselves, and carry one where it mattered."""
_DECISION: Final = ("action", "outcome", "rule_ids", "obligations", "alarms", "terms", "also")
_ACTIONS: Final[Mapping[str, str]] = {
    "propose": "asking for it",
    "autocommit": "carrying it out without a question",
    "commit": "sending it",
    "approve": "this approval",
    "break_glass": "going without approval",
}
_UNASKED: Final = "autocommit"
_SEAT: Final = re.compile(r"(?P<group>[^:]+):(?P<count>\d+)(?P<stage> in stage \d+)? \((?P<rule>.+)\)")
_GIVEN_BY: Final = {"grant": "under a standing grant", "nobody": "by nobody who was asked"}
_PEOPLE: Final = ("by", "operator", "voter", "voters", "in_place_of", "giver")
"""Facts that name people by their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event in words."""

    what: Word
    note: Inert | None
    facts: tuple[tuple[str, Inert], ...]


def told(kind: EventKind, facts: Mapping[str, Json], names: Names, *, every_decision: bool = False) -> Told:
    """Return what an event with these facts says; those that every event of an invocation repeats are left out.

    What policy decided is put into one sentence where it was decided again, or wherever it was.
    """
    left = {name: value for name, value in facts.items() if name not in _SAID_ELSEWHERE}
    if every_decision or kind in _DECIDED_AGAIN:
        _put_in_words(left)
    what = _word(kind, left)
    note = _note(left, names)
    return Told(
        what=what,
        note=note,
        facts=tuple((name.replace("_", " "), _shown(value, names)) for name, value in _left(left)),
    )


def people_in(facts: Mapping[str, Json]) -> Iterator[str]:
    """Yield the ids of the people whom these facts name."""
    for name in _PEOPLE:
        value = facts.get(name)
        yield from (str(each) for each in (cast("list[Json]", value) if isinstance(value, list) else [value]) if each)


def _put_in_words(facts: dict[str, Json]) -> None:
    """Say in one sentence what policy decided, in place of the facts that say it for programs."""
    if "outcome" in facts:
        made = [dict(facts), *facts.get("also", ())]
        for name in _DECISION:
            facts.pop(name, None)
        facts["policy"] = "; ".join(_decision(one) for one in made)


def _decision(said: Mapping[str, Json]) -> str:
    what = _ACTIONS.get(said["action"], said["action"])
    if said.get("obligations"):
        asked = " and ".join(map(_seat, said["obligations"]))
        return f"policy asks for approval by {asked}{'' if said['action'] == _UNASKED else f' for {what}'}"
    does = "allows" if said["outcome"] == "allowed" else "forbids"
    return f"policy {does} {what} ({', '.join(said['rule_ids']) or 'no rule allows it'})"


def _seat(asked: str) -> str:
    """Return whom an obligation asks, in words; it is on record as its group, how many of it, and its rule."""
    found = _SEAT.fullmatch(asked)
    return f"{found['count']} of {found['group']}{found['stage'] or ''} (rule {found['rule']})" if found else asked


def _word(kind: EventKind, facts: dict[str, Json]) -> Word:
    """Return the words for an event; take out of `facts` what they say, and put in words why a vote did not count."""
    if kind is EventKind.COMMIT_RESOLVED:
        return found_word(was_done=bool(facts.pop("has_happened", False)))
    if kind not in {EventKind.VOTE_CAST, EventKind.VOTE_REFUSED}:
        return event_word(kind)
    if kind is EventKind.VOTE_REFUSED and facts.get("code") in UNCOUNTED:
        facts["reason"] = UNCOUNTED[facts.pop("code")]
    return vote_word(kind, str(facts.pop("choice", "")))


def _note(facts: dict[str, Json], names: Names) -> Inert | None:
    """Take the fact that matters most out of `facts`, and return it."""
    if facts.get("approved_by"):
        given_by = str(facts.pop("approved_by"))
        return inert(_GIVEN_BY.get(given_by, f"by {given_by}"))
    return next((_shown(facts.pop(name), names) for name in _NOTED if facts.get(name)), None)


def _left(facts: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    return ((name, value) for name, value in facts.items() if value not in (None, [], {}, ""))


def _shown(value: Json, names: Names) -> Inert:
    if isinstance(value, str):
        return inert(names.get(value, value))
    if isinstance(value, list):
        parts = [each if isinstance(each, str) else json.dumps(each) for each in cast("list[Json]", value)]
        return inert(", ".join(names.get(part, part) for part in parts))
    return inert(json.dumps(value, ensure_ascii=False))
