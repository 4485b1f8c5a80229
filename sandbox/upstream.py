"""One connection as the broker sees it: the only base URL, the line to it, and the proof of who the hub is."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx2

from connectors.sdk.errors import Unavailable
from connectors.sdk.spec import AuthSpec
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.line import MOST_CONNECTIONS, Incoming, Line, NoAnswer, Outgoing, Progress, Reader, TooLarge
from sandbox.pace import Pace
from sandbox.reach import OutOfReach, Reach
from sandbox.requests import checked_base_url
from sandbox.sign_in import Keep, Proof, Secrets, SignIn, SignInRefused, Ways
from sandbox.tokens import TokenRequest
from sandbox.transcript import SIGN_IN, Answer, Fate, by_itself

Json = Any
"""Any JSON value."""

LARGEST_ANSWER: Final = 10 * 1024 * 1024
_LARGEST_LOGIN: Final = 64 * 1024
_LARGEST_PROBE: Final = 1024 * 1024
_PATHS: Final = 512
_DROPPED_HEADERS: Final = frozenset(
    {"set-cookie", "set-cookie2", "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate"}
    | {"content-encoding", "content-length", "transfer-encoding", "connection", "location", "alt-svc"}
)


Hear = Callable[[Mapping[str, Json]], Awaitable[Json | None]]
"""Hears what a system says while it works on a request, message by message; answers what asks for an answer, or None
where it cannot."""


class TurnedAway(Protocol):
    """Hears of each time that a request was turned away, with the answer, before it is sent again or given up."""

    def __call__(self, answer: Answer, *, is_last: bool) -> None:
        """Note it; after the last time it is not sent again."""
        ...


def unnoted(answer: Answer, *, is_last: bool) -> None:
    """Note nothing."""
    del answer, is_last


@dataclass(slots=True)
class Exchange:
    """One request on its way: what is sent, how, and how far it came."""

    request: WireRequest
    proof: Proof
    largest: int = LARGEST_ANSWER
    is_alone: bool = False
    """Open a connection for it alone, so that one kept alive and just closed is never mistaken for a lost answer."""
    is_aside: bool = False
    """It is said while another exchange is under way and holds its place, or after it: it waits for no place."""
    progress: Progress = field(default_factory=Progress)
    hear: Hear | None = None
    reader: Reader | None = None
    """Reads the answer while it arrives, if it is of that kind."""
    turned_away: TurnedAway = unnoted


class Received(NamedTuple):
    """An answer for the connector, and how many bytes it took."""

    response: WireResponse
    size: int
    is_disproved: bool = False
    """Whether what its status says is not so, and it tells nothing of what became of the request."""

    @property
    def told(self) -> Answer:
        """What a transcript says of it."""
        return Answer(status=self.response.status, size=self.size)


class AnswerLost(NoAnswer):
    """What stands around an exchange says that the request was sent, and that no answer came back."""


Onward = Callable[[], Awaitable[Received]]
Around = Callable[[WireRequest, Onward], Awaitable[Received]]
"""What stands around each exchange: it may carry the request `onward`, keep the answer, or answer by itself. It never
sees a proof. The contract kit and its recordings stand there; around a hub's own exchanges stands nothing."""


async def plainly(_request: WireRequest, onward: Onward) -> Received:
    """Carry the request onward."""
    return await onward()


