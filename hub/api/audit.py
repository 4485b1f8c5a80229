"""The audit log: pages of events, the newest signed checkpoint, the export that anybody can verify."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hub import audit
from hub.api.access import Auditor, RuntimeParameter
from hub.api.events import EventView, event_view
from hub.api.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, seal, unseal
from hub.audit import EventFilter, EventKind
from hub.core.errors import NotFound

router = APIRouter(prefix="/audit", tags=["audit"])


class EventListing(BaseModel):
    """Which events are asked for."""

    kind: EventKind | None = None
    subject: str | None = Field(default=None, max_length=64, description="The id of what they are about.")
    actor: str | None = Field(default=None, max_length=64)
    cursor: str | None = Field(default=None, max_length=2000, description="`next_cursor` of the page before.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


class CheckpointView(BaseModel):
    """A signed head of the log's tree."""

    size: int
    note: str = Field(description="The signed note (C2SP), as it can be kept elsewhere.")


@router.get("/events", operation_id="listEvents", summary="List events")
async def list_events(
    runtime: RuntimeParameter, acting: Auditor, listing: Annotated[EventListing, Query()]
) -> Page[EventView]:
    """Return events, newest first; private values stay commitments."""
    place = f"events:{listing.kind or ''}:{listing.subject or ''}:{listing.actor or ''}"
    before = unseal(runtime, acting, place, listing.cursor)
    wanted = EventFilter(kind=listing.kind, subject=listing.subject, actor=listing.actor)
    async with runtime.database.reading() as tx:
        found = await audit.page_of_events(
            tx, wanted=wanted, before=None if before is None else int(before), limit=listing.limit + 1
        )
    shown = found[: listing.limit]
    more = seal(runtime, acting, place, str(shown[-1].entry)) if len(found) > listing.limit else None
    return Page(items=[event_view(one) for one in shown], next_cursor=more)


@router.get("/checkpoint", operation_id="getCheckpoint", summary="The newest checkpoint")
async def get_checkpoint(runtime: RuntimeParameter, _acting: Auditor) -> CheckpointView:
    """Return the newest signed checkpoint; whoever keeps it finds out if the log is cut or rewritten later."""
    async with runtime.database.reading() as tx:
        checkpoint = await audit.latest_checkpoint(tx, runtime.keys)
    if checkpoint is None:
        raise NotFound("Nothing has been sealed yet; ask again in a second.")
    return CheckpointView(size=checkpoint.size, note=checkpoint.note)
