"""A bench for authors: runs a connector against a system from a test or a prompt, under the hub's own write fence.

It is no sandbox and keeps no record: it is for trying out a connector, never for use.
"""

import base64
import ssl
from collections.abc import Mapping
from functools import cache
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx2

from connectors.sdk.connector import Connector
from connectors.sdk.errors import Fenced, Unavailable, Unknown
from connectors.sdk.preview import Preview
from connectors.sdk.run import PhaseCall, PhaseResult, run_phase
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import PREVIEWING, Phase
from connectors.sdk.wire import WireRequest, WireResponse

Json = Any
"""Any JSON value."""

LARGEST_ANSWER = 4_000_000
"""Bytes; the hub's broker has a limit too, so a connector had better ask for pages."""

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


@cache
def trusted() -> ssl.SSLContext:
    """Return what the machine trusts; reading that takes long, and it is the same for every client."""
    return ssl.create_default_context()


class PlainTransport:
    """Sends requests to one base URL, except those that the phase may not send. `sent` lists what left."""

    def __init__(self, spec: ConnectorSpec, client: httpx2.AsyncClient, base_url: str, phase: Phase) -> None:
        self._spec = spec
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._phase = phase
        self.sent: list[WireRequest] = []

    async def send(self, request: WireRequest) -> WireResponse:
        """Send `request`, unless it may write and the phase may not."""
        is_safe = self._spec.is_safe(request, previewing=self._phase in PREVIEWING)
        if not is_safe and self._phase is not Phase.COMMIT:
            raise Fenced(f"A {self._phase} may not send {request.method} {request.operation or request.path}.")
        self.sent.append(request)
        try:
            return await self._exchange(request)
        except _NOT_SENT as error:
            raise Unavailable(f"The system cannot be reached: {error}") from error
        except httpx2.HTTPError as error:
            raise (Unavailable if is_safe else Unknown)(f"No answer came: {type(error).__name__}.") from error

    async def _exchange(self, request: WireRequest) -> WireResponse:
        async with self._client.stream(
            request.method,
            self._base_url + request.path + (f"?{request.query_string}" if request.query_string else ""),
            headers=dict(request.headers),
            content=request.content,
        ) as answer:
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise httpx2.DecodingError("the answer is too large")
            headers = {name.lower(): value for name, value in answer.headers.items()}
            text = base64.b64encode(body).decode("ascii") if request.wants_bytes else body.decode("utf-8", "replace")
            return WireResponse(status=answer.status_code, headers=headers, body=text)


class Workbench:
    """A connector, a system and the headers that sign in to it. Use it as `async with Workbench(...) as bench:`."""

    def __init__(self, connector: Connector, base_url: str, *, headers: Mapping[str, str] | None = None) -> None:
        self.connector = connector
        self._base_url = base_url
        self._client = httpx2.AsyncClient(
            verify=trusted(), headers=dict(headers or {}), timeout=30, follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def read(self, operation: str, **arguments: Json) -> PhaseResult:
        """Run a read."""
        return await self.run(PhaseCall(operation=operation, phase=Phase.READ, arguments=arguments))

    async def check(self, operation: str, **arguments: Json) -> PhaseResult:
        """Run the check of a write, as it runs before the preview."""
        return await self.run(PhaseCall(operation=operation, phase=Phase.CHECK, arguments=arguments))

    async def preview(self, operation: str, **arguments: Json) -> PhaseResult:
        """Run the preview of a write; anything it may not send ends it as `fenced`."""
        return await self.run(PhaseCall(operation=operation, phase=Phase.PREVIEW, arguments=arguments))

    async def commit(
        self, operation: str, preview: Preview, *, key: str | None = None, **arguments: Json
    ) -> PhaseResult:
        """Run a write as `preview` shows it. The same `key` stands for the same commit."""
        return await self.run(self.order(operation, preview, key=key or f"bench-{uuid4()}", **arguments))

    async def run(self, call: PhaseCall) -> PhaseResult:
        """Run any phase."""
        transport = PlainTransport(self.connector.spec, self._client, self._base_url, call.phase)
        return await run_phase(self.connector, call, transport)

    def order(self, operation: str, preview: Preview, *, key: str, **arguments: Json) -> PhaseCall:
        """Return the commit of what `preview` shows."""
        return PhaseCall(
            operation=operation,
            phase=Phase.COMMIT,
            arguments=arguments,
            guard={condition.target: condition.token for condition in preview.preconditions},
            before={change.target: change.before for change in preview.changes if change.before is not None},
            idempotency_key=key,
        )
