"""The audit log: the page on which auditors read events, keep the newest checkpoint, check the log and take it away."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from hub import audit
from hub.audit import AuditEvent, EventFilter, EventKind, Report
from hub.identity.directory import find, get_many
from hub.identity.permissions import Permission, demand
from hub.identity.principals import Principal
from hub.storage import Tx, now
from hub.web.event_kinds import event_word
from hub.web.inert import Inert, inert, inert_name
from hub.web.moments import at
from hub.web.views.audit import Checked, LogLine, LogPage
from hub.web.views.catalog import Choice
from hub.web.visits import Shown, Visit, show

PATH: Final = "/audit"
_PAGE: Final = 50
_LONGEST_NUMBER: Final = 18
_PAGES: Final = {"inv_": "/invocations/{}", "bdl_": "/policy/bundles/{}"}
"""Where auditors may look at what an event is about, by how its id begins."""


async def show_log(visit: Visit) -> Response:
    """Show the newest checkpoint, and the events that were asked for."""
    demand(visit.person, Permission.SEE_AUDIT)
    return await _page(visit)


async def check_log(visit: Visit) -> Response:
    """Check the newest part of the log, and answer with what was found: a check is of a moment."""
    demand(visit.person, Permission.SEE_AUDIT)
    report = await audit.check_newest(visit.runtime.database, visit.runtime.keys, by=visit.person.id)
    return await _page(visit, checked=_checked(report))


async def download_log(visit: Visit) -> Response:
    """Send the log with its proofs, as `toolhub audit verify` reads it; that it was taken is on record."""
    demand(visit.person, Permission.SEE_AUDIT)
    order = audit.ExportOrder(by=visit.person.id)
    lines = audit.export_lines(visit.runtime.database, visit.runtime.keys, order)
    return await _sent(lines, name="audit.jsonl")


async def _sent(lines: AsyncGenerator[bytes], *, name: str) -> Response:
    header = await anext(lines)  # what stands against it is said before anything leaves

    async def whole() -> AsyncIterator[bytes]:
        yield header
        async for line in lines:
            yield line

    attached = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(whole(), media_type="application/jsonl", headers=attached)


async def _page(visit: Visit, *, checked: Checked | None = None) -> Response:
    asked, keys = visit.request.query_params, visit.runtime.keys
    kind, of, before = asked.get("kind", ""), asked.get("of", "").strip(), asked.get("before", "")
    who = asked.get("who", "").strip()
    async with visit.runtime.database.reading() as tx:
        wanted = EventFilter(kind=_kind(kind), subject=await _named(tx, of), actor=await _named(tx, who))
        newest = await audit.latest_checkpoint(tx, keys)
        found = await audit.page_of_events(tx, wanted=wanted, before=_number(before), limit=_PAGE + 1)
        shown, moment = found[:_PAGE], await now(tx)
        people = await get_many(tx, [one for each in shown for one in _ids(each)])
    more = {"kind": kind, "of": of, "who": who, "before": str(shown[-1].entry)} if len(found) > _PAGE else None
    page = LogPage(
        size=newest.size if newest else 0,
        note=newest.note if newest else "",
        keys=tuple(map(str, audit.note_keys(keys))),
        at_once=audit.CHECKED,
        lines=tuple(_line(one, people, moment) for one in shown),
        kinds=tuple(_choices(kind)),
        of=of,
        who=who,
        checked=checked,
        more_url=f"{PATH}?{urlencode(more)}" if more else "",
    )
    return show(visit, Shown(template="audit.html", title="Audit log", page=page, here="audit"))


def _choices(chosen: str) -> Iterator[Choice]:
    for one in EventKind:
        yield Choice(value=one.value, label=f"{event_word(one).label} ({one.value})", is_chosen=one.value == chosen)


def _kind(chosen: str) -> EventKind | None:
    return EventKind(chosen) if chosen in {one.value for one in EventKind} else None


def _number(typed: str) -> int | None:
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= _LONGEST_NUMBER else None


async def _named(tx: Tx, typed: str) -> str | None:
    """Return the id that events have of what was typed, which may be the name of a person or an agent."""
    named = await find(tx, typed) if typed else None
    return named.id if named else typed or None


def _ids(event: AuditEvent) -> list[str]:
    return [one for one in (event.subject, event.actor, event.agent, event.on_behalf_of) if one is not None]


def _line(event: AuditEvent, people: Mapping[str, Principal], moment: datetime) -> LogLine:
    page = next((page for prefix, page in _PAGES.items() if event.subject.startswith(prefix)), "")
    return LogLine(
        number="" if event.position is None else f"{event.position:,}",
        at=at(event.at, now=moment),
        what=event_word(event.kind),
        kind=event.kind.value,
        who=inert_name(_who(event, people)),
        about=inert_name(_name(event.subject, people)),
        url=page.format(event.subject),
        facts=tuple((name.replace("_", " "), _shown(value)) for name, value in event.facts.items() if value != ""),
        private=tuple(sorted(event.commitments)),
    )


def _who(event: AuditEvent, people: Mapping[str, Principal]) -> str:
    if event.actor is not None:
        return _name(event.actor, people)
    if event.agent is None:
        return "the hub"
    agent = _name(event.agent, people)
    return agent if event.on_behalf_of is None else f"{agent} for {_name(event.on_behalf_of, people)}"


def _name(principal_id: str, people: Mapping[str, Principal]) -> str:
    return people[principal_id].display_name if principal_id in people else principal_id


def _shown(value: Any) -> Inert:  # noqa: ANN401  # a fact is any JSON
    return inert(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _checked(report: Report) -> Checked:
    if not report.is_sound:
        found = tuple(map(str, report.findings))
        return Checked(words=f"Not proven: {len(found) + report.more_findings} finding(s).", tone="bad", findings=found)
    last = report.first + report.events - 1
    told = f"Proven: {report.events:,} events, from number {report.first:,} to {last:,}, under one signed checkpoint."
    return Checked(
        words=told if report.continues is None else f"{told} They continue the log before them.", tone="good"
    )
