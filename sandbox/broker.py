"""The egress broker: the only way from connector code to a system, and the fence that keeps previews from writing.

It holds the credentials, sends to one base URL, follows no redirect, and lets pass what the channel's kind allows: on a
read channel safe requests, on a preview channel also those meant for previews, and only on a write channel, each after
its permit, requests that may change something.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import httpx2

from connectors.sdk.errors import Fenced, Unavailable, Unknown
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.rpc import operation_in
from sandbox.sign_in import SignIn

Json = Any
"""Any JSON value."""

Permit = Callable[[], Awaitable[None]]

_KEPT_REQUEST_HEADERS: Final = frozenset(
    {"accept", "accept-language", "content-type", "if-match", "if-none-match", "if-modified-since"}
    | {"if-unmodified-since", "idempotency-key", "prefer", "range"}
)
_DROPPED_ANSWER_HEADERS: Final = frozenset(
    {"set-cookie", "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate"}
    | {"content-encoding", "transfer-encoding", "connection"}
)
_SERVER_ERROR, _REDIRECT, _OK = 500, 300, 200
_SESSION_GONE: Final = frozenset({401, 403})


class ChannelKind(StrEnum):
    """What a channel may carry."""

    READ = "read"
    PREVIEW = "preview"
    WRITE = "write"


class Fate(StrEnum):
    """What became of one request."""

    FENCED = "fenced"
    NOT_SENT = "not sent"
    ANSWERED = "answered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a transcript: never a body, never a header, never a secret."""

    method: str
    path: str
    operation: str | None
    is_safe: bool
    fate: Fate
    status: int | None
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One connection as the broker sees it: clients to the base URL, and how to sign in."""

    base_url: str
    spec: ConnectorSpec
    sign_in: SignIn
    client: httpx2.AsyncClient
    fresh_client: httpx2.AsyncClient
    """Opens a connection per request, so that a closed one kept alive is never mistaken for a lost answer."""

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
        await self.fresh_client.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one run may ask for."""

    requests: int = 200
    unsafe_requests: int = 0
    answer_bytes: int = 10 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Channel:
    """The transport of one run of connector code, and what passed through it."""

    upstream: Upstream
    kind: ChannelKind
    bounds: Bounds = field(default_factory=Bounds)
    permit: Permit | None = None
    transcript: list[Entry] = field(default_factory=list[Entry])
    refusal: Exception | None = None
    """Why the permit was refused, if it was."""

    @property
    def violations(self) -> list[Entry]:
        """The requests that tried to write where this channel may not."""
        return [entry for entry in self.transcript if entry.fate is Fate.FENCED and not entry.is_safe]

    def unsafe(self, *fates: Fate) -> list[Entry]:
        """Return the requests that may have changed something and ended with one of `fates`."""
        return [entry for entry in self.transcript if not entry.is_safe and entry.fate in fates]

    async def send(self, request: WireRequest) -> WireResponse:
        """Carry `request`, as `connectors.sdk.wire.Transport` says.

        Raises:
            Fenced: this channel may not carry it; nothing was sent.
            Unavailable: it could not be sent, or it only reads and was not answered.
            Unknown: it may have changed something, and no clear answer came.
        """
        started = time.monotonic()
        is_safe = self._classify(request, started)
        if is_safe:
            return await self._send_safe(request, started)
        return await self._send_unsafe(request, started)

    def _classify(self, request: WireRequest, started: float) -> bool:
        if len(self.transcript) >= self.bounds.requests:
            self._note(request, started, Fate.FENCED, is_safe=True)
            raise Fenced(f"More than {self.bounds.requests} requests in one call.")
        if self.upstream.spec.rpc == "json_rpc" and request.operation != operation_in(request.body):
            self._note(request, started, Fate.FENCED, is_safe=False)
            raise Fenced("The request is not what it says it is: its operation and its body differ.")
        is_safe = self.upstream.spec.is_safe(request, previewing=self.kind is ChannelKind.PREVIEW)
        if not is_safe and self.kind is not ChannelKind.WRITE:
            self._note(request, started, Fate.FENCED, is_safe=False)
            raise Fenced(f"{_name(request)} may change something, and this is a {self.kind.value} channel.")
        return is_safe

    async def _send_safe(self, request: WireRequest, started: float) -> WireResponse:
        try:
            answer = await self._exchange(self.upstream.client, request)
            if answer.status in _SESSION_GONE and self.upstream.spec.auth.kind == "session_login":
                self.upstream.sign_in.forget_session()
                answer = await self._exchange(self.upstream.client, request)
        except (httpx2.HTTPError, Unavailable, _TooLarge) as error:
            self._note(request, started, Fate.NOT_SENT, is_safe=True)
            if isinstance(error, Unavailable):
                raise
            raise Unavailable(_failure(error)) from error
        self._note(request, started, Fate.ANSWERED, is_safe=True, status=answer.status)
        return answer

    async def _send_unsafe(self, request: WireRequest, started: float) -> WireResponse:
        sent = len(self.unsafe(Fate.ANSWERED, Fate.UNKNOWN))
        if sent >= self.bounds.unsafe_requests:
            self._note(request, started, Fate.FENCED, is_safe=False)
            raise Fenced(
                f"The operation declares at most {self.bounds.unsafe_requests} request(s) that change something."
            )
        await self._ask_permit(request, started)
        try:
            answer = await self._exchange(self.upstream.fresh_client, request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, Unavailable) as error:
            self._note(request, started, Fate.NOT_SENT, is_safe=False)
            raise Unavailable("The system cannot be reached; nothing was sent.") from error
        except (httpx2.HTTPError, _TooLarge) as error:
            self._note(request, started, Fate.UNKNOWN, is_safe=False)
            raise Unknown(_failure(error)) from error
        except BaseException:
            self._note(request, started, Fate.UNKNOWN, is_safe=False)  # cancelled: a byte may have left
            raise
        is_clear = _OK <= answer.status < _REDIRECT or _REDIRECT + 100 <= answer.status < _SERVER_ERROR
        fate = Fate.ANSWERED if is_clear else Fate.UNKNOWN
        self._note(request, started, fate, is_safe=False, status=answer.status)
        if not is_clear:
            raise Unknown(f"The system answered {answer.status}, which does not say whether it was done.")
        return answer

    async def _ask_permit(self, request: WireRequest, started: float) -> None:
        if self.permit is None:
            self._note(request, started, Fate.FENCED, is_safe=False)
            raise Fenced("There is no permit to send anything that changes something.")
        try:
            await self.upstream.sign_in.headers(self.upstream.client, self.upstream.base_url)
            await self.permit()
        except Unavailable:
            self._note(request, started, Fate.NOT_SENT, is_safe=False)
            raise
        except Exception as error:
            self.refusal = error
            self._note(request, started, Fate.FENCED, is_safe=False)
            raise Fenced("The permit to send was refused.") from error

    async def _exchange(self, client: httpx2.AsyncClient, request: WireRequest) -> WireResponse:
        proof = await self.upstream.sign_in.headers(self.upstream.client, self.upstream.base_url)
        headers = {name: value for name, value in request.headers.items() if name.lower() in _KEPT_REQUEST_HEADERS}
        content = None if request.body is None else request.body.encode()
        async with client.stream(
            request.method,
            f"{self.upstream.base_url}{request.path}",
            params=list(request.query) or None,
            headers={**headers, **proof},
            content=content,
            follow_redirects=False,
        ) as answer:
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > self.bounds.answer_bytes:
                    raise _TooLarge(f"The answer is larger than {self.bounds.answer_bytes} bytes.")
        return WireResponse(status=answer.status_code, headers=_safe_headers(answer.headers), body=_text(bytes(body)))

    def _note(
        self, request: WireRequest, started: float, fate: Fate, *, is_safe: bool, status: int | None = None
    ) -> None:
        self.transcript.append(
            Entry(
                method=request.method,
                path=request.path,
                operation=request.operation,
                is_safe=is_safe,
                fate=fate,
                status=status,
                milliseconds=round((time.monotonic() - started) * 1000),
            )
        )


class _TooLarge(Exception):
    """The answer exceeds the bound."""


def _name(request: WireRequest) -> str:
    return request.operation or f"{request.method} {request.path or '/'}"


def _failure(error: Exception) -> str:
    if isinstance(error, _TooLarge):
        return str(error)
    if isinstance(error, httpx2.TimeoutException):
        return "The system did not answer in time."
    return f"The connection to the system failed ({type(error).__name__})."


def _safe_headers(headers: httpx2.Headers) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in _DROPPED_ANSWER_HEADERS}


def _text(body: bytes) -> str:
    return body.decode("utf-8", errors="replace")
