"""Promotions: asking that a release be used in staging or prod, its gates, the decision, and taking it back."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub import promotions
from hub.api.access import Member, Person, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.invocations.promoting import ask_for, check_gates
from hub.promotions import Decision, Gate, Likeness, Played, Promotion, Stand, State, Wish
from hub.registry import Environment

router = APIRouter(prefix="/promotions", tags=["promotions"])

Reason = Annotated[str, Field(min_length=1, max_length=2000)]


class GateView(BaseModel):
    """How one gate stood when it was looked at last; it is looked at again when the release is put in use."""

    gate: Gate
    stand: Stand
    reason: str


class PlayedView(BaseModel):
    """One recorded write, played with the release from the record alone."""

    invocation_id: str
    tool: str
    likeness: Likeness = Field(description="`unsure`: it asks what was never asked, or nothing is on record.")
    reasons: list[str]


class PromotionView(BaseModel):
    """One promotion."""

    id: str
    connector: str
    environment: Environment
    release_id: str
    version: str
    former_release_id: str | None
    former_version: str | None = Field(description="What is replaced, and comes back if the promotion is reverted.")
    state: State
    reason: str
    asked_by: str | None = Field(description="Null: the hub's own console.")
    asked_at: datetime
    gates: list[GateView]
    played: list[PlayedView]
    explanation: str | None
    explained_by: str | None = Field(description="Who explained it, and does not decide; null: nobody, or the console.")
    digest: str = Field(description="Stands for all of the above; send it with the decision.")
    decided_by: str | None
    decided_at: datetime | None
    ended_at: datetime | None
    ended_why: str | None


class PromotionList(BaseModel):
    """Promotions, the newest first."""

    items: list[PromotionView]


class WishBody(Body):
    """What is to be used where."""

    connector: str = Field(max_length=32)
    environment: Environment
    reason: Reason
    release_id: Id | None = Field(default=None, description="Default: what is in use in the environment before.")


class DecisionBody(Body):
    """What somebody decided, having looked."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="`digest` of what was looked at.")]
    agree: bool
    reason: str = Field(default="", max_length=2000, description="Needed for a no.")


class ReasonBody(Body):
    """Why."""

    reason: Reason


@router.get("", operation_id="listPromotions", summary="List promotions")
async def list_promotions(
    runtime: RuntimeParameter, _acting: Member, connector: str | None = None, before: Id | None = None
) -> PromotionList:
    """Return promotions of one connector or of all, the newest first, without what single calls came to."""
    async with runtime.database.reading() as tx:
        found = await promotions.promotions(tx, connector=connector, before=before, limit=50)
    return PromotionList(items=[promotion_view(one, shows_calls=False) for one in found])


@router.post("", operation_id="askPromotion", summary="Ask for a promotion", status_code=201)
async def ask_promotion(runtime: RuntimeParameter, acting: Person, body: WishBody) -> PromotionView:
    """Ask that a release be used in an environment, and look at its gates; for the connector's owner."""
    wish = Wish(connector=body.connector, environment=body.environment, reason=body.reason, release_id=body.release_id)
    return promotion_view(await ask_for(wish, runtime, acting.authority(runtime)))


@router.get("/{promotion_id}", operation_id="getPromotion", summary="One promotion")
async def get_promotion(runtime: RuntimeParameter, acting: Member, promotion_id: Id) -> PromotionView:
    """Return a promotion with its gates; single calls only to those who ask, decide, or can take it back."""
    async with runtime.database.reading() as tx:
        found = await promotions.get_promotion(tx, promotion_id)
        shows_calls = await promotions.may_look(tx, found, runtime.promotions, acting.principal.id)
        return promotion_view(found, shows_calls=shows_calls)


@router.post("/{promotion_id}/checks", operation_id="checkPromotion", summary="Look at the gates again")
async def check_promotion(runtime: RuntimeParameter, acting: Person, promotion_id: Id) -> PromotionView:
    """Look at every gate again and play the recorded writes; nothing is sent to any system."""
    return promotion_view(await check_gates(promotion_id, runtime, acting.authority(runtime)))


@router.put("/{promotion_id}/explanation", operation_id="explainPromotion", summary="Explain what differs")
async def explain_promotion(
    runtime: RuntimeParameter, acting: Person, promotion_id: Id, body: ReasonBody
) -> PromotionView:
    """Say why recorded writes come out otherwise, for the one who decides."""
    async with runtime.database.transaction() as tx:
        authority = acting.authority(runtime)
        return promotion_view(await promotions.explain(tx, promotion_id, body.reason, runtime.promotions, authority))


@router.put("/{promotion_id}/decision", operation_id="decidePromotion", summary="Decide on a promotion")
async def decide_promotion(
    runtime: RuntimeParameter, acting: Person, promotion_id: Id, body: DecisionBody
) -> PromotionView:
    """Put the release in use, if every gate holds at this moment, or refuse it."""
    decision = Decision(digest=body.digest, reason=body.reason, authenticated_at=acting.caller.authenticated_at)
    decide = promotions.put_in_force if body.agree else promotions.reject
    async with runtime.database.transaction() as tx:
        return promotion_view(await decide(tx, promotion_id, decision, runtime.promotions, acting.authority(runtime)))


@router.post("/{promotion_id}/withdrawal", operation_id="withdrawPromotion", summary="Take back the wish")
async def withdraw_promotion(
    runtime: RuntimeParameter, acting: Person, promotion_id: Id, body: ReasonBody
) -> PromotionView:
    """Take back a promotion that nobody has decided on."""
    async with runtime.database.transaction() as tx:
        return promotion_view(await promotions.withdraw(tx, promotion_id, body.reason, acting.authority(runtime)))


@router.post("/{promotion_id}/reversal", operation_id="revertPromotion", summary="Use the former release again")
async def revert_promotion(
    runtime: RuntimeParameter, acting: Person, promotion_id: Id, body: ReasonBody
) -> PromotionView:
    """Use the former release again at once; for the connector's owner, administrators and operators."""
    async with runtime.database.transaction() as tx:
        return promotion_view(await promotions.revert(tx, promotion_id, body.reason, acting.authority(runtime)))


def promotion_view(one: Promotion, *, shows_calls: bool = True) -> PromotionView:
    """Return a promotion as the API tells it, to some without what single calls came to."""
    played = one.rehearsal.played if one.rehearsal and shows_calls else ()
    return PromotionView(
        id=one.id,
        connector=one.connector,
        environment=one.environment,
        release_id=one.release_id,
        version=one.version,
        former_release_id=one.former_release_id,
        former_version=one.former_version,
        state=one.state,
        reason=one.reason,
        asked_by=one.asked_by,
        asked_at=one.asked_at,
        gates=[GateView(gate=each.gate, stand=each.stand, reason=each.reason) for each in one.findings],
        played=[_played(each) for each in played],
        explanation=one.explanation if shows_calls else None,
        explained_by=one.explained_by,
        digest=one.digest,
        decided_by=one.decided_by,
        decided_at=one.decided_at,
        ended_at=one.ended_at,
        ended_why=one.ended_why,
    )


def _played(one: Played) -> PlayedView:
    return PlayedView(invocation_id=one.invocation_id, tool=one.tool, likeness=one.likeness, reasons=list(one.reasons))
