"""What has happened to one invocation, event by event, from the audit log."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from hub.audit import AuditEvent, EventKind, events_of, texts_of
from hub.identity.directory import get_many
from hub.identity.principals import Principal
from hub.invocations.journal import TEXTS
from hub.keys import Keyring
from hub.storage import Tx
from hub.web.dossier import Dossier
from hub.web.inert import Inert, inert, inert_name
from hub.web.moments import at
from hub.web.state_words import UNCOUNTED, event_word, found_word, vote_word
from hub.web.views.invocation import EventLine
from hub.web.wording import Word

Json = Any
"""Any JSON value."""

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
    "autocommit": "going without a question",
    "commit": "sending it",
    "approve": "this approval",
    "break_glass": "going without approval",
}
_GIVEN_BY: Final = {"grant": "under a standing grant", "nobody": "by nobody who was asked"}
_PEOPLE: Final = ("by", "operator", "voter", "voters", "in_place_of", "giver")
"""Facts that name people by their ids."""


async def read_timeline(tx: Tx, dossier: Dossier, keys: Keyring) -> tuple[EventLine, ...]:
    """Return the events of the dossier's invocation, oldest first, with the names of whoever acted.

    What systems have said is told too, until it is erased: whoever may open the dossier has its bodies before them.
    """
    events = await events_of(tx, dossier.invocation.id)
    texts = await texts_of(tx, dossier.invocation.id, TEXTS.values(), keys)
    actors = [each.actor for each in events if each.actor is not None]
    voters = [fact for each in events for fact in _ids(each.facts)]
    people = {**dossier.people, **await get_many(tx, [*actors, *voters])}
    told = [replace(each, facts={**each.facts, **texts.get(each.id, {})}) for each in events]
    return tuple(_line(event, dossier, people) for event in told)


def _line(event: AuditEvent, dossier: Dossier, people: Mapping[str, Principal]) -> EventLine:
    facts = {name: value for name, value in event.facts.items() if name not in _SAID_ELSEWHERE}
    if event.kind in _DECIDED_AGAIN:
        _put_in_words(facts)
    return EventLine(
        at=at(event.at, now=dossier.at),
        what=_word(event.kind, facts),
        who=inert_name(_who(event, dossier, people)),
        note=_note(facts, people),
        facts=tuple((name.replace("_", " "), _shown(value, people)) for name, value in _told(facts)),
    )


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
        return f"policy asks for {', '.join(said['obligations'])} for {what}"
    does = "allows" if said["outcome"] == "allowed" else "forbids"
    return f"policy {does} {what} ({', '.join(said['rule_ids']) or 'no rule allows it'})"


def _word(kind: EventKind, facts: dict[str, Json]) -> Word:
    """Return the words for an event; take out of `facts` what they say, and put in words why a vote did not count."""
    if kind is EventKind.COMMIT_RESOLVED:
        return found_word(was_done=bool(facts.pop("has_happened", False)))
    if kind not in {EventKind.VOTE_CAST, EventKind.VOTE_REFUSED}:
        return event_word(kind)
    if kind is EventKind.VOTE_REFUSED and facts.get("code") in UNCOUNTED:
        facts["reason"] = UNCOUNTED[facts.pop("code")]
    return vote_word(kind, str(facts.pop("choice", "")))


def _note(facts: dict[str, Json], people: Mapping[str, Principal]) -> Inert | None:
    """Take the fact that matters most out of `facts`, and return it."""
    if facts.get("approved_by"):
        given_by = str(facts.pop("approved_by"))
        return inert(_GIVEN_BY.get(given_by, f"by {given_by}"))
    return next((_shown(facts.pop(name), people) for name in _NOTED if facts.get(name)), None)


def _who(event: AuditEvent, dossier: Dossier, people: Mapping[str, Principal]) -> str:
    if event.actor is not None:
        return _name(event.actor, people)
    if event.kind is EventKind.INVOCATION_RECEIVED:
        return f"{dossier.name_of(dossier.invocation.agent_id)} for {dossier.requester}"
    return "the hub"


def _told(facts: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    return ((name, value) for name, value in facts.items() if value not in (None, [], {}, ""))


def _shown(value: Json, people: Mapping[str, Principal]) -> Inert:
    if isinstance(value, str):
        return inert(_name(value, people))
    if isinstance(value, list):
        parts = [each if isinstance(each, str) else json.dumps(each) for each in cast("list[Json]", value)]
        return inert(", ".join(_name(part, people) for part in parts))
    return inert(json.dumps(value, ensure_ascii=False))


def _ids(facts: Mapping[str, Json]) -> Iterator[str]:
    for name in _PEOPLE:
        value = facts.get(name)
        yield from (str(each) for each in (cast("list[Json]", value) if isinstance(value, list) else [value]) if each)


def _name(principal_id: str, people: Mapping[str, Principal]) -> str:
    found = people.get(principal_id)
    return found.display_name if found else principal_id
