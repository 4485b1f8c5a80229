"""The hub checks the newest part of its own log: what was changed there is found, and what came before is continued."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select, update

from hub.audit import EventKind, check_newest, sequence
from hub.audit.tables import EventRow
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

Append = Callable[[int], Awaitable[list[str]]]


async def test_a_short_log_is_checked_whole(database: Database, keys: Keyring, append_events: Append) -> None:
    await append_events(7)

    report = await check_newest(database, keys, by="usr_aud")

    assert report.is_sound
    assert (report.first, report.events, report.continues) == (0, 8, None)  # the check is an event of its own


async def test_of_a_long_log_the_newest_part_is_checked_from_a_checkpoint_on(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    for _ in range(3):
        await append_events(4)
        await sequence(database, keys)

    report = await check_newest(database, keys, by="usr_aud", about=5)

    assert report.is_sound
    assert (report.first, report.events, report.continues) == (4, 9, 4)


@pytest.mark.parametrize(("changed", "is_sound"), [(1, True), (6, False)], ids=("before", "within"))
async def test_a_changed_event_is_found_in_the_part_that_is_checked(
    database: Database, keys: Keyring, append_events: Append, changed: int, *, is_sound: bool
) -> None:
    for _ in range(2):
        await append_events(4)
        await sequence(database, keys)
    async with database.transaction() as tx:
        body = await tx.scalar(select(EventRow.body).where(EventRow.position == changed))
        assert body is not None
        forged = body.replace(b"sale_confirm", b"sale_c0nfirm")
        await tx.execute(update(EventRow).where(EventRow.position == changed).values(body=forged))

    assert (await check_newest(database, keys, by="usr_aud", about=3)).is_sound is is_sound


async def test_whoever_checks_is_on_record(database: Database, keys: Keyring, append_events: Append) -> None:
    await append_events(1)

    await check_newest(database, keys, by="usr_aud")

    async with database.reading() as tx:
        actors = (await tx.scalars(select(EventRow.actor).where(EventRow.kind == EventKind.LOG_EXPORTED.value))).all()
    assert actors == ["usr_aud"]
