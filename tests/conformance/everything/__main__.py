"""Runs the test upstream on loopback: `python -m conformance.everything`; it prints `{"port": ...}` when it listens."""

import asyncio

from upstream.listening import listen

from conformance.everything.events import Sent
from conformance.everything.serving import made

_RETRY_MILLISECONDS = 100

asyncio.run(listen(made().streamable_http_app(event_store=Sent(), retry_interval=_RETRY_MILLISECONDS)))
