"""A message leaves if its transaction commits, at least once, until it is given up in plain sight."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hub.core.errors import NotFound
from hub.outbox import Message, MessageState, deliver, forget_delivered, given_up, put, try_again
from hub.outbox.messages import MAX_ATTEMPTS, pause_after
from hub.outbox.tables import MessageRow
from hub.storage import Database, Tx, now

pytestmark = pytest.mark.anyio


class Mailbox:
    """A handler that keeps what it gets and fails as often as it is told."""

    def __init__(self, *, failures: int = 0) -> None:
        self.got: list[Message] = []
        self._failures = failures

    async def __call__(self, message: Message) -> None:
        """Keep `message`, and raise while failures are left."""
        self.got.append(message)
        if len(self.got) <= self._failures:
            raise ConnectionError("the mail server is away")


async def put_messages(database: Database, keys: Sequence[str], topic: str = "mail") -> None:
    async with database.transaction() as tx:
        for key in keys:
            await put(tx, topic=topic, payload={"to": key}, key=key)


async def make_due(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(update(MessageRow).values(due_at=await now(tx) - timedelta(seconds=1)))


async def rows(database: Database) -> list[MessageRow]:
    async with database.reading() as tx:
        return list(await tx.scalars(select(MessageRow).order_by(MessageRow.id)))


async def test_a_message_is_delivered_once_when_all_goes_well(database: Database) -> None:
    mailbox = Mailbox()
    await put_messages(database, ["a"])

    delivered = [await deliver(database, {"mail": mailbox}) for _ in range(3)]

    assert delivered == [1, 0, 0]
    assert [(message.topic, message.key, message.payload, message.attempt) for message in mailbox.got] == [
        ("mail", "a", {"to": "a"}, 1)
    ]


async def test_a_message_of_a_lost_transaction_never_leaves(database: Database) -> None:
    mailbox = Mailbox()

    async def put_and_fail(tx: Tx) -> None:
        await put(tx, topic="mail", payload={}, key="a")
        raise KeyError

    with pytest.raises(KeyError):
        async with database.transaction() as tx:
            await put_and_fail(tx)

    delivered = await deliver(database, {"mail": mailbox})

    assert (delivered, mailbox.got) == (0, [])


async def test_a_message_put_twice_leaves_once(database: Database) -> None:
    mailbox = Mailbox()
    await put_messages(database, ["a", "a"])
    await put_messages(database, ["a"])

    delivered = await deliver(database, {"mail": mailbox})

    assert delivered == 1


async def test_a_failed_message_waits_before_it_is_tried_again(database: Database) -> None:
    mailbox = Mailbox(failures=1)
    await put_messages(database, ["a"])

    await deliver(database, {"mail": mailbox})
    too_early = await deliver(database, {"mail": mailbox})
    await make_due(database)
    later = await deliver(database, {"mail": mailbox})

    assert (too_early, later) == (0, 1)
    assert [message.attempt for message in mailbox.got] == [1, 2]


async def test_one_failing_message_does_not_hold_up_the_others(database: Database) -> None:
    mailbox = Mailbox(failures=1)
    await put_messages(database, ["a", "b", "c"])

    delivered = await deliver(database, {"mail": mailbox})

    assert delivered == 2


async def test_a_message_is_given_up_visibly_and_may_be_tried_again(database: Database) -> None:
    mailbox = Mailbox(failures=MAX_ATTEMPTS)
    await put_messages(database, ["a"])
    for _ in range(MAX_ATTEMPTS + 2):
        await deliver(database, {"mail": mailbox})
        await make_due(database)

    async with database.transaction() as tx:
        ((message, error),) = await given_up(tx)
        await try_again(tx, message.id)
    delivered = await deliver(database, {"mail": mailbox})

    assert len(mailbox.got) == MAX_ATTEMPTS + 1
    assert "the mail server is away" in error
    assert delivered == 1


async def test_only_a_message_that_was_given_up_can_be_tried_again(database: Database) -> None:
    await put_messages(database, ["a"])
    (row,) = await rows(database)

    with pytest.raises(NotFound):
        async with database.transaction() as tx:
            await try_again(tx, row.id)


async def test_a_message_without_a_handler_here_waits_for_who_has_one(database: Database) -> None:
    mailbox = Mailbox()
    await put_messages(database, ["a"], topic="slack")

    elsewhere = await deliver(database, {"mail": mailbox})
    here = await deliver(database, {"slack": mailbox})

    assert (elsewhere, here) == (0, 1)


async def test_two_workers_at_once_never_take_the_same_message(postgresql_url: str) -> None:
    first, second = Database(postgresql_url), Database(postgresql_url)
    one, other = Mailbox(), Mailbox()
    await put_messages(first, [f"m{number}" for number in range(40)])

    for _ in range(4):
        await asyncio.gather(
            deliver(first, {"mail": one}, limit=5),
            deliver(second, {"mail": other}, limit=5),
        )

    assert sorted(message.key for message in one.got + other.got) == sorted(f"m{number}" for number in range(40))
    await first.close()
    await second.close()


async def test_a_row_another_worker_holds_is_skipped_not_waited_for(postgresql_url: str) -> None:
    first, second = Database(postgresql_url), Database(postgresql_url)
    mailbox = Mailbox()
    await put_messages(first, ["a", "b"])

    async with first.transaction() as tx:
        await tx.scalars(select(MessageRow).where(MessageRow.key == "a").with_for_update())
        delivered = await asyncio.wait_for(deliver(second, {"mail": mailbox}), 5)

    assert delivered == 1
    assert [message.key for message in mailbox.got] == ["b"]
    await first.close()
    await second.close()


async def test_a_worker_that_lost_its_message_to_another_does_not_end_it(database: Database) -> None:
    async def loses_it_meanwhile(_message: Message) -> None:
        await make_due(database)
        await deliver(database, {"mail": Mailbox(failures=1)})

    await put_messages(database, ["a"])

    await deliver(database, {"mail": loses_it_meanwhile})

    (row,) = await rows(database)
    assert (row.state, row.attempts) == (MessageState.WAITING, 2)


async def test_a_worker_killed_while_delivering_leaves_the_message_to_the_next(database: Database) -> None:
    program = """
