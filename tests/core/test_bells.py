"""Bells: they wake and they tell, once they are set and not a moment later."""

import asyncio

import pytest

from hub.core.bells import Bell

pytestmark = pytest.mark.anyio


async def test_it_tells_at_once_and_wakes_whoever_waits() -> None:
    bell, told = Bell(), list[str]()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    with bell.telling(lambda: told.append("one")), bell.telling(lambda: told.append("two")):
        bell.set()
        assert sorted(told) == ["one", "two"]
    assert await waiting


async def test_one_that_has_rung_tells_whoever_comes_later() -> None:
    bell, told = Bell(), list[str]()
    bell.set()
    with bell.telling(lambda: told.append("late")):
        assert told == ["late"]


async def test_nobody_is_told_after_leaving() -> None:
    bell, told = Bell(), list[str]()
    with bell.telling(lambda: told.append("gone")):
        pass
    bell.set()
    assert told == []


async def test_it_rings_once_however_often_it_is_set() -> None:
    bell, told = Bell(), list[str]()
    with bell.telling(lambda: told.append("one")):
        bell.set()
        bell.set()
    assert told == ["one"]
