"""Pins on record: looks that are due, and changes that wait for an owner, accepted or refused; each with an event."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, update

from connectors.sdk.spec import ConnectorSpec
from hub import outbox
from hub.audit import EventKind
from hub.core.canonical import digest
from hub.core.errors import Conflict, InputError, NotFound
from hub.core.ids import is_id, new_id
from hub.identity.authority import Authority
from hub.identity.directory import get, people_with
from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal, Role
from hub.pins.advice import Advice
from hub.pins.breaking import breakage
from hub.pins.tables import PinChangeRow, PinLookRow
from hub.pins.values import Change, Look, State
from hub.registry import get_connection, register_connector
from hub.registry.digests import release_digest
from hub.registry.federated import federated_connections, hold_back
from hub.registry.reading import connector_owner
from hub.registry.stewardship import Stewards, Touched, outdate_catalog, require_steward
from hub.registry.stored import read_spec, spec_text
from hub.registry.tables import ConnectionRow
from hub.registry.using import newest_release, spec_for
from hub.storage import Tx, insert_into, now

LOOK_EVERY: Final = timedelta(minutes=10)
_PAUSE: Final = timedelta(minutes=1)
"""Between two looks at a server that says again and again that it has changed."""
_LOOK_LASTS: Final = timedelta(minutes=2)
PIN_WAITS: Final = "pin.waiting"
"""What a server says otherwise waits for its owner; the topic in the outbox and the event of webhooks."""
_HELD_BACK: Final = "Its server has changed: "
"""How the reason begins for which a look holds a tool back."""
_LONGEST_REASON: Final = 2000
_NONE: Final = "There is no such change."


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one look found: the release that the server's words would make, and what to know of it.

    `base` is the digest of the release that this one would replace, with which it was compared; `text` is how this
    one is stored. Making it is no work for a transaction, where a server lists thousands of tools.
    """

    connector: str
    connection_id: str
    base: str
    release: str
    text: str
    advice: tuple[Advice, ...]

    @classmethod
    def at(cls, spec: ConnectorSpec, *, connection_id: str, base: str, advice: tuple[Advice, ...]) -> "Looked":
        """Return that the server of a connection says `spec`."""
        release, text = release_digest(spec), spec_text(spec)
        return cls(
            connector=spec.name, connection_id=connection_id, base=base, release=release, text=text, advice=advice
        )


async def take_looks(tx: Tx, most: int) -> list[str]:
    """Return at most so many connections whose servers are to be looked at now, each to one process."""
    at = await now(tx)
    federated = federated_connections()
    known = set(await tx.scalars(select(PinLookRow.connection_id)))
    for connection_id in sorted(set(await tx.scalars(federated)) - known):
        fresh = {"connection_id": connection_id, "look_at": at + LOOK_EVERY}
        await tx.execute(insert_into(tx, PinLookRow).values(fresh).on_conflict_do_nothing())
    is_due = or_(PinLookRow.look_at <= at, PinLookRow.look_at > at + LOOK_EVERY)  # the latter once the clock went back
    due = select(PinLookRow.connection_id).where(is_due, PinLookRow.connection_id.in_(federated))
    first = due.order_by(PinLookRow.look_at).limit(most)
    taken = update(PinLookRow).where(PinLookRow.connection_id.in_(first), is_due)
    return list(await tx.scalars(taken.values(look_at=at + _LOOK_LASTS).returning(PinLookRow.connection_id)))


async def hurry(tx: Tx, connection_id: str) -> None:
    """Have a server looked at soon that says its lists have changed; at most once a minute.

    One whose look is being put on record at this moment is left alone, so that two looks never wait for each other.
    """
    at = await now(tx)
    later = (PinLookRow.connection_id == connection_id, PinLookRow.look_at > at + _PAUSE)
    row = await tx.scalar(select(PinLookRow).where(*later).with_for_update(skip_locked=True))
    if row is not None:
        row.look_at = at if row.looked_at is None else max(at, row.looked_at + _PAUSE)
        await tx.flush()


async def note_look(tx: Tx, connection_id: str, problem: str | None, *, began: datetime) -> bool:
    """Put on record that a server was looked at from `began` on; `problem` says why there was nothing to see.

    Return whether that is so: a look that began later may have been put on record before, of which this one knows
    less.
    """
    at = await now(tx)
    said = {"looked_at": began, "look_at": at + LOOK_EVERY, "problem": problem[:500] if problem else None}
    statement = insert_into(tx, PinLookRow).values(connection_id=connection_id, **said)
    # What was looked at later than now was so by a clock that has gone back since, and tells nothing.
    is_newest = or_(PinLookRow.looked_at.is_(None), PinLookRow.looked_at <= began, PinLookRow.looked_at > at)
    noted = statement.on_conflict_do_update(index_elements=["connection_id"], set_=said, where=is_newest)
    return await tx.scalar(noted.returning(PinLookRow.connection_id)) is not None


