"""The stream that a session of the older protocol keeps open by a GET: what its client is told of its own accord.

It says what `subscriptions/listen` says in the newer one: that one of the lists that this caller sees has changed, and
which of the resources that the session has subscribed to, at whichever process that was. A session has one, the newest,
so that nothing is said twice. It lives no longer than the session and the token.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.types import Receive, Send

from hub.core.ids import new_id
from hub.identity.authority import IDENTITY_CHANNEL
from hub.invocations.runtime import Runtime
from hub.mcp.admission import Admitted
from hub.mcp.event_streams import EventStream, first_of
from hub.mcp.outlook import Changes, Outlook
from hub.mcp.sessions import ClientSession, Sessions, channel_of
from hub.mcp.showing import CHANGES, LISTS, Showing
from hub.mcp.streams import Streams
from hub.mcp.subscribing import subscribed
from hub.watches import NEWS

Json = Any
"""Any JSON value."""

LOOK_AGAIN_SECONDS: Final = 30.0
"""How often it looks without having heard anything: another process may have written to SQLite."""


@dataclass(slots=True, kw_only=True)
class _News:
    """What one stream of news has told so far."""

    known: Admitted
    session: ClientSession
    id: str = field(default_factory=lambda: new_id("str"))
    outlook: Outlook = field(default_factory=lambda: Outlook(wanted=frozenset(LISTS)))


class Standing:
    """Serves the streams of news of one process."""

    def __init__(self, runtime: Runtime, sessions: Sessions, streams: Streams) -> None:
        self._runtime = runtime
        self._sessions = sessions
        self._streams = streams
        self._showing = Showing(runtime)

    async def serve(self, known: Admitted, session: ClientSession, receive: Receive, send: Send) -> None:
        """Serve one stream until its client goes, its token or its session ends, or the hub shuts down.

        Raises:
            Unavailable: there are as many streams as there may be.
        """
        news = _News(known=known, session=session)
        stream = EventStream(receive, send, send_seconds=self._streams.send_seconds)
        channels = [*CHANGES, IDENTITY_CHANNEL, NEWS, channel_of(session)]
        with self._streams.place(known.caller.visible_key) as ending:
            async with self._runtime.database.listening(*channels) as heard:
                await self._sessions.tell_news_on(session, news.id)
                first, left = await self._changes(news)  # from here on it is told what changes
                async with stream.opened():
                    await _say(first, stream)
                    while await _is_woken(stream, heard, ending, seconds=min(left, LOOK_AGAIN_SECONDS)):
                        if not await self._sessions.is_told_on(session, news.id):
                            return
                        changes, left = await self._changes(news)
                        await _say(changes, stream)

    async def _changes(self, news: _News) -> tuple[Changes, float]:
        """Return what has changed since the last look, and for how many seconds the token is good."""
        caller, left = await news.known.again()
        async with self._runtime.database.reading() as tx:
            uris = await subscribed(tx, news.session)
        outlook = news.outlook
        outlook.changed = {uri: outlook.changed.get(uri, times) for uri, times in uris.items()}
        showing, runtime = self._showing, self._runtime
        return await outlook.look(caller, news.known.server, uris, showing=showing, runtime=runtime), left


async def _say(changes: Changes, stream: EventStream) -> None:
    for kind in changes.lists:
        await stream.say({"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"})
    for uri in changes.uris:
        await stream.say({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}})


async def _is_woken(stream: EventStream, heard: asyncio.Event, ending: asyncio.Event, *, seconds: float) -> bool:
    """Wait until there may be something to tell; return whether there is still somebody to tell it to."""
    await first_of([heard, ending, stream.has_gone], seconds=seconds)
    heard.clear()
    await stream.breathe()
    return not (ending.is_set() or stream.has_gone.is_set())
