"""The inbox: which open questions wait for a person, and which ones it may look at."""

from sqlalchemy import select

from hub.approvals.questions import Question
from hub.approvals.rules import asked_groups
from hub.approvals.tables import QuestionRow, StageRow, VoteRow
from hub.identity.principals import Principal
from hub.storage import Tx, database_now


async def waiting_for(tx: Tx, voter: Principal, *, limit: int = 100) -> list[str]:
    """Return the invocations whose open question `voter` may vote on and has not, the most urgent first."""
    voted = select(VoteRow.digest).where(VoteRow.voter_id == voter.id)
    query = (
        select(QuestionRow.invocation_id, QuestionRow.excluded)
        .join(StageRow, StageRow.digest == QuestionRow.digest)
        .where(
            StageRow.group_name.in_(sorted(voter.groups)),
            StageRow.is_open,
            QuestionRow.is_open,
            QuestionRow.expires_at > database_now(),
            QuestionRow.digest.not_in(voted),
        )
        .order_by(QuestionRow.expires_at, QuestionRow.digest)
        .limit(limit)
    )
    rows = (await tx.execute(query)).all()
    return list(dict.fromkeys(row.invocation_id for row in rows if voter.id not in row.excluded))


def is_asked(person: Principal, question: Question) -> bool:
    """Return whether a rule asks one of the person's groups, or the person has voted: then it may look."""
    if person.is_suspended:
        return False
    has_voted = any(vote.voter_id == person.id for vote in question.votes)
    return has_voted or bool(person.groups & asked_groups(question.obligations))
