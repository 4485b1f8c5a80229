"""Frames: JSON messages of known length on the one socket between a confined process and the hub."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from sandbox.weight import MOST_VALUES, is_heavy

Json = Any
"""Any JSON value."""

LARGEST_TO_HUB: Final = 16 * 1024 * 1024
LARGEST_TO_CHILD: Final = 72 * 1024 * 1024
"""Holds the largest answer the broker lets through, escaped in the most wasteful way there is."""
_HEADER: Final = struct.Struct("!I")
_CHUNK: Final = 1 << 16


class ChannelBroken(Exception):
    """The other side ended, or sent something that is not a frame."""


class ChannelClosed(ChannelBroken):
    """The other side ended."""


async def send(loop: asyncio.AbstractEventLoop, channel: socket.socket, message: Mapping[str, Json]) -> None:
    """Send `message`.

    Raises:
        ChannelBroken: the other side is gone.
    """
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    try:
        await loop.sock_sendall(channel, _HEADER.pack(len(body)) + body)
    except OSError as error:
        raise ChannelClosed("the other side ended") from error


async def receive(loop: asyncio.AbstractEventLoop, channel: socket.socket, *, largest: int) -> dict[str, Json]:
    """Return the next message, of at most `largest` bytes.

    Raises:
        ChannelBroken: the other side ended, or what it sent is no message.
    """
    (length,) = _HEADER.unpack(await _exactly(loop, channel, _HEADER.size))
    if length > largest:
        raise ChannelBroken(f"a message of {length} bytes was announced, and {largest} are the most")
    content = await _exactly(loop, channel, length)
    if is_heavy(content):
        raise ChannelBroken(f"a message of more than {MOST_VALUES} values came")
    try:
        message = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ChannelBroken("what was sent is not JSON") from error
    if not isinstance(message, dict):
        raise ChannelBroken("what was sent is no message")
    return cast("dict[str, Json]", message)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


async def _exactly(loop: asyncio.AbstractEventLoop, channel: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        try:
            chunk = await loop.sock_recv(channel, min(size - len(received), _CHUNK))
        except OSError as error:
            raise ChannelClosed("the other side ended") from error
        if not chunk:
            raise ChannelClosed("the other side ended")
        received += chunk
    return bytes(received)
