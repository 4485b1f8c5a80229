"""The way into an MCP endpoint: everything that is decided about a request before a message of it is served."""

from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import structlog
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hub.core.canonical import digest
from hub.core.errors import HubError, Malformed, NotFound, ScopeMissing, Unauthenticated, Unavailable
from hub.core.tracing import trace_id_of
from hub.identity import scopes
from hub.identity.possession import (
    DPOP,
    NONCE_HEADER,
    Asked,
    Credential,
    Place,
    credential_in,
    new_nonce,
    proofs_in,
)
from hub.identity.principals import Caller
from hub.identity.resources import resource_of
from hub.invocations.beside_tools import readers_asked
from hub.invocations.refuse import Attempt, record_attempt
from hub.invocations.runtime import Runtime
from hub.mcp import challenges
from hub.mcp.admission import CALLED, Admitted
from hub.mcp.asking_later import goes_on_with
from hub.mcp.lines import Line
from hub.mcp.marks import HEADER as LAST_EVENT
from hub.mcp.marks import PROTOCOL, Marks, opened
from hub.mcp.messages import LONGEST_BODY, NotARequest, Peeked, TooLarge, peek
from hub.mcp.metadata import metadata_url, server_name
from hub.mcp.relaying import cancelled_channel
from hub.mcp.servers import Servers
from hub.mcp.sessions import HEADER, ClientSession
from hub.registry import PublishedTool

_STREAM: Final = "text/event-stream"
_OF_SESSIONS: Final = frozenset({"GET", "DELETE"})
_log = structlog.get_logger(__name__)


class _TurnedAway(Exception):  # the answer is in it
    def __init__(self, response: Response) -> None:
        self.response = response