async def looks(tx: Tx) -> dict[str, Look]:
    """Return the latest look at each connection's server, by connection."""
    return {
        row.connection_id: Look(connection_id=row.connection_id, looked_at=row.looked_at, problem=row.problem)
        for row in await tx.scalars(select(PinLookRow))
    }


async def propose(tx: Tx, looked: Looked, authority: Authority) -> Change | None:
    """Put what a server says now in front of its owner; None if they know it, or have refused just that."""
    wanted = _difference(looked.release, looked.base)
    mine = select(PinChangeRow).where(PinChangeRow.connection_id == looked.connection_id)
    latest = await tx.scalar(mine.order_by(PinChangeRow.id.desc()).limit(1).with_for_update())
    if latest is not None and latest.digest == wanted and latest.state in {State.WAITING, State.REFUSED}:
        return None
    at = await now(tx)
    if latest is not None and latest.state == State.WAITING:
        row = latest  # a server that says something else at each look fills no list
    else:
        row = PinChangeRow(id=new_id("pin"), connector=looked.connector, state=State.WAITING.value)
    row.connection_id, row.digest = looked.connection_id, wanted
    row.release, row.spec = looked.release, looked.text
    row.advice, row.found_at = [one.as_json() for one in looked.advice], at
    tx.add(row)
    await tx.flush()
    signs = sorted({one.sign.value for one in looked.advice})
    facts = {"connector": row.connector, "connection": row.connection_id, "release": row.release, "signs": signs}
    await authority.record(tx, EventKind.PIN_CHANGED, row.id, **facts)
    told = {"pin_id": row.id, "connector": row.connector, "connection": row.connection_id, "signs": signs}
    # Once for each change, and again when there is something else to look at twice: a server cannot flood anybody.
    await outbox.put(tx, topic=PIN_WAITS, payload=told, key=f"{row.id}:{digest(signs)}")
    await _hurry_others(tx, row)
    return _change(row)


async def hold(tx: Tx, connection_id: str, broken: Mapping[str, str], authority: Authority) -> None:
    """Hold back, over this connection alone, what its server does not do any more as the release in use there has it.

    `broken` is the `breakage` of that. What the server does again is let go.
    """
    held = {name: f"{_HELD_BACK}{why}" for name, why in broken.items()}
    await hold_back(tx, connection_id, held, authority)


async def settle(tx: Tx, connection_id: str) -> None:
    """Let nothing wait any more of what the server of a connection said before."""
    waiting = (PinChangeRow.connection_id == connection_id, PinChangeRow.state == State.WAITING.value)
    await tx.execute(update(PinChangeRow).where(*waiting).values(state=State.REPLACED.value, ended_at=await now(tx)))


async def accept(tx: Tx, change_id: str, seen: str, authority: Authority) -> Change:
    """Make a release of what the server says, in use in dev; over its connection that lets go what works again there.

    `seen` is the digest of what was looked at: of what the server says, and of what that replaces. Where another
    release is in use, or the server of another connection was looked at, nothing is let go.

    Raises:
        Conflict: it does not wait any more, is not what was looked at, or would replace another release by now.
        Forbidden: it is neither the connector's owner nor an administrator.
        InputError: it cannot be registered; the message lists why.
        NotFound: there is no such change.
    """
    row = await _decided(tx, change_id, seen, authority)
    says = await said(tx, change_id)
    await outdate_catalog(tx, authority, Touched(connectors=frozenset({row.connector})))  # the base stays what it is
    base = await newest_release(tx, row.connector)
    if _difference(row.release, base.digest) != row.digest:
        raise Conflict("Another release was registered since; look at the server again, then at what differs.")
    await register_connector(tx, says, authority)
    in_use = await spec_for(tx, await get_connection(tx, row.connection_id))
    broken = await asyncio.to_thread(breakage, in_use, says)  # where there are thousands of tools, it takes seconds
    await hold(tx, row.connection_id, broken, authority)
    await _hurry_others(tx, row)
    return await _ended(tx, row, State.ACCEPTED, None, authority)


