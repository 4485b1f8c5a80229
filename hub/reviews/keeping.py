"""Reviews on record: opened, listed, concluded once; and the looks of owners after a setback."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select, update
from sqlalchemy.orm import aliased

from hub.core.errors import Conflict, NotFound
from hub.core.ids import new_id
from hub.identity.directory import is_plain
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.tables import PrincipalRow
from hub.policy import alternatives
from hub.reviews.tables import LookRow, ReviewBarredRow, ReviewerRow, ReviewRow
from hub.reviews.values import Look, NewReview, Review, ReviewKind, Verdict
from hub.storage import Tx, now


async def put_review(tx: Tx, new: NewReview, *, opened_at: datetime | None) -> Review:
    """Put a review on record; without `opened_at` it waits for nobody until `begin_review`."""
    row = ReviewRow(
        id=new_id("rev"),
        kind=new.kind.value,
        approval_digest=new.approval_digest,
        invocation_id=new.invocation_id,
        environment=new.environment,
        agent_id=new.agent_id,
        tool_id=new.tool_id,
        tool_name=new.tool_name,
        reviewers=list(new.reviewers),
        excluded=sorted(new.excluded),
        owned_agent_id=new.owned_agent_id,
        breaker_id=new.breaker_id,
        why=new.why,
        opened_at=opened_at,
    )
    tx.add(row)
    await tx.flush()
    asked = sorted({one for each in new.reviewers for one in alternatives(each)}, key=sorted)
    places = [(number, group) for number, together in enumerate(asked) for group in sorted(together)]
    is_open = opened_at is not None
    tx.add_all([ReviewerRow(review_id=row.id, alternative=at, group_name=one, is_open=is_open) for at, one in places])
    tx.add_all([ReviewBarredRow(review_id=row.id, principal_id=one) for one in sorted(new.excluded)])
    await tx.flush()
    return _review(row, None)  # whoever owns its agent so far is excluded by name


async def begin_review(tx: Tx, approval_digest: str) -> str | None:
    """Put a write that was drawn, and has now been carried out, on the list; return the review, None if not drawn."""
    drawn = (ReviewRow.approval_digest == approval_digest, ReviewRow.opened_at.is_(None))
    begun: str | None = await tx.scalar(
        update(ReviewRow).where(*drawn).values(opened_at=await now(tx)).returning(ReviewRow.id)
    )
    if begun is not None:
        await tx.execute(update(ReviewerRow).where(ReviewerRow.review_id == begun).values(is_open=True))
    return begun


async def get_review(tx: Tx, review_id: str) -> Review:
    """Return one review.

    Raises:
        NotFound: there is none with this id, or it waits for nobody yet.
    """
    found = await _first(tx, _with_owner().where(ReviewRow.id == review_id)) if is_plain(review_id) else None
    if found is None or found.opened_at is None:
        raise NotFound("There is no such review.")
    return found


async def review_of_approval(tx: Tx, approval_digest: str) -> Review | None:
    """Return the review of what was approved under this digest, None if there is none."""
    return await _first(tx, _with_owner().where(ReviewRow.approval_digest == approval_digest))


async def is_reviewer(tx: Tx, invocation_id: str, person: Principal) -> bool:
    """Return whether a write waits for this person to review it, or did."""
    about = (ReviewRow.invocation_id == invocation_id, ReviewRow.opened_at.is_not(None))
    found = await tx.execute(_with_owner().where(*about))
    return any(_review(*each).is_for(person) for each in found)


async def waiting_for(tx: Tx, person: Principal, *, limit: int = 500) -> list[Review]:
    """Return the reviews that wait for a person, broken glass before samples, the oldest first.

    The database decides whom each waits for: what were left out after the limit would take the places of others.
    """
    if person.kind is not PrincipalKind.USER or person.is_suspended:
        return []
    groups, other = sorted(person.groups), aliased(ReviewerRow)
    lacks = exists().where(
        other.review_id == ReviewerRow.review_id,
        other.alternative == ReviewerRow.alternative,
        other.group_name.not_in(groups),
    )
    asked = select(ReviewerRow.review_id).where(ReviewerRow.group_name.in_(groups), ReviewerRow.is_open, ~lacks)
    is_barred = exists().where(ReviewBarredRow.review_id == ReviewRow.id, ReviewBarredRow.principal_id == person.id)
    is_owner = PrincipalRow.owner_id.is_not_distinct_from(person.id)
    waiting = _with_owner().where(ReviewRow.id.in_(asked), ~is_barred, ~is_owner)
    found = await tx.execute(waiting.order_by(ReviewRow.kind, ReviewRow.id).limit(limit))
    return [_review(*each) for each in found]


async def unreviewed_glass(tx: Tx, breaker_id: str) -> str | None:
    """Return the invocation for which somebody broke the glass and nobody has reviewed it, if there is one."""
    mine = (ReviewRow.breaker_id == breaker_id, ReviewRow.verdict.is_(None))
    found: str | None = await tx.scalar(select(ReviewRow.invocation_id).where(*mine).limit(1))
    return found


async def conclude_review(tx: Tx, review_id: str, verdict: Verdict, *, by: str, reason: str) -> Review:
    """Write down what a reviewer says.

    Raises:
        Conflict: somebody has said something already.
        NotFound: there is none with this id.
    """
    waiting = (ReviewRow.id == review_id, ReviewRow.verdict.is_(None), ReviewRow.opened_at.is_not(None))
    said: Mapping[str, Any] = {
        "verdict": verdict.value,
        "reviewer_id": by,
        "reason": reason,
        "reviewed_at": await now(tx),
    }
    done = await tx.scalar(update(ReviewRow).where(*waiting).values(said).returning(ReviewRow.id))
    review = await get_review(tx, review_id)
    if done is None:
        raise Conflict("Somebody has reviewed this already.")
    await tx.execute(update(ReviewerRow).where(ReviewerRow.review_id == review_id).values(is_open=False))
    return review


async def is_disputed(tx: Tx, invocation_id: str) -> bool:
    """Return whether somebody has disputed a write, whatever anybody else said of it."""
    about = (ReviewRow.invocation_id == invocation_id, ReviewRow.verdict == Verdict.DISPUTED.value)
    return await tx.scalar(select(ReviewRow.id).where(*about).limit(1)) is not None


async def disputes_since(tx: Tx, agent_id: str, tool_id: str, since: datetime | None) -> Review | None:
    """Return the newest dispute about what an agent did with a tool after `since`, or ever, if there is one."""
    about = (ReviewRow.agent_id == agent_id, ReviewRow.tool_id == tool_id, ReviewRow.verdict == Verdict.DISPUTED.value)
    query = _with_owner().where(*about).order_by(ReviewRow.reviewed_at.desc()).limit(1)
    return await _first(tx, query if since is None else query.where(ReviewRow.reviewed_at > since))


async def put_look(tx: Tx, look: Look) -> None:
    """Put it on record that whoever answers for a tool has looked."""
    tx.add(
        LookRow(
            id=new_id("look"),
            agent_id=look.agent_id,
            tool_id=look.tool_id,
            looked_by=look.looked_by,
            reason=look.reason,
            looked_at=look.looked_at,
        )
    )
    await tx.flush()


async def last_look(tx: Tx, agent_id: str, tool_id: str) -> datetime | None:
    """Return when somebody last looked at an agent's setbacks with a tool."""
    query = select(LookRow.looked_at).where(LookRow.agent_id == agent_id, LookRow.tool_id == tool_id)
    found: datetime | None = await tx.scalar(query.order_by(LookRow.looked_at.desc()).limit(1))
    return found


