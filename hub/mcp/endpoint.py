"""The way into an MCP endpoint: everything that is decided about a request before a message of it is served."""

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
from hub.invocations.refuse import Attempt, record_attempt
from hub.invocations.runtime import Runtime
from hub.mcp import challenges
from hub.mcp.admission import CALLED, Admitted
from hub.mcp.messages import LONGEST_BODY, NotARequest, Peeked, TooLarge, peek
from hub.mcp.metadata import metadata_url, server_name
from hub.mcp.relaying import cancelled_channel
from hub.mcp.servers import Servers

_STREAM: Final = "text/event-stream"
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
            admitted, peeked = await self._admit(request, trace_id)
            admitted.travel_in(scope)
            if peeked.cancels is not None:
                await self._call_off(admitted, peeked.cancels)
            as_stream = peeked.wants_progress and _STREAM in request.headers.get("accept", "")
            application = await self._servers.application(admitted.server, as_stream=as_stream)
            await application(scope, peeked.replay(receive), _with_nonce(send, admitted.nonce))
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001  # the door: whatever it is, the client gets an answer without internals
            await _answer_to(error, trace_id)(scope, receive, send)

    async def _call_off(self, admitted: Admitted, request_id: str | int) -> None:
        """Tell whichever process carries the call out that its client wants no answer any more."""
        async with self._runtime.database.transaction() as tx:
            await self._runtime.database.signal(tx, cancelled_channel(admitted, request_id))

    async def _admit(self, request: Request, trace_id: str) -> tuple[Admitted, Peeked]:
        is_post = request.method == "POST"
        refused = await self._transport.validate_request(request, is_post=is_post)
        if refused is not None:
            raise _TurnedAway(refused)
        if not is_post:
            # Stateless: there is no stream to open and no session to end (2025-11-25, Streamable HTTP).
            raise _TurnedAway(Response(status_code=405, headers={"Allow": "POST"}))
        server = server_name(request)
        await self._runtime.catalog.server(server)
        came = credential_in(request.headers.getlist("authorization"))
        metadata = metadata_url(server, self._runtime.public_url)
        where = challenges.Where(server=server, metadata=metadata, scheme=came.scheme)
        caller = await self._caller(request, came, where)
        peeked = await peek(request)
        await self._check_scopes(peeked, where, caller, trace_id)
        admitted = Admitted(
            caller=caller,
            server=server,
            trace_id=trace_id_of(peeked.traceparent) if peeked.traceparent else trace_id,
            idempotency_key=request.headers.get("idempotency-key"),
            token_digest=digest(came.token),
            again=partial(self._again, came.token, server),
            nonce=new_nonce(self._runtime.keys, Place.RESOURCE) if came.scheme == DPOP else None,
        )
        return admitted, peeked

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
        wanted = _first_scopes(await self._runtime.catalog.scopes(where.server))
        raise _TurnedAway(challenges.unauthenticated(refused, where, scopes=wanted))

    async def _again(self, token: str, server: str) -> tuple[Caller, float]:
        resource = resource_of(server, self._runtime.public_url)
        caller, left = await self._runtime.verifier.standing(token, resource=resource)
        return caller, left.total_seconds()

    async def _check_scopes(self, peeked: Peeked, where: challenges.Where, caller: Caller, trace_id: str) -> None:
        """Decide a missing scope now: once the SDK serves the message, the status has gone out."""
        CALLED.set(None)
        if peeked.tool is None:
            return
        try:
            tool = await self._runtime.catalog.resolve(peeked.tool, server=where.server, caller=caller)
            scopes.require(caller, tool.connector.name, tool.name, tool.effect)
        except ScopeMissing as error:
            attempt = Attempt(caller=caller, server=where.server, tool=peeked.tool, trace_id=trace_id)
            await record_attempt(attempt, error, self._runtime)
            raise _TurnedAway(challenges.scope_missing(error, peeked.request_id, where)) from error
        except HubError:
            return  # unknown, invisible, held back, disabled: told as a result, by the call itself
        CALLED.set(tool)


def _with_nonce(send: Send, nonce: str | None) -> Send:
    """Return what sends an answer with the nonce that the next proof of its client may have (RFC 9449 section 8.2)."""
    if nonce is None:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), (NONCE_HEADER.lower().encode(), nonce.encode())]
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
