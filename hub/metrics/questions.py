"""What people were asked about calls, and how they ended each question; read for many calls at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from hub.approvals.rules import Choice, Granted, Rejected, Vote, asked_groups, standing
from hub.approvals.tables import CounterRow, QuestionRow, VoteRow
from hub.metrics.facts import Asked, CastVote, Ending, reading_time
from hub.metrics.lookups import parts_of
from hub.policy import Obligation
from hub.storage import Tx


async def asked_about(tx: Tx, invocation_ids: Sequence[str]) -> dict[str, tuple[Asked, ...]]:
    """Return the questions asked about these invocations, by invocation, oldest first."""
    mine = select(QuestionRow).where(QuestionRow.invocation_id.in_(invocation_ids))
    questions = (await tx.scalars(mine.order_by(QuestionRow.revision))).all()
    votes = await _votes(tx, [one.digest for one in questions])
    counters = await _counters(tx, invocation_ids)
    earlier = await _Earlier.votes(tx, questions, votes)
    found = defaultdict[str, list[Asked]](list)
    for question in questions:
        counter = counters.get((question.invocation_id, question.revision + 1))
        found[question.invocation_id].append(_asked(question, votes.get(question.digest, []), counter, earlier))
    return {invocation_id: tuple(asked) for invocation_id, asked in found.items()}


def _asked(question: QuestionRow, votes: Sequence[VoteRow], counter: CounterRow | None, earlier: "_Earlier") -> Asked:
    obligations = [Obligation.from_json(one) for one in question.obligations]
    ending, ended_at = _ending(obligations, votes, counter)
    cast = tuple(_cast(question, one, earlier) for one in votes if one.carried_from is None)
    people = {one.voter_id for one in cast} | ({counter.author_id} if counter else set[str]())
    return Asked(
        groups=asked_groups(obligations),
        people=frozenset(people),
        opened_at=question.opened_at,
        ending=ending,
        ended_at=ended_at,
        votes=cast,
    )


def _ending(
    obligations: Sequence[Obligation], votes: Sequence[VoteRow], counter: CounterRow | None
) -> tuple[Ending | None, datetime | None]:
    """Return how the question was ended and when; nobody waited for one that carried votes had answered."""
    if counter is not None:
        return Ending.REPLACED, counter.made_at
    match standing(obligations, [_vote(one) for one in votes]):
        case Granted():
            ending = Ending.APPROVED
        case Rejected():
            ending = Ending.REJECTED
        case _:
            return None, None
    return ending, max((one.cast_at for one in votes if one.carried_from is None), default=None)


def _vote(row: VoteRow) -> Vote:
    return Vote(
        voter_id=row.voter_id,
        groups=frozenset(row.groups),
        choice=Choice(row.decision),
        reason="",
        cast_at=row.cast_at,
        authenticated_at=row.authenticated_at,
        stage=row.stage,
        for_id=row.for_id,
        carried_from=row.carried_from,
    )


def _cast(question: QuestionRow, vote: VoteRow, earlier: "_Earlier") -> CastVote:
    return CastVote(
        voter_id=vote.voter_id,
        groups=frozenset(vote.groups),
        since=max(question.opened_at, earlier.before(vote, question.shape) or question.opened_at),
        cast_at=vote.cast_at,
        words=question.words,
    )


async def _votes(tx: Tx, digests: Sequence[str]) -> dict[str, list[VoteRow]]:
    found = defaultdict[str, list[VoteRow]](list)
    for some in parts_of(digests):
        query = select(VoteRow).where(VoteRow.digest.in_(some)).order_by(VoteRow.cast_at, VoteRow.id)
        for row in await tx.scalars(query):
            found[row.digest].append(row)
    return found


async def _counters(tx: Tx, invocation_ids: Sequence[str]) -> dict[tuple[str, int], CounterRow]:
    rows = await tx.scalars(select(CounterRow).where(CounterRow.invocation_id.in_(invocation_ids)))
    return {(row.invocation_id, row.revision): row for row in rows}


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What voters had voted on just before: nobody reads two questions of different shapes at the same time."""

    cast: dict[str, list[tuple[datetime, str]]]
    """By voter: when, and on what shape; oldest first."""

    @classmethod
    async def votes(cls, tx: Tx, questions: Sequence[QuestionRow], votes: dict[str, list[VoteRow]]) -> "_Earlier":
        """Return the votes that these voters cast as long before theirs as reading the longest question takes."""
        theirs = [vote for some in votes.values() for vote in some]
        found = defaultdict[str, list[tuple[datetime, str]]](list)
        if not theirs:
            return cls(found)
        longest = reading_time(max(one.words for one in questions))
        query = (
            select(VoteRow.voter_id, VoteRow.cast_at, QuestionRow.shape)
            .join(QuestionRow, QuestionRow.digest == VoteRow.digest)
            .where(VoteRow.cast_at >= min(one.cast_at for one in theirs) - longest)
            .where(VoteRow.cast_at <= max(one.cast_at for one in theirs), VoteRow.carried_from.is_(None))
            .order_by(VoteRow.cast_at)
        )
        for some in parts_of(sorted({one.voter_id for one in theirs})):
            for voter_id, cast_at, shape in await tx.execute(query.where(VoteRow.voter_id.in_(some))):
                found[voter_id].append((cast_at, shape))
        return cls(found)

    def before(self, vote: VoteRow, shape: str) -> datetime | None:
        """Return when the same person voted last on another shape before `vote`, as far as that matters."""
        others = [at for at, of in self.cast.get(vote.voter_id, []) if of != shape and at < vote.cast_at]
        return max(others, default=None)
