"""What stands around every request of the API: its trace id, strict bodies, security headers, and a last answer."""

from typing import Final

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.access import NEXT_NONCE
from hub.api.problems import Trouble, of_hub_error, problem
from hub.core.canonical import parse_json
from hub.core.errors import HubError, NotFound
from hub.core.texts import NULL, check_text
from hub.core.tracing import trace_id_of
from hub.identity.possession import NONCE_HEADER

LONGEST_BODY: Final = 1024 * 1024
MOST_DIGITS: Final = 10
SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)

_log = structlog.get_logger(__name__)


class Shell:
    """An ASGI middleware, the outermost of the API."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        transport = ((b"strict-transport-security", b"max-age=31536000"),) if is_secure else ()
        self._headers = (*SECURITY_HEADERS, *transport)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        trace_id = scope["trace_id"] = trace_id_of(request.headers.get("traceparent"))
        has_begun = False

        async def begin(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message["headers"] = [*message.get("headers", []), *self._headers, *_own_headers(scope)]
            await send(message)

        try:
            read = _refused_address(request) or await _strict_body(request)
            if isinstance(read, Response):
                await read(scope, receive, begin)
                return
            await self._app(scope, _replay(read, receive), begin)
        except ClientDisconnect:
            return
        except Exception as error:
            _log.exception("an API request failed", trace_id=trace_id, path=scope["path"])
            if has_begun:
                raise  # the server cuts the connection: half an answer must not look like a whole one
            await _last_answer(request, error)(scope, receive, begin)


def _own_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    nonce = [(NONCE_HEADER.lower().encode(), scope[NEXT_NONCE].encode())] if NEXT_NONCE in scope else []
    return [(b"x-trace-id", scope["trace_id"].encode()), *nonce]


def _last_answer(request: Request, error: Exception) -> Response:
    if isinstance(error, HubError):
        return of_hub_error(request, error)
    detail = "Something went wrong inside the hub; its log says more under the trace id."
    return problem(request, Trouble(status=500, code="internal_error", detail=detail))


def _refused_address(request: Request) -> Response | None:
    """Return the answer to an address with a text that can be looked up nowhere, None for any other."""
    try:
        if NULL in request.scope["path"]:
            raise NotFound("Nothing is found at this address.")
        for name, value in request.query_params.multi_items():
            check_text(name)
            check_text(value)
    except HubError as error:
        return of_hub_error(request, error)
    return None


async def _strict_body(request: Request) -> bytes | Response:
    """Return the body, once it is known to be short enough and, if there is any, JSON that all readers read alike."""
    body = bytearray()
    declared = request.headers.get("content-length", "")
    is_too_long = declared.isdecimal() and (len(declared) > MOST_DIGITS or int(declared) > LONGEST_BODY)
    if not is_too_long:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY:
                is_too_long = True
                break
    if is_too_long:
        detail = f"The body is longer than {LONGEST_BODY} bytes; send less at once."
        return problem(request, Trouble(status=413, code="too_large", detail=detail))
    if body and not _is_json(request):
        detail = "Send the body as application/json."
        return problem(request, Trouble(status=415, code="unsupported_media_type", detail=detail))
    try:
        if body:
            parse_json(bytes(body))
    except HubError as error:
        return of_hub_error(request, error)
    return bytes(body)


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