def _with_owner() -> Select[ReviewRow, str | None]:
    """Return the query for reviews, each with who owns its agent now where that agent wrote for nobody."""
    its_agent = PrincipalRow.id == ReviewRow.owned_agent_id
    return select(ReviewRow, PrincipalRow.owner_id).outerjoin(PrincipalRow, its_agent)


async def _first(tx: Tx, query: Select[ReviewRow, str | None]) -> Review | None:
    found = (await tx.execute(query.execution_options(populate_existing=True))).first()
    return None if found is None else _review(*found)


def _review(row: ReviewRow, owner_id: str | None) -> Review:
    return Review(
        id=row.id,
        kind=ReviewKind(row.kind),
        approval_digest=row.approval_digest,
        invocation_id=row.invocation_id,
        environment=row.environment,
        agent_id=row.agent_id,
        tool_id=row.tool_id,
        tool_name=row.tool_name,
        reviewers=tuple(row.reviewers),
        excluded=frozenset(row.excluded if owner_id is None else (*row.excluded, owner_id)),
        owned_agent_id=row.owned_agent_id,
        breaker_id=row.breaker_id,
        why=row.why,
        opened_at=row.opened_at,
        verdict=Verdict(row.verdict) if row.verdict else None,
        reviewer_id=row.reviewer_id,
        reason=row.reason,
        reviewed_at=row.reviewed_at,
    )
