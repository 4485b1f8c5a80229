"""The keys: begun by one request at a time, finished with an answer, forgotten after a week."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from sqlalchemy import ColumnElement, delete, select, update

from hub.core.errors import Conflict, IdempotencyMismatch
from hub.core.ids import new_id
from hub.ledger.tables import KeyedRequestRow
from hub.storage import Tx, insert_into, now

KEPT: Final = timedelta(days=7)
"""How long a key is remembered: as long as that of an invocation."""
LEASE: Final = timedelta(seconds=60)
"""How long a request may be under way; after that its process is taken to have ended."""


class InFlight(Conflict):
    """The first request with this key has not been answered yet."""

    code: ClassVar[str] = "request_in_flight"


class Interrupted(Conflict):
    """The process that carried out the first request ended before its answer was kept."""

    code: ClassVar[str] = "request_interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request with a key: digests of who gave which key, and of what was asked.

    `is_safe_again` says whether carrying it out a second time, after its process has died, does nothing twice.
    """

    key: str
    payload: str
    is_safe_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The request is this process's to carry out."""

    attempt: str


async def begin(tx: Tx, asked: Asked) -> Begun | bytes:
    """Return the answer that was kept for `asked`, or `Begun` if it is to be carried out now.

    Raises:
        IdempotencyMismatch: the key was used for another request.
        InFlight: somebody is at it.
        Interrupted: somebody was, nobody knows how far it came, and it would not be safe to do it again.
    """
    begun = Begun(attempt=new_id("try"))
    at = await now(tx)
    fresh = {
        "payload": asked.payload,
        "attempt": begun.attempt,
        "answer": None,
        "about": None,
        "lease_until": at + LEASE,
        "expires_at": at + KEPT,
    }
    await tx.execute(insert_into(tx, KeyedRequestRow).values(key=asked.key, **fresh).on_conflict_do_nothing())
    mine = select(KeyedRequestRow).where(KeyedRequestRow.key == asked.key)
    known = (await tx.scalars(mine.with_for_update().execution_options(populate_existing=True))).one()
    if known.attempt == begun.attempt:
        return begun
    if known.expires_at > at:
        if known.payload != asked.payload:
            raise IdempotencyMismatch("This idempotency key was used for another request; take a new one.")
        if known.answer is not None:
            return known.answer
        _check_free(asked, is_leased=known.lease_until > at)
    await tx.execute(update(KeyedRequestRow).where(KeyedRequestRow.key == asked.key).values(fresh))
    return begun


def _check_free(asked: Asked, *, is_leased: bool) -> None:
    if is_leased:
        raise InFlight("The first request with this idempotency key is being carried out; ask again in a moment.")
    if not asked.is_safe_again:
        raise Interrupted(
            "The first request with this idempotency key was interrupted, and may have been carried out. "
            "Look whether it was; if not, send it with a new key."
        )


async def finish(tx: Tx, asked: Asked, begun: Begun, answer: bytes, *, about: str | None = None) -> None:
    """Keep the answer, which tells of `about`, unless somebody else has taken the key over meanwhile."""
    await tx.execute(update(KeyedRequestRow).where(*_of(asked, begun)).values(answer=answer, about=about))


async def forget_answers(tx: Tx, about: Collection[str]) -> None:
    """Forget the answers that tell of these invocations: whoever asks again is told how they stand now.

    Such a request is safe to be carried out again, because its invocation knows the key too.
    """
    mine = update(KeyedRequestRow).where(KeyedRequestRow.about.in_(about))
    await tx.execute(mine.values(answer=None, lease_until=await now(tx)))


async def give_up(tx: Tx, asked: Asked, begun: Begun) -> None:
    """Free the key of a request that was refused: nothing was done under it."""
    await tx.execute(delete(KeyedRequestRow).where(*_of(asked, begun)))


async def sweep(tx: Tx) -> None:
    """Delete what has expired. Nothing relies on it: an expired key is as good as new."""
    await tx.execute(delete(KeyedRequestRow).where(KeyedRequestRow.expires_at < await now(tx)))


def _of(asked: Asked, begun: Begun) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return KeyedRequestRow.key == asked.key, KeyedRequestRow.attempt == begun.attempt
