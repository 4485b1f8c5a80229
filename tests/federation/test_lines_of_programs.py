"""Lines to and from a program: whole and in their order, however slowly it reads and whoever stops waiting."""

import asyncio
import os
import pwd
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from sandbox.mcp.process import LineTooLong, Process
from sandbox.programs import Program

pytestmark = pytest.mark.anyio

MORE_THAN_FITS = 1_000_000
"""Bytes of one line that no socket takes at once."""
TELLS_LINES = "import sys\nfor line in sys.stdin: print(line[:3], len(line), flush=True)"
WAITS_FIRST = f"import sys, time\ntime.sleep(0.3)\n{TELLS_LINES}"
NEVER_READS = "import time\ntime.sleep(60)"


@asynccontextmanager
async def running(text: str) -> AsyncGenerator[Process]:
    """Run a program of Python until the block ends."""
    user = pwd.getpwuid(os.getuid()).pw_name
    process = Process(Program(command=(sys.executable, "-c", text), user=user), {})
    try:
        yield process
    finally:
        process.kill()
        await process.close()


async def told(process: Process, number: int) -> list[str]:
    """Return the next lines of a program."""
    found = list[str]()
    async with aclosing(process.lines(1000)) as lines:
        async for line in lines:
            found.append(line.decode())
            if len(found) == number:
                break
    return found


async def write_for_ever(process: Process) -> None:
    """Write lines: a program that has said its last word may take a moment to be gone."""
    while True:
        process.write(b"hello")
        await asyncio.sleep(0.01)


async def test_a_line_that_fits_is_written_before_anybody_waits() -> None:
    async with running(TELLS_LINES) as process:
        assert [process.write(b"one"), process.write(b"two")] == [None, None]

        assert await told(process, 2) == ["one 4", "two 4"]


async def test_lines_stay_whole_and_in_order_where_the_program_reads_slowly() -> None:
    async with running(WAITS_FIRST) as process:
        long = [process.write(f"{number:03}".encode() + b"x" * MORE_THAN_FITS) for number in range(3)]
        short = process.write(b"end")
        writing = [one for one in (*long, short) if one is not None]
        lines, _ = await asyncio.gather(told(process, 4), asyncio.gather(*writing))

        assert len(writing) == 4, "a short line has to wait for the long ones before it"
        assert lines == [*(f"00{number} {MORE_THAN_FITS + 4}" for number in range(3)), "end 4"]
        assert process.write(b"and") is None, "nobody is before it any more"


async def test_a_writer_that_gives_up_lets_nobody_in_before_those_ahead_of_it() -> None:
    async with running(WAITS_FIRST) as process:
        first, second, third = (process.write(f"{one:03}".encode() + b"x" * MORE_THAN_FITS) for one in range(3))
        assert first is not None
        assert second is not None
        assert third is not None
        await asyncio.sleep(0)
        second.cancel()
        lines, *_ = await asyncio.gather(told(process, 2), first, third)

        assert lines == [f"00{one} {MORE_THAN_FITS + 4}" for one in (0, 2)]


async def test_after_half_a_line_nothing_more_is_written() -> None:
    async with running(NEVER_READS) as process:
        first, second = process.write(b"x" * MORE_THAN_FITS), process.write(b"next")
        assert first is not None
        assert second is not None
        await asyncio.sleep(0)
        first.cancel()

        with pytest.raises(BrokenPipeError, match="half a line"):
            await second
        with pytest.raises(BrokenPipeError, match="half a line"):
            process.write(b"another")


async def test_what_is_still_being_written_ends_with_the_process() -> None:
    async with running(NEVER_READS) as process:
        writing = process.write(b"x" * MORE_THAN_FITS)
        assert writing is not None
        await asyncio.sleep(0)
    assert writing.cancelled()


async def test_nobody_reads_any_more() -> None:
    async with running("pass") as process:
        async with aclosing(process.lines(1000)) as lines:
            assert [line async for line in lines] == []

        with pytest.raises(OSError, match="Broken pipe"):
            await asyncio.wait_for(write_for_ever(process), 60)


async def test_a_line_that_is_too_long_is_not_read_to_its_end() -> None:
    async with running("print('x' * 100_000, flush=True)") as process:
        with pytest.raises(LineTooLong):
            await told(process, 1)
