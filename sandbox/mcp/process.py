"""One running foreign program as the hub sees it: lines in, lines out, bounded; gone when it is closed."""

import asyncio
import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from sandbox.programs import NOBODY, Program
from sandbox.streams import Arriving

Json = Any
"""Any JSON value."""

_CHUNK: Final = 64 * 1024
_STOP_SECONDS: Final = 5.0
WORD_SECONDS: Final = 1.0
"""For the keeper to tell how a program ended that says nothing more; one that lives on is ended without a word."""
_LONGEST_WORD: Final = 4096
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""Of the keeper. Nothing of the hub's own environment reaches it or the program."""
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


class LineTooLong(Exception):
    """The program says more in one line than it may."""


class Process:
    """A program and its keeper; both end with `close`, and when this process ends in whatever way."""

    def __init__(self, program: Program, secrets: Mapping[str, str]) -> None:
        """Start it.

        Raises:
            OSError: it cannot be started.
        """
        self._control, control = socket.socketpair()
        self._in, their_in = socket.socketpair()
        self._out, their_out = socket.socketpair()
        ours, theirs = (self._control, self._in, self._out), (control, their_in, their_out)
        complaints = os.open(os.devnull, os.O_WRONLY)  # they may say anything, and as much as they like
        standard = [their_in.fileno(), their_out.fileno(), complaints]
        try:
            self._keeper = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-I", "-X", "utf8", "-m", "sandbox.mcp.keeper", *map(str, standard)],
                stdin=control.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=standard,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except BaseException:
            for one in ours:
                one.close()
            raise
        finally:
            os.close(complaints)
            for one in theirs:
                one.close()
        for one in ours:
            one.setblocking(False)
        order = {
            "command": program.command,
            "environment": {"PATH": _PATH, "HOME": program.folder, **program.environment, **secrets},
            "folder": program.folder,
            "user": program.user,
            "hidden": [str(path) for path in program.hidden],
        }
        self._control.send(json.dumps(order).encode() + b"\n")
        self._as_whom = _as_whom(program) if os.geteuid() == 0 else ""
        self._writing = list[asyncio.Task[None]]()
        self._is_within_a_line = False

    @property
    def keeper_pid(self) -> int:
        """Return the number of the keeper's process."""
        return self._keeper.pid

    def write(self, line: bytes) -> asyncio.Task[None] | None:
        """Write one line: at once, or in the task that is returned, if the program reads more slowly.

        One that was begun and not ended leaves nothing that could be spoken to.

        Raises:
            OSError: nobody reads it, or half a line stands there; or the task raises it.
        """
        rest, earlier = line + b"\n", tuple(self._writing)
        if not earlier:
            self._refuse_after_half_a_line()
            rest = rest[self._sent_at_once(rest) :]
            if not rest:
                return None
            self._is_within_a_line = True
        task = asyncio.create_task(self._write_after(earlier, rest))
        self._writing.append(task)
        task.add_done_callback(self._written)
        return task

    async def _write_after(self, earlier: tuple[asyncio.Task[None], ...], rest: bytes) -> None:
        if earlier:
            await asyncio.wait(earlier)
            self._refuse_after_half_a_line()
            self._is_within_a_line = True
        await asyncio.get_running_loop().sock_sendall(self._in, rest)
        self._is_within_a_line = False

    def _refuse_after_half_a_line(self) -> None:
        if self._is_within_a_line:
            raise BrokenPipeError(errno.EPIPE, "half a line was written; what comes next would be read as its end")

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.remove(task)
        if not task.cancelled():
            task.exception()  # whoever still waits is told; nobody may be left to hear of it

    def _sent_at_once(self, line: bytes) -> int:
        try:
            return self._in.send(line)
        except BlockingIOError:
            return 0

    async def lines(self, longest: int) -> AsyncGenerator[bytes]:
        """Yield what it says, line by line, until it says nothing more; it is asked for once.

        Raises:
            LineTooLong: a line has more than `longest` bytes.
        """
        transport, arriving = await asyncio.get_running_loop().create_unix_connection(Arriving, sock=self._out)
        buffer = bytearray()
        try:
            while chunk := await arriving.more(_CHUNK):
                buffer += chunk
                if b"\n" in chunk:
                    *lines, rest = buffer.split(b"\n")
                    buffer = bytearray(rest)
                    for line in lines:
                        yield bytes(line)
                    await asyncio.sleep(0)  # whoever never stops speaking must not keep the others from being heard
                if len(buffer) > longest:
                    raise LineTooLong
        finally:
            transport.abort()

    async def last_word(self) -> str:
        """Return why the program could not be started or how it ended, after a space; empty if it lives on."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(WORD_SECONDS):
                word = await asyncio.get_running_loop().sock_recv(self._control, _LONGEST_WORD)
                sentence = word.decode(errors="replace").partition("\n")[0]
                return sentence and f" {sentence}{self._as_whom}"
        return ""

    def kill(self) -> None:
        """Have its keeper end the program and everything it has started, without waiting for that."""
        self._control.close()

    async def close(self) -> None:
        """End the program and everything it has started."""
        writing = tuple(self._writing)
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        for one in (self._control, self._in, self._out):
            one.close()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        try:
            self._keeper.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()


def _as_whom(program: Program) -> str:
    if program.user:
        return f" It runs as the user {program.user}."
    return (
        f' It runs as the user {NOBODY}, who has to be able to read and run it; its settings may name another "user".'
    )
