"""The hub's side of confined processes: one zygote, and hosts that run phases of one connector each."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from connectors.sdk.errors import ConnectorError
from connectors.sdk.run import PHASE_RESULT, PhaseCall, PhaseResult
from connectors.sdk.wire import Transport, WireRequest
from sandbox import frames
from sandbox.confinement import Level, Limits

Json = Any
"""Any JSON value."""

START_SECONDS: Final = 20.0


class HostFailed(Exception):
    """The confined process died, hung or talked nonsense; the message says which, and it is gone."""


class Zygote:
    """A running zygote. One per executor; when it dies the next order starts another."""

    def __init__(self, *, paths: Sequence[Path] = (), limits: Limits | None = None) -> None:
        """`paths` are folders beside the installed packages from which connectors may be imported."""
        self._paths = [str(path) for path in paths]
        self._limits = limits or Limits()
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator["Zygote"]:
        """Keep it running for as long as the block lasts; every process it forked ends with it."""
        async with self._turn:
            self._start()
        try:
            yield self
        finally:
            async with self._turn:
                await asyncio.to_thread(self._stop)

    async def fork(self, entry: str) -> "Host":
        """Return a new confined process that has imported the connector at `entry`.

        Raises:
            HostFailed: it could not be started, or the connector could not be imported.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        order = {"entry": entry, "paths": self._paths, "limits": asdict(self._limits)}
        async with self._turn:
            try:
                pid = await self._order(order, theirs)
            except (OSError, ValueError):
                # it died since the last order; one new start, and if that fails too, say so
                await asyncio.to_thread(self._stop)
                self._start()
                try:
                    pid = await self._order(order, theirs)
                except (OSError, ValueError) as error:
                    ours.close()
                    raise HostFailed("confined processes cannot be started") from error
            finally:
                theirs.close()
        host = Host(pid=pid, channel=ours, zygote=self)
        await host.become_ready()
        return host

    async def kill(self, pid: int) -> None:
        """End a process that this zygote forked, if it has not ended."""
        control = self._control
        if control is not None:
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(control, json.dumps({"kill": pid}).encode())

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        command = [sys.executable, "-I", "-m", "sandbox.zygote"]
        # a pristine environment and no inherited descriptor: there is nothing in it that could leak
        self._process = subprocess.Popen(command, stdin=theirs.fileno(), env={}, cwd="/", close_fds=True)  # noqa: S603
        theirs.close()
        self._control = ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._control = self._process = None

    async def _order(self, order: dict[str, Json], channel: socket.socket) -> int:
        if self._control is None:
            raise OSError("there is no zygote")
        socket.send_fds(self._control, [json.dumps(order).encode()], [channel.fileno()])
        answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._control, 1024), START_SECONDS)
        return int(json.loads(answer)["pid"])


@dataclass(slots=True, kw_only=True)
class Host:
    """One confined process with one connector in it; it runs one phase at a time."""

    pid: int
    channel: socket.socket
    zygote: Zygote
    level: Level = Level.NONE
    calls: int = 0
    is_broken: bool = False
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    async def become_ready(self) -> None:
        """Wait until the connector has been imported.

        Raises:
            HostFailed: it cannot be.
        """
        try:
            greeting = await asyncio.wait_for(frames.receive(self._loop, self.channel), START_SECONDS)
        except (TimeoutError, frames.ChannelBroken) as error:
            await self.end()
            raise HostFailed("the connector could not be loaded: its process ended") from error
        self.level = Level(str(greeting["level"]))
        if "broken" in greeting:
            await self.end()
            raise HostFailed(f"the connector could not be loaded: {greeting['broken']}")

    async def run(self, call: PhaseCall, transport: Transport, *, seconds: float) -> PhaseResult:
        """Return what the phase came to; its requests go through `transport`.

        Raises:
            HostFailed: the process died, took longer than `seconds`, or talked nonsense. It is gone then.
        """
        self.calls += 1
        try:
            async with asyncio.timeout(seconds):
                await frames.send(self._loop, self.channel, {"call": call.model_dump(mode="json")})
                return await self._serve(transport)
        except TimeoutError as error:
            await self.end()
            raise HostFailed(f"the connector took longer than {seconds:g} seconds and was stopped") from error
        except frames.ChannelBroken as error:
            await self.end()
            raise HostFailed(f"the connector's process failed: {error}") from error
        except (ValidationError, KeyError, TypeError) as error:
            await self.end()
            raise HostFailed("the connector's process sent something that is no message") from error
        except BaseException:
            await self.end()  # cancelled, or the permit to send was refused: its state is not known any more
            raise

    async def end(self) -> None:
        """Kill the process and close its channel."""
        self.is_broken = True
        self.channel.close()
        await self.zygote.kill(self.pid)

    async def _serve(self, transport: Transport) -> PhaseResult:
        while True:
            message = await frames.receive(self._loop, self.channel)
            if "result" in message:
                return PHASE_RESULT.validate_python(message["result"])
            request = WireRequest.model_validate(message["request"])
            try:
                response = await transport.send(request)
            except ConnectorError as error:
                answer: dict[str, Json] = {"error": {"code": error.code, "message": error.message}}
            else:
                answer = {"response": response.model_dump(mode="json")}
            await frames.send(self._loop, self.channel, answer)