async def refuse(tx: Tx, change_id: str, seen: str, reason: str, authority: Authority) -> Change:
    """Leave everything as it was accepted; the same is not shown again.

    Raises:
        Conflict: it does not wait any more, or is not what was looked at.
        Forbidden: it is neither the connector's owner nor an administrator.
        InputError: there is no reason.
        NotFound: there is no such change.
    """
    why = reason.strip()
    if not why or len(why) > _LONGEST_REASON:
        raise InputError(f"Say why not, in at most {_LONGEST_REASON} characters.")
    return await _ended(tx, await _decided(tx, change_id, seen, authority), State.REFUSED, why, authority)


async def changes(tx: Tx, *, before: str | None = None, limit: int = 50) -> list[Change]:
    """Return changes, the newest first; `before` is the id of one, after which the page begins."""
    query = select(PinChangeRow).order_by(PinChangeRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(PinChangeRow.id < before)
    return [_change(row) for row in await tx.scalars(query)]


async def waiting_now(tx: Tx) -> dict[str, Change]:
    """Return what waits for its owner, by the connection at whose server it was found."""
    query = select(PinChangeRow).where(PinChangeRow.state == State.WAITING.value).order_by(PinChangeRow.id)
    return {row.connection_id: _change(row) for row in await tx.scalars(query)}


async def get_change(tx: Tx, change_id: str) -> Change:
    """Return one change.

    Raises:
        NotFound: there is none.
    """
    return _change(await _row(tx, change_id))


async def said(tx: Tx, change_id: str) -> ConnectorSpec:
    """Return the release that accepting a change makes.

    Raises:
        NotFound: there is no such change.
    """
    stored = await tx.scalar(select(PinChangeRow.spec).where(PinChangeRow.id == change_id))
    if stored is None:
        raise NotFound(_NONE)
    return await read_spec(stored)


async def may_decide(tx: Tx, change: Change, person_id: str) -> bool:
    """Return whether somebody decides on `change`: the connector's owner, or an administrator."""
    person, owner = await get(tx, person_id), await connector_owner(tx, change.connector)
    return may(person, Permission.MANAGE_REGISTRY) or (person.id == owner and not person.is_suspended)


async def deciders(tx: Tx, change_id: str) -> list[Principal]:
    """Return who is told of a change: the connector's owner, administrators if it has none who is there.

    Nobody, if it does not wait any more.
    """
    row = await tx.get(PinChangeRow, change_id, populate_existing=True)
    if row is None or row.state != State.WAITING.value:
        return []
    owner = await connector_owner(tx, row.connector)
    if owner is not None and not (person := await get(tx, owner)).is_suspended:
        return [person]
    return await people_with(tx, Role.ADMINISTRATOR)


async def _decided(tx: Tx, change_id: str, seen: str, authority: Authority) -> PinChangeRow:
    row = await _row(tx, change_id)
    owner = await connector_owner(tx, row.connector)
    await require_steward(tx, authority, Stewards(owner_id=owner, what=f"what {row.connector!r} says"))
    if row.state != State.WAITING.value:
        raise Conflict(f"This does not wait any more: it is {row.state}.")
    if row.digest != seen:
        raise Conflict("This is not what you looked at; look again.")
    return row


async def _ended(tx: Tx, row: PinChangeRow, state: State, reason: str | None, authority: Authority) -> Change:
    row.state, row.ended_at, row.decided_by, row.reason = state.value, await now(tx), authority.by, reason
    await tx.flush()
    kind = EventKind.PIN_ACCEPTED if state is State.ACCEPTED else EventKind.PIN_REFUSED
    facts = {"connector": row.connector, "release": row.release}
    await authority.record(tx, kind, row.id, **facts, **({"reason": reason} if reason else {}))
    return _change(row)


async def _hurry_others(tx: Tx, row: PinChangeRow) -> None:
    """Have the connector's other servers looked at soon: what one says otherwise, others may say."""
    for connection_id in await tx.scalars(select(ConnectionRow.id).where(ConnectionRow.connector == row.connector)):
        if connection_id != row.connection_id:
            await hurry(tx, connection_id)


def _difference(release: str, base: str) -> str:
    return digest([release, base])


async def _row(tx: Tx, change_id: str) -> PinChangeRow:
    query = select(PinChangeRow).where(PinChangeRow.id == change_id).with_for_update()
    found = await tx.scalar(query.execution_options(populate_existing=True)) if is_id(change_id, "pin") else None
    if found is None:
        raise NotFound(_NONE)
    return found


def _change(row: PinChangeRow) -> Change:
    return Change(
        id=row.id,
        connector=row.connector,
        connection_id=row.connection_id,
        digest=row.digest,
        advice=tuple(Advice.from_json(one) for one in row.advice),
        state=State(row.state),
        found_at=row.found_at,
        ended_at=row.ended_at,
        decided_by=row.decided_by,
        reason=row.reason,
    )
