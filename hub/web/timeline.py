"""What has happened to one invocation, event by event, from the audit log."""

from dataclasses import replace

from hub.audit import AuditEvent, EventKind, events_of, texts_of
from hub.identity.directory import get_many
from hub.invocations.journal import TEXTS
from hub.keys import Keyring
from hub.storage import Tx
from hub.web.dossier import Dossier
from hub.web.event_words import Names, people_in, told
from hub.web.inert import inert_name
from hub.web.moments import at
from hub.web.views.invocation import EventLine


async def read_timeline(tx: Tx, dossier: Dossier, keys: Keyring) -> tuple[EventLine, ...]:
    """Return the events of the dossier's invocation, oldest first, with the names of whoever acted.

    What systems have said is told too, until it is erased: whoever may open the dossier has its bodies before them.
    """
    events = await events_of(tx, dossier.invocation.id)
    texts = await texts_of(tx, dossier.invocation.id, TEXTS.values(), keys)
    actors = [each.actor for each in events if each.actor is not None]
    voters = [fact for each in events for fact in people_in(each.facts)]
    people = {**dossier.people, **await get_many(tx, [*actors, *voters])}
    names = {one.id: one.display_name for one in people.values()}
    whole = [replace(each, facts={**each.facts, **texts.get(each.id, {})}) for each in events]
    return tuple(_line(event, dossier, names) for event in whole)


def _line(event: AuditEvent, dossier: Dossier, names: Names) -> EventLine:
    said = told(event.kind, event.facts, names)
    return EventLine(
        at=at(event.at, now=dossier.at),
        what=said.what,
        who=inert_name(_who(event, dossier, names)),
        note=said.note,
        facts=said.facts,
    )


def _who(event: AuditEvent, dossier: Dossier, names: Names) -> str:
    if event.actor is not None:
        return names.get(event.actor, event.actor)
    if event.kind is EventKind.INVOCATION_RECEIVED:
        return f"{dossier.name_of(dossier.invocation.agent_id)} for {dossier.requester}"
    return "the hub"
