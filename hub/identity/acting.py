"""Who acts for a person: the agents that may, where, and on whose word; the person may take that back at any time."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select

from hub.core.errors import NotFound
from hub.identity.authority import Authority
from hub.identity.directory import get_many
from hub.identity.grants_consent import consents_of, withdraw_consent
from hub.identity.leave_ends import has_leave_ended, has_link_ended
from hub.identity.principals import Caller, Principal
from hub.identity.tables import ConsentRow, GrantRow
from hub.storage import Tx, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """What an agent may do for somebody at one server, as an OAuth resource, since when, and on whose word."""

    resource: str
    scopes: tuple[str, ...]
    since: datetime
    issuer: str | None = None
    """The external issuer that said so (ID-JAG); it can say so again after the person has taken it back."""
    passed_on_by: Principal | None = None
    """The agent that passed its own leave on, by token exchange; when that one's ends, so does this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """One agent that may act for a person, and all that it may do."""

    agent: Principal
    leaves: tuple[Leave, ...]


async def acting_for(tx: Tx, user_id: str, asked: Mapping[str, datetime] | None = None) -> list[Acting]:
    """Return the agents that may act for a person, by name, whether or not they do so at this moment.

    `asked` tells when each agent last asked in their name for what has not ended: it is among them with no leave at all
    unless that was taken back since, so that the person can take it back, however long ago its token has run out.
    """
    leaves = defaultdict[str, list[Leave]](list)
    for agent_id, leave in (*await _consented(tx, user_id), *await _granted(tx, user_id)):
        leaves[agent_id].append(leave)
    for agent_id in await _still_asking(tx, user_id, asked or {}):
        leaves.setdefault(agent_id, [])
    agents = await get_many(tx, list(leaves))
    found = [Acting(agent=agents[agent_id], leaves=tuple(each)) for agent_id, each in leaves.items()]
    return sorted(found, key=lambda one: (one.agent.display_name, one.agent.id))


async def is_anybody_acting_for(tx: Tx, user_id: str, asked: Mapping[str, datetime]) -> bool:
    """Return whether `acting_for` would name an agent."""
    agreed = exists().where(ConsentRow.user_id == user_id, ConsentRow.withdrawn_at.is_(None))
    if await tx.scalar(select(agreed | exists().where(*_on_another_word(user_id, await now(tx))))):
        return True
    return bool(await _still_asking(tx, user_id, asked))


async def leave_since(
    tx: Tx, caller: Caller, resources: Collection[str], *, since: datetime
) -> Sequence[frozenset[str]]:
    """Return the scopes within which alone goes on what `caller` has asked for by `since`: each set of them bounds it.

    One is empty where all leave has ended since: the agent's own, that of an agent through which it came, or the link
    of the issuer on whose word it was. Leave that is given again later does not bring that back. One is what the person
    has answered anew for one of them at one of `resources`. None: nothing was taken back; the passing of time and the
    end of tokens take nothing.
    """
    person, agent_ids = caller.subject.id, (caller.actor.id, *caller.passed_on_by)
    if await has_leave_ended(tx, person, agent_ids, since=min(since, caller.leave_from or since)):
        return [frozenset()]
    if caller.issuer is not None and await has_link_ended(tx, person, caller.issuer, since=since):
        return [frozenset()]
    theirs = (ConsentRow.user_id == person, ConsentRow.client_id.in_(agent_ids), ConsentRow.resource.in_(resources))
    anew = select(ConsentRow).where(*theirs, ConsentRow.given_at > since)
    latest = dict[tuple[str, str], frozenset[str]]()
    for row in await tx.scalars(anew.order_by(ConsentRow.given_at.desc(), ConsentRow.id.desc())):
        latest.setdefault((row.client_id, row.resource), frozenset(row.scopes))
    return list(latest.values())


async def stop_acting(
    tx: Tx, user_id: str, agent_id: str, authority: Authority, asked: Mapping[str, datetime] | None = None
) -> Principal:
    """Take back all that an agent may do for a person, stop its tokens for them at once, and return the agent.

    Raises:
        NotFound: it is not one of those that `acting_for` names.
    """
    agent = next((one.agent for one in await acting_for(tx, user_id, asked) if one.agent.id == agent_id), None)
    if agent is None:
        raise NotFound("No such agent acts for you; what it was allowed may have been taken back already.")
    await withdraw_consent(tx, user_id, agent_id, authority)
    return agent


async def _still_asking(tx: Tx, user_id: str, asked: Mapping[str, datetime]) -> list[str]:
    return [one for one, at in asked.items() if not await has_leave_ended(tx, user_id, [one], since=at)]


async def _consented(tx: Tx, user_id: str) -> list[tuple[str, Leave]]:
    latest = dict[tuple[str, str], Leave]()
    for one in await consents_of(tx, user_id):  # the latest first, which counts alone
        leave = Leave(resource=one.resource, scopes=one.scopes, since=one.given_at)
        latest.setdefault((one.agent_id, one.resource), leave)
    return [(agent_id, leave) for (agent_id, _), leave in latest.items()]


def _on_another_word(user_id: str, moment: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return what stands on another word than the person's own: an issuer's, or that of an agent which passed it on."""
    return (
        GrantRow.user_id == user_id,
        or_(GrantRow.issuer.is_not(None), GrantRow.parent_id.is_not(None)),
        GrantRow.revoked_at.is_(None),
        GrantRow.expires_at > moment,
    )


async def _granted(tx: Tx, user_id: str) -> list[tuple[str, Leave]]:
    query = (
        select(GrantRow)
        .where(*_on_another_word(user_id, await now(tx)))
        .order_by(GrantRow.created_at.desc(), GrantRow.id)
    )
    rows = list(await tx.scalars(query))
    actors = await get_many(tx, [row.actors[0] for row in rows if row.parent_id and row.actors])
    latest = dict[tuple[str, str, str | None], Leave]()
    for row in rows:
        latest.setdefault((row.client_id, row.resource, _word(row)), _leave(row, actors))
    return [(agent_id, leave) for (agent_id, *_), leave in latest.items()]


def _word(row: GrantRow) -> str | None:
    return row.actors[0] if row.parent_id and row.actors else row.issuer


def _leave(row: GrantRow, actors: Mapping[str, Principal]) -> Leave:
    is_passed_on = bool(row.parent_id and row.actors)
    return Leave(
        resource=row.resource,
        scopes=tuple(row.scopes),
        since=row.created_at,
        issuer=None if is_passed_on else row.issuer,
        passed_on_by=actors.get(row.actors[0]) if is_passed_on else None,
    )
