"""The inbox: which open questions wait for a person, and which ones it may look at."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from hub.approvals.questions import Question
from hub.approvals.rules import asked_in
from hub.approvals.tables import QuestionRow, StageRow, VoteRow
from hub.identity.principals import Principal
from hub.policy import Obligation
from hub.storage import Tx, database_now


async def waiting_for(tx: Tx, voter: Principal, *, limit: int = 100) -> list[str]:
    """Return the invocations whose open question `voter` may vote on and has not, the most urgent first."""
    voted = select(VoteRow.digest).where(VoteRow.voter_id == voter.id)
    query = (
        select(QuestionRow.invocation_id, QuestionRow.excluded, QuestionRow.obligations, StageRow.stage)
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
    mine = [row for row in rows if voter.id not in row.excluded and _is_asked_in(voter, row.obligations, row.stage)]
    return list(dict.fromkeys(row.invocation_id for row in mine))


def _is_asked_in(voter: Principal, obligations: Sequence[Mapping[str, Any]], stage: int) -> bool:
    asked = asked_in([Obligation.from_json(one) for one in obligations], stage)
    return any(one.admits(voter.groups) for one in asked)


def is_asked(person: Principal, question: Question) -> bool:
    """Return whether a rule asks one of the person's groups, or the person has voted: then it may look."""
    if person.is_suspended:
        return False
    has_voted = any(vote.voter_id == person.id for vote in question.votes)
    return has_voted or any(one.admits(person.groups) for one in question.obligations)
