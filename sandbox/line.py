"""The HTTP/1.1 line to one origin: what goes out as it stands, and answers bounded in size, from judged addresses.

It follows no redirect, keeps no cookie, obeys no proxy setting and never sends anything twice.
"""

import math
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import httpcore2

from connectors.sdk.wire import joined
from sandbox.judged import judged_pool
from sandbox.kept import Kept
from sandbox.reach import Reach

CONNECT_SECONDS: Final = 10.0
MOST_CONNECTIONS: Final = 32
"""Open at the same time, unless somebody says otherwise."""
_FIRST_BYTE: Final = "send_request_headers.started"
_GZIP: Final = 31  # zlib's window size for the gzip format


class NoAnswer(Exception):
    """There is no complete answer; the message says why."""


class Dropped(NoAnswer):
    """The connection ended, or what came over it was no HTTP."""


class BrokenOff(Dropped):
    """Somebody was there who took a byte of the request at least."""


class TooLarge(NoAnswer):
    """The answer exceeds the bound; the rest of it was not read."""


class KeptWaiting(NoAnswer):
    """The time in which the request might leave was over before its first byte; nothing was sent."""


@dataclass(slots=True)
class Progress:
    """How far a request has come: whether a byte of it may have left. Only before that is "not sent" the truth."""

    has_begun: bool = False
    until: float = math.inf
    """When it may no longer begin, by the monotonic clock. A process that was stopped and woken up does not hear of
    its timers first: without this it could send what others have meanwhile found not to have arrived."""

    def begin(self) -> None:
        """Let the first byte leave.

        Raises:
            KeptWaiting: it may not leave any more.
        """
        if time.monotonic() >= self.until:
            raise KeptWaiting("It was kept waiting for too long.")
        self.has_begun = True

    async def follow(self, event: str, _details: Mapping[str, Any]) -> None:
        """Take note of what the HTTP client does."""
        if event.endswith(_FIRST_BYTE):
            self.begin()


class Reader(Protocol):
    """Reads an answer while it arrives, where its end is not the end of what is sent: an event stream."""

    def reads(self, status: int, headers: Mapping[str, str]) -> bool:
        """Return whether it reads this answer."""
        ...

    async def take(self, chunk: bytes) -> bytes | None:
        """Return the answer once `chunk` completes it; what comes after that is not read.

        Raises:
            NoAnswer: it is none, or too much.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request as it goes out: `target` is the path with the query, and every header is here but its framing."""

    method: str
    target: bytes
    headers: Mapping[str, str]
    body: bytes | None = None
    largest: int
    """Bytes of the answer's body, unpacked."""
    is_alone: bool = False
    """Open a connection for it alone, so that one kept alive and just closed is never mistaken for a lost answer."""
    is_aside: bool = False
    """It belongs to a request that has its place among the connections, and may not wait for another one."""
    progress: Progress = field(default_factory=Progress)
    reader: Reader | None = None


