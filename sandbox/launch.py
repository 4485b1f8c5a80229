"""The hub's side of the zygote: starting it, ordering processes from it, hearing how they end, replacing it."""

import asyncio
import contextlib
import itertools
import json
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from sandbox.confinement import Limits

Json = Any
"""Any JSON value."""

FORK_SECONDS: Final = 20.0
START_SECONDS: Final = 120.0
"""The first order waits for the zygote itself: ending a slow one and beginning anew makes a busy machine busier."""
_STOP_SECONDS: Final = 5.0
_CHUNK: Final = 4096
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""All that a zygote's environment holds; confined processes forget even that."""

_log = structlog.get_logger(__name__)


class LaunchFailed(Exception):
    """No confined process could be started; nothing of the connector has run."""


class _Lost(Exception):
    """The zygote died or does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """A process that the zygote forked: our end of its channel, and how it ended once it has (as `waitpid` says it).

    `number` is what it is called in the zygote's namespace of processes; here it may be called something else.
    """

    number: int
    channel: socket.socket
    ended: asyncio.Future[int]
    _ticket: int
    _zygote: "_Process"

    def kill(self) -> None:
        """Close the channel and end the process at once, if it has not ended."""
        self.channel.close()
        self._zygote.kill(self._ticket)


class Zygote:
    """A zygote that is started for the first order, or before by `start`.

    When it is lost, the next order starts another and says so in the log.
    """

    def __init__(self, *, paths: Sequence[Path] = (), limits: Limits | None = None) -> None:
        """`paths` are folders beside the installed packages from which connectors may be imported."""
        self._order: dict[str, Json] = {"paths": [str(path) for path in paths], "limits": asdict(limits or Limits())}
        self._turn = asyncio.Lock()
        self._process: _Process | None = None
        self._is_open = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Return the number of the zygote's process, None while there is none."""
        return self._process.pid if self._process is not None else None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator["Zygote"]:
        """Take orders for as long as the block lasts; every process it forked ends with the outermost one."""
        if self._is_open:
            yield self
            return
        self._is_open = True
        try:
            yield self
        finally:
            async with self._turn:
                self._is_open, process, self._process = False, self._process, None
                if process is not None:
                    await process.stop()

    async def start(self) -> None:
        """Start it now, so that the first order need not wait until it has everything imported.

        Raises:
            LaunchFailed: confined processes are not being run.
        """
        await self._in_place_of(None)

    async def fork(self, entry: str, digest: str) -> Forked:
        """Return a new process that confines itself and then imports the connector at `entry`, if it has `digest`.

        Raises:
            LaunchFailed: none could be started.
        """
        process = self._process or await self._in_place_of(None)
        order = {**self._order, "entry": entry, "digest": digest}
        try:
            return await process.fork(order)
        except _Lost:
            process = await self._in_place_of(process)
        try:
            return await process.fork(order)
        except _Lost as error:
            raise LaunchFailed("confined processes cannot be started") from error

    async def _in_place_of(self, lost: "_Process | None") -> "_Process":
        async with self._turn:
            if not self._is_open:
                raise LaunchFailed("confined processes are not being run")
            if self._process is None or self._process is lost:  # else somebody has started one meanwhile
                if lost is not None:
                    await lost.stop()
                    self.restarts += 1
                    _log.warning("the zygote was lost and has been started again", restarts=self.restarts)
                self._process = _Process(self._order["paths"])
            return self._process


class _Process:
    """One zygote process, the orders it was given, and the processes it has forked."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        # no environment, no descriptor and no terminal of ours: there is nothing in it that could leak
        self._process = subprocess.Popen(  # noqa: S603  # our own program, with folders the operator names
            [sys.executable, "-I", "-X", "utf8", "-m", "sandbox.zygote", *paths],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        theirs.close()
        self._tickets = itertools.count(1)
        self._forked: dict[int, asyncio.Future[int]] = {}
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._is_lost = False
        self._has_answered = False
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        """Return the number of the zygote's process."""
        return self._process.pid

    async def fork(self, order: Mapping[str, Json]) -> Forked:
        """Return a new process.

        Raises:
            _Lost: the zygote is gone.
            LaunchFailed: it is there but cannot fork.
        """
        ticket, loop = next(self._tickets), asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        forked = self._forked[ticket] = loop.create_future()
        ended = self._ended[ticket] = loop.create_future()
        try:
            self._tell({"fork": ticket, **order}, theirs)
            async with asyncio.timeout(FORK_SECONDS if self._has_answered else START_SECONDS):
                number = await forked
            self._has_answered = True
        except BaseException as error:
            ours.close()
            self.kill(ticket)
            if isinstance(error, TimeoutError):
                raise _Lost from error
            raise
        finally:
            theirs.close()
            self._forked.pop(ticket, None)
        return Forked(number=number, channel=ours, ended=ended, _ticket=ticket, _zygote=self)

    def kill(self, ticket: int) -> None:
        """End the process of `ticket`, if it has not ended; when the zygote is gone, so is that process."""
        with contextlib.suppress(_Lost):
            self._tell({"kill": ticket})

    async def stop(self) -> None:
        """End it and every process it has forked."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        self._control.close()
        self._lose()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, message: Mapping[str, Json], *attached: socket.socket) -> None:
        """Send one line. It is small and goes as a whole or not at all; a zygote that reads nothing is lost."""
        line = json.dumps(message).encode("ascii") + b"\n"
        if self._is_lost:
            raise _Lost
        try:
            if attached:
                sent = socket.send_fds(self._control, [line], [one.fileno() for one in attached])
            else:
                sent = self._control.send(line)
        except OSError as error:
            raise _Lost from error
        if sent < len(line):
            raise _Lost

    async def _listen(self) -> None:
        loop, received = asyncio.get_running_loop(), b""
        while True:
            try:
                data = await loop.sock_recv(self._control, _CHUNK)
            except OSError:
                data = b""
            if not data:
                break
            *lines, received = (received + data).split(b"\n")
            for line in lines:
                self._hear(json.loads(line))
        self._lose()

    def _hear(self, message: Mapping[str, Json]) -> None:
        if "ended" in message:
            _settle(self._ended.pop(message["ended"], None), int(message["status"]))
        elif "failed" in message:
            self._ended.pop(message["failed"], None)
            waiting = self._forked.get(message["failed"])
            if waiting is not None and not waiting.done():
                waiting.set_exception(LaunchFailed(f"no process could be forked: {message['reason']}"))
        else:
            _settle(self._forked.get(message["forked"]), int(message["number"]))

    def _lose(self) -> None:
        self._is_lost = True
        for waiting in self._forked.values():
            if not waiting.done():
                waiting.set_exception(_Lost())
        for running in self._ended.values():
            _settle(running, -9)
        self._ended.clear()


def _settle(future: asyncio.Future[int] | None, value: int) -> None:
    if future is not None and not future.done():
        future.set_result(value)
