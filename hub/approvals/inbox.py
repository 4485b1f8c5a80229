"""The inbox: which open questions wait for a person."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, and_, or_, select

from hub.approvals.deputies import stands_in_for
from hub.approvals.rules import asked_in
from hub.approvals.tables import QuestionRow, StageRow, VoteRow
from hub.identity.principals import Principal
from hub.identity.tables import PrincipalRow
from hub.policy import REQUESTER, Obligation
from hub.policy.obligations import CONFIRMATION_STAGE
from hub.storage import Tx, database_now


async def waiting_for(tx: Tx, voter: Principal, *, limit: int = 100) -> list[str]:
    """Return the invocations whose open question `voter` may vote on and has not, the most urgent first.

    Whose deputy the voter is now, their questions wait for the voter too.
    """
    people = [voter, *await stands_in_for(tx, voter)]
    rows = (await tx.execute(_asked(people, limit))).all()
    counted = await _counted(tx, people)
    found: list[str] = []
    for row in rows:
        if row.stage == CONFIRMATION_STAGE:
            found.append(row.invocation_id)
            continue
        asked = asked_in([Obligation.from_json(one) for one in row.obligations], row.stage)
        taken = {*row.excluded, row.owner_id, *counted.get(row.digest, ())}
        if voter.id not in taken and _is_asked((one for one in people if one.id not in taken), asked):
            found.append(row.invocation_id)
    return list(dict.fromkeys(found))


async def all_waiting(tx: Tx, *, limit: int = 100) -> list[str]:
    """Return the invocations that wait for anybody, the most urgent first: for those who see how the hub is."""
    is_open = (QuestionRow.is_open, QuestionRow.expires_at > database_now())
    query = select(QuestionRow.invocation_id).where(*is_open)
    return list(await tx.scalars(query.order_by(QuestionRow.expires_at, QuestionRow.digest).limit(limit)))


def _asked(people: Sequence[Principal], limit: int) -> Select[str, str, list[str], list[object], int, str | None]:
    groups = {group for one in people for group in one.groups}
    is_mine = and_(StageRow.group_name == REQUESTER, QuestionRow.confirmer_id == people[0].id)
    return (
        select(
            QuestionRow.invocation_id,
            QuestionRow.digest,
            QuestionRow.excluded,
            QuestionRow.obligations,
            StageRow.stage,
            PrincipalRow.owner_id,
        )
        .join(StageRow, StageRow.digest == QuestionRow.digest)
        .outerjoin(PrincipalRow, PrincipalRow.id == QuestionRow.owned_agent_id)
        .where(
            or_(StageRow.group_name.in_(sorted(groups)), is_mine),
            StageRow.is_open,
            QuestionRow.is_open,
            QuestionRow.expires_at > database_now(),
            QuestionRow.digest.not_in(select(VoteRow.digest).where(VoteRow.voter_id == people[0].id)),
        )
        .order_by(QuestionRow.expires_at, QuestionRow.digest)
        .limit(limit)
    )


async def _counted(tx: Tx, people: Sequence[Principal]) -> dict[str, set[str]]:
    """Return who of `people` stands behind a vote on an open question, by its digest."""
    ids = [one.id for one in people]
    query = (
        select(VoteRow.digest, VoteRow.voter_id, VoteRow.counts_as)
        .join(QuestionRow, QuestionRow.digest == VoteRow.digest)
        .where(QuestionRow.is_open, or_(VoteRow.voter_id.in_(ids), VoteRow.counts_as.in_(ids)))
    )
    behind: dict[str, set[str]] = {}
    for digest, voter_id, counts_as in await tx.execute(query):
        behind.setdefault(digest, set()).update((voter_id, counts_as))
    return behind


def _is_asked(people: Iterable[Principal], asked: Sequence[Obligation]) -> bool:
    return any(obligation.admits(one.groups) for one in people for obligation in asked)
