"""Limits and kill switches: what there is, setting and lifting them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hub import budgets
from hub.api.access import Person, RuntimeParameter, Stopper
from hub.api.bodies import Body, Id, Reason
from hub.budgets import Limit, Measure, NewLimit, Per, StopKind
from hub.storage import now

router = APIRouter(tags=["limits"])

_NAMED = "The agent, tool (or connector/tool) or connection, by id or by name; empty: the hub."
Subject = Annotated[str, Query(max_length=160, description=_NAMED)]


class LimitBody(Body):
    """A limit: at most so much of what, within which window, of whom."""

    per: Per
    subject: str = Field(default="", max_length=160, description="An id or a name; empty: each one.")
    measure: Measure
    unit: str = Field(default="", max_length=32, description="Of money and cost: a currency, or what cost is told in.")
    amount: int = Field(ge=0, le=2**53 - 1, description="Money in minor units.")
    seconds: int = Field(
        default=0,
        ge=0,
        le=366 * 24 * 3600,
        description="How long a window lasts; windows begin in UTC. 0 for at_once and time, which have none.",
    )


class LimitView(LimitBody):
    """A limit that counts now."""

    id: str
    words: str


class LimitList(BaseModel):
    """Every limit that counts now."""

    items: list[LimitView]


class OwnLimitView(LimitView):
    """A limit that counts for something of the caller's, and how much of it is used now."""

    used: int = Field(description="How much is used; of a limit for each agent or tool, by the one that used most.")
    used_by: str | None = Field(description="The id of that agent or tool; null: none of them was called yet.")
    frees_at: datetime | None = Field(description="When the window ends; null: it has none.")
    may_change: bool = Field(description="Whether the caller may set or lift it.")


class OwnLimitList(BaseModel):
    """The limits that count for what the caller owns: their own first, then those of each agent or tool."""

    items: list[OwnLimitView]


class StopBody(Body):
    """A switch to be turned on."""

    kind: StopKind
    subject: str = Field(default="", max_length=160, description=_NAMED)
    reason: Reason


class StopView(StopBody):
    """A switch that is on."""

    set_by: str | None
    set_at: datetime


class StopList(BaseModel):
    """Every switch that is on."""

    items: list[StopView]


@router.get("/limits", operation_id="listLimits", summary="List limits")
async def list_limits(runtime: RuntimeParameter, _acting: Stopper) -> LimitList:
    """Return every limit that counts now."""
    async with runtime.database.reading() as tx:
        return LimitList(items=[_limit(one) for one in await budgets.limits_now(tx)])


@router.get("/limits/own", operation_id="listOwnLimits", summary="List the limits of what is mine")
async def list_own_limits(runtime: RuntimeParameter, acting: Person) -> OwnLimitList:
    """Return the limits that count for the agents and tools the caller owns, with how much of each is used."""
    async with runtime.database.reading() as tx:
        mine = await budgets.owned(tx, acting.principal.id)
        used, moment = await budgets.used_now(tx, mine), await now(tx)
        liftable = await budgets.liftable(tx, acting.authority(runtime))
    own = {one.id for one in mine}
    return OwnLimitList(
        items=[
            OwnLimitView(
                **_limit(one.limit).model_dump(),
                used=one.amount,
                used_by=one.own.id if one.own else None,
                frees_at=one.limit.frees(moment) if one.limit.measure.has_window else None,
                may_change=one.limit.id in liftable and one.limit.subject in own,
            )
            for one in used
        ]
    )


@router.post("/limits", operation_id="setLimit", summary="Set a limit", status_code=201)
async def set_limit(runtime: RuntimeParameter, acting: Person, wanted: LimitBody) -> LimitView:
    """Set a limit, from the next call on: administrators for all, owners for their own agent or tool."""
    new = NewLimit(
        per=wanted.per,
        subject=wanted.subject,
        measure=wanted.measure,
        unit=wanted.unit,
        amount=wanted.amount,
        seconds=wanted.seconds,
    )
    async with runtime.database.transaction() as tx:
        return _limit(await budgets.set_limit(tx, new, acting.authority(runtime)))


@router.delete("/limits/{limit_id}", operation_id="liftLimit", summary="Lift a limit", status_code=204)
async def lift_limit(runtime: RuntimeParameter, acting: Person, limit_id: Id) -> None:
    """Lift a limit, from the next call on."""
    async with runtime.database.transaction() as tx:
        await budgets.lift_limit(tx, limit_id, acting.authority(runtime))


@router.get("/stops", operation_id="listStops", summary="List the kill switches that are on")
async def list_stops(runtime: RuntimeParameter, _acting: Stopper) -> StopList:
    """Return every kill switch that is on."""
    async with runtime.database.reading() as tx:
        found = await budgets.stops_now(tx)
    return StopList(
        items=[
            StopView(kind=one.kind, subject=one.subject, reason=one.reason, set_by=one.set_by, set_at=one.set_at)
            for one in found
        ]
    )


@router.put("/stops", operation_id="setStop", summary="Turn a kill switch on", status_code=204)
async def set_stop(runtime: RuntimeParameter, acting: Stopper, wanted: StopBody) -> None:
    """Begin and claim no more calls of an agent, a tool, a connection or the whole hub; what is sent is finished."""
    async with runtime.database.transaction() as tx:
        await budgets.set_stop(tx, wanted.kind, wanted.subject, wanted.reason, acting.authority(runtime))


@router.delete("/stops/{kind}", operation_id="liftStop", summary="Turn a kill switch off", status_code=204)
async def lift_stop(runtime: RuntimeParameter, acting: Stopper, kind: StopKind, subject: Subject = "") -> None:
    """Let calls go on; what was approved and waits is taken up again."""
    async with runtime.database.transaction() as tx:
        await budgets.lift_stop(tx, kind, subject, acting.authority(runtime))


def _limit(one: Limit) -> LimitView:
    return LimitView(
        id=one.id,
        words=one.words,
        per=one.per,
        subject=one.subject,
        measure=one.measure,
        unit=one.unit,
        amount=one.amount,
        seconds=one.seconds,
    )
