"""Batches: questions of the same shape that wait for the caller, and one decision about several of them."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub.api.access import Person, RuntimeParameter
from hub.api.approvals import ApprovalView, all_shown_to
from hub.api.bodies import Body
from hub.api.repeats import IdempotencyKey, Keyed, answer_alike
from hub.approvals import Ballot, Choice, Limit
from hub.core.errors import InputError
from hub.invocations.batch import MOST_ITEMS, Decided, Item, vote_on_batch, waiting_together

router = APIRouter(prefix="/approval-batches", tags=["approvals"])


class BatchView(BaseModel):
    """Questions of the same agent, tool version, connection, obligations, changed fields and kinds of side effects."""

    shape: str
    stage: int
    items: list[ApprovalView]


class BatchList(BaseModel):
    """The batches that wait for the caller, the most urgent first."""

    items: list[BatchView]


class ItemBody(Body):
    """One item, and the digest of what was seen of it."""

    invocation_id: str = Field(min_length=1, max_length=40)
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class LimitBody(Body):
    """How far an item may reach to be decided with the others; what reaches further is left undecided."""

    money_minor: int | None = Field(default=None, ge=0, le=2**53 - 1)
    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$", description="Needed with `money_minor`.")
    rows: int | None = Field(default=None, ge=0, le=2**31)


class BatchVoteBody(Body):
    """One decision about several items, each by its own digest."""

    items: list[ItemBody] = Field(min_length=1, max_length=MOST_ITEMS)
    choice: Choice
    reason: str = Field(default="", max_length=2000, description="Needed for a rejection; it goes back to the agent.")
    limit: LimitBody = LimitBody()


class DecidedView(BaseModel):
    """What came of one item."""

    invocation_id: str
    state: str | None = Field(description="Where it stands; null when the vote was not counted.")
    why_not: str


class BatchOutcome(BaseModel):
    """What came of each item, in the order they were sent."""

    items: list[DecidedView]


@router.get("", operation_id="listBatches", summary="List batches")
async def list_batches(runtime: RuntimeParameter, acting: Person) -> BatchList:
    """Return the questions of the same shape that wait for the caller; what is alone in its shape is not among them."""
    async with runtime.database.reading() as tx:
        found = await waiting_together(tx, acting.principal)
    views = [
        BatchView(shape=batch[0].shape, stage=batch[0].stage, items=await all_shown_to(acting, batch, runtime))
        for batch in found
    ]
    return BatchList(items=[view for view in views if view.items])


@router.post("/votes", operation_id="castBatchVote", summary="Vote on several items of a batch")
async def cast_batch_vote(
    runtime: RuntimeParameter, acting: Person, wanted: BatchVoteBody, idempotency_key: IdempotencyKey = None
) -> BatchOutcome:
    """Count the caller's vote on each item by itself; one that is refused does not stop the others."""
    if acting.caller.authenticated_at is None:
        raise TypeError("a person came in without a login")
    if wanted.limit.money_minor is not None and wanted.limit.currency is None:
        raise InputError("Say in which currency the limit is.")
    ballot = Ballot(
        invocation_id="",  # each item brings its own, with its own digest
        digest="",
        choice=wanted.choice,
        reason=wanted.reason,
        voter=acting.principal,
        authenticated_at=acting.caller.authenticated_at,
    )
    items = [Item(invocation_id=one.invocation_id, digest=one.digest) for one in wanted.items]

    async def count() -> BatchOutcome:
        return _outcome(await vote_on_batch(ballot, items, Limit(**wanted.limit.model_dump()), runtime))

    payload = wanted.model_dump(mode="json")
    keyed = Keyed(key=idempotency_key, operation="castBatchVote", payload=payload, is_safe_again=True)
    return await answer_alike(keyed, acting, runtime, BatchOutcome, count)


def _outcome(decided: Iterable[Decided]) -> BatchOutcome:
    return BatchOutcome(
        items=[
            DecidedView(invocation_id=one.invocation_id, state=one.state and one.state.value, why_not=one.why_not)
            for one in decided
        ]
    )
