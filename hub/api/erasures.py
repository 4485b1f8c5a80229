"""Erasures and legal holds: what would go, asking for it, an auditor's answer, and what must be kept."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from hub import erasures
from hub.api.access import ErasureAsker, ErasureGranter, RuntimeParameter
from hub.api.bodies import Body, Id, Why
from hub.erasures import Erasure, Hold, HoldKind, NewErasure, NewHold, Scope, ScopeKind, Stage
from hub.identity.permissions import Permission, may

router = APIRouter(prefix="/audit", tags=["erasures"])

Reason = Annotated[str, Field(min_length=1, max_length=2000, description="Kept on record, encrypted.")]
Subject = Annotated[
    str, Field(max_length=200, examples=["inv_06dvh3x5m8qk2v7c1n4pz9tbwr"], description="An id, or a record's target.")
]
Connection = Annotated[str | None, Field(default=None, max_length=40, description="Of a record: its connection.")]


class ScopeBody(Body):
    """What an erasure is about."""

    kind: ScopeKind
    subject: Subject
    connection_id: Connection = None


class ErasureBody(ScopeBody):
    """An erasure to be asked for."""

    reason: Reason


class ExtentView(BaseModel):
    """How much would be deleted now."""

    invocations: int
    previews: int
    events: int
    values: int = Field(description="Private values of events; their commitments and proofs stay.")


class ErasureView(BaseModel):
    """An erasure as it stands."""

    id: str
    kind: ScopeKind
    subject: str
    connection_id: str | None
    reason: str
    stage: Stage
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    answer: str | None = Field(description="Why it was refused.")
    counts: dict[str, int] = Field(description="How much was deleted.")


class Erasures(BaseModel):
    """Erasures, the newest first."""

    items: list[ErasureView]


class HoldBody(Body):
    """What must be kept: an invocation, what is about a person or a record, or everything since a moment."""

    kind: HoldKind
    subject: Annotated[str, Field(max_length=200)] = ""
    connection_id: Connection = None
    since: AwareDatetime | None = None
    reason: Reason


class HoldView(HoldBody):
    """A legal hold that stands."""

    id: str
    set_by: str
    set_at: datetime


class Holds(BaseModel):
    """The legal holds that stand, the newest first."""

    items: list[HoldView]


@router.post("/erasures/survey", operation_id="surveyErasure", summary="See what an erasure would delete")
async def survey_erasure(runtime: RuntimeParameter, _acting: ErasureAsker, wanted: ScopeBody) -> ExtentView:
    """Return how much an erasure would delete now. Nothing is changed, and nothing is on record."""
    async with runtime.database.reading() as tx:
        found = await erasures.survey(tx, _scope(wanted))
    return ExtentView(**found.as_json())


@router.post("/erasures", operation_id="askErasure", summary="Ask for an erasure", status_code=201)
async def ask_erasure(runtime: RuntimeParameter, acting: ErasureAsker, wanted: ErasureBody) -> ErasureView:
    """Ask for an erasure; nothing is deleted before an auditor who is somebody else grants it."""
    new = NewErasure(scope=_scope(wanted), reason=wanted.reason)
    async with runtime.database.transaction() as tx:
        return _erasure(await erasures.ask(tx, new, acting.principal, acting.authority(runtime)))


@router.get("/erasures", operation_id="listErasures", summary="List erasures")
async def list_erasures(runtime: RuntimeParameter, acting: ErasureAsker) -> Erasures:
    """Return the newest erasures: all of them to auditors, to others those that they asked for."""
    asked_by = None if may(acting.principal, Permission.GRANT_ERASURE) else acting.principal.id
    async with runtime.database.reading() as tx:
        return Erasures(items=[_erasure(one) for one in await erasures.erasures(tx, asked_by=asked_by)])


@router.put("/erasures/{erasure_id}/grant", operation_id="grantErasure", summary="Grant an erasure")
async def grant_erasure(runtime: RuntimeParameter, acting: ErasureGranter, erasure_id: Id) -> ErasureView:
    """Delete what somebody else has asked to be deleted: all of it, or, if anything forbids it, nothing."""
    async with runtime.database.transaction() as tx:
        return _erasure(await erasures.grant(tx, erasure_id, acting.principal, acting.authority(runtime)))


@router.put("/erasures/{erasure_id}/refusal", operation_id="refuseErasure", summary="Refuse an erasure")
async def refuse_erasure(runtime: RuntimeParameter, acting: ErasureGranter, erasure_id: Id, why: Why) -> ErasureView:
    """Say no to an erasure, and why."""
    async with runtime.database.transaction() as tx:
        authority = acting.authority(runtime)
        return _erasure(await erasures.refuse(tx, erasure_id, why.reason, acting.principal, authority))


@router.get("/holds", operation_id="listHolds", summary="List the legal holds that stand")
async def list_holds(runtime: RuntimeParameter, _acting: ErasureGranter) -> Holds:
    """Return the legal holds that stand."""
    async with runtime.database.reading() as tx:
        return Holds(items=[_hold(one) for one in await erasures.holds_now(tx)])


@router.post("/holds", operation_id="setHold", summary="Set a legal hold", status_code=201)
async def set_hold(runtime: RuntimeParameter, acting: ErasureGranter, wanted: HoldBody) -> HoldView:
    """Let neither an erasure nor retention delete what the hold covers, from now on."""
    new = NewHold(**wanted.model_dump())
    async with runtime.database.transaction() as tx:
        return _hold(await erasures.set_hold(tx, new, acting.authority(runtime)))


@router.put("/holds/{hold_id}/lifting", operation_id="liftHold", summary="Lift a legal hold", status_code=204)
async def lift_hold(runtime: RuntimeParameter, acting: ErasureGranter, hold_id: Id, why: Why) -> None:
    """Lift a legal hold; what has grown too old meanwhile is deleted when retention comes by next."""
    async with runtime.database.transaction() as tx:
        await erasures.lift_hold(tx, hold_id, why.reason, acting.authority(runtime))


def _scope(wanted: ScopeBody) -> Scope:
    return Scope(kind=wanted.kind, subject=wanted.subject, connection_id=wanted.connection_id)


def _erasure(one: Erasure) -> ErasureView:
    return ErasureView(
        id=one.id,
        kind=one.scope.kind,
        subject=one.scope.subject,
        connection_id=one.scope.connection_id,
        reason=one.reason,
        stage=one.stage,
        asked_by=one.asked_by,
        asked_at=one.asked_at,
        decided_by=one.decided_by,
        decided_at=one.decided_at,
        answer=one.answer,
        counts=dict(one.counts),
    )


def _hold(one: Hold) -> HoldView:
    return HoldView(
        id=one.id,
        kind=one.kind,
        subject=one.subject,
        connection_id=one.connection_id,
        since=one.since,
        reason=one.reason,
        set_by=one.set_by,
        set_at=one.set_at,
    )
