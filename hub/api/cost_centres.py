"""Cost centres: what there is, opening, changing and closing them, and assigning costs from now on."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from hub import metrics
from hub.api.access import Person, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.metrics import Bearer, Centre, Change, NewCentre, Stretch, Wish

router = APIRouter(tags=["metrics"])


class CentreBody(Body):
    """A cost centre to be opened."""

    code: str = Field(min_length=1, max_length=32, description="Its code in the books; never used again.")
    title: str = Field(min_length=1, max_length=120)
    owner: str = Field(min_length=1, max_length=64, description="Who answers for it: an account name.")


class CentreChange(Body):
    """What is to be different; what is left out stays."""

    title: str = Field(default="", max_length=120)
    owner: str = Field(default="", max_length=64, description="An account name.")


class CentreView(BaseModel):
    """A cost centre."""

    id: str
    code: str
    title: str
    owner_id: str
    created_at: datetime
    closed_at: datetime | None


class CentreList(BaseModel):
    """The cost centres that the caller may see, by their codes; there are few."""

    items: list[CentreView]


class StretchView(BaseModel):
    """From when until when the costs of an agent, a user or a server go there."""

    kind: Bearer
    subject: str
    valid_from: datetime
    valid_until: datetime | None = Field(description="Null: until somebody assigns them elsewhere.")
    assigned_by: str | None


class CentreDetail(CentreView):
    """A cost centre with all that ever was assigned to it, the latest first."""

    assignments: list[StretchView]


class AssignmentBody(Body):
    """Where costs are to go. Of one call, the agent's assignment counts, else that of its user, else its server's."""

    kind: Bearer
    subject: str = Field(min_length=1, max_length=48, description="The id of an agent or a user, or a server's name.")
    cost_centre: str | None = Field(max_length=40, description="Its id; null: to none.")
    valid_from: AwareDatetime | None = Field(default=None, description="Not in the past; null: from now on.")


class AssignmentView(AssignmentBody):
    """An assignment as it was recorded."""

    id: str
    assigned_by: str | None


@router.get("/cost-centres", operation_id="listCostCentres", summary="List cost centres")
async def list_centres(runtime: RuntimeParameter, acting: Person) -> CentreList:
    """Return every cost centre to those who see all numbers or manage them, to others those they answer for."""
    async with runtime.database.reading() as tx:
        return CentreList(items=[_view(one) for one in await metrics.centres(tx, acting.principal)])


@router.post("/cost-centres", operation_id="openCostCentre", summary="Open a cost centre", status_code=201)
async def open_centre(runtime: RuntimeParameter, acting: Person, wanted: CentreBody) -> CentreView:
    """Open a cost centre."""
    new = NewCentre(code=wanted.code, title=wanted.title, owner=wanted.owner)
    async with runtime.database.transaction() as tx:
        return _view(await metrics.open_centre(tx, new, acting.principal, acting.authority(runtime)))


@router.get("/cost-centres/{centre_id}", operation_id="getCostCentre", summary="One cost centre")
async def get_centre(runtime: RuntimeParameter, acting: Person, centre_id: Id) -> CentreDetail:
    """Return a cost centre with its assignments."""
    async with runtime.database.reading() as tx:
        found = await metrics.centre(tx, centre_id, acting.principal)
        assigned = await metrics.assignments_to(tx, found.id)
    return CentreDetail(**_view(found).model_dump(), assignments=[_stretch(one) for one in assigned])


@router.patch("/cost-centres/{centre_id}", operation_id="changeCostCentre", summary="Change a cost centre")
async def change_centre(runtime: RuntimeParameter, acting: Person, centre_id: Id, wanted: CentreChange) -> CentreView:
    """Give a cost centre another title or owner; its code and its past stay."""
    change = Change(title=wanted.title, owner=wanted.owner)
    async with runtime.database.transaction() as tx:
        return _view(await metrics.change_centre(tx, centre_id, change, acting.principal, acting.authority(runtime)))


@router.delete(
    "/cost-centres/{centre_id}", operation_id="closeCostCentre", summary="Close a cost centre", status_code=204
)
async def close_centre(runtime: RuntimeParameter, acting: Person, centre_id: Id) -> None:
    """Let nothing more go there; what went there stays."""
    async with runtime.database.transaction() as tx:
        await metrics.close_centre(tx, centre_id, acting.principal, acting.authority(runtime))


@router.post("/cost-assignments", operation_id="assignCosts", summary="Assign costs", status_code=201)
async def assign(runtime: RuntimeParameter, acting: Person, wanted: AssignmentBody) -> AssignmentView:
    """Let the costs of an agent, a user or a server go to a cost centre from a moment on; earlier costs stay."""
    wish = Wish(kind=wanted.kind, subject=wanted.subject, centre_id=wanted.cost_centre, valid_from=wanted.valid_from)
    async with runtime.database.transaction() as tx:
        done = await metrics.assign(tx, wish, acting.principal, acting.authority(runtime))
    return AssignmentView(
        id=done.id,
        kind=done.kind,
        subject=done.subject,
        cost_centre=done.centre_id,
        valid_from=done.valid_from,
        assigned_by=done.assigned_by,
    )


def _view(one: Centre) -> CentreView:
    return CentreView(
        id=one.id,
        code=one.code,
        title=one.title,
        owner_id=one.owner_id,
        created_at=one.created_at,
        closed_at=one.closed_at,
    )


def _stretch(one: Stretch) -> StretchView:
    return StretchView(
        kind=one.assignment.kind,
        subject=one.assignment.subject,
        valid_from=one.assignment.valid_from,
        valid_until=one.valid_until,
        assigned_by=one.assignment.assigned_by,
    )
