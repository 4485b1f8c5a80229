"""Hearing a stream of the older protocol to its end where the server hangs up, or is lost, before that.

A server of 2025-11-25 may hang up as soon as an event has had an id, and goes on with the stream for a `GET` that names
that id (SEP-1699). Such a `GET` asks for nothing to be done: a write is never sent again for it.
"""

import asyncio
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from connectors.sdk.errors import Unavailable
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.line import Dropped, Reader
from sandbox.mcp.events import MEDIA_TYPE, Events, is_stream
from sandbox.pace import LONGEST_HOLD_SECONDS, asked_to_wait
from sandbox.sign_in import Proof
from sandbox.upstream import Exchange, Received, Upstream

DEFAULT_SECONDS: Final = 1.0
"""How long is waited where the server does not say it."""
LEAST_SECONDS: Final = 0.1
"""How long is waited at least before the first time, whatever the server says; each time makes it a tenth longer."""
MOST_FAILURES: Final = 3
"""So often in a row a server may be lost or busy when it is asked to go on."""
_FITS: Final = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?")
"""The ids that a header carries as they are."""
_NOT_YET: Final = frozenset({409, 429, 502, 503, 504})
"""By 409 some say that they have not noticed yet that the connection before is gone."""
_LARGEST_REFUSAL: Final = 64 * 1024
_LEFT: Final = "The server left the stream before its answer"


class NotNow(Dropped):
    """The server opens no stream at the moment, and says for how many seconds it is to be left alone."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = min(seconds, LONGEST_HOLD_SECONDS)


def turned_away(response: WireResponse, what: str = "a stream") -> Dropped:
    """Return what it means that `response` does not open `what` was asked for, and does not say that there is none."""
    why = f"The server answers {response.status} instead of opening {what}."
    seconds = asked_to_wait(response)
    return Dropped(why) if seconds is None else NotNow(why, seconds)


class _Refused(Dropped):
    """The server does not go on, and need not be asked again."""


class Stream(Reader, Protocol):
    """What reads one stream, whichever connections it comes over."""

    events: Events
    proof: Proof
    """What was shown for the connection that is read."""


@dataclass(slots=True)
class _Rest:
    """Reads the rest of a stream, if that is what comes."""

    stream: Stream
    has_come: bool = False

    def reads(self, status: int, headers: Mapping[str, str]) -> bool:
        self.has_come = status == 200 and is_stream(headers)  # noqa: PLR2004  # RFC 9110 section 15.3.1
        return self.has_come

    async def take(self, chunk: bytes) -> bytes | None:
        return await self.stream.take(chunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resuming:
    """One stream and the way to its server. `named` are the headers that say of which session it is; none: it is of
    a protocol in which no stream goes on.
    """

    http: Upstream
    stream: Stream
    named: Mapping[str, str]

    async def heard_out(self, exchange: Exchange) -> Received:
        """Send a request and return the answer, whichever connection of its stream it comes over.

        Raises:
            NoAnswer: there is none, and the server does not go on with the stream, if it was begun.
            Unavailable: the request leads elsewhere; it was not sent.
        """
        try:
            return await self.http.exchange(exchange)
        except Dropped:
            if not self._goes_on:
                raise
        failures, asked_for = 0, 0.0
        for times in itertools.count():
            await asyncio.sleep(max(asked_for, seconds_before(times, self.stream.events.retry_seconds)))
            rest = _Rest(self.stream)
            try:
                return await self._asked(rest)
            except Dropped as error:
                failures = 0 if rest.has_come else failures + 1
                if isinstance(error, _Refused) or failures >= MOST_FAILURES or not self._goes_on:
                    raise Dropped(f"{_LEFT}. {error}") from error
                asked_for = error.seconds if isinstance(error, NotNow) else 0.0
        raise AssertionError  # it counts for ever

    @property
    def _goes_on(self) -> bool:
        return bool(self.named) and _FITS.fullmatch(self.stream.events.last_id) is not None

    async def _asked(self, rest: _Rest) -> Received:
        """Ask the server to go on with the stream, and return the answer that comes.

        Raises:
            NoAnswer: there is none.
        """
        events = self.stream.events
        events.go_on()
        headers = {"accept": MEDIA_TYPE, "accept-encoding": "identity", "last-event-id": events.last_id.decode()}
        request = WireRequest(method="GET", path="", headers={**self.named, **headers})
        try:
            self.stream.proof = await self.http.sign_in.proof()  # the one before may have ended meanwhile
            exchange = Exchange(request, self.stream.proof, largest=_LARGEST_REFUSAL, is_alone=True, reader=rest)
            received = await self.http.exchange(exchange)
        except Unavailable as error:
            raise _Refused(str(error).removesuffix(" Nothing was sent.")) from error
        if not rest.has_come:
            raise self._refusal(received.response)
        return received

    def _refusal(self, response: WireResponse) -> Dropped:
        if self.http.sign_in.has_lost(response.status):
            self.http.sign_in.forget(self.stream.proof)
        elif response.status not in _NOT_YET:
            return _Refused(f"It does not go on with it ({response.status}).")
        return turned_away(response)


def seconds_before(times: int, asked_for: float | None) -> float:
    """Return how long to wait before a server is asked to go on that has been asked so so many `times` before."""
    wanted = DEFAULT_SECONDS if asked_for is None else min(asked_for, LONGEST_HOLD_SECONDS)
    return max(wanted, LEAST_SECONDS * (1 + times / 10))
