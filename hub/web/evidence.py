"""The page an auditor reads of proven evidence on one invocation: who did what and when, in words, and what was shown.

The file stays what is proven. Its own page, which is sealed in it, lists events as they are; this one is made around
them, with names as they are when it is made, and says which of it the file proves. It is one HTML file that loads
nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from pydantic import ValidationError

from connectors.sdk.preview import Preview
from hub.audit import EventKind, EventLine, EvidenceHeader
from hub.invocations.states import State
from hub.web.comparison import Comparison, Field, comparison, plain_fields
from hub.web.event_words import Names, Told, people_in, told
from hub.web.inert import Inert, inert, inert_name
from hub.web.moments import At, at
from hub.web.rendering import STATIC, Chrome, render
from hub.web.state_words import FOUND_NOT_DONE, STATES
from hub.web.wording import Word

Json = Any
"""Any JSON value."""

_TEXTS: Final = ("why", "reason", "findings", "differences", "asked_for", "numbers")
"""Private values that are texts about the event itself; the others are shown by what they are, or in JSON."""
_PARTIES: Final = ("actor", "agent", "on_behalf_of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What people, agents and connections are called in some hub, and when it was asked; None: it was not."""

    names: Names = field(default_factory=dict[str, str])
    asked_at: datetime | None = None

    def called(self, known_as: str) -> str:
        """Return the name with the id that is proven, or the id alone."""
        return f"{self.names[known_as]} ({known_as})" if known_as in self.names else known_as


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEvent:
    """One event: in words, and as the file has it."""

    number: int
    at: At | None
    what: Word
    who: Inert
    note: Inert | None
    facts: tuple[tuple[str, Inert], ...]
    closed: tuple[str, ...]
    """Private values that are not in the file."""
    erased: tuple[str, ...]
    raw: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePage:
    """Everything the page says. What is None or empty is not in the file."""

    subject: str
    style: str
    state: Word | None
    facts: tuple[tuple[str, Inert], ...]
    arguments: tuple[Field, ...]
    claims: tuple[tuple[str, Inert], ...]
    changes: tuple[Comparison, ...]
    outcome: tuple[Field, ...]
    events: tuple[EvidenceEvent, ...]
    policies: tuple[tuple[str, Inert], ...]
    checkpoint: str
    is_open: bool
    made: At
    names: tuple[tuple[str, Inert], ...]
    names_at: At | None


def ids_in(events: Sequence[EventLine]) -> frozenset[str]:
    """Return the ids of those whom the events name: people, agents, and the connection."""
    found = set[str]()
    for event in events:
        facts = _facts(event)
        found |= {one for name in _PARTIES if isinstance(one := event.body.get(name), str)}
        found |= {*people_in(facts)}
        found |= {one for one in [facts.get("connection_id")] if isinstance(one, str)}
    return frozenset(found)


def evidence_html(header: EvidenceHeader, events: Sequence[EventLine], lookup: Lookup, *, now: datetime) -> str:
    """Return the page about evidence that was proven, as it is read `now`."""
    page = EvidencePage(
        subject=header.subject,
        style=(STATIC / "hub.css").read_text(),
        state=_state(events),
        facts=tuple(_summary(events, lookup)),
        arguments=_record(_last(events, "arguments")),
        claims=tuple((name, _text(value, lookup)) for name, value in _mapping(_last(events, "claims")).items()),
        changes=_changes(_last(events, "preview")),
        outcome=_record(_last(events, "output")),
        events=tuple(_event(one, lookup, now) for one in events),
        policies=tuple((one.digest, inert(one.text)) for one in header.policies),
        checkpoint=header.checkpoint,
        is_open=header.values == "open",
        made=at(now, now=now),
        names=tuple((one, inert_name(lookup.names[one])) for one in sorted(ids_in(events)) if one in lookup.names),
        names_at=at(lookup.asked_at, now=now) if lookup.asked_at else None,
    )
    return render("evidence.html", Chrome(title=f"Evidence on {header.subject}"), page)


def _facts(event: EventLine) -> dict[str, Json]:
    return dict(_mapping(event.body.get("facts")))


