"""Counting calls that never became invocations: turned away at the door, for their arguments or an unknown tool."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.core.canonical import read_canonical
from hub.core.errors import ArgumentsInvalid, InputError, Malformed, NotFound
from hub.identity.directory import get_many
from hub.identity.principals import PrincipalKind
from hub.invocations.refuse import AT_THE_DOOR
from hub.invocations.states import State
from hub.metrics.facts import CallFacts
from hub.metrics.lookups import Ground, Made, parts_of
from hub.metrics.values import Tally
from hub.registry.tables import EntryRow, ServerRow
from hub.storage import Tx

_ITS_FAULT: Final = frozenset({ArgumentsInvalid.code, InputError.code, Malformed.code, NotFound.code})
"""Why a call is turned away that was wrong in itself; a missing scope or a quarantine says nothing about it."""


async def count_turned_away(ground: Ground, tally: Tally) -> None:
    """Add the calls of agents that were turned away in the window to `tally`; nobody was asked about any of them."""
    if ground.window.person_id is not None:
        return
    found = await _found(ground)
    known = await get_many(ground.tx, sorted({one.agent_id for one in found}))
    agents = {one.id for one in known.values() if one.kind is not PrincipalKind.USER}
    places = await _places(ground.tx, sorted({one.server for one in found}))
    call = CallFacts(state=State.DENIED, is_read=True, by_agent=True)
    for one in found:
        if one.agent_id in agents:
            environment, tool_id = places.get((one.server, one.tool)) or places.get((one.server, "")) or ("", "")
            made = Made(
                at=one.row.at,
                environment=environment,
                server=one.server,
                agent_id=one.agent_id,
                user_id=one.user_id,
                tool_id=tool_id,
            )
            ground.put(tally, made, call)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Away:
    row: EventRow
    agent_id: str
    user_id: str | None
    server: str
    tool: str


async def _found(ground: Ground) -> list[_Away]:
    row, window = EventRow, ground.window
    query = select(row).where(
        row.kind == EventKind.INVOCATION_REFUSED.value,
        row.at >= window.begins,
        row.at < window.ends,
        row.subject.startswith(AT_THE_DOOR, autoescape=True),
    )
    if window.agent_id is not None:
        query = query.where(row.actor == window.agent_id)
    found = [(one, read_canonical(one.body)) for one in await ground.tx.scalars(query)]
    return [_away(one, body) for one, body in found if body["facts"]["code"] in _ITS_FAULT]


def _away(row: EventRow, body: Any) -> _Away:  # noqa: ANN401  # the JSON of an event
    facts = body["facts"]
    return _Away(
        row=row, agent_id=body["agent"], user_id=body["on_behalf_of"], server=facts["server"], tool=facts["tool"]
    )


async def _places(tx: Tx, servers: list[str]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the environment and the tool behind each name that these servers publish; of "" the environment alone."""
    places = dict[tuple[str, str], tuple[str, str]]()
    for some in parts_of(servers):
        of_servers = select(ServerRow.name, ServerRow.environment).where(ServerRow.name.in_(some))
        environments = {row.name: row.environment for row in await tx.execute(of_servers)}
        places |= {(name, ""): (environment, "") for name, environment in environments.items()}
        entries = select(EntryRow.server, EntryRow.name, EntryRow.tool_id).where(EntryRow.server.in_(some))
        for server, name, tool_id in await tx.execute(entries):
            places[server, name] = (environments[server], tool_id)
    return places
