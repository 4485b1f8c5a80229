"""Events are numbered once they have committed, without a gap, by one sequencer at a time, under signed heads."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, select, update

from hub.audit import (
    AuditEvent,
    Checkpoint,
    Event,
    EventFilter,
    EventKind,
    append,
    append_many,
    ensure_checkpoint,
    erase_values,
    event,
    events_of,
    keep_sequencing,
    latest_checkpoint,
    open_values,
    page_of_events,
    rotate_key,
    sequence,
)
from hub.audit.merkle import consistency_ranges, includes, inclusion_ranges, is_consistent, leaf_hash, root_of
from hub.audit.tables import CheckpointRow, EventRow, TileRow, ValueRow
from hub.audit.tiles import Prover
from hub.core.errors import Malformed, NotFound, Unavailable
from hub.keys import Keyring
from hub.keys.tables import KeyRow
from hub.storage import Database, Tx, now

pytestmark = pytest.mark.anyio

Append = Callable[[int], Awaitable[list[str]]]
MASTER_KEY = bytes(range(32))


def said(text: str, *, subject: str = "inv_1", kind: EventKind = EventKind.COMMIT_SENT) -> Event:
    return Event(kind=kind, subject=subject, facts={"said": text}, private={"note": f"secret {text}"})


async def bodies(database: Database) -> list[bytes]:
    async with database.reading() as tx:
        return list(await tx.scalars(select(EventRow.body).order_by(EventRow.position)))


async def positions(database: Database) -> list[int | None]:
    async with database.reading() as tx:
        return list(await tx.scalars(select(EventRow.position).order_by(EventRow.entry)))


async def test_a_rollback_loses_the_event_and_the_change_together(database: Database, keys: Keyring) -> None:
    async def change_and_fail(tx: Tx) -> None:
        await append(tx, said("never"), keys)
        await tx.execute(delete(KeyRow))
        raise KeyError

    with pytest.raises(KeyError):
        async with database.transaction() as tx:
            await change_and_fail(tx)

    assert await bodies(database) == []
    async with database.reading() as tx:
        assert (await tx.scalars(select(ValueRow))).all() == []
        assert len((await tx.scalars(select(KeyRow))).all()) == 4


async def test_nothing_to_sequence_makes_no_checkpoint(database: Database, keys: Keyring) -> None:
    assert await sequence(database, keys) is None
    async with database.reading() as tx:
        assert await latest_checkpoint(tx, keys) is None


async def test_events_are_numbered_in_the_order_of_writing(database: Database, keys: Keyring) -> None:
    async with database.transaction() as tx:
        for word in ("one", "two"):
            await append(tx, said(word), keys)
        await append_many(tx, [said("three"), said("four")], keys)

    await sequence(database, keys)

    async with database.reading() as tx:
        timeline = await events_of(tx, "inv_1")
    assert [(event.position, event.facts["said"]) for event in timeline] == [
        (0, "one"),
        (1, "two"),
        (2, "three"),
        (3, "four"),
    ]


async def test_appending_no_event_does_nothing(database: Database, keys: Keyring) -> None:
    async with database.transaction() as tx:
        assert await append_many(tx, [], keys) == []


async def test_a_checkpoint_is_the_signed_head_of_all_numbered_events(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(7)
    first = await sequence(database, keys)
    await append_events(300)
    second = await sequence(database, keys)

    hashes = [leaf_hash(body) for body in await bodies(database)]
    assert first is not None
    assert second is not None
    assert (first.size, first.root) == (7, root_of(hashes[:7]))
    assert (second.size, second.root) == (307, root_of(hashes))
    assert first.origin == second.origin
    async with database.reading() as tx:
        assert await latest_checkpoint(tx, keys) == second


async def test_at_most_so_many_events_are_numbered_at_once(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(25)

    sizes = [checkpoint.size for _ in range(3) if (checkpoint := await sequence(database, keys, batch=10))]

    assert sizes == [10, 20, 25]
    assert await positions(database) == list(range(25))


async def test_uncommitted_events_get_no_number_and_leave_no_gap(postgresql_url: str) -> None:
    database, other = Database(postgresql_url), Database(postgresql_url)
    keys = await Keyring.open(database, MASTER_KEY)

    async with other.transaction() as slow:
        await append(slow, said("slow"), keys)
        async with database.transaction() as tx:
            await append(tx, said("fast"), keys)
        first = await sequence(database, keys)
    second = await sequence(database, keys)

    assert first is not None
    assert second is not None
    assert (first.size, second.size) == (1, 2)
    async with database.reading() as tx:
        assert [(e.facts["said"], e.position) for e in await events_of(tx, "inv_1")] == [("slow", 1), ("fast", 0)]
    await database.close()
    await other.close()


async def test_two_sequencers_racing_number_every_event_once(postgresql_url: str) -> None:
    databases = [Database(postgresql_url) for _ in range(3)]
    keys = await Keyring.open(databases[0], MASTER_KEY)

    async def write() -> None:
        for number in range(30):
            async with databases[2].transaction() as tx:
                await append_many(tx, [said(str(number)) for _ in range(3)], keys)

    writing = asyncio.create_task(write())
    while not writing.done():
        await asyncio.gather(*(sequence(database, keys, batch=7) for database in databases[:2]))
    await writing
    while await sequence(databases[0], keys):
        pass

    numbers = await positions(databases[0])
    checkpoints = await all_checkpoints(databases[0])
    hashes = [leaf_hash(body) for body in await bodies(databases[0])]
    assert sorted(number for number in numbers if number is not None) == list(range(90))
    assert [row.size for row in checkpoints] == sorted({row.size for row in checkpoints})
    last = await ensure_last(databases[0], keys)
    assert last.root == root_of(hashes)
    for database in databases:
        await database.close()


async def all_checkpoints(database: Database) -> list[CheckpointRow]:
    async with database.reading() as tx:
        return list(await tx.scalars(select(CheckpointRow).order_by(CheckpointRow.size)))


async def ensure_last(database: Database, keys: Keyring) -> Checkpoint:
    async with database.reading() as tx:
        checkpoint = await latest_checkpoint(tx, keys)
    assert checkpoint is not None
    return checkpoint


async def test_a_process_killed_between_append_and_sequence_loses_nothing(database: Database) -> None:
    program = """
