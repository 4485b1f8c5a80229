"""What may have been taken back since a claimed write was checked again, asked in the moment it is marked as sent.

Only what takes a single row each: whoever sees the answer lets go, and the next check of everything tells the rest.
"""

from hub.invocations.callers import caller_of
from hub.invocations.values import ApprovedBy, Invocation
from hub.registry import why_closed
from hub.reviews import Verdict, review_of_approval
from hub.standing import is_good_now
from hub.storage import Tx


async def taken_back(tx: Tx, claimed: Invocation) -> str:
    """Return in a sentence why `claimed` must not be sent any more; empty while nothing was taken back."""
    caller = await caller_of(tx, claimed)
    for one in (caller.actor, caller.on_behalf_of):
        if one is not None and one.is_suspended:
            return f"{one.display_name} is suspended."
    generation = claimed.connection_generation
    closed = await why_closed(tx, claimed.tool_version_id, claimed.connection_id, generation=generation)
    return closed or await _of_approval(tx, claimed)


async def _of_approval(tx: Tx, claimed: Invocation) -> str:
    digest = claimed.approval_digest or ""
    if claimed.approved_by is ApprovedBy.GRANT and not await is_good_now(tx, digest):
        return "The standing grant was revoked or has ended."
    if claimed.approved_by is ApprovedBy.NOBODY:
        review = await review_of_approval(tx, digest)
        if review is None or review.verdict is Verdict.DISPUTED:
            return "A reviewer disputes that it may go without approval."
    return ""
