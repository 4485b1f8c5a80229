"""Secrets of agents that end: which an agent has now, and the word that goes out in time, so that nothing stands still.

Several are good at once. So the next one is issued, the agent is given it, and the old one is revoked or runs out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, select, update
from sqlalchemy.orm import aliased

from hub import outbox
from hub.identity.directory import get_many
from hub.identity.tables import ClientSecretRow
from hub.storage import Tx, now

SECRET_ENDS_SOON: Final = "agent.secret_ends_soon"  # noqa: S105  # the name of an event
"""What has no successor ends within `WARNED_BEFORE`; the topic in the outbox and the event of webhooks."""
WARNED_BEFORE: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSecret:
    """A secret that is good now; `ends_soon` if no other one of its agent is good for longer than `WARNED_BEFORE`."""

    id: str
    issued_at: datetime
    expires_at: datetime
    ends_soon: bool


async def held_secrets(tx: Tx, client_id: str) -> list[HeldSecret]:
    """Return the secrets of a client that are good now, the one that ends first first."""
    at = await now(tx)
    query = (
        select(ClientSecretRow)
        .where(
            ClientSecretRow.principal_id == client_id,
            ClientSecretRow.revoked_at.is_(None),
            ClientSecretRow.expires_at > at,
        )
        .order_by(ClientSecretRow.expires_at, ClientSecretRow.id)
    )
    rows = (await tx.scalars(query)).all()
    last = max((row.expires_at for row in rows), default=at)
    return [
        HeldSecret(
            id=row.id,
            issued_at=row.created_at,
            expires_at=row.expires_at,
            ends_soon=last <= at + WARNED_BEFORE,
        )
        for row in rows
    ]


async def warn_of_secrets(tx: Tx) -> int:
    """Tell the owner of each agent whose last secret ends within `WARNED_BEFORE`, once for each; return how many.

    Of two workers at the same moment the second finds it told. Suspended agents need no secret.
    """
    at = await now(tx)
    other = aliased(ClientSecretRow)
    outlived = exists().where(
        other.principal_id == ClientSecretRow.principal_id,
        other.revoked_at.is_(None),
        other.expires_at > ClientSecretRow.expires_at,
    )
    due = (
        update(ClientSecretRow)
        .where(
            ClientSecretRow.warned_at.is_(None),
            ClientSecretRow.revoked_at.is_(None),
            ClientSecretRow.expires_at > at,
            ClientSecretRow.expires_at <= at + WARNED_BEFORE,
            ~outlived,
        )
        .values(warned_at=at)
        .returning(ClientSecretRow.id, ClientSecretRow.principal_id, ClientSecretRow.expires_at)
    )
    found = (await tx.execute(due)).all()
    agents = await get_many(tx, [principal_id for _, principal_id, _ in found])
    told = [one for one in found if one[1] in agents and not agents[one[1]].is_suspended]
    for secret_id, principal_id, expires_at in told:
        owner_id = agents[principal_id].owner_id
        payload = {
            "agent_id": principal_id,
            "secret_id": secret_id,
            "expires_at": expires_at.isoformat(),
            "owners": [owner_id] if owner_id else [],
        }
        await outbox.put(tx, topic=SECRET_ENDS_SOON, payload=payload, key=secret_id)
    return len(told)
