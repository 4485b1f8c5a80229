"""Going on with a call whose stream has ended: a GET with its mark is answered with what the call has come to.

Nothing is called again here. The answer is read from the record, at whichever process, as it is for
`hub_invocation_get`; it is waited for as long as the call itself would have waited.
"""

import asyncio
import time
from typing import Any, Final

from mcp_types import CallToolResult
from starlette.types import Receive, Send

from hub.core.errors import NotFound
from hub.identity.authority import IDENTITY_CHANNEL
from hub.identity.principals import Caller
from hub.invocations.envelope import Status, envelope, outward
from hub.invocations.journal import channel_of
from hub.invocations.queries import LOOK_AGAIN_SECONDS, get_invocation
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.mcp.admission import Admitted
from hub.mcp.event_streams import EventStream, first_of
from hub.mcp.marks import Mark
from hub.mcp.results import nothing_on_record, result_of
from hub.mcp.retelling import told_at
from hub.mcp.streams import Streams

Json = Any
"""Any JSON value."""

_NEWER: Final = {"result_type"}
"""What only the newer protocol knows."""
GRACE_SECONDS: Final = 5.0
"""For so long after its call should have been answered something is looked for on record."""


class Resuming:
    """Serves the streams of calls that are gone on with in one process."""

    def __init__(self, runtime: Runtime, streams: Streams) -> None:
        self._runtime = runtime
        self._streams = streams

    async def serve(self, known: Admitted, given: str, mark: Mark, receive: Receive, send: Send) -> None:
        """Answer the request that `mark` is of, in a stream that ends when it is quiet for long.

        Raises:
            Unavailable: there are as many streams as there may be.
        """
        stream = EventStream(receive, send, send_seconds=self._streams.send_seconds)
        channels = (channel_of(mark.call_id), IDENTITY_CHANNEL)
        with self._streams.place(known.caller.visible_key) as ending:
            async with self._runtime.database.listening(*channels) as moved, stream.opened():
                await stream.mark(given)
                result = await self._result(known, mark, moved, [ending, stream.has_gone])
                if result is not None:
                    said = result.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_NEWER)
                    await stream.say({"jsonrpc": "2.0", "id": mark.request_id, "result": said})

    async def _result(
        self, known: Admitted, mark: Mark, moved: asyncio.Event, ends: list[asyncio.Event]
    ) -> CallToolResult | None:
        """Return what the call has come to; None: its client is to come back, or may not know any more."""
        quiet = time.monotonic() + self._runtime.quiet_seconds
        while not any(event.is_set() for event in ends):
            moved.clear()
            caller, _ = await known.again()
            standing = await self._standing(caller, mark)
            waited = time.time() - mark.began
            if standing is not None and not self._is_awaited(standing, waited):
                shown = await told_at(known.server, caller, standing, self._runtime)
                return result_of(envelope(shown, public_url=self._runtime.public_url))
            if standing is None and waited > self._runtime.answer_seconds + GRACE_SECONDS:
                return nothing_on_record()
            left = quiet - time.monotonic()
            if left <= 0:
                return None
            await first_of([moved, *ends], seconds=min(left, LOOK_AGAIN_SECONDS))
        return None

    def _is_awaited(self, standing: Invocation, waited: float) -> bool:
        """Return whether the call itself would still be waiting for its end."""
        return outward(standing).status is Status.RUNNING and waited < self._runtime.answer_seconds

    async def _standing(self, caller: Caller, mark: Mark) -> Invocation | None:
        try:
            return await get_invocation(self._runtime, caller, mark.call_id)
        except NotFound:
            return None
