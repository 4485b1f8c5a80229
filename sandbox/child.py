"""What a confined process does: confines itself, imports one connector, runs its phases and tells what it declares.

The connector is imported after the confinement and never in the zygote: importing runs foreign code, and what it left
behind there would be in every process forked later. `hub.execution` hides the price by keeping a fresh process ready.
"""

import asyncio
import importlib.util
import json
import os
import resource
import signal
import socket
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

from connectors.sdk.artefact import artefact_digest
from connectors.sdk.connector import Connector, load
from connectors.sdk.errors import ConnectorError, Fenced, Unavailable, Unknown
from connectors.sdk.operations import as_registered
from connectors.sdk.run import PhaseCall, run_phase
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox import frames
from sandbox.confinement import Confinement, Limits, confine

Json = Any
"""Any JSON value."""

CHANNEL: Final = 3
"""The only way out: the socket to the hub. Below it nothing but /dev/null, above it the event loop's own."""
_ERRORS: Final[Mapping[str, type[ConnectorError]]] = {kind.code: kind for kind in (Fenced, Unavailable, Unknown)}
_OURS: Final = ("connectors", "sandbox", "schemas")
_LEAST_CLOSED: Final = 4096


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
            answer = await frames.receive(self._loop, self._channel, largest=frames.LARGEST_TO_CHILD)
        if "error" in answer:
            kind = _ERRORS.get(str(answer["error"]["code"]), Unknown)
            raise kind(str(answer["error"]["message"]))
        return WireResponse.model_validate(answer["response"])


class _FromSource(SourceFileLoader):
    """Compiles what stands in the source. What was compiled before may be of another, and no digest speaks of it."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of `fullname`, whatever lies in `__pycache__`."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Located(MetaPathFinder):
    """Finds the packages that were located before the confinement, and all that is in them, as source.

    Afterwards the folder in which they are cannot be listed.
    """

    def __init__(self, located: Mapping[str, ModuleSpec]) -> None:
        self._located = located

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where `fullname` was located, or is within what was."""
        del target
        if fullname.partition(".")[0] not in self._located:
            return None
        spec = self._located.get(fullname) or PathFinder.find_spec(fullname, path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _FromSource(spec.loader.name, spec.loader.path)
        return spec


def run(channel: socket.socket, order: Mapping[str, Json], *, parent: int) -> None:
    """Serve phases on `channel` until it closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    channel = _only_descriptor(channel)
    channel.setblocking(False)
    loop = asyncio.new_event_loop()  # it makes a pair of sockets for itself: before sockets are refused
    asyncio.set_event_loop(loop)
    sys.path[:0] = [str(path) for path in order["paths"]]
    located = _located(str(order["entry"]))
    sys.meta_path.insert(0, _Located(located))
    confinement = confine(_readable(located), Limits(**order["limits"]), parent=parent)
    loop.run_until_complete(_serve(loop, channel, order, confinement))


async def _serve(
    loop: asyncio.AbstractEventLoop, channel: socket.socket, order: Mapping[str, Json], confinement: Confinement
) -> None:
    # said before any foreign code runs, which could say something else
    missing = [layer.name for layer in confinement.missing]
    await frames.send(loop, channel, {"missing": missing, "spaces": list(order["spaces"])})
    try:
        connector = _loaded(str(order["entry"]), str(order["digest"]))
    except Exception as error:  # noqa: BLE001  # whatever a foreign module raises when it is imported
        said = str(error) if isinstance(error, _NotRegistered) else f"importing it raised {type(error).__name__}"
        await frames.send(loop, channel, {"broken": said})
        return
    await frames.send(loop, channel, {"ready": True})
    transport = ChannelTransport(loop, channel)
    while True:
        message = await frames.receive(loop, channel, largest=frames.LARGEST_TO_CHILD)
        if "declare" in message:
            await frames.send(loop, channel, _declaration(connector))
            continue
        result = await run_phase(connector, PhaseCall.model_validate(message["call"]), transport)
        await frames.send(loop, channel, {"result": json.loads(result.model_dump_json())})


def _declaration(connector: Connector) -> dict[str, Json]:
    try:
        return {"declared": connector.spec.model_dump(mode="json")}
    except Exception as error:  # noqa: BLE001  # whatever a foreign declaration raises when it is made
        return {"undeclared": f"what it declares cannot be made, {type(error).__name__}"}


class _NotRegistered(Exception):
    """The code found is not the code that was registered."""


def _loaded(entry: str, digest: str) -> Connector:
    """Return the connector at `entry`. Foreign code runs from here on, the import of its packages included.

    Raises:
        _NotRegistered: the code has changed since it was registered, and what was approved speaks of the other; or it
            is not there any more.
    """
    module = entry.partition(":")[0]
    try:
        found = artefact_digest(module)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        where = "install its package again, or name its folder in TOOLHUB_CONNECTOR_PATHS"
        raise _NotRegistered(f"there is no code of {module} where the hub looks; {where}") from error
    if found != digest:
        raise _NotRegistered("its code is not what was registered; register the connector again")
    with as_registered():
        connector = load(entry)
        with suppress(Exception):  # whatever is wrong with it is said when it is called
            _ = connector.fence  # which reads its files: those of this moment, and none later
        return connector


def _only_descriptor(channel: socket.socket) -> socket.socket:
    """Close every descriptor but the channel, which becomes number 3."""
    descriptor = channel.detach()
    if descriptor != CHANNEL:
        os.dup2(descriptor, CHANNEL)
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.closerange(CHANNEL + 1, max(most, _LEAST_CLOSED))
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(CHANNEL):
        os.dup2(nothing, standard)
    if nothing >= CHANNEL:
        os.close(nothing)
    return socket.socket(fileno=CHANNEL)


def _located(entry: str) -> dict[str, ModuleSpec]:
    """Return where the top-level packages are that `entry` needs; this finds them and runs nothing of them."""
    names = {*_OURS, entry.partition(":")[0].partition(".")[0]}
    found = {name: importlib.util.find_spec(name) for name in names}
    return {name: spec for name, spec in found.items() if spec is not None}


def _readable(located: Mapping[str, ModuleSpec]) -> list[Path]:
    """Return what may be read: the interpreter, what is installed beside it, and the connector's own package.

    A folder that is on the path because the hub runs from a checkout is not readable as a whole: the hub's database
    may well lie below it. Only the packages of it that are needed are.
    """
    readable = {*interpreter()}
    for spec in located.values():
        readable |= {Path(place) for place in spec.submodule_search_locations or [spec.origin or os.devnull]}
    return sorted(readable)


def interpreter() -> set[Path]:
    """Return where the interpreter and what is installed beside it are, and what they read of the system."""
    installed = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    system = {"/usr/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo", "/dev/urandom", "/dev/null"}
    return installed | {Path(sys.base_prefix) / "lib"} | {Path(path) for path in system}
