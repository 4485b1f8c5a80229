"""Frames: JSON messages of known length on the one socket between a confined process and the hub."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final

Json = Any
"""Any JSON value."""

LARGEST: Final = 16 * 1024 * 1024
_HEADER: Final = struct.Struct("!I")


class ChannelBroken(Exception):
    """The other side ended, or sent something that is not a frame."""


async def send(loop: asyncio.AbstractEventLoop, channel: socket.socket, message: Mapping[str, Json]) -> None:
    """Send `message`.

    Raises:
        ChannelBroken: the other side is gone, or the message is too large.
    """
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > LARGEST:
        raise ChannelBroken(f"a message of {len(body)} bytes is too large")
    try:
        await loop.sock_sendall(channel, _HEADER.pack(len(body)) + body)
    except OSError as error:
        raise ChannelBroken("the other side ended") from error


async def receive(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> dict[str, Json]:
    """Return the next message.

    Raises:
        ChannelBroken: the other side ended, or what it sent is no message.
    """
    (length,) = _HEADER.unpack(await _exactly(loop, channel, _HEADER.size))
    if length > LARGEST:
        raise ChannelBroken(f"a message of {length} bytes was announced, which is too large")
    try:
        message = json.loads(await _exactly(loop, channel, length))
    except (ValueError, RecursionError) as error:
        raise ChannelBroken("what was sent is not JSON") from error
    if not isinstance(message, dict):
        raise ChannelBroken("what was sent is not a message")
    return message  # pyright: ignore[reportUnknownVariableType]  # its members are checked where they are used


async def _exactly(loop: asyncio.AbstractEventLoop, channel: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        try:
            chunk = await loop.sock_recv(channel, min(size - len(received), 1 << 16))
        except OSError as error:
            raise ChannelBroken("the other side ended") from error
        if not chunk:
            raise ChannelBroken("the other side ended")
        received += chunk
    return bytes(received)
