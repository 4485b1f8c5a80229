"""The egress broker: the only way from connector code to a system, and the fence that keeps previews from writing.

It holds the credentials, sends to one base URL, and lets pass what the channel's kind allows: on a read channel safe
requests, on a preview channel also those meant for previews, and only on a write channel, each after its permit,
requests that may change something. What it saw decides what may be said of a commit, whatever the connector reports.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from connectors.sdk.errors import Fenced, Unavailable, Unknown
from connectors.sdk.rpc import operation_of
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.answers import is_clear, says_no
from sandbox.line import Dropped, KeptWaiting, NoAnswer, Progress
from sandbox.pace import LONGEST_WAIT_SECONDS, asked_to_wait
from sandbox.requests import problem_with, size_problem
from sandbox.sign_in import Proof
from sandbox.transcript import Answer, Attempt, Fate, Line, Transcript, noting
from sandbox.upstream import LARGEST_ANSWER, Exchange, Hear, Received, Way

Permit = Callable[[], Awaitable[None]]


_BUSY: Final = frozenset({429, 502, 503, 504})


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
    pauses: tuple[float, ...] = (0.05, 0.25)
    """Seconds before each further attempt of a request that only reads and finds the system busy."""
    until: float = math.inf
    """When nothing unsafe may begin to leave any more, by the monotonic clock."""


@dataclass(slots=True, kw_only=True)
class Channel:
    """The transport of one run of connector code, and what passed through it."""

    upstream: Way
    spec: ConnectorSpec
    kind: ChannelKind
    bounds: Bounds = field(default_factory=Bounds)
    permit: Permit | None = None
    transcript: Transcript = field(default_factory=Transcript)
    twin: Way | None = None
    """The way to a copy of the system: for previews alone, and even there for nothing that may change something."""
    refusal: BaseException | None = None
    """Why the permit was refused, if it was."""
    hear: Hear | None = None
    """Who hears what the system says while it works."""

    _asked: int = 0
    _opened: set[str] = field(default_factory=set[str])
    """The ids of the drafts that this preview has opened in the system: no others may it write to or remove."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def keeps_sessions(self) -> bool:
        """Whether the way to the system opens its sessions by itself."""
        return self.upstream.keeps_sessions

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
        self._count()
        if problem := size_problem(request, self.spec.rpc):
            Attempt(transcript=self.transcript, request=request, operation=None, is_safe=False).end(Fate.FENCED)
            raise Fenced(f"{problem} Nothing was sent.")
        attempt = Attempt(
            transcript=self.transcript,
            request=request,
            operation=operation_of(self.spec.rpc, request),
            is_safe=self.spec.is_safe(
                request, previewing=self.kind is ChannelKind.PREVIEW, opened=frozenset(self._opened)
            ),
        )
        if not attempt.is_safe and self.kind is not ChannelKind.WRITE:
            attempt.end(Fate.FENCED)
            raise Stopped(f"{attempt.name} may change something, and this is a {self.kind.value} channel.")
        if request.on_twin and (self.kind is not ChannelKind.PREVIEW or self.twin is None):
            attempt.end(Fate.FENCED)
            raise Stopped(f"{attempt.name} was meant for a twin, and this {self.kind.value} channel leads to none.")
        if problem := problem_with(request, self.spec.rpc, self.spec.headers):
            attempt.end(Fate.FENCED)
            raise Fenced(f"{problem} Nothing was sent.")
        return attempt

    def _way(self, attempt: Attempt) -> Way:
        return self.twin if self.twin is not None and attempt.request.on_twin else self.upstream

    def _count(self) -> None:
        if self._asked >= self.bounds.requests:
            raise Stopped(f"It sent more than {self.bounds.requests} requests.")
        self._asked += 1

    async def _send_safe(self, attempt: Attempt) -> WireResponse:
        """Send what only reads, and again after a pause if the system says that it is busy just now."""
        attempt, received = await self._answered(attempt)
        for seconds in self._pauses(attempt):
            if received.response.status not in _BUSY or (asked_to_wait(received.response) or 0) > LONGEST_WAIT_SECONDS:
                break
            attempt.end(Fate.ANSWERED, self._noted(attempt, received))
            attempt = self._again(attempt)
            await self._pause(attempt, seconds)
            attempt, received = await self._answered(attempt)
        attempt.end(Fate.ANSWERED, self._noted(attempt, received))
        if opened := self.spec.opened_by(attempt.request, received.response):
            self._opened.add(opened)
        return received.response

    def _pauses(self, attempt: Attempt) -> tuple[float, ...]:
        return self.bounds.pauses if self._only_reads(attempt) else ()

    def _only_reads(self, attempt: Attempt) -> bool:
        """Return whether it may be sent any number of times; what is for previews alone may open a draft each time."""
        return self.kind is not ChannelKind.PREVIEW or self.spec.is_safe(attempt.request)

    async def _pause(self, attempt: Attempt, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except BaseException:  # out of time
            attempt.end(Fate.NOT_SENT)
            raise

    async def _turn_comes(self, attempt: Attempt) -> None:
        """Wait until the connection's pace lets the request leave; what completes a write waits as long as it takes."""
        try:
            seconds = self._way(attempt).pace.next(is_patient=not attempt.is_safe and bool(self.transcript.left))
        except Unavailable:
            attempt.end(Fate.NOT_SENT)
            raise
        if seconds > 0:
            await self._pause(attempt, seconds)

    async def _answered(self, attempt: Attempt) -> tuple[Attempt, Received]:
        """Return the answer to what only reads; a session or a token that has ended is renewed once."""
        sign_in = self._way(attempt).sign_in
        proof = await self._proof(attempt)
        attempt, received = await self._answer_to_safe(attempt, proof)
        if sign_in.has_lost(received.response.status):
            attempt.end(Fate.ANSWERED, self._noted(attempt, received))
            sign_in.forget(proof)
            attempt = self._again(attempt)
            proof = await self._proof(attempt)
            attempt, received = await self._answer_to_safe(attempt, proof)
        sign_in.worked(proof)
        return attempt, received

    async def _proof(self, attempt: Attempt, *, fresh: bool = False) -> Proof:
        try:
            with noting(self.transcript):
                return await self._way(attempt).sign_in.proof(fresh=fresh)
        except BaseException:
            attempt.end(Fate.NOT_SENT)
            raise

    async def _answer_to_safe(self, attempt: Attempt, proof: Proof) -> tuple[Attempt, Received]:
        """Return the answer to what only reads, asked again if the line had been kept and turns out to be closed.

        What is asked again is another request, on the transcript too: so many arrive at the system. What does more than
        read is asked once, on a line of its own.
        """
        is_alone = not self._only_reads(attempt)
        exchange = Exchange(attempt.request, proof, self.bounds.answer_bytes, is_alone=is_alone, hear=self.hear)
        try:
            return await self._exchanged(attempt, exchange)
        except Unavailable as error:
            if is_alone or not (isinstance(error.__cause__, Dropped) and exchange.progress.has_begun):
                raise
        attempt = self._again(attempt)
        alone = Exchange(attempt.request, proof, self.bounds.answer_bytes, is_alone=True, hear=self.hear)
        return await self._exchanged(attempt, alone)

    async def _exchanged(self, attempt: Attempt, exchange: Exchange) -> tuple[Attempt, Received]:
        await self._turn_comes(attempt)
        line = Line(attempt)
        exchange.turned_away = line.turned_away
        try:
            with noting(self.transcript):
                received = await self._way(attempt).exchange(exchange)
        except NoAnswer as error:
            line.end(_fate_of_a_read(exchange))
            raise Unavailable(str(error)) from error
        except BaseException:  # out of time, or out of reach
            line.end(_fate_of_a_read(exchange))
            raise
        self._way(attempt).pace.heed(received.response)
        return line.attempt, received

    def _again(self, attempt: Attempt) -> Attempt:
        self._count()
        return attempt.again()

    async def _send_unsafe(self, attempt: Attempt) -> WireResponse:
        if len(self.transcript.left) >= self.bounds.unsafe_requests or self.permit is None:
            attempt.end(Fate.FENCED)
            raise Stopped(f"It declares at most {self.bounds.unsafe_requests} request(s) that change something.")
        await self._turn_comes(attempt)  # before the permit: what is on record as sent waits no more
        proof = await self._permitted(attempt, self.permit)
        line = Line(attempt)
        exchange = Exchange(
            attempt.request,
            proof,
            self.bounds.answer_bytes,
            is_alone=True,
            progress=Progress(until=self.bounds.until),
            hear=self.hear,
            turned_away=line.turned_away,
        )
        try:
            with noting(self.transcript):
                received = await self.upstream.exchange(exchange)
        except KeptWaiting as error:
            line.end(Fate.NOT_SENT)
            raise Unavailable(f"{error} Nothing was sent.") from error
        except NoAnswer as error:
            if not exchange.progress.has_begun:
                line.end(Fate.NOT_SENT)
                raise Unavailable("The system cannot be reached; nothing was sent.") from error
            line.end(Fate.UNKNOWN)
            raise Unknown(str(error)) from error
        except BaseException:  # out of time
            line.end(Fate.UNKNOWN if exchange.progress.has_begun else Fate.NOT_SENT)
            raise
        return self._understood(line.attempt, received, proof)

    def _understood(self, attempt: Attempt, received: Received, proof: Proof) -> WireResponse:
        """Return the answer to an unsafe request, if it says clearly what became of it."""
        self.upstream.pace.heed(received.response)
        if self.upstream.sign_in.has_lost(received.response.status):
            self.upstream.sign_in.forget(proof)
        if received.is_disproved or not is_clear(attempt.request, received.response):
            attempt.end(Fate.UNKNOWN, Answer(status=received.response.status, size=received.size))
            raise Unknown(f"The system's answer ({received.response.status}) does not say whether it was done.")
        attempt.end(Fate.ANSWERED, self._noted(attempt, received))
        return received.response

    def _noted(self, attempt: Attempt, received: Received) -> Answer:
        response = received.response
        noted = Answer(status=response.status, size=received.size)
        if attempt.is_safe:  # it changed nothing either way, and to tell takes reading the whole answer
            return noted
        return replace(noted, says_no=says_no(self.spec.rpc, response) or self.spec.refuses(attempt.request, response))

    async def _permitted(self, attempt: Attempt, permit: Permit) -> Proof:
        """Return the proof to send with, once the permit has been given; a login that fails leaves it unasked."""
        proof = await self._proof(attempt, fresh=True)
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


def _fate_of_a_read(exchange: Exchange) -> Fate:
    return Fate.NO_ANSWER if exchange.progress.has_begun else Fate.NOT_SENT