class Incoming(NamedTuple):
    """A whole answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """Connections to one origin."""

    def __init__(self, scheme: str, host: str, port: int | None, reach: Reach, *, most: int = MOST_CONNECTIONS) -> None:
        self._origin = (scheme.encode(), host.encode(), port)
        default = {"http": 80, "https": 443}[scheme]
        self._host_header = host if port in {None, default} else f"{host}:{port}"
        at = port or default
        self._kept = Kept(httpcore2.Origin(scheme.encode(), host.encode(), at), reach.addresses, most=most)
        self._alone = judged_pool(reach.addresses, most=most, kept=0)
        self._aside = judged_pool(reach.addresses, most=most, kept=0)

    async def close(self) -> None:
        """Close the connections."""
        await self._kept.close()
        await self._alone.aclose()
        await self._aside.aclose()

    async def exchange(self, outgoing: Outgoing) -> Incoming:
        """Send a request and return the whole answer.

        Raises:
            NoAnswer: there is none.
            OutOfReach: the origin leads where it may not; nothing was sent.
        """
        scheme, host, port = self._origin
        request = httpcore2.Request(
            outgoing.method.encode(),
            httpcore2.URL(scheme=scheme, host=host, port=port, target=outgoing.target),
            headers=self._headers(outgoing),
            content=outgoing.body or b"",
            extensions={"timeout": {"connect": CONNECT_SECONDS}, "trace": outgoing.progress.follow},
        )
        try:
            if outgoing.is_alone or outgoing.is_aside:
                return await self._over_a_line_of_its_own(request, outgoing)
            async with self._kept.answering(request, seconds=CONNECT_SECONDS) as response:
                return await _read(response, outgoing)
        except httpcore2.TimeoutException as error:
            raise NoAnswer("The system did not answer in time.") from error
        except httpcore2.ConnectError as error:
            raise Dropped(_NOTHING_THERE[scheme.decode()]) from error
        except _FAILURES as error:
            kind = BrokenOff if outgoing.progress.has_begun else Dropped
            raise kind(f"The connection to the system failed ({type(error).__name__}).") from error

    async def _over_a_line_of_its_own(self, request: httpcore2.Request, outgoing: Outgoing) -> Incoming:
        pool = self._aside if outgoing.is_aside else self._alone
        response = await pool.handle_async_request(request)
        try:
            return await _read(response, outgoing)
        finally:
            await response.aclose()

    def _headers(self, outgoing: Outgoing) -> list[tuple[bytes, bytes]]:
        # Tryton marks large answers as gzip even for a client that wants them plain
        headers = {"host": self._host_header, "accept-encoding": "gzip", "user-agent": "toolhub", **outgoing.headers}
        if outgoing.body is not None or outgoing.method in {"POST", "PUT", "PATCH"}:
            headers["content-length"] = str(len(outgoing.body or b""))
        return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


_NOTHING_THERE: Final = {
    "http": "Nothing listens at the system's address. Is it running?",
    "https": "Nothing listens at the system's address, or its certificate will not do. Is it running?",
}
_FAILURES: Final = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol)


async def _read(response: httpcore2.Response, outgoing: Outgoing) -> Incoming:
    headers, reader = joined(response.headers), outgoing.reader
    if reader is None or not reader.reads(response.status, headers):
        return await _whole(response, headers, outgoing.largest)
    async for chunk in response.aiter_stream():
        if (answer := await reader.take(chunk)) is not None:
            return Incoming(response.status, headers, answer)
    raise Dropped("The answer ended in the middle.")


async def _whole(response: httpcore2.Response, headers: dict[str, str], largest: int) -> Incoming:
    unpacking = _Unpacking(headers.get("content-encoding", ""), largest)
    async for chunk in response.aiter_stream():
        unpacking.take(chunk)
    return Incoming(response.status, headers, unpacking.whole())


class _Unpacking:
    """Collects an answer of at most `largest` bytes, packed by gzip at most once: a little can unpack to anything."""

    def __init__(self, encoding: str, largest: int) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip"}:
            raise Dropped("The answer is packed in a way that was not asked for.")
        self._unpacker = zlib.decompressobj(_GZIP) if name == "gzip" else None
        self._largest = largest
        self._body = bytearray()
        self._has_begun = False

    def take(self, chunk: bytes) -> None:
        """Add what arrived."""
        self._has_begun = True
        room = self._largest - len(self._body) + 1
        try:
            self._body += chunk if self._unpacker is None else self._unpacker.decompress(chunk, room)
        except zlib.error as error:
            raise Dropped("The answer is marked as packed and is not.") from error
        if len(self._body) > self._largest:
            raise TooLarge(f"The answer is larger than {self._largest} bytes.")

    def whole(self) -> bytes:
        """Return the answer, if it is complete."""
        unpacker = self._unpacker if self._has_begun else None
        if unpacker is not None and (not unpacker.eof or unpacker.unused_data):
            raise Dropped("The answer ends in the middle, or goes on after its end.")
        return bytes(self._body)
