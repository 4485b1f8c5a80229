"""How long the server waits for a request to be there, and how many connections it keeps: strangers get no more.

Whoever sends half a request, or none, would otherwise keep a connection for good, and with enough of them everybody
else and the hub's own files out.
"""

import asyncio
import resource
from typing import ClassVar, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LOG: Final = structlog.get_logger(__name__)
REQUEST_SECONDS: Final = 60.0
"""From the first byte of a request (or the connection) to its last; an answer may take as long as it likes."""
FILES_WANTED: Final = 65_536
_OF_FILES: Final = 0.75
"""The part of the files that a process may have open which connections may take."""
_TELL_SECONDS: Final = 60.0
_TOO_SLOW: Final = f"The request was not there after {REQUEST_SECONDS:.0f} seconds; send it again."


class Patience(HttpToolsProtocol):
    """One connection, closed where its request does not come, with 408 (RFC 9110, 15.5.9) if no answer has begun."""

    _waiting: asyncio.TimerHandle | None = None
    _told_at: ClassVar = -_TELL_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it, too
        """Take a connection, or close it at once where there are too many."""
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            self._tell(self.limit_concurrency)
            transport.abort()
            return
        self._wait()

    def on_message_begin(self) -> None:
        """Note that a request has begun to come."""
        super().on_message_begin()
        self._wait()

    def on_message_complete(self) -> None:
        """Note that a request is there."""
        super().on_message_complete()
        self._wait_no_more()

    def on_response_complete(self) -> None:
        """Go on with the request that came behind the one that is answered now, which nobody has read so far."""
        super().on_response_complete()
        if self._waiting is not None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _tell(self, most: int) -> None:
        """Put into the log that connections are refused, now and then."""
        if self.loop.time() - Patience._told_at >= _TELL_SECONDS:
            Patience._told_at = self.loop.time()
            _LOG.warning("connections_refused", open=most, why="there are as many as may be")

    def _wait(self) -> None:
        self._wait_no_more()
        self._waiting = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        if self.pipeline:  # it waits for us: it is read when the one before it has been answered
            self._wait()
            return
        answers = getattr(self.cycle, "response_started", False) and not self.cycle.response_complete
        if not answers:
            body = _TOO_SLOW.encode()
            head = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            self.transport.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        self.transport.close()


def may_open_many_files() -> int:
    """Let this process open as many files as it may, up to `FILES_WANTED`, and return how many connections fit in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return int((FILES_WANTED if soft == resource.RLIM_INFINITY else min(soft, FILES_WANTED)) * _OF_FILES)