import asyncio, sys
from hub.outbox import deliver
from hub.storage import Database

async def hang(message):
    print("took", flush=True)
    await asyncio.Event().wait()

asyncio.run(deliver(Database(sys.argv[1]), {"mail": hang}))
"""
    await put_messages(database, ["a"])
    url = database.url.render_as_string(hide_password=False)
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, stdout=asyncio.subprocess.PIPE)
    assert worker.stdout is not None
    assert await worker.stdout.readline() == b"took\n"
    worker.kill()
    await worker.wait()
    mailbox = Mailbox()

    while_leased = await deliver(database, {"mail": mailbox})
    await make_due(database)
    after = await deliver(database, {"mail": mailbox})

    assert (while_leased, after) == (0, 1)
    assert mailbox.got[0].attempt == 2


async def test_delivered_messages_are_forgotten_after_a_while_others_are_not(database: Database) -> None:
    await put_messages(database, ["old", "waiting"])
    await deliver(database, {"mail": Mailbox(failures=1)})
    async with database.transaction() as tx:
        ended = await now(tx) - timedelta(days=8)
        await tx.execute(update(MessageRow).where(MessageRow.ended_at.is_not(None)).values(ended_at=ended))

        await forget_delivered(tx, older_than=timedelta(days=7))

    assert [row.state for row in await rows(database)] == [MessageState.WAITING]


def test_pauses_grow_and_stay_bounded() -> None:
    pauses = [pause_after(attempt) for attempt in range(1, 40)]

    assert pauses == sorted(pauses)
    assert pauses[0] >= timedelta(seconds=1)
    assert pauses[-1] == timedelta(hours=1)
