"""Reviewing afterwards: what policy let go by itself is drawn by chance, and people say whether it was right."""

from dataclasses import dataclass
from typing import Any, Final

from hub import reviews
from hub.audit import Event, EventKind, append
from hub.core.errors import InputError, NotFound
from hub.identity.principals import Principal
from hub.invocations.callers import caller_of, voters_excluded
from hub.invocations.granting import take_back_like
from hub.invocations.journal import hold
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.policy import Allowed
from hub.reviews import NewReview, Review, ReviewKind, Verdict, is_drawn
from hub.storage import Tx

LONGEST_REASON: Final = 2000
EXAMPLE_DISPUTED: Final = "The call that it was made from was disputed."
_EVENTS: Final = {Verdict.FINE: EventKind.REVIEW_PASSED, Verdict.DISPUTED: EventKind.REVIEW_DISPUTED}


async def draw(tx: Tx, previewed: Invocation, decision: Allowed, approval_digest: str, runtime: Runtime) -> None:
    """Decide whether a write that policy lets go by itself is looked at once it has been carried out."""
    drawn = [one for one in decision.samples if is_drawn(approval_digest, one.per_mille, runtime.keys)]
    if not drawn:
        return
    new = NewReview(
        kind=ReviewKind.SAMPLE,
        approval_digest=approval_digest,
        invocation_id=previewed.id,
        environment=previewed.environment,
        agent_id=previewed.agent_id,
        tool_id=previewed.tool_id,
        tool_name=previewed.tool_name,
        reviewers=tuple(sorted({one.group for one in drawn})),
        excluded=voters_excluded(await caller_of(tx, previewed)),
        owned_agent_id=previewed.agent_id if previewed.on_behalf_of_id is None else None,
    )
    await reviews.put_review(tx, new, opened_at=None)


async def on_the_list(tx: Tx, committed: Invocation) -> dict[str, Any]:
    """Put a write that was drawn on the list, now that it was carried out; return what its event says of that."""
    begun = await reviews.begin_review(tx, committed.approval_digest or "")
    return {} if begun is None else {"review": begun}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a reviewer says of one write."""

    review_id: str
    reviewer: Principal
    verdict: Verdict
    reason: str


async def remark(said: Remark, runtime: Runtime) -> Review:
    """Put on record what a reviewer says, and return the review.

    Raises:
        Conflict: somebody was quicker.
        InputError: a dispute without a reason, or a reason that is too long.
        NotFound: there is no such review, or this person may not do it.
    """
    reason = said.reason.strip()
    if len(reason) > LONGEST_REASON or (said.verdict is Verdict.DISPUTED and not reason):
        raise InputError(f"Say in at most {LONGEST_REASON} characters what is wrong; a dispute needs a reason.")
    async with runtime.database.transaction() as tx:
        await hold(tx, (await see_review(tx, said.review_id, said.reviewer)).invocation_id)
        review = await reviews.conclude_review(tx, said.review_id, said.verdict, by=said.reviewer.id, reason=reason)
        event = Event(
            kind=_EVENTS[said.verdict],
            subject=review.invocation_id,
            actor=said.reviewer.id,
            agent=review.agent_id,
            facts={"review": review.id, "kind": review.kind.value, "tool": review.tool_name},
            private={"reason": reason},
        )
        await append(tx, event, runtime.keys)
        if said.verdict is Verdict.DISPUTED:
            await take_back_like(tx, review.invocation_id, EXAMPLE_DISPUTED, by=said.reviewer.id, runtime=runtime)
        return review


async def see_review(tx: Tx, review_id: str, person: Principal) -> Review:
    """Return a review to those who may do it, or did.

    Raises:
        NotFound: there is none, or it is none of this person's business.
    """
    review = await reviews.get_review(tx, review_id)
    if not review.is_for(person):
        raise NotFound("There is no such review.")
    return review
