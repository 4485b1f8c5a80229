"""Listening to federated servers: one process holds the stream to each, and passes on what has changed there.

Who holds a stream is a lease in the database, so any process takes over from one that was killed. Should two listen
for a moment, each notes the same. A stream that was lost is opened again after a pause, and then everything counts as
changed, for nobody heard what was said meanwhile; one that its server goes on with was not lost. A server that keeps no
streams is asked again now and then, one that wants to be left alone when it says.

That one of its lists has changed leads to a look at it, and is repeated to clients, so often and no more.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import structlog

from connectors.sdk.errors import ConnectorError
from connectors.sdk.spec import ConnectorSpec
from hub import pins, registry, watches
from hub.core.errors import HubError
from hub.core.ids import new_id
from hub.execution import News, NoAnswer, NotNow, NotOffered
from hub.invocations.runtime import Runtime
from hub.registry import Connection

Json = Any
"""Any JSON value."""

_LOG: Final = structlog.get_logger(__name__)

PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds before a stream is opened again that keeps being lost; the last goes on."""
SETTLED_SECONDS: Final = 60.0
NOT_OFFERED_SECONDS: Final = 600.0
LONGEST_SECONDS: Final = 3600.0
"""After so long a stream is opened again: nobody would notice that the other end has gone without a word."""
GATHERED_SECONDS: Final = 0.2
"""For so long news is gathered before it is written down, however much there is."""
OPEN_SECONDS: Final = 30.0
_LISTS: Final = {f"notifications/{kind}/list_changed": {kind} for kind in ("tools", "resources", "prompts")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What is listened to: a server as it is reached now, and resources of it."""

    connection: Connection
    spec: ConnectorSpec
    uris: frozenset[str]

    @property
    def key(self) -> tuple[int, str, frozenset[str]]:
        return (self.connection.generation, self.spec.artefact_digest, self.uris)


@dataclass(slots=True, kw_only=True)
class _Stream:
    """One stream and what was heard on it that is not written down yet."""

    place: _Place
    runtime: Runtime
    repeats: watches.Repeats
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    _was_lost: bool = False
    _lists: bool = False
    _words: set[str] = field(default_factory=set[str])
    _uris: set[str] = field(default_factory=set[str])
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self) -> None:
        """Listen, and write down what is heard, until cancelled."""
        await asyncio.gather(self._keep_open(), self._write_down())

    def tell(self, message: Mapping[str, Json]) -> None:
        """Hear one notification."""
        params: Json = message.get("params")
        uri = str(cast("dict[str, Json]", params).get("uri")) if isinstance(params, dict) else ""
        method = str(message.get("method"))
        if not method.endswith("/updated"):
            self._lists = True
            self._words |= _LISTS.get(method, set())
        else:  # it may tell of a part of what was asked for
            self._uris |= {one for one in self.place.uris if uri == one or uri.startswith(f"{one.rstrip('/')}/")}
        if self._lists or self._uris:
            self._heard.set()

    def _has_opened(self) -> None:
        if self._was_lost:
            self._lists, self._uris = True, set(self.place.uris)
            self._heard.set()
        self.opened.set()

    async def _keep_open(self) -> None:
        losses = 0
        while True:
            began = time.monotonic()
            pause = await self._until_lost()
            losses = 1 if time.monotonic() - began > SETTLED_SECONDS else losses + 1
            self._was_lost = self._was_lost or self.opened.is_set()
            await asyncio.sleep(max(pause, PAUSES[min(losses - 1, len(PAUSES) - 1)]))

    async def _until_lost(self) -> float:
        """Listen until that ends; return for how many seconds to wait then at least."""
        news = News(uris=sorted(self.place.uris), tell=self.tell, opened=self._has_opened)
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await self.runtime.executor.listen(self.place.spec, self.place.connection, news)
        except NotOffered:
            return NOT_OFFERED_SECONDS
        except NotNow as error:
            return error.seconds
        except (NoAnswer, ConnectorError, HubError, TimeoutError):
            return 0.0  # its calls say so, too, and the hub looks after connections that fail
        except Exception:  # noqa: BLE001  # whatever a server says, listening to it goes on
            _LOG.exception("listening_failed", connection=self.place.connection.id)
        return 0.0

    async def _write_down(self) -> None:
        while True:
            await self._heard.wait()
            await asyncio.sleep(GATHERED_SECONDS)
            self._heard.clear()
            lists, uris, words = self._lists, self._uris, self._to_repeat()
            self._lists, self._uris, self._words = False, set(), self._words - words
            try:
                await self._written(is_of_lists=lists, uris=uris, words=words)
            except HubError as error:  # the database is gone: it is kept, and told later
                _LOG.warning("news_not_written", connection=self.place.connection.id, error=error.message)
                self._lists, self._uris = self._lists or lists, self._uris | uris
                self._words |= words
                self._heard.set()
                await asyncio.sleep(PAUSES[0])

    def _to_repeat(self) -> set[str]:
        """Return the lists of which clients are told now; what is said too often is told later, once."""
        pause = self.repeats.pause()
        if not self._words or pause:
            if self._words:
                asyncio.get_running_loop().call_later(pause, self._heard.set)
            return set()
        self.repeats.count()
        return set(self._words)

    async def _written(self, *, is_of_lists: bool, uris: set[str], words: set[str]) -> None:
        connection_id = self.place.connection.id
        async with self.runtime.database.transaction() as tx:
            if is_of_lists:
                await pins.hurry(tx, connection_id)
            if uris:
                await watches.tell_updated(tx, self.runtime.database, connection_id, uris)
            if words:
                await watches.tell_lists(tx, self.runtime.database, connection_id, words)


class StandingStreams:
    """The streams that this process keeps open for all."""

    def __init__(self, runtime: Runtime, *, repeats: Callable[[], watches.Repeats] = watches.Repeats) -> None:
        self._runtime = runtime
        self._repeats = repeats
        self._holder = new_id("str")
        self._open: dict[str, tuple[_Stream, asyncio.Task[None]]] = {}
        self._ending = set[asyncio.Task[None]]()

    async def turn(self) -> int:
        """Renew the leases, open what is to be open and end what is not; return how many streams there are."""
        places = await self._places()
        for connection_id in self._open.keys() - places.keys():
            self._end(self._open.pop(connection_id)[1], once=None)
        for connection_id, place in places.items():
            before = self._open.get(connection_id)
            if before is not None and before[0].place.key == place.key and not before[1].done():
                continue
            repeats = before[0].repeats if before is not None else self._repeats()
            stream = _Stream(place=place, runtime=self._runtime, repeats=repeats)
            self._open[connection_id] = (stream, asyncio.create_task(stream.keep()))
            if before is not None:
                self._end(before[1], once=stream.opened)
        return len(self._open)

    async def close(self) -> None:
        """End them all, so that others may take over at once."""
        tasks = [*(task for _, task in self._open.values()), *self._ending]
        self._open = {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(HubError):
            async with self._runtime.database.transaction() as tx:
                await watches.drop_streams(tx, self._holder)

    async def _places(self) -> dict[str, _Place]:
        async with self._runtime.database.transaction() as tx:
            held = await watches.take_streams(tx, self._holder)
            wanted = await watches.wanted(tx)
            found = dict[str, _Place]()
            for connection_id in sorted(held):
                connection = await registry.get_connection(tx, connection_id)
                spec = await registry.spec_for(tx, connection)
                uris = wanted.get(connection_id, frozenset())
                found[connection_id] = _Place(connection=connection, spec=spec, uris=uris)
        return found

    def _end(self, old: asyncio.Task[None], *, once: asyncio.Event | None) -> None:
        """End a stream, once the one in its place is open: so nothing is said in between that nobody hears."""

        async def end() -> None:
            try:
                if once is not None:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(OPEN_SECONDS):
                            await once.wait()
            finally:
                old.cancel()
            await asyncio.gather(old, return_exceptions=True)

        task = asyncio.create_task(end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
