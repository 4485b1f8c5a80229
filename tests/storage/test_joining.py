"""Readings that are joined: one for all who ask at the same time, and none that is older than a change."""

import asyncio

import pytest

from hub.storage import Joined

pytestmark = pytest.mark.anyio

ENDLESS = 3600.0


class Source:
    """Counts how often it is read, and answers when it is let."""

    def __init__(self) -> None:
        self.reads = 0
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def read(self) -> int:
        self.reads += 1
        number = self.reads
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_all_who_ask_at_once_share_one_reading() -> None:
    joined, source = Joined[int](ENDLESS), Source()
    asking = [asyncio.create_task(joined.read("a", source.read)) for _ in range(5)]
    await asyncio.sleep(0)
    source.open.set()

    assert await asyncio.gather(*asking) == [1] * 5
    assert await joined.read("a", source.read) == 2


async def test_different_things_are_read_by_themselves() -> None:
    joined, source = Joined[int](ENDLESS), Source()
    source.open.set()

    assert await asyncio.gather(joined.read("a", source.read), joined.read("b", source.read)) == [1, 2]


async def test_an_error_is_shared_and_the_next_one_reads_again() -> None:
    joined, source = Joined[int](ENDLESS), Source()
    source.error = KeyError("gone")
    asking = [asyncio.create_task(joined.read("a", source.read)) for _ in range(2)]
    await asyncio.sleep(0)
    source.open.set()

    assert [type(one) for one in await asyncio.gather(*asking, return_exceptions=True)] == [KeyError, KeyError]
    source.error = None
    assert await joined.read("a", source.read) == 2


@pytest.mark.parametrize(("seconds", "parts"), [(ENDLESS, True), (0.0, False)], ids=["a change", "its age"])
async def test_nobody_joins_what_may_be_too_old(seconds: float, *, parts: bool) -> None:
    joined, source = Joined[int](seconds), Source()
    earlier = asyncio.create_task(joined.read("a", source.read))
    await asyncio.sleep(0)
    if parts:
        joined.part()
    later = asyncio.create_task(joined.read("a", source.read))
    await asyncio.sleep(0)
    source.open.set()

    assert await asyncio.gather(earlier, later) == [1, 2]


async def test_one_who_leaves_ends_it_for_nobody_else() -> None:
    joined, source = Joined[int](ENDLESS), Source()
    leaving, staying = (asyncio.create_task(joined.read("a", source.read)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    source.open.set()

    assert await staying == 1


async def test_an_error_that_nobody_waits_for_is_no_complaint() -> None:
    complaints = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    joined, source = Joined[int](ENDLESS), Source()
    source.error = KeyError("gone")
    asking = asyncio.create_task(joined.read("a", source.read))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    source.open.set()
    for _ in range(5):
        await asyncio.sleep(0)
    asyncio.get_running_loop().set_exception_handler(None)

    assert (complaints, source.reads) == ([], 1)


async def test_an_older_one_that_ends_takes_nobody_the_newer_one() -> None:
    joined, older, newer = Joined[int](ENDLESS), Source(), Source()
    first = asyncio.create_task(joined.read("a", older.read))
    await asyncio.sleep(0)
    joined.part()
    second = asyncio.create_task(joined.read("a", newer.read))
    await asyncio.sleep(0)
    older.open.set()
    await first
    await asyncio.sleep(0)
    third = asyncio.create_task(joined.read("a", newer.read))
    await asyncio.sleep(0)
    newer.open.set()

    assert await asyncio.gather(second, third) == [1, 1]
