"""What a confined process does: confines itself, imports one connector, and runs the phases it is sent."""

import asyncio
import importlib.util
import json
import os
import signal
import socket
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from connectors.sdk.connector import load
from connectors.sdk.errors import ConnectorError, Fenced, Unavailable, Unknown
from connectors.sdk.run import PhaseCall, run_phase
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox import frames
from sandbox.confinement import Limits, confine

Json = Any
"""Any JSON value."""

CHANNEL: Final = 3
"""The only descriptor of a confined process beside its event loop's own and a closed standard input and output."""
_ERRORS: Final[Mapping[str, type[ConnectorError]]] = {kind.code: kind for kind in (Fenced, Unavailable, Unknown)}


class ChannelTransport:
    """The way out of a confined process: asks the broker on the other side of the channel, one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
        self._loop = loop
        self._channel = channel
        self._turn = asyncio.Lock()

    async def send(self, request: WireRequest) -> WireResponse:
        """Send `request` through the broker, as `connectors.sdk.wire.Transport` says."""
        async with self._turn:
            await frames.send(self._loop, self._channel, {"request": request.model_dump(mode="json")})
            answer = await frames.receive(self._loop, self._channel)
        if "error" in answer:
            kind = _ERRORS.get(str(answer["error"]["code"]), Unknown)
            raise kind(str(answer["error"]["message"]))
        return WireResponse.model_validate(answer["response"])


def run(channel: socket.socket, order: Mapping[str, Json]) -> None:
    """Serve phases on `channel` until it closes; never returns to the caller's own work."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    channel = _only_descriptor(channel)
    channel.setblocking(False)
    loop = asyncio.new_event_loop()  # it makes a socket pair for itself: before sockets are refused
    asyncio.set_event_loop(loop)
    entry = str(order["entry"])
    sys.path[:0] = [str(path) for path in order["paths"]]
    level = confine(_readable(entry), Limits(**order["limits"]))
    loop.run_until_complete(_serve(loop, channel, entry, level.value))


async def _serve(loop: asyncio.AbstractEventLoop, channel: socket.socket, entry: str, level: str) -> None:
    # foreign code runs from here on, its import included
    try:
        connector = load(entry)
    except Exception as error:  # noqa: BLE001  # whatever a foreign module raises when it is imported
        await frames.send(loop, channel, {"broken": f"{type(error).__name__} while importing {entry}", "level": level})
        return
    await frames.send(loop, channel, {"ready": True, "level": level})
    transport = ChannelTransport(loop, channel)
    while True:
        call = PhaseCall.model_validate((await frames.receive(loop, channel))["call"])
        result = await run_phase(connector, call, transport)
        await frames.send(loop, channel, {"result": json.loads(result.model_dump_json())})


def _only_descriptor(channel: socket.socket) -> socket.socket:
    """Close every descriptor but the channel, which becomes number 3."""
    descriptor = channel.detach()
    if descriptor != CHANNEL:
        os.dup2(descriptor, CHANNEL)
    os.closerange(CHANNEL + 1, 4096)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.close(nothing)
    return socket.socket(fileno=CHANNEL)


def _readable(entry: str) -> list[Path]:
    """Return the folders that running `entry` needs: the interpreter's, the installed packages', its own.

    A folder that is on the path because the hub runs from a checkout is not readable as a whole: the hub's database
    may well lie below it. Only the packages of it that are needed are.
    """
    installed = {Path(path) for path in sysconfig.get_paths().values()}
    installed |= {
        Path(sys.base_prefix) / "lib",
        Path("/usr/lib"),
        Path("/lib"),
        Path("/lib64"),
        Path("/usr/share/zoneinfo"),
    }
    installed |= {Path("/dev/urandom"), Path("/dev/null")}
    needed: set[Path] = set()
    for package in {"connectors", "sandbox", entry.partition(":")[0].partition(".")[0]}:
        spec = importlib.util.find_spec(package)  # finds it, runs nothing of it
        if spec is not None:
            needed |= {Path(place) for place in spec.submodule_search_locations or [spec.origin or "/nonexistent"]}
    return sorted(installed | needed)
