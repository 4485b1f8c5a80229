"""`resources/subscribe` and `resources/unsubscribe` (2025-11-25): of which resources the client of a session hears."""

from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_REQUEST, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams
from sqlalchemy import ColumnElement, delete, func, select

from hub.core.canonical import digest
from hub.core.errors import HubError, NotFound
from hub.core.texts import shown
from hub.invocations.resource_news import TOO_MANY, News, news_of
from hub.invocations.runtime import Runtime
from hub.mcp.admission import Admitted, admitted
from hub.mcp.beside_tools import NO_RESOURCE
from hub.mcp.challenges import NOT_AVAILABLE
from hub.mcp.sessions import LASTS, ClientSession, channel_of
from hub.mcp.tables import McpSubscriptionRow
from hub.storage import Tx, insert_into, now

Context = ServerRequestContext[Any, Any]

MOST_OF_A_SESSION: Final = 64
MOST_OF_ONE: Final = 512
"""Of one pair of principals, in all its sessions."""


class Subscribing:
    """The handlers, over one hub."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def subscribe(self, context: Context, params: SubscribeRequestParams) -> EmptyResult:
        """Tell the client of a session from now on when a resource that it sees changes."""
        known, session, uri = admitted(context), _session(context), str(params.uri)
        try:
            news = await news_of([uri], server=known.server, caller=known.caller, runtime=self._runtime)
        except NotFound:
            news = News()
        except HubError as error:
            raise MCPError(code=NOT_AVAILABLE, message=error.message) from error
        if news.too_many:
            raise MCPError(code=NOT_AVAILABLE, message=TOO_MANY)
        if uri not in news.times:
            message = f"There is no resource {shown(uri)} here that can be listened to; list the resources."
            raise MCPError(code=NO_RESOURCE, message=message, data={"uri": uri})
        async with self._runtime.database.transaction() as tx:
            await self._keep(tx, known, session, uri, news.times[uri])
            await self._runtime.database.signal(tx, channel_of(session))
        return EmptyResult()

    async def unsubscribe(self, context: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """Tell the client of a session no more of a resource."""
        session, uri = _session(context), str(params.uri)
        async with self._runtime.database.transaction() as tx:
            one = (McpSubscriptionRow.session_id == session.id, McpSubscriptionRow.uri_digest == digest(uri))
            await tx.execute(delete(McpSubscriptionRow).where(*one))
            await self._runtime.database.signal(tx, channel_of(session))
        return EmptyResult()

    async def _keep(self, tx: Tx, known: Admitted, session: ClientSession, uri: str, changed: int) -> None:
        whose = digest(known.caller.visible_key)
        await self._runtime.database.lock(tx, f"mcp-subscriptions:{whose}")
        of_session, of_one = McpSubscriptionRow.session_id == session.id, McpSubscriptionRow.whose == whose
        if await _count(tx, of_session) >= MOST_OF_A_SESSION or await _count(tx, of_one) >= MOST_OF_ONE:
            message = (
                f"One session subscribes to {MOST_OF_A_SESSION} resources at most, and all sessions of one caller to "
                f"{MOST_OF_ONE}; unsubscribe from others first, or end sessions that are done."
            )
            raise MCPError(code=NOT_AVAILABLE, message=message)
        row = {"session_id": session.id, "uri_digest": digest(uri), "uri": uri, "whose": whose, "changed": changed}
        new = insert_into(tx, McpSubscriptionRow).values(**row, until=await now(tx) + LASTS)
        await tx.execute(new.on_conflict_do_nothing())


async def subscribed(tx: Tx, session: ClientSession) -> dict[str, int]:
    """Return what the client of a session has subscribed to, and how often each had been said to change by then."""
    mine = McpSubscriptionRow.session_id == session.id
    rows = await tx.execute(select(McpSubscriptionRow.uri, McpSubscriptionRow.changed).where(mine))
    return {str(uri): int(changed) for uri, changed in rows}


async def _count(tx: Tx, which: ColumnElement[bool]) -> int:
    return await tx.scalar(select(func.count()).select_from(McpSubscriptionRow).where(which)) or 0


def _session(context: Context) -> ClientSession:
    session = admitted(context).session
    if session is None:
        message = "A subscription is kept for a session; send the session id that `initialize` is answered with."
        raise MCPError(code=INVALID_REQUEST, message=message)
    return session
