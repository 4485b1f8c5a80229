"""One connection as the broker sees it: the only base URL, connections to it, and the proof of who the hub is."""

import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, NamedTuple

import httpx2

from connectors.sdk.errors import Unavailable
from connectors.sdk.spec import AuthSpec
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.requests import checked_base_url
from sandbox.sign_in import Proof, Secrets, SignIn, SignInRefused

CONNECT_SECONDS: Final = 10.0
LARGEST_ANSWER: Final = 10 * 1024 * 1024
_LARGEST_LOGIN: Final = 64 * 1024
_MOST_CONNECTIONS: Final = 32
_PATHS: Final = 512
_FIRST_BYTE: Final = "send_request_headers.started"
_GZIP: Final = 31  # zlib's window size for the gzip format
_DROPPED_HEADERS: Final = frozenset(
    {"set-cookie", "set-cookie2", "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate"}
    | {"content-encoding", "content-length", "transfer-encoding", "connection", "location", "alt-svc"}
)


class TooLarge(Exception):
    """The answer exceeds the bound; the rest of it was not read."""


@dataclass(slots=True)
class Progress:
    """How far a request has come: whether a byte of it may have left. Only before that is "not sent" the truth."""

    has_begun: bool = False

    async def follow(self, event: str, _details: Mapping[str, Any]) -> None:
        """Take note of what the HTTP client does."""
        if event.endswith(_FIRST_BYTE):
            self.has_begun = True


@dataclass(slots=True)
class Exchange:
    """One request on its way: what is sent, how, and how far it came."""

    request: WireRequest
    proof: Proof
    largest: int = LARGEST_ANSWER
    is_alone: bool = False
    """Open a connection for it alone, so that one kept alive and just closed is never mistaken for a lost answer."""
    progress: Progress = field(default_factory=Progress)


class Received(NamedTuple):
    """An answer for the connector, and how many bytes it took."""

    response: WireResponse
    size: int


class Upstream:
    """The way to one base URL. It follows no redirect, keeps no cookie and obeys no proxy setting."""

    def __init__(self, base_url: str, auth: AuthSpec, secrets: Secrets) -> None:
        """`secrets` opens the credential and is asked only when a request needs it.

        Raises:
            BadBaseUrl: the base URL cannot be used.
        """
        self.base_url = checked_base_url(base_url)
        self.sign_in = SignIn(auth, secrets, self._log_in)
        self._kept = _client(kept=_MOST_CONNECTIONS)
        self._alone = _client(kept=0)

    async def close(self) -> None:
        """Close the connections."""
        await self._kept.aclose()
        await self._alone.aclose()

    async def exchange(self, exchange: Exchange) -> Received:
        """Send a request and return the whole answer, with the proof cut out of it.

        Raises:
            httpx2.HTTPError: there is no complete answer.
            TooLarge: the answer is larger than allowed.
            Unavailable: the request leads elsewhere; it was not sent.
        """
        status, headers, body = await self._exchange(exchange)
        redact = exchange.proof.redact
        kept = {name: redact(value) for name, value in headers.items() if name not in _DROPPED_HEADERS}
        text = redact(body.decode("utf-8", errors="replace"))
        return Received(WireResponse(status=status, headers=kept, body=text), len(body))

    async def probe(self) -> int:
        """Sign in, ask for what stands at the base URL, and return the status of the answer, whose body is not read.

        Raises:
            httpx2.HTTPError: there is no answer.
            Unavailable: the system does not let the hub in.
        """
        proof = await self.sign_in.proof(fresh=True)
        async with self._alone.stream("GET", self.base_url, headers=dict(proof.headers)) as answer:
            return answer.status_code

    async def _exchange(self, exchange: Exchange) -> tuple[int, dict[str, str], bytes]:
        request, client = exchange.request, self._alone if exchange.is_alone else self._kept
        async with client.stream(
            request.method,
            _url(self.base_url, request.path),
            params=list(request.query) or None,
            headers={**request.headers, **exchange.proof.headers},
            content=None if request.body is None else request.body.encode(),
            extensions={"trace": exchange.progress.follow},
        ) as answer:
            unpacking = _Unpacking(answer.headers.get("content-encoding", ""), exchange.largest)
            async for chunk in answer.aiter_raw():
                unpacking.take(chunk)
            body = unpacking.whole()
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status_code, headers, body

    async def _log_in(self, path: str, body: bytes) -> bytes:
        request = WireRequest(
            method="POST", path=path, headers={"content-type": "application/json"}, body=body.decode()
        )
        exchange = Exchange(request, Proof(headers={}), largest=_LARGEST_LOGIN)
        try:
            status, _, said = await self._exchange(exchange)
        except TooLarge as error:
            raise SignInRefused from error
        except httpx2.HTTPError as error:
            raise Unavailable("The system cannot be reached to sign in.") from error
        if not 200 <= status < 300:  # noqa: PLR2004  # RFC 9110 section 15.3
            raise SignInRefused
        return said


@lru_cache(maxsize=_PATHS)
def _url(base_url: str, path: str) -> httpx2.URL:
    """Return where a request goes; a URL never changes, so those asked for again and again are read once."""
    base, url = httpx2.URL(base_url), httpx2.URL(f"{base_url}{path}")
    # `problem_with` has read the path; this asks the client's own reader whether it sees the same in it
    is_below = url.raw_path == base.raw_path or url.raw_path.startswith(base.raw_path.rstrip(b"/") + b"/")
    if (url.scheme, url.netloc, url.userinfo) != (base.scheme, base.netloc, b"") or not is_below:
        raise Unavailable("The request leads away from the connection's base URL; it was not sent.")
    return url


class _Unpacking:
    """Collects an answer of at most `largest` bytes, packed by gzip at most once: a little can unpack to anything."""

    def __init__(self, encoding: str, largest: int) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip"}:
            raise httpx2.DecodingError("the answer is packed in a way that was not asked for")
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
            raise httpx2.DecodingError("the answer is marked as packed and is not") from error
        if len(self._body) > self._largest:
            raise TooLarge(f"The answer is larger than {self._largest} bytes.")

    def whole(self) -> bytes:
        """Return the answer, if it is complete."""
        unpacker = self._unpacker if self._has_begun else None
        if unpacker is not None and (not unpacker.eof or unpacker.unused_data):
            raise httpx2.DecodingError("the answer ends in the middle, or goes on after its end")
        return bytes(self._body)


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()  # reading the machine's certificates takes long; they are the same for all


def _client(*, kept: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        verify=_trusted(),
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),  # a run has one deadline for all it does
        limits=httpx2.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=kept),
        # Tryton marks large answers as gzip even for a client that wants them plain
        headers={"accept-encoding": "gzip", "user-agent": "toolhub"},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )
