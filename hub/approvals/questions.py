"""Questions: asked with a digest over everything they depend on, answered by votes on that digest, closed once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Exists, Select, exists, select, update
from sqlalchemy.orm import InstrumentedAttribute

from connectors.sdk.vocabulary import Tier
from hub.approvals.chasing import moments
from hub.approvals.length import words_in
from hub.approvals.rules import Choice, Standing, Vote, Waiting, asked_in, asks_requester, stages, standing
from hub.approvals.tables import BarredRow, QuestionRow, StageRow, VoteRow
from hub.core.canonical import digest
from hub.core.ids import new_id
from hub.identity.tables import PrincipalRow
from hub.policy import Obligation, alternatives
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a permission to commit is bound to; any change of it is another permission (governance, section 4)."""

    intent_digest: str
    preview_digest: str
    policy_digest: str
    obligations: tuple[Obligation, ...]
    summary: Mapping[str, Json]
    expires_at: datetime
    nonce: str
    granted: Mapping[str, str] | None = None
    """The standing grant that stands for the vote, and its giver; None where nobody is replaced."""

    def as_json(self) -> dict[str, Json]:
        """Return the members that the approval digest covers."""
        return {
            "intent_digest": self.intent_digest,
            "preview_digest": self.preview_digest,
            "policy_digest": self.policy_digest,
            "obligations": [one.as_json() for one in self.obligations],
            "summary_digest": digest(self.summary),
            "expires_at": self.expires_at.isoformat(),
            "nonce": self.nonce,
            **({} if self.granted is None else {"granted": dict(self.granted)}),
        }

    @property
    def digest(self) -> str:
        """Return the approval digest: SHA-256 over the canonical JSON of all terms."""
        return digest(self.as_json())


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as it stands, with the votes cast on it so far."""

    digest: str
    invocation_id: str
    revision: int
    is_open: bool
    shape: str
    terms: Mapping[str, Json]
    """What the digest covers, as it was when the question was asked."""
    obligations: tuple[Obligation, ...]
    summary: Mapping[str, Json]
    excluded: frozenset[str]
    """Who may not decide it: those who could not when it was asked, and who owns the agent by now."""
    confirmer_id: str | None
    """Who confirms it, where the requester is asked."""
    opened_at: datetime
    expires_at: datetime
    reminded_at: datetime | None
    escalated_at: datetime | None
    told_people: frozenset[str]
    votes: tuple[Vote, ...]

    @property
    def standing(self) -> Standing:
        """Return where the votes leave it."""
        return standing(self.obligations, self.votes)

    @property
    def stage(self) -> int:
        """Return the stage that is asked now, or was last."""
        reached = self.standing
        return reached.stage if isinstance(reached, Waiting) else max([vote.stage for vote in self.votes], default=1)

    @property
    def awaits_requester(self) -> bool:
        """Return whether it is the requester who is asked now."""
        return isinstance(self.standing, Waiting) and asks_requester(asked_in(self.obligations, self.stage))

    @property
    def may_be_decided_elsewhere(self) -> bool:
        """Return whether a vote may come from a linked account.

        It may not where a fresh login is asked, about what is critical, nor about a plan, whose steps no message shows;
        and requesters confirm where they see all of it.
        Both are read from the summary, which the digest covers; one that names no tier counts as critical.
        """
        is_modest = self.summary.get("tier") in {Tier.LOW.value, Tier.MEDIUM.value, Tier.HIGH.value}
        if self.awaits_requester:
            return False
        return is_modest and "steps" not in self.summary and all(one.fresh_seconds is None for one in self.obligations)


def shortest(obligations: Sequence[Obligation]) -> timedelta:
    """Return how long a question may stay open: the shortest time any rule allows."""
    return timedelta(seconds=min(one.seconds for one in obligations))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a question is about, who may not answer it, and what it has in common with others like it (`shape`).

    `confirmer_id` is the requester, who confirms it where a rule asks that.
    """

    invocation_id: str
    revision: int
    excluded: frozenset[str]
    shape: str
    owned_agent_id: str | None = None
    """The agent, where it asks for nobody: its call is its owner's, whoever that is while people decide."""
    confirmer_id: str | None = None


async def open_question(tx: Tx, asked: Asked, terms: Terms) -> Question:
    """Put the question on record and into the inboxes of those asked first."""
    opened_at = await now(tx)
    remind_at, escalate_at = moments(opened_at, terms.expires_at)
    tx.add(
        QuestionRow(
            digest=terms.digest,
            invocation_id=asked.invocation_id,
            revision=asked.revision,
            is_open=True,
            shape=asked.shape,
            terms=terms.as_json(),
            obligations=[one.as_json() for one in terms.obligations],
            summary=dict(terms.summary),
            excluded=sorted(asked.excluded),
            owned_agent_id=asked.owned_agent_id,
            confirmer_id=asked.confirmer_id if asks_requester(terms.obligations) else None,
            opened_at=opened_at,
            expires_at=terms.expires_at,
            remind_at=remind_at,
            escalate_at=escalate_at,
            told_people=[],
            words=words_in(terms.summary),
        )
    )
    await tx.flush()
    tx.add_all(_places(terms))
    tx.add_all([BarredRow(digest=terms.digest, principal_id=one) for one in sorted(asked.excluded)])
    await tx.flush()
    found = await latest(tx, asked.invocation_id)
    assert found is not None  # noqa: S101  # it was added two statements above
    return found


def _places(terms: Terms) -> Iterator[StageRow]:
    """Yield whose inboxes a question is for, stage by stage."""
    asked = stages(terms.obligations)
    for stage in asked:
        named = {one for each in asked_in(terms.obligations, stage) for one in alternatives(each.group)}
        for number, together in enumerate(sorted(named, key=sorted)):
            place = {"digest": terms.digest, "stage": stage, "alternative": number, "is_open": stage == asked[0]}
            yield from (StageRow(**place, group_name=group) for group in sorted(together))


async def open_stage(tx: Tx, approval_digest: str, stage: int) -> None:
    """Put the question into the inboxes of the groups that `stage` asks, and out of all others."""
    mine = update(StageRow).where(StageRow.digest == approval_digest)
    await tx.execute(mine.values(is_open=StageRow.stage == stage))


async def carry_votes(tx: Tx, earlier: Question, question: Question) -> Question:
    """Let the votes on `earlier` count for `question` as well, and return it with them; each keeps its own time."""
    tx.add_all(
        [
            VoteRow(
                id=new_id("vote"),
                digest=question.digest,
                voter_id=vote.voter_id,
                stage=vote.stage,
                groups=sorted(vote.groups),
                decision=vote.choice.value,
                reason=vote.reason,
                carried_from=vote.carried_from or earlier.digest,
                for_id=vote.for_id,
                counts_as=vote.for_id or vote.voter_id,
                cast_at=vote.cast_at,
                authenticated_at=vote.authenticated_at,
            )
            for vote in earlier.votes
        ]
    )
    await tx.flush()
    carried = await by_digest(tx, question.digest)
    assert carried is not None  # noqa: S101  # it was just asked
    if carried.stage != question.stage:
        await open_stage(tx, carried.digest, carried.stage)
    return carried


async def close_questions(tx: Tx, invocation_id: str) -> None:
    """Take every open question of the invocation out of the inboxes; what was decided stays on record."""
    mine = select(QuestionRow.digest).where(QuestionRow.invocation_id == invocation_id)
    await tx.execute(update(StageRow).where(StageRow.digest.in_(mine)).values(is_open=False))
    await tx.execute(update(QuestionRow).where(QuestionRow.invocation_id == invocation_id).values(is_open=False))


def was_asked(invocation_id: InstrumentedAttribute[str]) -> Exists:
    """Return the condition that people were asked about an invocation, in any of its revisions."""
    return exists().where(QuestionRow.invocation_id == invocation_id)


async def latest(tx: Tx, invocation_id: str) -> Question | None:
    """Return the newest question asked about the invocation."""
    query = _with_owner().where(QuestionRow.invocation_id == invocation_id)
    return await _first(tx, query.order_by(QuestionRow.revision.desc()).limit(1))


async def by_digest(tx: Tx, approval_digest: str) -> Question | None:
    """Return the question with this approval digest."""
    return await _first(tx, _with_owner().where(QuestionRow.digest == approval_digest))


def _with_owner() -> Select[QuestionRow, str | None]:
    """Return the query for questions, each with who owns its agent now where that agent asks for nobody."""
    its_agent = PrincipalRow.id == QuestionRow.owned_agent_id
    return select(QuestionRow, PrincipalRow.owner_id).outerjoin(PrincipalRow, its_agent)


async def _first(tx: Tx, query: Select[QuestionRow, str | None]) -> Question | None:
    found = (await tx.execute(query.execution_options(populate_existing=True))).first()
    return None if found is None else await _question(tx, *found)


async def _question(tx: Tx, row: QuestionRow, owner_id: str | None) -> Question:
    votes = await tx.scalars(select(VoteRow).where(VoteRow.digest == row.digest).order_by(VoteRow.cast_at, VoteRow.id))
    return Question(
        digest=row.digest,
        invocation_id=row.invocation_id,
        revision=row.revision,
        is_open=row.is_open,
        shape=row.shape,
        terms=row.terms,
        obligations=tuple(Obligation.from_json(one) for one in row.obligations),
        summary=row.summary,
        excluded=frozenset(row.excluded if owner_id is None else (*row.excluded, owner_id)),
        confirmer_id=row.confirmer_id,
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        reminded_at=row.reminded_at,
        escalated_at=row.escalated_at,
        told_people=frozenset(row.told_people),
        votes=tuple(_vote(vote) for vote in votes),
    )


def _vote(row: VoteRow) -> Vote:
    return Vote(
        voter_id=row.voter_id,
        groups=frozenset(row.groups),
        choice=Choice(row.decision),
        reason=row.reason,
        cast_at=row.cast_at,
        authenticated_at=row.authenticated_at,
        stage=row.stage,
        for_id=row.for_id,
        carried_from=row.carried_from,
    )