class Way(Protocol):
    """The way to one system, whatever is spoken there."""

    sign_in: SignIn
    pace: Pace
    around: Around
    keeps_sessions: bool
    """Whether it opens the protocol's sessions by itself, so that a connector need not."""

    async def exchange(self, exchange: Exchange) -> Received:
        """Send a request and return the whole answer, as `Upstream.exchange` says."""
        ...

    async def probe(self) -> int:
        """Sign in and return a status; below 400 says that the system can be used."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class Upstream:
    """The way to one base URL, as far as `reach` lets it lead."""

    keeps_sessions = False

    def __init__(
        self, base_url: str, auth: AuthSpec, secrets: Secrets, reach: Reach | None = None, keep: Keep | None = None
    ) -> None:
        """`secrets` opens the credential and is asked only when a request needs it; `keep` keeps a renewed part of it.

        Raises:
            BadBaseUrl: the base URL cannot be used.
        """
        self.base_url = checked_base_url(base_url)
        ways = Ways(base_url=self.base_url, post=self._log_in, ask=self._ask_for_token, keep=keep)
        self.sign_in = SignIn(auth, secrets, ways)
        self._reach = reach or Reach()
        self._line = self._opened(MOST_CONNECTIONS)
        self.around: Around = plainly
        self.pace = Pace()

    def _opened(self, most: int) -> Line:
        parts = urlsplit(self.base_url)
        return Line(parts.scheme, parts.hostname or "", parts.port, self._reach, most=most)

    def bound(self, connections: int) -> None:
        """Have no more `connections` than that at the same time; said before the first request."""
        self._line = self._opened(connections)

    async def close(self) -> None:
        """Close the connections, once what was asked for to sign in has come."""
        await self.sign_in.close()
        await self._line.close()

    async def exchange(self, exchange: Exchange) -> Received:
        """Send a request and return the whole answer, with the proof cut out of it.

        Raises:
            NoAnswer: there is no complete answer, or it is larger than allowed.
            Unavailable: the request leads elsewhere; it was not sent.
        """
        try:
            return await self.around(exchange.request, lambda: self._received(exchange))
        except AnswerLost:
            exchange.progress.has_begun = True
            raise

    async def _received(self, exchange: Exchange) -> Received:
        status, headers, body = await self._exchange(exchange)
        redact = exchange.proof.redact
        kept = {name: redact(value) for name, value in headers.items() if name not in _DROPPED_HEADERS}
        if exchange.request.wants_bytes:
            text = base64.b64encode(redact(body.decode("latin-1")).encode("latin-1")).decode("ascii")
        else:
            text = redact(body.decode("utf-8", errors="replace"))
        return Received(WireResponse(status=status, headers=kept, body=text), len(body))

    async def probe(self) -> int:
        """Sign in, ask for what stands at the base URL, and return the status of the answer.

        Raises:
            NoAnswer: there is none.
            Unavailable: the system does not let the hub in, or the hub may not go there.
        """
        proof = await self.sign_in.proof(fresh=True)
        request = WireRequest(method="GET", path="")
        answer = await self._exchange(Exchange(request, proof, largest=_LARGEST_PROBE, is_alone=True))
        return answer.status

    async def _exchange(self, exchange: Exchange) -> Incoming:
        request = exchange.request
        target = _target(self.base_url, request.path)
        query = request.query_string
        outgoing = Outgoing(
            method=request.method,
            target=target + b"?" + query.encode("ascii") if query else target,
            headers={"accept": "*/*", **request.headers, **exchange.proof.headers},
            body=request.content,
            largest=exchange.largest,
            is_alone=exchange.is_alone,
            is_aside=exchange.is_aside,
            progress=exchange.progress,
            reader=exchange.reader,
        )
        try:
            return await self._line.exchange(outgoing)
        except OutOfReach as error:
            raise Unavailable(f"{error} Nothing was sent.") from error

    async def _log_in(self, path: str, body: bytes) -> bytes:
        request = WireRequest(
            method="POST", path=path, headers={"content-type": "application/json"}, body=body.decode()
        )
        exchange = Exchange(request, Proof(headers={}), largest=_LARGEST_LOGIN)
        try:
            with by_itself(path, SIGN_IN) as attempt:
                status, _, said = await self._exchange(exchange)
                attempt.end(Fate.ANSWERED, Answer(status=status, size=len(said)))
        except TooLarge as error:
            raise SignInRefused from error
        except NoAnswer as error:
            raise Unavailable("The system cannot be reached to sign in.") from error
        if not 200 <= status < 300:  # noqa: PLR2004  # RFC 9110 section 15.3
            raise SignInRefused
        return said

    async def _ask_for_token(self, request: TokenRequest) -> tuple[int, bytes]:
        """Post to a token endpoint, which may have an origin of its own; as far as `reach` lets that lead."""
        at = request.address
        line = Line(at.scheme, at.host, at.port, self._reach)
        outgoing = Outgoing(
            method="POST",
            target=at.path.encode("ascii"),
            headers=request.headers,
            body=request.body,
            largest=_LARGEST_LOGIN,
            is_alone=True,
        )
        try:
            with by_itself(at.path, SIGN_IN) as attempt:
                answer = await line.exchange(outgoing)
                attempt.end(Fate.ANSWERED, Answer(status=answer.status, size=len(answer.body)))
        except TooLarge:
            return 200, b""  # so much of anything is no token
        except NoAnswer as error:
            raise Unavailable("The system's token endpoint cannot be reached. Nothing else was sent.") from error
        except OutOfReach as error:
            raise Unavailable(f"The token endpoint is out of reach: {error} Nothing was sent.") from error
        finally:
            await line.close()
        return answer.status, answer.body


@lru_cache(maxsize=_PATHS)
def _target(base_url: str, path: str) -> bytes:
    """Return what stands in the request's first line; those asked for again and again are read once."""
    base, url = httpx2.URL(base_url), httpx2.URL(f"{base_url}{path}")
    # `problem_with` has read the path; this asks another reader whether it sees the same in it
    is_below = url.raw_path == base.raw_path or url.raw_path.startswith(base.raw_path.rstrip(b"/") + b"/")
    if (url.scheme, url.netloc, url.userinfo) != (base.scheme, base.netloc, b"") or not is_below:
        raise Unavailable("The request leads away from the connection's base URL; it was not sent.")
    return url.raw_path
