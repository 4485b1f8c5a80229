"""Keeping watches: leases on streams to servers, what clients want to hear of, and how often it has changed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, distinct, func, or_, select, update

from hub.core.canonical import digest
from hub.registry.federated import federated_connections
from hub.storage import Database, Tx, insert_into, now
from hub.watches.tables import ListWordRow, ResourceWatchRow, UpstreamStreamRow

WANTED: Final = "watches-wanted"
"""Where it is signalled that a client wants to hear of something that nobody wanted to hear of before."""
NEWS: Final = "watches-news"
"""Where it is signalled that a resource has changed that somebody wants to hear of."""
LIST_WORDS: Final = "watches-list-words"
"""Where it is signalled that a server has said that one of its lists has changed."""
LEASE: Final = timedelta(seconds=30)
"""How long a stream is another's after its holder was last heard of."""
WANTED_FOR: Final = timedelta(minutes=2)
"""How long a watch lasts that nobody renews."""
_FORGOTTEN_AFTER: Final = timedelta(hours=1)
MOST: Final = 1000
"""Resources of one connection that are watched at the same time."""
MOST_OF_ONE: Final = 200
"""Of those, how many for one principal: an agent, whoever it acts for."""
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Watch:
    """One resource: over which connection, and what its server calls it."""

    connection_id: str
    uri: str


async def take_streams(tx: Tx, holder: str) -> frozenset[str]:
    """Return the connections whose servers `holder` is to listen to: its own for longer, and what nobody holds."""
    at = await now(tx)
    federated = set(await tx.scalars(federated_connections()))
    known = set(await tx.scalars(select(UpstreamStreamRow.connection_id)))
    for connection_id in sorted(federated - known):
        fresh = {"connection_id": connection_id, "holder": "", "held_until": _LONG_AGO}
        await tx.execute(insert_into(tx, UpstreamStreamRow).values(fresh).on_conflict_do_nothing())
    free = or_(UpstreamStreamRow.held_until <= at, UpstreamStreamRow.holder == holder)
    taken = update(UpstreamStreamRow).where(UpstreamStreamRow.connection_id.in_(federated_connections()), free)
    lease = taken.values(holder=holder, held_until=at + LEASE).returning(UpstreamStreamRow.connection_id)
    return frozenset(await tx.scalars(lease))


async def drop_streams(tx: Tx, holder: str) -> None:
    """Let others listen at once to what `holder` has listened to."""
    mine = UpstreamStreamRow.holder == holder
    await tx.execute(update(UpstreamStreamRow).where(mine).values(held_until=_LONG_AGO))


async def want(tx: Tx, database: Database, whose: str, watches: Iterable[Watch]) -> dict[Watch, int]:
    """Keep what the principal `whose` wants to hear of for two more minutes, and return how often each has changed.

    What is too many is left out: of `MOST_OF_ONE` for one principal, or of `MOST` for all, at one connection.
    """
    asked, at = sorted(set(watches)), await now(tx)
    new = [watch for watch in asked if not await _is_kept(tx, whose, watch, at)]
    for connection_id in sorted({watch.connection_id for watch in new}):
        await database.lock(tx, f"watches:{connection_id}")  # who adds to them counts alone
    found = dict[Watch, int]()
    for watch in asked:
        if watch in new:
            if await _is_full(tx, whose, watch, at):
                continue
            await database.signal(tx, WANTED)
        key = {"connection_id": watch.connection_id, "uri_digest": _key(watch), "whose": whose}
        insert = insert_into(tx, ResourceWatchRow).values(**key, uri=watch.uri, changed=0, wanted_until=at + WANTED_FOR)
        longer = insert.on_conflict_do_update(index_elements=list(key), set_={"wanted_until": at + WANTED_FOR})
        found[watch] = await tx.scalar(longer.returning(ResourceWatchRow.changed)) or 0
    return found


async def _is_kept(tx: Tx, whose: str, watch: Watch, at: datetime) -> bool:
    row = await tx.get(ResourceWatchRow, (watch.connection_id, _key(watch), whose))
    return row is not None and row.wanted_until > at


async def _is_full(tx: Tx, whose: str, watch: Watch, at: datetime) -> bool:
    """Return whether another watch would be one too many, for its principal or beside those of all."""
    here = (ResourceWatchRow.connection_id == watch.connection_id, ResourceWatchRow.wanted_until > at)
    others = select(func.count(distinct(ResourceWatchRow.uri_digest))).where(*here)
    of_one = await tx.scalar(select(func.count()).where(*here, ResourceWatchRow.whose == whose)) or 0
    of_all = await tx.scalar(others.where(ResourceWatchRow.uri_digest != _key(watch))) or 0
    return of_one >= MOST_OF_ONE or of_all >= MOST


async def wanted(tx: Tx) -> Mapping[str, frozenset[str]]:
    """Return the resources that somebody wants to hear of now, by connection."""
    found = defaultdict[str, set[str]](set)
    query = select(ResourceWatchRow.connection_id, ResourceWatchRow.uri)
    for connection_id, uri in await tx.execute(query.where(ResourceWatchRow.wanted_until > await now(tx))):
        found[connection_id].add(uri)
    return {connection_id: frozenset(uris) for connection_id, uris in found.items()}


async def tell_updated(tx: Tx, database: Database, connection_id: str, uris: Iterable[str]) -> None:
    """Note that resources have changed, and wake who waits for it, in every process."""
    keys = [_key(Watch(connection_id, uri)) for uri in sorted(set(uris))]
    mine = (ResourceWatchRow.connection_id == connection_id, ResourceWatchRow.uri_digest.in_(keys))
    await tx.execute(update(ResourceWatchRow).where(*mine).values(changed=ResourceWatchRow.changed + 1))
    await database.signal(tx, NEWS)


async def tell_lists(tx: Tx, database: Database, connection_id: str, kinds: Iterable[str]) -> None:
    """Note that a server says of its `kinds` of lists ("tools", "resources", "prompts") that they have changed."""
    for kind in sorted(kinds):
        first = insert_into(tx, ListWordRow).values(connection_id=connection_id, kind=kind, said=1)
        once_more = {"said": ListWordRow.said + 1}
        await tx.execute(first.on_conflict_do_update(index_elements=["connection_id", "kind"], set_=once_more))
    await database.signal(tx, LIST_WORDS)


async def list_words(tx: Tx) -> dict[tuple[str, str], int]:
    """Return how often each connection's server has said so of each kind of list; where it is not named, never."""
    rows = await tx.execute(select(ListWordRow.connection_id, ListWordRow.kind, ListWordRow.said))
    return {(connection_id, kind): said for connection_id, kind, said in rows}


async def forget_watches(tx: Tx) -> None:
    """Delete what nobody has wanted to hear of for an hour."""
    await tx.execute(delete(ResourceWatchRow).where(ResourceWatchRow.wanted_until < await now(tx) - _FORGOTTEN_AFTER))


def _key(watch: Watch) -> str:
    return digest(watch.uri)