import asyncio, sys
from hub.audit import Event, EventKind, append
from hub.keys import Keyring
from hub.storage import Database

async def main():
    database = Database(sys.argv[1])
    keys = await Keyring.open(database, bytes(range(32)))
    async with database.transaction() as tx:
        print(await append(tx, Event(kind=EventKind.COMMIT_SENT, subject="inv_1"), keys), flush=True)
    async with database.transaction() as tx:
        await append(tx, Event(kind=EventKind.COMMIT_COMMITTED, subject="inv_1"), keys)
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    url = database.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    event_id = (await process.stdout.readline()).decode().strip()
    assert await process.stdout.readline() == b"open\n"
    process.kill()
    await process.wait()
    keys = await Keyring.open(database, MASTER_KEY)

    checkpoint = await ensure_checkpoint(database, keys, event_id)

    assert checkpoint.size == 1
    assert len(await bodies(database)) == 1


async def test_an_event_is_covered_when_ensure_checkpoint_returns(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    ids = await append_events(5)

    checkpoint = await ensure_checkpoint(database, keys, ids[3])

    async with database.reading() as tx:
        covered = await event(tx, ids[3])
    assert covered.position is not None
    assert checkpoint.size > covered.position


async def test_a_covered_event_needs_no_new_checkpoint(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    ids = await append_events(5)
    first = await ensure_checkpoint(database, keys, ids[0])
    await append_events(5)

    assert await ensure_checkpoint(database, keys, ids[4]) == first


async def test_an_event_that_was_never_committed_is_not_covered(database: Database, keys: Keyring) -> None:
    with pytest.raises(NotFound):
        await ensure_checkpoint(database, keys, "evt_unknown")


async def test_lost_checkpoints_are_noticed_not_papered_over(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    ids = await append_events(3)
    await sequence(database, keys)
    async with database.transaction() as tx:
        await tx.execute(delete(CheckpointRow))

    with pytest.raises(Unavailable, match="restore"):
        await ensure_checkpoint(database, keys, ids[0])


async def test_stored_tiles_prove_every_event_and_every_older_tree(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    for count in (1, 254, 1, 1, 300, 230):
        await append_events(count)
        await sequence(database, keys)
    hashes = [leaf_hash(body) for body in await bodies(database)]
    size, root = len(hashes), root_of(hashes)
    indexes, olds = list(range(0, size, 13)), list(range(1, size, 29))

    async with database.reading() as tx:
        prover = Prover()
        inclusion = await prover.prove(tx, [inclusion_ranges(index, size) for index in indexes])
        consistency = await prover.prove(tx, [consistency_ranges(old, size) for old in olds])

    assert all(includes(hashes[i], i, size, steps, root=root) for i, steps in zip(indexes, inclusion, strict=True))
    for old, steps in zip(olds, consistency, strict=True):
        assert is_consistent((old, root_of(hashes[:old])), (size, root), steps)


async def test_the_tree_is_stored_as_one_row_per_256_hashes(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    for count in (200, 400, 1):
        await append_events(count)
        await sequence(database, keys)

    async with database.reading() as tx:
        tiles = (await tx.scalars(select(TileRow).order_by(TileRow.level, TileRow.number))).all()
    assert [(tile.level, tile.number, len(tile.hashes) // 32) for tile in tiles] == [
        (0, 0, 256),
        (0, 1, 256),
        (0, 2, 89),
        (1, 0, 2),
    ]


async def test_the_background_sequencer_covers_new_events_by_itself(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    running = asyncio.create_task(keep_sequencing(database, keys))
    await append_events(3)

    async with asyncio.timeout(10):
        while None in await positions(database):
            async with database.reading() as tx:
                await now(tx)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await ensure_last(database, keys)).size == 3


async def test_checkpoints_stay_readable_after_a_key_rotation(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    ids = await append_events(1)
    before = await ensure_checkpoint(database, keys, ids[0])
    async with database.transaction() as tx:
        await rotate_key(tx, keys, "checkpoints")
    await keys.reload()
    (later,) = await append_events(1)

    after = await ensure_checkpoint(database, keys, later)

    assert await ensure_checkpoint(database, keys, ids[0]) == before
    assert after.origin == before.origin
    assert after.note.splitlines()[-1][:30] == before.note.splitlines()[-1][:30]


async def test_open_values_are_encrypted_and_open_for_the_auditor(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    (event_id,) = await append_events(1)

    async with database.reading() as tx:
        stored = b"".join([row.sealed for row in await tx.scalars(select(ValueRow))])
        body = await tx.scalar(select(EventRow.body))
        values = await open_values(tx, event_id, keys)

    assert body is not None
    assert b"example.org" not in stored + body
    assert values == {"arguments": {"party": "Müller 0"}, "email": "a0@example.org"}


async def test_a_value_moved_to_another_event_is_refused(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    one, other = await append_events(2)
    async with database.transaction() as tx:
        sealed = await tx.scalar(select(ValueRow.sealed).where(ValueRow.event_id == other, ValueRow.field == "email"))
        mine = update(ValueRow).where(ValueRow.event_id == one, ValueRow.field == "email")
        await tx.execute(mine.values(sealed=sealed))

    async with database.reading() as tx:
        with pytest.raises(Malformed):
            await open_values(tx, one, keys)


async def test_an_erased_value_is_gone_and_the_others_stay(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    (event_id,) = await append_events(1)
    async with database.transaction() as tx:
        await erase_values(tx, keys, event_id, ["email"])

    async with database.reading() as tx:
        assert await open_values(tx, event_id, keys) == {"arguments": {"party": "Müller 0"}}


async def test_events_are_paged_newest_first_without_gap_or_repeat(database: Database, append_events: Append) -> None:
    await append_events(7)
    seen: list[AuditEvent] = []

    async with database.reading() as tx:
        while page := await page_of_events(tx, before=seen[-1].entry if seen else None, limit=3):
            seen += page

    assert [event.facts["number"] for event in seen] == [6, 5, 4, 3, 2, 1, 0]


async def test_a_page_shows_only_what_was_asked_for(database: Database, keys: Keyring, append_events: Append) -> None:
    await append_events(3)
    async with database.transaction() as tx:
        await append(tx, said("x", subject="inv_2", kind=EventKind.VOTE_CAST), keys)

    async with database.reading() as tx:
        by_kind = await page_of_events(tx, wanted=EventFilter(kind=EventKind.VOTE_CAST))
        by_subject = await page_of_events(tx, wanted=EventFilter(subject="inv_1"))
        by_actor = await page_of_events(tx, wanted=EventFilter(actor="prn_agent"))

    assert [event.subject for event in by_kind] == ["inv_2"]
    assert [event.subject for event in by_subject] == ["inv_1"]
    assert len(by_actor) == 3
