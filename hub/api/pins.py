"""Pins: what federated servers say otherwise than their owners accepted, the decision about it, and looking again."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub import pins
from hub.api.access import Member, Person, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.invocations.pinning import changed_by, look_for
from hub.pins import Advice, Change, Sign, State
from hub.registry.differing import Difference, Kind

router = APIRouter(prefix="/pins", tags=["pins"])

Json = Any
"""Any JSON value."""


class AdviceView(BaseModel):
    """Something to look at twice."""

    operation: str
    sign: Sign
    says: str


class PinView(BaseModel):
    """A change that waits, or what became of it."""

    id: str
    connector: str
    connection_id: str
    digest: str = Field(description="Stands for what the server says; send it with the decision.")
    state: State
    found_at: datetime
    ended_at: datetime | None
    decided_by: str | None
    reason: str | None
    advice: list[AdviceView]


class FieldView(BaseModel):
    """One field that is otherwise, by its JSON pointer; null: it is not there.

    Where the items of a list have names, a name stands in the pointer in the place of the item's number.
    """

    pointer: str
    before: Json
    after: Json


class DifferenceView(BaseModel):
    """What is otherwise of one operation, and all of a new one; an empty name: of the connector itself."""

    operation: str
    kind: Kind
    fields: list[FieldView]


class PinDetail(PinView):
    """A change with all that is otherwise than it is registered now."""

    differences: list[DifferenceView]


class PinList(BaseModel):
    """Changes, the newest first."""

    items: list[PinView]


class LookBody(Body):
    """Whose server to look at."""

    connection_id: Id


class LookView(BaseModel):
    """What a look came to."""

    change_id: str | None = Field(description="What waits since; null: nothing new.")
    problem: str | None = Field(description="Why there was nothing to see.")


class PinDecision(Body):
    """What somebody decided, having looked."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="`digest` of what was looked at.")]
    agree: bool
    reason: str = Field(default="", max_length=2000, description="Needed for a no.")


@router.get("", operation_id="listPins", summary="List what servers say otherwise")
async def list_pins(runtime: RuntimeParameter, _acting: Member, before: Id | None = None) -> PinList:
    """Return what federated servers have said otherwise than was accepted, the newest first."""
    async with runtime.database.reading() as tx:
        return PinList(items=[PinView(**_told(one)) for one in await pins.changes(tx, before=before)])


@router.post("/looks", operation_id="lookAtServer", summary="Look at a federated server now")
async def look_at_server(runtime: RuntimeParameter, acting: Person, body: LookBody) -> LookView:
    """Compare what a server says now with what was accepted; for the connection's owner or an administrator."""
    seen = await look_for(body.connection_id, runtime, acting.authority(runtime))
    return LookView(change_id=seen.change.id if seen.change else None, problem=seen.problem)


@router.get("/{pin_id}", operation_id="getPin", summary="What a server says otherwise")
async def get_pin(runtime: RuntimeParameter, _acting: Member, pin_id: Id) -> PinDetail:
    """Return one change, field by field."""
    async with runtime.database.reading() as tx:
        change = await pins.get_change(tx, pin_id)
        found = await changed_by(tx, change)
    return PinDetail(**_told(change), differences=[_difference(one) for one in found])


@router.put("/{pin_id}/decision", operation_id="decidePin", summary="Accept or refuse what a server says")
async def decide_pin(runtime: RuntimeParameter, acting: Person, pin_id: Id, body: PinDecision) -> PinView:
    """Make a release of it, in use in dev, or leave everything as it was; for the connector's owner."""
    authority = acting.authority(runtime)
    async with runtime.database.transaction() as tx:
        if body.agree:
            return PinView(**_told(await pins.accept(tx, pin_id, body.digest, authority)))
        return PinView(**_told(await pins.refuse(tx, pin_id, body.digest, body.reason, authority)))


def _told(one: Change) -> dict[str, Json]:
    return {
        "id": one.id,
        "connector": one.connector,
        "connection_id": one.connection_id,
        "digest": one.digest,
        "state": one.state,
        "found_at": one.found_at,
        "ended_at": one.ended_at,
        "decided_by": one.decided_by,
        "reason": one.reason,
        "advice": [_advice(each) for each in one.advice],
    }


def _advice(one: Advice) -> AdviceView:
    return AdviceView(operation=one.operation, sign=one.sign, says=one.says)


def _difference(one: Difference) -> DifferenceView:
    fields = [FieldView(pointer=each.pointer, before=each.before, after=each.after) for each in one.fields]
    return DifferenceView(operation=one.operation, kind=one.kind, fields=fields)