def _mapping(value: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", value) if isinstance(value, Mapping) else {}


def _last(events: Sequence[EventLine], name: str) -> Json:
    """Return the private value that was recorded last under this name; None: none is in the file."""
    opened = [one for event in events if (one := (event.values or {}).get(name)) is not None]
    return opened[-1].value if opened else None


def _record(value: Json) -> tuple[Field, ...]:
    return plain_fields(_mapping(value))


def _changes(preview: Json) -> tuple[Comparison, ...]:
    try:
        shown = Preview.model_validate_json(json.dumps(preview))
    except ValidationError:  # of another version, or of somebody else: its event has it in JSON
        return ()
    return tuple(comparison(change) for change in shown.changes)


def _state(events: Sequence[EventLine]) -> Word | None:
    """Return what it came to by the last of its own events."""
    for event in reversed(events):
        facts = _facts(event)
        if str(facts.get("state")) in {one.value for one in State}:
            is_not_done = event.body.get("kind") == EventKind.COMMIT_RESOLVED and facts.get("has_happened") is False
            return FOUND_NOT_DONE if is_not_done else STATES[State(facts["state"])]
    return None


def _summary(events: Sequence[EventLine], lookup: Lookup) -> Iterator[tuple[str, Inert]]:
    own = [one for one in events if "tool" in _facts(one)] or [*events]
    body, facts = own[0].body, _facts(own[0])
    said = (
        ("Agent", body.get("agent")),
        ("For", body.get("on_behalf_of")),
        ("Tool", facts.get("tool")),
        ("Connection", facts.get("connection_id")),
        ("Connector", facts.get("connector")),
        ("Server", facts.get("server")),
        ("Environment", facts.get("environment")),
        ("Effect", facts.get("effect")),
        ("Tier", _facts(own[-1]).get("tier")),
    )
    yield from ((label, _text(value, lookup)) for label, value in said if value)
    votes = [_facts(one) for one in events if one.body.get("kind") == EventKind.VOTE_CAST]
    for choice, label in (("approve", "Approved by"), ("reject", "Rejected by")):
        voters = [lookup.called(str(vote.get("voter"))) for vote in votes if vote.get("choice") == choice]
        if voters:
            yield label, inert(", ".join(dict.fromkeys(voters)))


def _event(event: EventLine, lookup: Lookup, now: datetime) -> EvidenceEvent:
    values = event.values or {}
    private = {name: values[name] for name in _TEXTS if name in values}
    texts: dict[str, Json] = {name: opened.value for name, opened in private.items() if opened is not None}
    said = _said(event, {**_facts(event), **texts}, lookup)
    shown: dict[str, Json] = {**event.body}
    if values:
        shown["values"] = {name: opened.value for name, opened in values.items() if opened is not None}
    return EvidenceEvent(
        number=event.position,
        at=_moment(event.body.get("at"), now),
        what=said.what,
        who=inert_name(_who(event, lookup)),
        note=said.note,
        facts=said.facts,
        closed=() if event.values is not None else tuple(sorted(event.commitments())),
        erased=tuple(sorted(name for name, opened in values.items() if opened is None)),
        raw=inert(json.dumps(shown, ensure_ascii=False, indent=1, sort_keys=True)),
    )


def _said(event: EventLine, facts: Mapping[str, Json], lookup: Lookup) -> Told:
    kind = event.body.get("kind")
    names = {known_as: lookup.called(known_as) for known_as in lookup.names}
    try:
        return told(EventKind(str(kind)), facts, names, every_decision=True)
    except (AttributeError, KeyError, TypeError, ValueError):  # not as this hub writes it: its JSON says what it is
        return Told(what=Word(label=str(kind), meaning=""), note=None, facts=())


def _who(event: EventLine, lookup: Lookup) -> str:
    actor, agent, person = (event.body.get(name) for name in _PARTIES)
    if actor is not None:
        return lookup.called(str(actor))
    if agent is None or event.body.get("kind") != EventKind.INVOCATION_RECEIVED:
        return "the hub"
    return lookup.called(str(agent)) + (f" for {lookup.called(str(person))}" if person else "")


def _moment(said: Json, now: datetime) -> At | None:
    try:
        return at(datetime.fromisoformat(said), now=now)
    except (TypeError, ValueError):
        return None


def _text(value: Json, lookup: Lookup) -> Inert:
    return inert(lookup.called(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
