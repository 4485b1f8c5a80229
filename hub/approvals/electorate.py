"""The electorate: everybody who may vote on a question now, whom channels tell that it waits for them."""

from sqlalchemy import select

from hub.approvals.mandates import mandate_of
from hub.approvals.questions import Question
from hub.approvals.rules import asked_groups, asked_in
from hub.approvals.tables import DeputyRow
from hub.core.errors import Conflict, Forbidden
from hub.identity import directory
from hub.identity.principals import Principal
from hub.storage import Tx, database_now, now


async def electorate(tx: Tx, question: Question) -> list[Principal]:
    """Return who may vote on the stage that is asked now, in the order of their ids; nobody once it is closed."""
    if not question.is_open or question.expires_at <= await now(tx):
        return []
    if question.awaits_requester:
        found = await directory.get_many(tx, [question.confirmer_id] if question.confirmer_id else [])
        return [one for one in found.values() if await may_vote(tx, question, one)]
    groups = sorted(asked_groups(asked_in(question.obligations, question.stage)))
    asked = {one.id: one for group in groups for one in await directory.members(tx, group)}
    asked |= await directory.get_many(tx, await _deputies_of(tx, list(asked)))
    return [one for _, one in sorted(asked.items()) if await may_vote(tx, question, one)]


async def may_vote(tx: Tx, question: Question, person: Principal) -> bool:
    """Return whether a vote of `person` on an open question would be admitted."""
    try:
        await mandate_of(tx, question, person)
    except (Conflict, Forbidden):
        return False
    return True


async def _deputies_of(tx: Tx, absent: list[str]) -> list[str]:
    query = select(DeputyRow.deputy_id).where(
        DeputyRow.absent_id.in_(absent),
        DeputyRow.ended_at.is_(None),
        DeputyRow.starts_at <= database_now(),
        DeputyRow.ends_at > database_now(),
    )
    return list(await tx.scalars(query))