class Endpoint:
    """An ASGI application: checks a request, then hands it to the SDK's server of the published server it names."""

    def __init__(self, runtime: Runtime, servers: Servers) -> None:
        self._runtime = runtime
        self._servers = servers
        self._transport = TransportSecurityMiddleware(_reachable_as(runtime.public_url))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        trace_id = trace_id_of(request.headers.get("traceparent"))
        try:
            admitted = await self._admit(request, trace_id)
            send = _with_header(send, NONCE_HEADER, admitted.nonce)
            if request.method == "POST":
                await self._serve(admitted, request, send)
            elif admitted.session is not None:
                await self._serve_session(admitted, admitted.session, request, send)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # the door: whatever it is, the client gets an answer without internals
            await _answer_to(error, trace_id)(scope, receive, send)

    async def _serve(self, admitted: Admitted, request: Request, send: Send) -> None:
        """Serve a message."""
        peeked = await peek(request)
        admitted = replace(admitted, caller=await self._still(admitted))
        if peeked.traceparent:
            admitted = replace(admitted, trace_id=trace_id_of(peeked.traceparent))
        await self._check_scopes(peeked, admitted)
        await self._heed(admitted, peeked)
        as_stream, receive = _is_streamed(request, peeked, admitted.session), peeked.replay(request.receive)
        application = await self._servers.application(admitted.server, as_stream=as_stream)
        if not as_stream:
            send = _with_header(send, HEADER, self._opened(admitted, peeked))
            admitted.travel_in(request.scope)
            await application(request.scope, receive, send)
            return
        line = Line(receive, send, self._marks(request, admitted, peeked))
        replace(admitted, line=line).travel_in(request.scope)
        async with line.ended_when_quiet(self._runtime.quiet_seconds):
            await application(request.scope, line.receive, line.send)

    async def _serve_session(self, admitted: Admitted, session: ClientSession, request: Request, send: Send) -> None:
        """End a session, open its stream of news, or go on with a call whose stream has ended."""
        if request.method == "DELETE":
            await self._servers.sessions.end(session)
            raise _TurnedAway(Response(status_code=204))
        if _STREAM not in request.headers.get("accept", ""):
            raise _TurnedAway(Response(status_code=406))
        given = request.headers.get(LAST_EVENT)
        if given is None:
            await self._servers.standing.serve(admitted, session, request.receive, send)
        else:
            mark = opened(given, session, self._runtime.keys)
            await self._servers.resuming.serve(admitted, given, mark, request.receive, send)

    async def _heed(self, admitted: Admitted, peeked: Peeked) -> None:
        """Tell calls that are under way, here or in another process, what their client says to them."""
        if peeked.cancels is not None:
            await self._call_off(admitted, peeked.cancels)
        if peeked.answers is not None and admitted.session is not None:
            await self._servers.questions.take(admitted.session, peeked.answers)
            raise _TurnedAway(Response(status_code=202))

    async def _call_off(self, admitted: Admitted, request_id: str | int) -> None:
        """Tell whichever process carries the call out that its client wants no answer any more."""
        async with self._runtime.database.transaction() as tx:
            await self._runtime.database.signal(tx, cancelled_channel(admitted, request_id))

    async def _admit(self, request: Request, trace_id: str) -> Admitted:
        """Find out who asks, at which server and in which session."""
        is_post = request.method == "POST"
        refused = await self._transport.validate_request(request, is_post=is_post)
        if refused is not None:
            raise _TurnedAway(refused)
        if not is_post and (HEADER not in request.headers or request.method not in _OF_SESSIONS):
            # Without a session no stream stands open, and nothing is to be deleted (2025-11-25, Streamable HTTP).
            raise _TurnedAway(Response(status_code=405, headers={"Allow": "DELETE, POST"}))
        server = server_name(request)
        await self._runtime.catalog.server(server)
        came = credential_in(request.headers.getlist("authorization"))
        where = self._where(server, came.scheme)
        caller = await self._caller(request, came, where)
        return Admitted(
            caller=caller,
            server=server,
            trace_id=trace_id,
            idempotency_key=request.headers.get("idempotency-key"),
            token_digest=digest(came.token),
            again=partial(self._again, came.token, server),
            scheme=came.scheme,
            nonce=new_nonce(self._runtime.keys, Place.RESOURCE) if came.scheme == DPOP else None,
            session=await self._session(request, server, caller),
        )

    def _where(self, server: str, scheme: str) -> challenges.Where:
        return challenges.Where(server=server, metadata=metadata_url(server, self._runtime.public_url), scheme=scheme)

    def _marks(self, request: Request, admitted: Admitted, peeked: Peeked) -> Marks | None:
        """Return the marks of a call whose answer can be asked for, should its stream end."""
        is_known = request.headers.get("mcp-protocol-version") == PROTOCOL and CALLED.get() is not None
        if admitted.session is None or peeked.request_id is None or not is_known:
            return None
        return Marks(session=admitted.session, request_id=peeked.request_id, keys=self._runtime.keys)

    def _opened(self, admitted: Admitted, peeked: Peeked) -> str | None:
        """Return the id of a session for a client that opens one."""
        if peeked.opens is None:
            return None
        return self._servers.sessions.opened(admitted.caller, admitted.server, peeked.opens)

    async def _session(self, request: Request, server: str, caller: Caller) -> ClientSession | None:
        given = request.headers.get(HEADER)
        if given is None:
            return None
        try:
            return await self._servers.sessions.found(caller, server, given)
        except NotFound as error:
            raise _TurnedAway(challenges.no_such_session(error)) from error

    async def _caller(self, request: Request, came: Credential, where: challenges.Where) -> Caller:
        resource = resource_of(where.server, self._runtime.public_url)
        try:
            if came.scheme == DPOP:
                asked = Asked(method=request.method, url=resource, proofs=proofs_in(request.headers.getlist("dpop")))
                return await self._runtime.verifier.verify_held(came.token, asked, resource=resource)
            if came.token:
                return await self._runtime.verifier.verify(came.token, resource=resource)
            refused = None
        except Unauthenticated as error:
            refused = error
        raise await self._unauthenticated(refused, where)

    async def _still(self, admitted: Admitted) -> Caller:
        """Return who asks now that the body is there, which a client may send as slowly as it likes."""
        try:
            caller, _ = await admitted.again()
        except Unauthenticated as error:
            raise await self._unauthenticated(error, self._where(admitted.server, admitted.scheme)) from error
        return caller

    async def _unauthenticated(self, error: Unauthenticated | None, where: challenges.Where) -> _TurnedAway:
        wanted = _first_scopes(await self._runtime.catalog.scopes(where.server))
        return _TurnedAway(challenges.unauthenticated(error, where, scopes=wanted))

    async def _again(self, token: str, server: str) -> tuple[Caller, float]:
        resource = resource_of(server, self._runtime.public_url)
        caller, left = await self._runtime.verifier.standing(token, resource=resource)
        return caller, left.total_seconds()

    async def _check_scopes(self, peeked: Peeked, known: Admitted) -> None:
        """Decide a missing scope now: once the SDK serves the message, the status has gone out."""
        CALLED.set(None)
        try:
            tools = await self._asked_for(peeked, known.server, known.caller)
        except HubError:
            return  # unknown, invisible, held back, disabled: told as a result, by the call itself
        asked = {tool.name: (tool.connector.name, tool.name, tool.effect) for tool in tools}
        try:
            scopes.require_all(known.caller, list(asked.values()))
        except ScopeMissing as error:
            lacking = [name for name, one in asked.items() if not scopes.covers(known.caller.scopes, *one)]
            for name in lacking:
                attempt = Attempt(caller=known.caller, server=known.server, tool=name, trace_id=known.trace_id)
                await record_attempt(attempt, error, self._runtime)
            where = self._where(known.server, known.scheme)
            raise _TurnedAway(challenges.scope_missing(error, peeked.request_id, where)) from error
        if peeked.tool is not None:
            CALLED.set(tools[0])

    async def _asked_for(self, peeked: Peeked, server: str, caller: Caller) -> list[PublishedTool]:
        """Return the tool that is called or goes on, or what reads that which is asked for beside tools."""
        if peeked.tool is not None:
            return [await self._runtime.catalog.resolve(peeked.tool, server=server, caller=caller)]
        if peeked.replies_to is not None:
            return await goes_on_with(peeked.replies_to, server=server, caller=caller, runtime=self._runtime)
        if peeked.beside is None:
            return []
        return await readers_asked(*peeked.beside, server=server, caller=caller, runtime=self._runtime)


