"""Connections to addresses that were judged, and to nothing by name: every HTTP request of the hub leaves by these.

Connectors' requests and the hub's own differ in what they may ask and how much is read of an answer; where a connection
leads is decided here alone.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Final, cast

import anyio
import httpcore2

from sandbox.reach import Address
from sandbox.streams import Arriving, Stream

Addresses = Callable[[str], Awaitable[Sequence[Address]]]
"""Returns where a connection to a host may go; what it raises says that it may not, or that nobody knows the host."""

_KEPT_SECONDS: Final = 4.0
"""Common servers close what has been idle for 5: who reuses a line after that meets a closed door."""


def judged_pool(
    addresses: Addresses, *, most: int, kept: int, tls: ssl.SSLContext | None = None
) -> httpcore2.AsyncConnectionPool:
    """Return at most `most` connections at a time, of which `kept` outlive their request.

    `addresses` judges each host when it is connected to; `tls` is what certificates are believed, else the machine's.
    """
    return httpcore2.AsyncConnectionPool(
        ssl_context=tls or trusted(),
        max_connections=most,
        max_keepalive_connections=kept,
        keepalive_expiry=_KEPT_SECONDS,
        network_backend=_JudgedBackend(addresses),
    )


async def judged_connection(
    origin: httpcore2.Origin, addresses: Addresses, *, seconds: float, tls: ssl.SSLContext | None = None
) -> httpcore2.AsyncHTTP11Connection:
    """Return one connection to `origin`, made within `seconds`; the rest as for `judged_pool`.

    Raises:
        httpcore2.ConnectError, httpcore2.ConnectTimeout: there is none.
    """
    host = origin.host.decode("ascii")
    secured = (tls or trusted()) if origin.scheme == b"https" else None
    if secured is not None:
        secured.set_alpn_protocols(["http/1.1"])
    loop = asyncio.get_running_loop()

    async def opened(address: str) -> Stream:
        transport, arriving = await loop.create_connection(
            Arriving, address, origin.port, ssl=secured, server_hostname=host if secured is not None else None
        )
        return Stream(transport, arriving)

    try:
        async with asyncio.timeout(seconds):
            stream = await _first([str(address) for address in await addresses(host)], opened)
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout from error
    except OSError as error:
        raise httpcore2.ConnectError(str(error)) from error
    return httpcore2.AsyncHTTP11Connection(origin, stream, keepalive_expiry=_KEPT_SECONDS)


async def _first(addresses: Sequence[str], opened: Callable[[str], Awaitable[Stream]]) -> Stream:
    for address in addresses[:-1]:
        try:
            return await opened(address)
        except OSError:
            continue
    return await opened(addresses[-1])


@cache
def trusted() -> ssl.SSLContext:
    """Return what the machine trusts."""
    return ssl.create_default_context()  # reading the machine's certificates takes long; they are the same for all


class _JudgedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections to addresses that were judged, and to nothing by name."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._plain = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the library's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection to one of the addresses of `host`; no local address or option is ever asked for."""
        del local_address, socket_options
        try:
            with anyio.fail_after(timeout):
                addresses = await self._addresses(host)
                return await self._first([str(address) for address in addresses], port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error

    async def _first(self, addresses: list[str], port: int) -> httpcore2.AsyncNetworkStream:
        for address in addresses[:-1]:
            try:
                return await self._plain.connect_tcp(address, port)
            except httpcore2.ConnectError:
                continue
        return await self._plain.connect_tcp(addresses[-1], port)

    async def sleep(self, seconds: float) -> None:
        """Wait, as the library asks for."""
        await anyio.sleep(seconds)
