"""Hosts: confined processes that hold one connector each and run its phases, as the hub sees them."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import ValidationError

from connectors.sdk.errors import ConnectorError
from connectors.sdk.run import PHASE_RESULT, PhaseCall, PhaseResult
from connectors.sdk.wire import Transport, WireRequest
from sandbox import frames
from sandbox.confinement import Confinement, Layer
from sandbox.isolation import Space
from sandbox.launch import Forked, LaunchFailed, Zygote

Json = Any
"""Any JSON value."""

READY_SECONDS: Final = 20.0
_EPITAPH_SECONDS: Final = 1.0
_LONGEST_REASON: Final = 300
_LARGEST_GREETING: Final = 4096
_DEATHS: Final[Mapping[int, str]] = {
    -signal.SIGXCPU: "it used up its processor time",
    -signal.SIGKILL: "it was killed",
    -signal.SIGSYS: "it made a forbidden system call",
    -signal.SIGSEGV: "it crashed",
}


class HostFailed(Exception):
    """The confined process died, hung or talked nonsense; the message says which, and it is gone."""


@dataclass(slots=True, kw_only=True)
class Host:
    """One confined process with one connector in it; it runs one phase at a time."""

    process: Forked
    confinement: Confinement
    calls: int = 0
    busy_seconds: float = 0.0
    """How long it has worked, without the time it waited for the system: an upper bound of its processor time."""
    is_ended: bool = False

    @property
    def is_usable(self) -> bool:
        """Return whether it could take another call: it lives, and has said nothing that nobody asked for."""
        return not self.is_ended and not self.process.ended.done() and self._is_silent()

    async def run(self, call: PhaseCall, transport: Transport) -> PhaseResult:
        """Return what the phase came to; its requests go through `transport`.

        Raises:
            HostFailed: the process died or talked nonsense. It is gone then.
            Exception: what `transport` raised that is no answer for a connector. It is gone then, too.
        """
        self.calls += 1
        async with self._ends_with_a_failure():
            await self._send({"call": call.model_dump(mode="json")})
            return await self._converse(transport)

    async def declaration(self) -> Mapping[str, Json]:
        """Return what the connector's code says it declares, as it came: whether it is a spec nobody has looked at.

        Raises:
            HostFailed: it says nothing of the kind. It is gone then.
        """
        async with self._ends_with_a_failure():
            await self._send({"declare": True})
            message = await self._receive()
            if "undeclared" in message:
                raise HostFailed(str(message["undeclared"])[:_LONGEST_REASON])
            declared: Json = message["declared"]
            if not isinstance(declared, dict):
                raise TypeError
            return cast("dict[str, Json]", declared)

    @contextlib.asynccontextmanager
    async def _ends_with_a_failure(self) -> AsyncGenerator[None]:
        """End the process with whatever goes wrong in the block: nobody knows what it would do next."""
        try:
            yield
        except frames.ChannelBroken as error:
            why = await _epitaph(self.process) if isinstance(error, frames.ChannelClosed) else None
            self.end()
            raise HostFailed(f"the connector's process failed: {why or error}") from error
        except (ValidationError, KeyError, TypeError) as error:
            self.end()
            raise HostFailed("the connector's process sent something that is no message") from error
        except BaseException:
            self.end()  # out of time, cancelled or stopped by the broker
            raise

    def end(self) -> None:
        """Kill the process and close its channel."""
        if not self.is_ended:
            self.is_ended = True
            self.process.kill()

    def _is_silent(self) -> bool:
        # a result written ahead would be taken for the answer to the next call
        try:
            self.process.channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def _converse(self, transport: Transport) -> PhaseResult:
        while True:
            message = await self._receive()
            if "result" in message:
                return PHASE_RESULT.validate_python(message["result"])
            request = WireRequest.model_validate(message["request"])
            try:
                response = await transport.send(request)
            except ConnectorError as error:
                answer: dict[str, Json] = {"error": {"code": error.code, "message": error.message}}
            else:
                answer = {"response": response.model_dump(mode="json")}
            await self._send(answer)

    async def _send(self, message: Mapping[str, Json]) -> None:
        await frames.send(asyncio.get_running_loop(), self.process.channel, message)

    async def _receive(self) -> dict[str, Json]:
        started = time.monotonic()
        try:
            return await frames.receive(asyncio.get_running_loop(), self.process.channel, largest=frames.LARGEST_TO_HUB)
        finally:
            self.busy_seconds += time.monotonic() - started


async def start(zygote: Zygote, entry: str, digest: str) -> Host:
    """Return a fresh confined process that has imported the connector at `entry`.

    Raises:
        HostFailed: it could not be started, the connector could not be imported, or its code is not what `digest` says.
    """
    try:
        process = await zygote.fork(entry, digest)
    except LaunchFailed as error:
        raise HostFailed(str(error)) from error
    try:
        return await _greeted(process)
    except (KeyError, TypeError) as error:
        process.kill()
        raise HostFailed("the connector's process sent something that is no message") from error
    except BaseException:
        process.kill()
        raise


async def _greeted(process: Forked) -> Host:
    """Return the host once its process has told how it is confined, and then that the connector is there."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(READY_SECONDS):
            confined = await frames.receive(loop, process.channel, largest=_LARGEST_GREETING)
            loaded = await frames.receive(loop, process.channel, largest=_LARGEST_GREETING)
    except TimeoutError as error:
        raise HostFailed("the connector cannot be loaded: importing it takes too long") from error
    except frames.ChannelBroken as error:
        why = await _epitaph(process) or "its process ended"
        raise HostFailed(f"the connector cannot be loaded: {why}") from error
    if "broken" in loaded:
        raise HostFailed(f"the connector cannot be loaded: {str(loaded['broken'])[:_LONGEST_REASON]}")
    confinement = Confinement(
        missing=tuple(Layer[str(name)] for name in confined["missing"]),
        spaces=tuple(Space(name) for name in confined["spaces"]),
    )
    return Host(process=process, confinement=confinement)


async def _epitaph(process: Forked) -> str | None:
    """Return why the process ended, or None if it has not or nobody knows."""
    done, _ = await asyncio.wait({process.ended}, timeout=_EPITAPH_SECONDS)
    return _DEATHS.get(process.ended.result()) if done else None
