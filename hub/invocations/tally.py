"""What the votes on a question come to: the move they make, and those on an earlier preview that policy lets count."""

from hub import approvals, dryrun
from hub.approvals import Choice, Granted, Question, Rejected
from hub.audit import EventKind
from hub.invocations.journal import Step
from hub.invocations.states import State
from hub.invocations.values import ApprovedBy, Invocation
from hub.storage import Tx


def decided(question: Question) -> Step | None:
    """Return the move that the votes on `question` make, if they are enough."""
    match question.standing:
        case Granted():
            voters = [vote.voter_id for vote in question.votes if vote.choice is Choice.APPROVE]
            facts = {"approved_by": ApprovedBy.PEOPLE.value, "approval_digest": question.digest, "voters": voters}
            changes = {"approved_by": ApprovedBy.PEOPLE.value}
            return Step(to=State.APPROVED, event=EventKind.INVOCATION_APPROVED, facts=facts, changes=changes)
        case Rejected(by=by, reason=reason):
            changes = {"error_code": "rejected", "error_message": reason}
            facts = {"by": by, "approval_digest": question.digest}
            return Step(to=State.REJECTED, event=EventKind.INVOCATION_REJECTED, facts=facts, changes=changes)
        case _:
            return None


async def carry_over(tx: Tx, previewed: Invocation, question: Question) -> Question:
    """Return `question`, with the votes on the preview before where they count for this one: else they are void.

    Every rule that asks must permit it (`@carry`), and nothing that was decided on may be different: the call, the tool
    and its connection, who is asked, and what would be changed, from what, to what. A fresh login cannot be carried.
    """
    earlier = previewed.question
    if earlier is None or not earlier.votes or previewed.preview is None:
        return question
    then = await dryrun.of_revision(tx, previewed.id, earlier.revision)
    may_be = all(one.carries and one.fresh_seconds is None for one in question.obligations)
    same_call = earlier.terms["intent_digest"] == question.terms["intent_digest"]
    same_people = (earlier.obligations, earlier.excluded) == (question.obligations, question.excluded)
    if not (may_be and same_call and same_people and then):
        return question
    if not dryrun.would_change_the_same(then.preview, previewed.preview.preview):
        return question
    return await approvals.carry_votes(tx, earlier, question)
