"""One HTTP client for what the hub asks of others: to judged addresses, bounded in size and time, following nothing.

| what could go wrong | what stands against it |
| --- | --- |
| an address in our networks, or of a cloud's metadata service | each address a name leads to is judged, all or none |
| a name that means something else a moment later (DNS rebinding) | the connection goes to an address that was judged |
| a redirect to somewhere else | it is an answer like any other; nobody follows it |
| an endless answer, a slow one, one that unpacks to more | bounds on bytes and the whole time; nothing is unpacked |
| somebody in between | https with the machine's certificates; plain http on this very machine alone |
| a proxy or a cookie of the environment | neither is known |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

import anyio
import httpcore2

from connectors.sdk.wire import joined

Opening = Callable[[], httpcore2.AsyncConnectionPool]
"""Opens a way out for one request: it connects to addresses that were judged, or raises what says why it may not."""

SECONDS: Final = 5.0
LARGEST: Final = 256 * 1024
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_FAILURES: Final = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)


class NotFetched(Exception):
    """There is no whole answer, or nobody may be asked there; the message says why, and nothing of what was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, a redirect or an error included; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """What the body is said to be."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Outbound:
    """Asks others. Every request has a connection of its own, so that nothing of one is left for the next."""

    def __init__(self, opening: Opening, *, seconds: float = SECONDS) -> None:
        """`opening` judges where connections lead, and what certificates are believed."""
        self._opening = opening
        self._seconds = seconds

    async def get(self, url: str, *, largest: int = LARGEST) -> Answer:
        """Return the answer to a GET of JSON.

        Raises:
            NotFetched: there is none that is whole, in time and of at most `largest` bytes.
        """
        return await self._send("GET", url, {}, None, largest)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str], *, largest: int) -> Answer:
        """Return the answer to a form.

        Raises:
            NotFetched: there is none that is whole, in time and of at most `largest` bytes.
        """
        sent = {"content-type": "application/x-www-form-urlencoded", **headers}
        return await self._send("POST", url, sent, urlencode(form).encode(), largest)

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, largest: int
    ) -> Answer:
        target = checked_url(url)
        try:
            with anyio.fail_after(self._seconds):
                async with self._opening() as pool:
                    return await _exchanged(pool, _request(method, target, headers, body), largest)
        except TimeoutError as error:
            raise NotFetched(f"{target.hostname} did not answer within {self._seconds:g} seconds.") from error
        except _FAILURES as error:
            raise NotFetched(f"{target.hostname} cannot be asked: {error or type(error).__name__}") from error


def checked_url(url: str) -> SplitResult:
    """Return the parts of an address that may be asked, as far as can be told before it is looked up.

    Raises:
        NotFetched: it is no absolute https URL, has a user or a fragment, or two readers would read it differently.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # refuses what is no port
    except ValueError as error:
        raise NotFetched("This is no address that can be asked.") from error
    is_plain = url.isascii() and url.isprintable() and not any(character in url for character in ' \\"<>^`{|}')
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
    if not (is_plain and is_safe and parts.hostname) or "@" in parts.netloc or "#" in url:
        raise NotFetched("Only https URLs without user and fragment are asked; http on this very machine alone.")
    return parts


def _request(method: str, url: SplitResult, headers: Mapping[str, str], body: bytes | None) -> httpcore2.Request:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    sent = {
        "host": url.netloc,
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "toolhub",
        **headers,
        **({} if body is None else {"content-length": str(len(body))}),
    }
    return httpcore2.Request(
        method.encode(),
        httpcore2.URL(
            scheme=url.scheme.encode(), host=(url.hostname or "").encode(), port=url.port, target=target.encode()
        ),
        headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()],
        content=body or b"",
    )


async def _exchanged(pool: httpcore2.AsyncConnectionPool, request: httpcore2.Request, largest: int) -> Answer:
    response = await pool.handle_async_request(request)
    try:
        headers = joined(response.headers)
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise NotFetched("The answer is packed, which was not asked for.")
        body = bytearray()
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > largest:
                raise NotFetched(f"The answer is larger than {largest} bytes.")
        return Answer(status=response.status, headers=headers, body=bytes(body))
    finally:
        await response.aclose()
