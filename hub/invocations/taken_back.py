"""What may have been taken back since a claimed write was checked again, asked in the moment it is marked as sent.

Only what takes a few rows: whoever sees the answer lets go, and the next check of everything tells the rest.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hub import approvals, standing
from hub.approvals import Question
from hub.approvals.mandates import people_of
from hub.identity import directory
from hub.identity.permissions import Permission, may
from hub.invocations.callers import caller_of
from hub.invocations.journal import load
from hub.invocations.leave import why_no_leave
from hub.invocations.under_plan import why_plan_closed
from hub.invocations.values import ApprovedBy, Invocation
from hub.policy import REQUESTER, Obligation
from hub.registry import why_closed
from hub.reviews import Verdict, review_of_approval
from hub.storage import Tx

_NO_LONGER: Final = "Somebody who approved it may no longer do so."


async def taken_back(tx: Tx, claimed: Invocation, *, public_url: str) -> str:
    """Return in a sentence why `claimed` must not be sent any more; empty while nothing was taken back."""
    caller = await caller_of(tx, claimed)
    for one in (caller.actor, caller.on_behalf_of):
        if one is not None and one.is_suspended:
            return f"{one.display_name} is suspended."
    if why := await why_no_leave(tx, claimed, caller, public_url=public_url):
        return why
    generation = claimed.connection_generation
    closed = await why_closed(tx, claimed.tool_version_id, claimed.connection_id, generation=generation)
    return closed or await _of_plan(tx, claimed) or await _of_approval(tx, claimed)


async def _of_plan(tx: Tx, claimed: Invocation) -> str:
    """Return why the plan of a step goes no further; an undo is sent whatever became of the plan's own tool."""
    if claimed.part is None or claimed.undoes is not None:
        return ""
    closed = await why_plan_closed(tx, await load(tx, claimed.part.plan_id))
    return f"{closed[:1].upper()}{closed[1:]}"


async def _of_approval(tx: Tx, claimed: Invocation) -> str:
    question = claimed.question
    match claimed.approved_by:
        case ApprovedBy.GRANT:
            return await _of_grant(tx, claimed.approval_digest or "")
        case ApprovedBy.NOBODY if question is not None:
            asked = [one for one in question.obligations if one.is_confirmation]
            return await _of_glass(tx, claimed.approval_digest or "") or await _of_voters(tx, question, asked)
        case ApprovedBy.PEOPLE if question is not None:
            return await _of_voters(tx, question, question.obligations)
        case ApprovedBy.PLAN if claimed.part is not None and claimed.undoes is None:  # an undo is sent whoever has left
            plan = await load(tx, claimed.part.plan_id)
            if plan.approved_by is not ApprovedBy.PEOPLE or plan.question is None:
                return ""
            return await _of_voters(tx, plan.question, plan.question.obligations)
        case _:
            return ""


async def _of_grant(tx: Tx, digest: str) -> str:
    if not await standing.is_good_now(tx, digest):
        return "The standing grant was revoked or has ended."
    spending = await standing.spending_of(tx, digest)
    grant = await standing.get_grant(tx, spending.grant_id) if spending else None
    giver = (await directory.get_many(tx, [grant.giver_id])).get(grant.giver_id) if grant else None
    if grant is None or giver is None or giver.is_suspended or not grant.asked.admits(giver.groups):
        return "Whoever gave the standing grant may no longer approve this."
    return ""


async def _of_glass(tx: Tx, digest: str) -> str:
    review = await review_of_approval(tx, digest)
    if review is None or review.verdict is Verdict.DISPUTED or review.breaker_id is None:
        return "A reviewer disputes that it may go without approval."
    breaker = (await directory.get_many(tx, [review.breaker_id])).get(review.breaker_id)
    if breaker is None or not may(breaker, Permission.BREAK_GLASS):
        return "Whoever let it go without approval may no longer do so."
    return ""


async def _of_voters(tx: Tx, question: Question, asked: Sequence[Obligation]) -> str:
    """Return why the votes are not enough as those behind them stand now: active, and in the groups that are asked."""
    people = await directory.get_many(tx, sorted({one for vote in question.votes for one in people_of(vote)}))
    votes = list[approvals.Vote]()
    for vote in question.votes:
        behind = [people.get(one) for one in sorted(people_of(vote))]
        counts_as = people.get(vote.for_id or vote.voter_id)
        if counts_as is None or any(one is None or one.is_suspended for one in behind):
            continue
        votes.append(vote if REQUESTER in vote.groups else replace(vote, groups=counts_as.groups))
    return "" if isinstance(approvals.standing(asked, votes), approvals.Granted) else _NO_LONGER
