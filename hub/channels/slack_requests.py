"""Requests from Slack: which of them are Slack's own, new, and not seen before by any process of this hub.

Source: Slack, "Verifying requests from Slack" (version v0). The clock is the database's, for all processes alike.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from hub.channels.tables import SlackRequestRow
from hub.core.errors import Unauthenticated
from hub.storage import Database, Tx, insert_into, now

MOST_AGE: Final = timedelta(minutes=5)
"""How old, or how far ahead of the database's clock, a request may be."""
_LONGEST_TIMESTAMP: Final = 12
_REFUSED: Final = "This request is not signed as Slack signs, or it is too old, or it came before. Nothing was done."


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A request as it came: the two headers that sign it, and the bytes of its body."""

    timestamp: str
    signature: str = field(repr=False)
    body: bytes = field(repr=False)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature that Slack puts on a request with this timestamp and body."""
    return f"v0={hmac.digest(secret.encode(), f'v0:{timestamp}:'.encode() + body, 'sha256').hex()}"


async def admit(database: Database, secret: str, signed: Signed) -> None:
    """Let a request pass once, if it is signed with `secret` and not older than five minutes.

    Raises:
        Unauthenticated: it is not; which of the reasons it is, is not told.
    """
    if not signed.timestamp.isascii() or not signed.timestamp.isdigit() or len(signed.timestamp) > _LONGEST_TIMESTAMP:
        raise Unauthenticated(_REFUSED)
    expected = signature(secret, signed.timestamp, signed.body)
    if not hmac.compare_digest(expected.encode(), signed.signature.encode()):
        raise Unauthenticated(_REFUSED)
    async with database.transaction() as tx:
        at = await now(tx)
        if abs(int(signed.timestamp) - at.timestamp()) > MOST_AGE.total_seconds() or not await _is_first(tx, expected):
            raise Unauthenticated(_REFUSED)


async def _is_first(tx: Tx, expected: str) -> bool:
    """Return whether no request with this signature was admitted before; remember it for as long as it could be."""
    at = await now(tx)
    await tx.execute(delete(SlackRequestRow).where(SlackRequestRow.until < at))
    values = {"digest": hashlib.sha256(expected.encode()).hexdigest(), "until": at + 2 * MOST_AGE}
    first = insert_into(tx, SlackRequestRow).values(values).on_conflict_do_nothing().returning(SlackRequestRow.digest)
    return await tx.scalar(first) is not None
