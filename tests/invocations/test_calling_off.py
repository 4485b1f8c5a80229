"""Work that is ended by its bell alone: whoever ends more than that is not mistaken for it."""

import asyncio
import contextlib

import pytest

from hub.core.bells import Bell
from hub.invocations.calling_off import unless_called_off

pytestmark = pytest.mark.anyio


class Work:
    """Goes on until it is let or cancelled, and says which."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.free = asyncio.Event()
        self.was_cancelled = False

    async def run(self) -> str:
        self.begun.set()
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return "done"


async def test_work_that_is_not_called_off_returns_what_it_found() -> None:
    work, bell = Work(), Bell()
    work.free.set()

    assert await unless_called_off(work.run(), bell) == "done"
    bell.set()  # too late: nothing happens to whoever made the call
    await asyncio.sleep(0)


async def test_work_that_is_called_off_is_ended_and_its_caller_goes_on() -> None:
    work, bell = Work(), Bell()

    async def caller() -> tuple[str | None, int]:
        found = await unless_called_off(work.run(), bell)
        await asyncio.sleep(0)  # nothing of it hits what comes after
        task = asyncio.current_task()
        assert task is not None
        return found, task.cancelling()

    calling = asyncio.create_task(caller())
    await work.begun.wait()
    bell.set()

    assert await calling == (None, 0)
    assert work.was_cancelled


async def test_a_call_that_was_called_off_before_it_began_is_not_made() -> None:
    work, bell = Work(), Bell()
    bell.set()

    assert await unless_called_off(work.run(), bell) is None
    assert not work.begun.is_set()


async def test_whoever_cancels_the_caller_is_not_mistaken_for_the_client() -> None:
    work, bell = Work(), Bell()
    calling = asyncio.create_task(unless_called_off(work.run(), bell))
    await work.begun.wait()
    calling.cancel()

    with pytest.raises(asyncio.CancelledError):
        await calling
    assert work.was_cancelled


async def test_of_both_at_once_the_greater_ending_counts() -> None:
    work, bell = Work(), Bell()
    calling = asyncio.create_task(unless_called_off(work.run(), bell))
    await work.begun.wait()
    bell.set()
    calling.cancel()

    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_work_that_comes_out_although_it_was_called_off_is_told() -> None:
    bell, begun = Bell(), asyncio.Event()

    async def deaf() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            begun.set()
            await asyncio.Event().wait()
        return "done"

    async def caller() -> tuple[str | None, int]:
        found = await unless_called_off(deaf(), bell)
        task = asyncio.current_task()
        assert task is not None
        return found, task.cancelling()

    calling = asyncio.create_task(caller())
    await begun.wait()
    bell.set()

    assert await calling == ("done", 0)


async def test_a_time_limit_around_it_is_still_a_time_limit() -> None:
    work, bell = Work(), Bell()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await unless_called_off(work.run(), bell)


async def test_work_that_is_called_off_twice_ends_in_its_own_order() -> None:
    bell, begun, ended = Bell(), asyncio.Event(), list[str]()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ended.append("tidied up")

    calling = asyncio.create_task(unless_called_off(work(), bell))
    await begun.wait()
    bell.set()
    await asyncio.sleep(0)
    bell.set()

    assert await calling is None
    assert ended == ["tidied up"]


async def test_a_caller_who_was_cancelled_before_and_went_on_may_still_call_off() -> None:
    work, bell = Work(), Bell()

    async def caller() -> str | None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return await unless_called_off(work.run(), bell)

    calling = asyncio.create_task(caller())
    await asyncio.sleep(0)
    calling.cancel()
    await work.begun.wait()
    bell.set()

    assert await calling is None
