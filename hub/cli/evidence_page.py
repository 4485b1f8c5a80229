"""What `toolhub audit verify --page` writes of proven evidence, with names from a hub's database if asked for."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hub.audit import EventLine, opened_evidence
from hub.cli.console import fail, run
from hub.identity.directory import get_many
from hub.opening import missing_database, open_database
from hub.registry import connections
from hub.settings import Settings
from hub.storage import now
from hub.web.evidence import Lookup, evidence_html, ids_in


def page_of_proven(lines: Sequence[bytes], names_of: Settings | None) -> str:
    """Return the page of evidence that was proven; without `names_of` it names ids alone."""
    header, events = opened_evidence(lines)
    lookup = Lookup() if names_of is None else _asked(names_of, events)
    return evidence_html(header, events, lookup, now=lookup.asked_at or datetime.now(UTC))


def _asked(chosen: Settings, events: Sequence[EventLine]) -> Lookup:
    if missing_database(chosen):
        fail("There is no hub's database here to look names up in. Without --names the page names ids.")
    return run(_look_up(chosen, ids_in(events)))


async def _look_up(chosen: Settings, ids: frozenset[str]) -> Lookup:
    async with open_database(chosen) as database, database.reading() as tx:
        people = await get_many(tx, sorted(ids))
        reached = {one.id: one.name for one in await connections(tx) if one.id in ids}
        names = {one.id: one.display_name for one in people.values()} | reached
        return Lookup(names=names, asked_at=await now(tx))