def _is_streamed(request: Request, peeked: Peeked, session: ClientSession | None) -> bool:
    """Return whether an answer has to be a stream: its client wants to hear more, or calls a tool in a session.

    Then its beginning is out before anything is carried out. That matters to clients of the older SDK: until they see
    the beginning of an answer, they send nothing else with their token, not even the end of their session (0040).
    """
    accepted = request.headers.get("accept", "")
    if _STREAM not in accepted:
        return False
    if session is None:
        return peeked.wants_progress
    return peeked.wants_progress or peeked.tool is not None or accepted.startswith(_STREAM)


def _with_header(send: Send, name: str, value: str | None) -> Send:
    """Return what sends an answer with one more header, if there is a value for it."""
    if value is None:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), (name.lower().encode(), value.encode())]}
        await send(message)

    return sending


def _answer_to(error: Exception, trace_id: str) -> Response:
    match error:
        case _TurnedAway(response=response):
            return response
        case TooLarge():
            return challenges.too_large(LONGEST_BODY)
        case Malformed() | NotARequest():
            return challenges.malformed(error)
        case NotFound():
            return challenges.unknown_server()
        case Unavailable():
            return challenges.unavailable(error)
        case _:
            _log.error("an MCP request failed", trace_id=trace_id, exc_info=error)
            return challenges.failed(trace_id)


def _first_scopes(supported: frozenset[str]) -> frozenset[str]:
    """Return what to ask for at first: reads. Writes are stepped up to when one is called, so that people see why."""
    return frozenset(scope for scope in supported if scope.endswith(":read")) or supported


def _reachable_as(public_url: str) -> TransportSecuritySettings:
    """Return the hosts and origins that may be named in a request: this hub's own, against DNS rebinding."""
    url = urlsplit(public_url)
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    hosts = {url.netloc, f"{url.hostname}:{port}"}
    if url.hostname in {"127.0.0.1", "localhost", "::1"}:
        hosts |= {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
    origins = sorted(f"{url.scheme}://{host}" for host in hosts)
    return TransportSecuritySettings(allowed_hosts=sorted(hosts), allowed_origins=origins)
