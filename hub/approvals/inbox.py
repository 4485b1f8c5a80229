"""The inbox: which open questions wait for a person.

Whom a question waits for is decided by the database, down to the last condition: whatever were left out after a limit
would take the places of others that wait.
"""

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from hub.approvals.deputies import stands_in_for
from hub.approvals.tables import BarredRow, QuestionRow, StageRow, VoteRow
from hub.identity.principals import Principal
from hub.identity.tables import PrincipalRow
from hub.policy import REQUESTER
from hub.storage import Tx, database_now


async def waiting_for(tx: Tx, voter: Principal, *, shape: str | None = None, limit: int = 100) -> list[str]:
    """Return the invocations whose open question `voter` may vote on and has not, the most urgent first.

    Whose deputy the voter is now, their questions wait for the voter too. With `shape`, those of one batch alone.
    """
    people = [voter, *await stands_in_for(tx, voter)]
    groups = {group for one in people for group in one.groups}
    asked = select(StageRow.digest).where(StageRow.group_name.in_([*sorted(groups), REQUESTER]), StageRow.is_open)
    decides = and_(_is_free(voter), or_(*(and_(_is_asked(one), _is_free(one)) for one in people)))
    query = (
        select(QuestionRow.invocation_id)
        .outerjoin(PrincipalRow, PrincipalRow.id == QuestionRow.owned_agent_id)
        .where(_is_open(), QuestionRow.digest.in_(asked), or_(_confirms(voter), decides))
    )
    if shape is not None:
        query = query.where(QuestionRow.shape == shape)
    return list(await tx.scalars(query.order_by(QuestionRow.expires_at, QuestionRow.digest).limit(limit)))


async def decided_by(tx: Tx, voter_id: str, *, limit: int = 10) -> list[str]:
    """Return the invocations that a person has voted on last, the latest vote first."""
    query = (
        select(QuestionRow.invocation_id)
        .join(VoteRow, VoteRow.digest == QuestionRow.digest)
        .where(VoteRow.voter_id == voter_id)
        .group_by(QuestionRow.invocation_id)
        .order_by(func.max(VoteRow.cast_at).desc(), QuestionRow.invocation_id.desc())
    )
    return list(await tx.scalars(query.limit(limit)))


async def all_waiting(tx: Tx, *, limit: int = 100) -> list[str]:
    """Return the invocations that wait for anybody, the most urgent first: for those who see how the hub is."""
    query = select(QuestionRow.invocation_id).where(_is_open())
    return list(await tx.scalars(query.order_by(QuestionRow.expires_at, QuestionRow.digest).limit(limit)))


def _is_open() -> ColumnElement[bool]:
    return and_(QuestionRow.is_open, QuestionRow.expires_at > database_now())


def _is_asked(person: Principal) -> ColumnElement[bool]:
    """Return the condition that the stage that is open admits the person: all groups of an alternative are theirs."""
    theirs, other = aliased(StageRow), aliased(StageRow)
    lacks = exists().where(
        other.digest == theirs.digest,
        other.stage == theirs.stage,
        other.alternative == theirs.alternative,
        other.group_name.not_in(sorted(person.groups)),
    )
    is_theirs = and_(theirs.digest == QuestionRow.digest, theirs.group_name.in_(sorted(person.groups)), theirs.is_open)
    return exists().where(is_theirs, ~lacks)


def _is_free(person: Principal) -> ColumnElement[bool]:
    """Return the condition that the person takes no part in the call, and stands behind no vote."""
    is_barred = exists().where(BarredRow.digest == QuestionRow.digest, BarredRow.principal_id == person.id)
    has_a_part = or_(VoteRow.voter_id == person.id, VoteRow.counts_as == person.id)
    has_voted = exists().where(VoteRow.digest == QuestionRow.digest, has_a_part)
    return and_(~is_barred, PrincipalRow.owner_id.is_distinct_from(person.id), ~has_voted)


def _confirms(person: Principal) -> ColumnElement[bool]:
    """Return the condition that it is the person itself who is asked to confirm, and has not answered."""
    asks = exists().where(StageRow.digest == QuestionRow.digest, StageRow.group_name == REQUESTER, StageRow.is_open)
    has_answered = exists().where(VoteRow.digest == QuestionRow.digest, VoteRow.voter_id == person.id)
    return and_(QuestionRow.confirmer_id == person.id, asks, ~has_answered)
