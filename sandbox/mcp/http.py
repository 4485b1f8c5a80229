"""The way to an MCP server over streamable HTTP: sessions that are kept, and answers that are read while they arrive.

A connector sends plain requests. Where the older protocol wants a handshake first, the way makes it once, keeps the
session, and opens another when the server has forgotten it. Of an event stream it reads no further than the answer.
"""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.sdk.errors import Unavailable
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.answers import media_type
from sandbox.line import Dropped, NoAnswer
from sandbox.mcp.events import MEDIA_TYPE, Events, is_stream
from sandbox.mcp.hearing import (
    Hearing,
    is_answer,
    is_request,
    members,
    numbered,
    parsed,
    refuse_many,
    tells_of_change,
    unheard,
)
from sandbox.mcp.refusals import may_refuse_a_session
from sandbox.mcp.resuming import NotNow, Resuming, Stream, turned_away
from sandbox.mcp.standing import LARGEST_EVENT, Told, Wanted, refused
from sandbox.pace import Pace
from sandbox.sign_in import Proof
from sandbox.transcript import IS_IT_THERE, Fate, by_itself
from sandbox.upstream import AnswerLost, Around, Exchange, Received, Upstream, plainly

Json = Any
"""Any JSON value."""

LEGACY: Final = "2025-11-25"
MODERN: Final = "2026-07-28"
"""From this protocol on, every request stands alone."""
LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of one answer: no agent reads more, and what arrives is parsed in the process that serves everybody."""
CLIENT: Final = {"name": "toolhub", "version": "1"}
_ABOUT: Final = "io.modelcontextprotocol"
ABOUT_US: Final[Mapping[str, Json]] = {
    f"{_ABOUT}/protocolVersion": MODERN,
    f"{_ABOUT}/clientInfo": CLIENT,
    f"{_ABOUT}/clientCapabilities": {},
}
"""The `_meta` of each request of the newer protocol."""
WHO_ARE_YOU: Final[Mapping[str, Json]] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "server/discover",
    "params": {"_meta": ABOUT_US},
}
"""What is asked to see whether anybody is there. Whoever knows only the older protocol says so, which is an answer."""
_PING: Final[Mapping[str, Json]] = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
SESSION: Final = "mcp-session-id"
"""The header that names a session of the older protocol."""
_VERSION: Final = "mcp-protocol-version"
_GONE: Final = 404
_PING_SECONDS: Final = 5.0
"""How long an answer that is there already waits to be understood."""
_FAREWELL_SECONDS: Final = 2.0
"""For so long the last word on a call or a session may take to leave."""
_LARGEST_THANKS: Final = 64 * 1024
"""Bytes that a server may answer to an answer of ours."""
_HEADERS: Final = {"content-type": "application/json", "accept": f"application/json, {MEDIA_TYPE}"}


@dataclass(frozen=True, slots=True)
class Session:
    """What the older protocol's handshake came to; a server that keeps no sessions gives no id."""

    id: str | None
    version: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every request in it carries."""
        named = {} if self.id is None else {SESSION: self.id}
        return {_VERSION: self.version, **named}


class McpWay:
    """The way to the MCP server at one base URL."""

    keeps_sessions = True

    def __init__(self, http: Upstream) -> None:
        self._http = http
        self.sign_in = http.sign_in
        self.pace = Pace()
        self.around: Around = plainly
        self.on_change: Callable[[], None] = unheard
        """Called whenever the server says that one of its lists has changed."""
        self._session: Session | None = None
        self._shown: Proof | None = None
        """With what the session was used last: to end it, nobody signs in again."""
        self._opening = asyncio.Lock()
        self._ids = itertools.count(2)
        self._farewells = set[asyncio.Task[None]]()

    async def close(self) -> None:
        """End the session, if the server takes that in at once, and close the connections."""
        session, self._session = self._session, None
        if session is not None and self._shown is not None:
            self.end(session, self._shown)
        try:
            await asyncio.gather(*self._farewells, return_exceptions=True)
        finally:
            await self._http.close()

    def end(self, session: Session, proof: Proof) -> None:
        """Tell the server that a session is over (2025-11-25, basic/transports), and wait for nothing."""
        if session.id is not None:
            self._say_shortly(WireRequest(method="DELETE", path="", headers=session.headers), proof)

    async def exchange(self, exchange: Exchange) -> Received:
        """Send a request and return its answer, as `Upstream.exchange` says; always JSON, whatever it came as."""
        try:
            return await self.around(exchange.request, lambda: self._carried(exchange))
        except AnswerLost:
            exchange.progress.has_begun = True
            raise

    async def probe(self) -> int:
        """Ask the server who it is and return the status; that it does not know the question is an answer, too."""
        proof = await self.sign_in.proof(fresh=True)
        headers = {**_HEADERS, _VERSION: MODERN, "mcp-method": str(WHO_ARE_YOU["method"])}
        request = WireRequest(method="POST", path="", headers=headers, body=json.dumps(WHO_ARE_YOU))
        status = (await self._read(Exchange(request, proof, is_alone=True), 1)).response.status
        return status if status in {401, 403} or status >= 500 else 200  # noqa: PLR2004  # RFC 9110 section 15.6

    async def listen(self, wanted: Wanted) -> None:
        """Keep a stream open on which the server says what has changed; it ends with an error, whatever ends it.

        Raises:
            NotOffered: the server keeps no such streams.
            NotNow: it is over, or could not be opened, and the server says when to ask again.
            NoAnswer: it is over, or could not be opened.
            Unavailable: the server cannot be signed in to, or opens no session.
        """
        proof = await self.sign_in.proof(fresh=True)
        try:
            request = self._listening(wanted) if wanted.version >= MODERN else await self._subscribed(wanted, proof)
        except Unavailable as error:
            if isinstance(error.__cause__, NotNow):
                raise error.__cause__ from None
            raise
        told = Told(wanted, proof, lambda answer: self.reply(answer, request, told.proof))
        exchange = Exchange(request, proof, largest=LARGEST_EVENT, is_alone=True, reader=told)
        try:
            received = await self._heard_out(exchange, told)
        except Dropped as error:
            if (seconds := told.events.retry_seconds) is None:
                raise
            raise NotNow(str(error), seconds) from error
        if self.sign_in.has_lost(received.response.status):
            self.sign_in.forget(proof)
        raise refused(request, received.response)

    def _listening(self, wanted: Wanted) -> WireRequest:
        message = wanted.request(ABOUT_US)
        headers = {**_HEADERS, _VERSION: MODERN, "mcp-method": str(message["method"])}
        return WireRequest(method="POST", path="", headers=_plain(headers), body=json.dumps(message))

    async def _subscribed(self, wanted: Wanted, proof: Proof) -> WireRequest:
        session = await self._opened(wanted.version, proof)
        for message in wanted.subscriptions():
            request = WireRequest(method="POST", path="", headers=_HEADERS, body=json.dumps(message))
            await self._in_session(Exchange(request, proof), session)
        return WireRequest(method="GET", path="", headers=_plain({"accept": MEDIA_TYPE, **session.headers}))

    async def _carried(self, exchange: Exchange) -> Received:
        request = exchange.request
        version = request.headers.get(_VERSION)
        if version is None or version >= MODERN or SESSION in request.headers:
            return await self._read(exchange, 1)
        received, is_over = await self._carried_in(version, exchange)
        if not is_over:
            return received
        exchange.turned_away(received.told, is_last=False)
        exchange.progress.has_begun = False  # it only reads, or nothing came of it
        received, is_over = await self._carried_in(version, exchange)
        if is_over and may_refuse_a_session(received.response):
            exchange.turned_away(received.told, is_last=True)
            exchange.progress.has_begun = False
            raise Unavailable("The MCP server knows none of the sessions that it opens, so it did nothing.")
        return received

    async def _carried_in(self, version: str, exchange: Exchange) -> tuple[Received, bool]:
        """Send a request in the session there is; return the answer, and whether another session may do better.

        A 404 ends the session, so the older protocol has it. That nothing was done in it is another question, which
        reads do not ask. Of a write it says no more than that: where the session may be there yet, it says nothing.
        """
        session = await self._opened(version, exchange.proof)
        received = await self._in_session(exchange, session)
        if session.id is None:
            return received, False
        is_gone = received.response.status == _GONE
        is_over = (is_gone and not exchange.is_alone) or await self._is_unknown(session, exchange, received.response)
        if (is_gone or is_over) and self._session is session:
            self._session = None
        return received._replace(is_disproved=is_gone and not is_over), is_over

    async def _is_unknown(self, session: Session, exchange: Exchange, response: WireResponse) -> bool:
        """Return whether a refusal is how the server says that it does not know the session.

        Its words differ from server to server, and other refusals have the same. So the server is asked what asks for
        nothing: where that is refused just so, by no answer to it, no request was looked at.
        """
        if not may_refuse_a_session(response):
            return False
        ping = WireRequest(method="POST", path="", headers=_HEADERS, body=json.dumps(_PING))
        asked = Exchange(ping, exchange.proof, largest=_LARGEST_THANKS, is_aside=True)
        with contextlib.suppress(NoAnswer, Unavailable, TimeoutError), by_itself("", IS_IT_THERE) as attempt:
            async with asyncio.timeout(_PING_SECONDS):
                received = await self._in_session(asked, session)
            attempt.end(Fate.ANSWERED, received.told)
            return may_refuse_a_session(received.response)
        return False

    async def _in_session(self, exchange: Exchange, session: Session) -> Received:
        """Send a request within a session, under an id that no other request in it has."""
        number = next(self._ids)
        message = members(json.loads(exchange.request.body or "{}"))
        if "id" in message:
            message = numbered(message, number)
        headers = {**exchange.request.headers, **session.headers}
        request = exchange.request.model_copy(update={"headers": headers, "body": json.dumps(message)})
        try:
            return await self._read(replace(exchange, request=request), number)
        except asyncio.CancelledError:
            if exchange.progress.has_begun and "id" in message:
                self._take_back(number, exchange.proof, session)
            raise

    async def _opened(self, version: str, proof: Proof) -> Session:
        async with self._opening:  # whoever waited here finds it open
            self._shown = proof
            if self._session is None:
                self._session = await self._shaken_hands(version, proof)
            return self._session

    async def _shaken_hands(self, version: str, proof: Proof) -> Session:
        about = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}
        try:
            received = await self._posted(message, {}, proof)
            self.pace.heed(received.response)
            session = _session_in(received.response, version)
            await self._posted({"jsonrpc": "2.0", "method": "notifications/initialized"}, session.headers, proof)
        except NoAnswer as error:
            raise Unavailable(f"The MCP server did not open a session: {error} Nothing was sent.") from error
        return session

    async def _posted(self, message: Mapping[str, Json], headers: Mapping[str, str], proof: Proof) -> Received:
        request = WireRequest(method="POST", path="", headers={**_HEADERS, **headers}, body=json.dumps(message))
        return await self._read(Exchange(request, proof), 1)

    async def _read(self, exchange: Exchange, number: int) -> Received:
        """Send a request and return the answer to `number`, as JSON under the id 1, which connectors ask under."""
        reader = _Answer(self, exchange, number)
        # packed events would arrive in pieces that nobody can read one by one
        request = exchange.request.model_copy(update={"headers": _plain(exchange.request.headers)})
        largest = min(exchange.largest, LARGEST_ANSWER)
        async with reader.hearing:
            asked = replace(exchange, request=request, reader=reader, largest=largest)
            received = await self._heard_out(asked, reader)
        response = received.response
        if media_type(response) != MEDIA_TYPE:  # a page stays one
            refuse_many(response.body)
            body = response.body if number == 1 else _renumbered(response.body, number)
            return Received(response.model_copy(update={"body": body}), received.size)
        told = response.model_copy(update={"headers": {**response.headers, "content-type": "application/json"}})
        return Received(told, received.size)

    async def _heard_out(self, exchange: Exchange, stream: Stream) -> Received:
        named = _named(exchange.request)
        goes_on = _VERSION in named and named[_VERSION] < MODERN
        return await Resuming(http=self._http, stream=stream, named=named if goes_on else {}).heard_out(exchange)

    async def reply(self, answer: Mapping[str, Json], request: WireRequest, proof: Proof) -> None:
        """Answer what the server has asked while it works on `request`; what it says to that is read as nothing."""
        headers = {**_HEADERS, **_named(request)}
        await self._say(WireRequest(method="POST", path="", headers=headers, body=json.dumps(answer)), proof)

    async def _say(self, request: WireRequest, proof: Proof) -> None:
        """Send what wants no answer, beside what is under way; whether the server hears that is its own affair."""
        with contextlib.suppress(NoAnswer, Unavailable):
            await self._http.exchange(Exchange(request, proof, largest=_LARGEST_THANKS, is_aside=True))

    def _take_back(self, number: int, proof: Proof, session: Session) -> None:
        """Tell the server that nobody waits for an answer any more."""
        params = {"requestId": number, "reason": "Nobody waits for the answer any more."}
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        headers = {**_HEADERS, **session.headers}
        request = WireRequest(method="POST", path="", headers=headers, body=json.dumps(message))
        self._say_shortly(request, proof)

    def _say_shortly(self, request: WireRequest, proof: Proof) -> None:
        async def say() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self._say(request, proof)

        task = asyncio.create_task(say())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)


class _Answer:
    """Reads an event stream up to the answer to one request."""

    def __init__(self, way: McpWay, exchange: Exchange, number: int) -> None:
        self.proof = exchange.proof
        self.hearing = Hearing(exchange.hear)
        self.events = Events(min(exchange.largest, LARGEST_ANSWER))
        self._way = way
        self._request = exchange.request
        self._number = number

    def reads(self, status: int, headers: Mapping[str, str]) -> bool:
        """Return whether it is an event stream."""
        del status
        return is_stream(headers)

    async def take(self, chunk: bytes) -> bytes | None:
        """Return the answer once it is there; pass on and answer what the server says before."""
        for text in self.events.feed(chunk):
            message = parsed(self.proof.redact(text))
            if is_answer(message) and self._is_ours(message):
                return json.dumps({**message, "id": 1 if message.get("id") is not None else None}).encode()
            if is_request(message):
                if (answer := await self.hearing.answer(message)) is not None:
                    await self._way.reply(answer, self._request, self.proof)
            elif tells_of_change(message):
                self._way.on_change()
            elif "method" in message:
                self.hearing.note(message)
        return None

    def _is_ours(self, message: Mapping[str, Json]) -> bool:
        # an error about a request that could not be read has no id
        return message.get("id") == self._number or ("error" in message and message.get("id") is None)


def _session_in(response: WireResponse, version: str) -> Session:
    """Return the session that the answer to a handshake in `version` opens.

    Raises:
        NoAnswer: it opens none.
    """
    result = members(parsed(response.body).get("result"))
    if response.status >= 400 or not result:  # noqa: PLR2004  # RFC 9110 section 15.5
        raise turned_away(response, "a session")
    session = Session(response.headers.get(SESSION), str(result.get("protocolVersion", version))[:32])
    if not all(value.isascii() and value.isprintable() for value in session.headers.values()):
        raise NoAnswer("No header can carry how it names the session or the protocol.")
    return session


def _renumbered(body: str, number: int) -> str:
    """Return an answer under the id that the connector asked under; one to something else stays as it is."""
    message = parsed(body)
    if message.get("id") == number:
        return json.dumps({**message, "id": 1})
    return json.dumps({**message, "id": "another"}) if message.get("id") == 1 else body


def _named(request: WireRequest) -> dict[str, str]:
    """Return the headers of a request that say in which protocol and session it is."""
    return {name: value for name, value in request.headers.items() if name in {_VERSION, SESSION}}


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request whose answer must not be packed."""
    return {**headers, "accept-encoding": "identity"}
