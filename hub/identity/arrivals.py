"""Newcomers as whoever reviews them sees them: how each came, whether it was ever used; and what makes one a newcomer
no more.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from hub.audit import EventKind
from hub.core.errors import NotFound
from hub.identity.authority import Authority
from hub.identity.directory import get, get_many
from hub.identity.principals import Principal
from hub.identity.tables import ClientDocumentRow, ClientRow, PrincipalRow
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An agent that came by itself: by the document at an address or, without one, by registering."""

    agent: Principal
    came_at: datetime
    used_at: datetime | None
    """When it got its first token, if it ever did."""
    document: str | None
    redirect_uris: tuple[str, ...]


async def arrivals(tx: Tx, *, before: str | None = None, limit: int = 50) -> list[Arrival]:
    """Return newcomers, the latest first, beginning behind the one with the id `before`."""
    query = (
        select(ClientRow, PrincipalRow.created_at, ClientDocumentRow.url)
        .join(PrincipalRow, PrincipalRow.id == ClientRow.principal_id)
        .outerjoin(ClientDocumentRow, ClientDocumentRow.principal_id == ClientRow.principal_id)
        .where(ClientRow.is_newcomer)
        .order_by(ClientRow.principal_id.desc())  # ids grow with time
        .limit(limit)
    )
    if before is not None:
        query = query.where(ClientRow.principal_id < before)
    rows = (await tx.execute(query)).all()
    agents = await get_many(tx, [client.principal_id for client, _, _ in rows])
    return [
        Arrival(
            agent=agents[client.principal_id],
            came_at=came_at,
            used_at=client.used_at,
            document=url,
            redirect_uris=tuple(client.redirect_uris),
        )
        for client, came_at, url in rows
    ]


async def accept(tx: Tx, agent_id: str, authority: Authority) -> Principal:
    """Let a newcomer be an agent like those that administrators register: it stays, used or not, within its limits.

    Raises:
        NotFound: there is no such newcomer.
    """
    is_it = (ClientRow.principal_id == agent_id, ClientRow.is_newcomer)
    accepted = update(ClientRow).where(*is_it).values(is_newcomer=False).returning(ClientRow.principal_id)
    if await tx.scalar(accepted) is None:
        raise NotFound(f"There is no newcomer {agent_id!r}.")
    await authority.record(tx, EventKind.AGENT_CHANGED, agent_id, changed="accepted: no newcomer any more")
    return await get(tx, agent_id)
