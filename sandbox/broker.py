"""The egress broker: the only way from connector code to a system, and the fence that keeps previews from writing.

It holds the credentials, sends to one base URL, and lets pass what the channel's kind allows: on a read channel safe
requests, on a preview channel also those meant for previews, and only on a write channel, each after its permit,
requests that may change something. What it saw decides what may be said of a commit, whatever the connector reports.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import httpx2

from connectors.sdk.errors import Fenced, Unavailable, Unknown
from connectors.sdk.rpc import operation_of
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.answers import is_clear, says_no
from sandbox.requests import problem_with
from sandbox.sign_in import Proof
from sandbox.transcript import Answer, Attempt, Fate, Transcript
from sandbox.upstream import LARGEST_ANSWER, Exchange, Received, TooLarge, Upstream

Permit = Callable[[], Awaitable[None]]

_SESSION_GONE: Final = frozenset({401, 403})


class ChannelKind(StrEnum):
    """What a channel may carry."""

    READ = "read"
    PREVIEW = "preview"
    WRITE = "write"


class Stopped(Exception):
    """The run is over: its code tried what its channel may not carry, or more than it may. The message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one run may ask for."""

    requests: int = 200
    unsafe_requests: int = 0
    answer_bytes: int = LARGEST_ANSWER


@dataclass(slots=True, kw_only=True)
class Channel:
    """The transport of one run of connector code, and what passed through it."""

    upstream: Upstream
    spec: ConnectorSpec
    kind: ChannelKind
    bounds: Bounds = field(default_factory=Bounds)
    permit: Permit | None = None
    transcript: Transcript = field(default_factory=Transcript)
    refusal: BaseException | None = None
    """Why the permit was refused, if it was."""

    _asked: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, request: WireRequest) -> WireResponse:
        """Carry `request`, as `connectors.sdk.wire.Transport` says.

        Raises:
            Fenced: nothing of the kind may leave; the connector may go on.
            Stopped: the connector may not go on.
            Unavailable: it could not be sent, or it only reads and was not answered.
            Unknown: it may have changed something, and no clear answer came.
        """
        attempt = self._admitted(request)
        if attempt.is_safe:
            return await self._send_safe(attempt)
        async with self._turn:  # so that they can be counted
            return await self._send_unsafe(attempt)

    def _admitted(self, request: WireRequest) -> Attempt:
        if self._asked >= self.bounds.requests:
            raise Stopped(f"It sent more than {self.bounds.requests} requests.")
        self._asked += 1
        attempt = Attempt(
            transcript=self.transcript,
            request=request,
            operation=operation_of(self.spec.rpc, request.body),
            is_safe=self.spec.is_safe(request, previewing=self.kind is ChannelKind.PREVIEW),
        )
        if not attempt.is_safe and self.kind is not ChannelKind.WRITE:
            attempt.end(Fate.FENCED)
            raise Stopped(f"{attempt.name} may change something, and this is a {self.kind.value} channel.")
        if problem := problem_with(request, self.spec.rpc):
            attempt.end(Fate.FENCED)
            raise Fenced(f"{problem} Nothing was sent.")
        return attempt

    async def _send_safe(self, attempt: Attempt) -> WireResponse:
        try:
            received = await self._answer_to_safe(attempt.request)
        except (httpx2.HTTPError, TooLarge) as error:
            attempt.end(Fate.NO_ANSWER)
            raise Unavailable(_failure(error)) from error
        except BaseException:  # out of time, or not signed in
            attempt.end(Fate.NO_ANSWER)
            raise
        attempt.end(Fate.ANSWERED, self._noted(received))
        return received.response

    async def _answer_to_safe(self, request: WireRequest) -> Received:
        sign_in = self.upstream.sign_in
        proof = await sign_in.proof()
        received = await self._exchange_twice(request, proof)
        if received.response.status in _SESSION_GONE and sign_in.has_session:
            sign_in.forget(proof)
            proof = await sign_in.proof()
            received = await self._exchange_twice(request, proof)
        sign_in.worked(proof)
        return received

    async def _exchange_twice(self, request: WireRequest, proof: Proof) -> Received:
        """Send what only reads, and again if the connection that had been kept alive turns out to be closed."""
        try:
            return await self.upstream.exchange(Exchange(request, proof, self.bounds.answer_bytes))
        except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError):
            return await self.upstream.exchange(Exchange(request, proof, self.bounds.answer_bytes, is_alone=True))

    async def _send_unsafe(self, attempt: Attempt) -> WireResponse:
        if len(self.transcript.left) >= self.bounds.unsafe_requests or self.permit is None:
            attempt.end(Fate.FENCED)
            raise Stopped(f"It declares at most {self.bounds.unsafe_requests} request(s) that change something.")
        proof = await self._permitted(attempt, self.permit)
        exchange = Exchange(attempt.request, proof, self.bounds.answer_bytes, is_alone=True)
        try:
            received = await self.upstream.exchange(exchange)
        except (httpx2.HTTPError, TooLarge) as error:
            if not exchange.progress.has_begun:
                attempt.end(Fate.NOT_SENT)
                raise Unavailable("The system cannot be reached; nothing was sent.") from error
            attempt.end(Fate.UNKNOWN)
            raise Unknown(_failure(error)) from error
        except BaseException:  # out of time
            attempt.end(Fate.UNKNOWN if exchange.progress.has_begun else Fate.NOT_SENT)
            raise
        return self._understood(attempt, received, proof)

    def _understood(self, attempt: Attempt, received: Received, proof: Proof) -> WireResponse:
        """Return the answer to an unsafe request, if it says clearly what became of it."""
        if received.response.status in _SESSION_GONE:
            self.upstream.sign_in.forget(proof)
        if not is_clear(attempt.request, received.response):
            attempt.end(Fate.UNKNOWN, Answer(status=received.response.status, size=received.size))
            raise Unknown(f"The system's answer ({received.response.status}) does not say whether it was done.")
        attempt.end(Fate.ANSWERED, self._noted(received))
        return received.response

    def _noted(self, received: Received) -> Answer:
        response = received.response
        return Answer(status=response.status, size=received.size, says_no=says_no(self.spec.rpc, response))

    async def _permitted(self, attempt: Attempt, permit: Permit) -> Proof:
        """Return the proof to send with, once the permit has been given; a login that fails leaves it unasked."""
        try:
            proof = await self.upstream.sign_in.proof(fresh=True)
        except BaseException:
            attempt.end(Fate.NOT_SENT)
            raise
        asked = asyncio.ensure_future(permit())
        try:
            await asyncio.shield(asked)
        except asyncio.CancelledError:
            # "sent" is on record or it is not; leaving now would leave it open which
            await asyncio.wait({asked})
            if not asked.cancelled() and isinstance(asked.exception(), Exception):
                self.refusal = asked.exception()
            attempt.end(Fate.NOT_SENT)
            raise
        except Exception as error:
            self.refusal = error
            attempt.end(Fate.FENCED)
            raise Stopped("The permit to send was refused.") from error
        return proof


def _failure(error: Exception) -> str:
    if isinstance(error, TooLarge):
        return str(error)
    if isinstance(error, httpx2.TimeoutException):
        return "The system did not answer in time."
    return f"The connection to the system failed ({type(error).__name__})."
