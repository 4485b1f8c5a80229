"""Deputies: who votes in whose place while they are away. Everybody names their own."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from hub.api.access import Person, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.api.repeats import IdempotencyKey, Keyed, answer_alike
from hub.approvals import Absence, Deputyship, deputyships, end_deputyship, name_deputy

router = APIRouter(prefix="/deputies", tags=["approvals"])


class DeputyView(BaseModel):
    """Who votes for whom, from when until when."""

    id: str
    absent_id: str
    deputy_id: str
    starts_at: datetime
    ends_at: datetime


class DeputyList(BaseModel):
    """Those the caller has named, and those it stands in for, now or later."""

    items: list[DeputyView]


class AbsenceBody(Body):
    """Who votes in the caller's place, and when. A deputy is bound by all that binds the caller."""

    deputy: str = Field(min_length=1, max_length=64, description="An account name.")
    starts_at: AwareDatetime
    ends_at: AwareDatetime = Field(description="At most 90 days later.")


@router.get("", operation_id="listDeputies", summary="List deputies")
async def list_deputies(runtime: RuntimeParameter, acting: Person) -> DeputyList:
    """Return who stands in for the caller and for whom the caller does, the earliest first."""
    async with runtime.database.reading() as tx:
        found = await deputyships(tx, acting.principal)
    return DeputyList(items=[_view(one) for one in found])


@router.post("", operation_id="nameDeputy", summary="Name a deputy", status_code=201)
async def add_deputy(
    runtime: RuntimeParameter, acting: Person, wanted: AbsenceBody, idempotency_key: IdempotencyKey = None
) -> DeputyView:
    """Let somebody vote in the caller's place for a time; one person at a time."""
    absence = Absence(absent=acting.principal, deputy=wanted.deputy, starts_at=wanted.starts_at, ends_at=wanted.ends_at)

    async def name() -> DeputyView:
        async with runtime.database.transaction() as tx:
            return _view(await name_deputy(tx, absence, acting.authority(runtime)))

    payload = wanted.model_dump(mode="json")
    keyed = Keyed(key=idempotency_key, operation="nameDeputy", payload=payload, is_safe_again=True)
    return await answer_alike(keyed, acting, runtime, DeputyView, name)


@router.post("/{deputyship_id}/end", operation_id="endDeputy", summary="End a deputyship", status_code=204)
async def end_deputy(runtime: RuntimeParameter, acting: Person, deputyship_id: Id) -> None:
    """Let a deputy of the caller vote no longer; what it has voted on stays."""
    async with runtime.database.transaction() as tx:
        await end_deputyship(tx, deputyship_id, acting.principal, acting.authority(runtime))


def _view(one: Deputyship) -> DeputyView:
    return DeputyView(
        id=one.id,
        absent_id=one.absent_id,
        deputy_id=one.deputy_id,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
    )
