"""Reviews and what rests on them: letting a write go without approval, looking afterwards, and trust in agents."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from connectors.sdk.preview import Preview
from hub.api.access import GlassBreaker, Person, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.api.invocations import InvocationView
from hub.api.invocations import view as invocation_view
from hub.api.repeats import IdempotencyKey, Keyed, answer_alike
from hub.core.errors import NotFound
from hub.identity import directory
from hub.identity.permissions import Permission, may
from hub.invocations.break_glass import Breaking, break_glass
from hub.invocations.looking import note_looks
from hub.invocations.masking import as_seen_by
from hub.invocations.queries import look_at
from hub.invocations.reviewing import LONGEST_REASON, Remark, remark, see_review
from hub.invocations.trust import Looked, bonds_of_agent, restore, trust_of
from hub.reviews import Review, ReviewKind, Verdict, waiting_for

router = APIRouter(tags=["reviews"])


class ReviewView(BaseModel):
    """One write that is looked at after the fact."""

    id: str
    kind: ReviewKind
    invocation_id: str
    environment: str
    agent_id: str
    tool: str
    broken_by: str | None = Field(description="The operator who let it go without approval; null for a sample.")
    why: str
    opened_at: datetime | None
    verdict: Verdict | None
    reviewer_id: str | None
    reason: str | None
    reviewed_at: datetime | None


class WholeReviewView(ReviewView):
    """A review with the write it is about, and what was known of that before it went."""

    invocation: InvocationView
    preview: Preview | None


class Reviews(BaseModel):
    """The reviews that wait for the caller, broken glass first; each tells by itself what it is about."""

    items: list[ReviewView]


class RemarkBody(Body):
    """What the reviewer says."""

    verdict: Verdict
    reason: str = Field(default="", max_length=LONGEST_REASON, description="Needed for a dispute.")


class GlassBody(Body):
    """Why a write cannot wait for those who are asked."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="`digest` of what was looked at.")]
    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


class TrustView(BaseModel):
    """How far an agent is trusted with one version of a tool, and why."""

    tool: str
    tool_id: str
    tool_version_digest: str
    agent_version: int
    level: int = Field(description="0 to 2; policy sees it as `trust_level`.")
    why: str
    invocation_id: str | None = Field(description="The write that took the trust away, until somebody has looked.")


class TrustRecord(BaseModel):
    """What an agent has earned, tool by tool, the latest used first."""

    items: list[TrustView]


class LookBody(Body):
    """What whoever answers for the tool found."""

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


@router.post("/approvals/{invocation_id}/broken-glass", operation_id="breakGlass", summary="Break the glass")
async def break_the_glass(
    runtime: RuntimeParameter,
    acting: GlassBreaker,
    invocation_id: Id,
    body: GlassBody,
    idempotency_key: IdempotencyKey = None,
) -> InvocationView:
    """Let exactly what `digest` stands for go without its approval; somebody else reviews it afterwards."""
    if acting.caller.authenticated_at is None:
        raise TypeError("a person came in without a login")
    breaking = Breaking(
        invocation_id=invocation_id,
        digest=body.digest,
        breaker=acting.principal,
        authenticated_at=acting.caller.authenticated_at,
        reason=body.reason,
    )

    async def let_go() -> InvocationView:
        broken = await break_glass(breaking, runtime)
        await note_looks(acting.caller, [broken], acting.authority(runtime), runtime)
        return invocation_view(await as_seen_by(acting.caller, broken, runtime), runtime)

    payload = {"invocation": invocation_id, **body.model_dump(mode="json")}
    keyed = Keyed(key=idempotency_key, operation="breakGlass", payload=payload, is_safe_again=True, about=invocation_id)
    return await answer_alike(keyed, acting, runtime, InvocationView, let_go)


@router.get("/reviews", operation_id="listReviews", summary="List the reviews that wait for one")
async def list_reviews(runtime: RuntimeParameter, acting: Person) -> Reviews:
    """Return the writes that nobody approved and that the caller may look at."""
    async with runtime.database.reading() as tx:
        return Reviews(items=[_view(one) for one in await waiting_for(tx, acting.principal)])


@router.get("/reviews/{review_id}", operation_id="getReview", summary="One review")
async def get_review(runtime: RuntimeParameter, acting: Person, review_id: Id) -> WholeReviewView:
    """Return a review to whoever may do it, with the write, as far as policy lets the caller see it."""
    async with runtime.database.reading() as tx:
        review = await see_review(tx, review_id, acting.principal)
    looked_at = await look_at(runtime, acting.caller, review.invocation_id)
    await note_looks(acting.caller, [looked_at], acting.authority(runtime), runtime)
    seen = await as_seen_by(acting.caller, looked_at, runtime)
    return WholeReviewView(
        **_view(review).model_dump(),
        invocation=invocation_view(seen, runtime).model_copy(update={"result": None}),  # it is theirs whose call it is
        preview=seen.preview and seen.preview.preview,
    )


@router.put("/reviews/{review_id}/verdict", operation_id="concludeReview", summary="Say whether it was right")
async def conclude_review(runtime: RuntimeParameter, acting: Person, review_id: Id, body: RemarkBody) -> ReviewView:
    """Record that a write was fine, or dispute it: a dispute takes the agent's trust with the tool away at once."""
    said = Remark(review_id=review_id, reviewer=acting.principal, verdict=body.verdict, reason=body.reason)
    return _view(await remark(said, runtime))


@router.get("/agents/{agent_id}/trust", operation_id="listAgentTrust", summary="How far an agent is trusted")
async def list_trust(runtime: RuntimeParameter, acting: Person, agent_id: Id) -> TrustRecord:
    """Return an agent's trust, tool by tool, to its owner and those who manage accounts."""
    async with runtime.database.reading() as tx:
        agent = await directory.get(tx, agent_id)
        if agent.owner_id != acting.principal.id and not may(acting.principal, Permission.MANAGE_ACCOUNTS):
            raise NotFound(f"There is no agent {agent_id!r}.")
        items = [
            TrustView(
                tool=name,
                tool_id=bond.tool_id,
                tool_version_digest=bond.tool_version_digest,
                agent_version=bond.agent_version,
                level=trust.level,
                why=trust.why,
                invocation_id=trust.invocation_id,
            )
            for name, bond in await bonds_of_agent(tx, agent_id)
            for trust in [await trust_of(tx, bond)]
        ]
    return TrustRecord(items=items)


@router.put(
    "/agents/{agent_id}/trust/{tool_id}/look",
    operation_id="restoreTrust",
    summary="Say that one has looked",
    status_code=204,
)
async def restore_trust(runtime: RuntimeParameter, acting: Person, agent_id: Id, tool_id: Id, body: LookBody) -> None:
    """Let an agent earn trust with a tool again, for the tool's owner, who has looked at what went wrong."""
    looked = Looked(agent_id=agent_id, tool_id=tool_id, reason=body.reason)
    async with runtime.database.transaction() as tx:
        await restore(tx, looked, acting.authority(runtime))


def _view(review: Review) -> ReviewView:
    return ReviewView(
        id=review.id,
        kind=review.kind,
        invocation_id=review.invocation_id,
        environment=review.environment,
        agent_id=review.agent_id,
        tool=review.tool_name,
        broken_by=review.breaker_id,
        why=review.why,
        opened_at=review.opened_at,
        verdict=review.verdict,
        reviewer_id=review.reviewer_id,
        reason=review.reason,
        reviewed_at=review.reviewed_at,
    )
