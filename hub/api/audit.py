"""The audit log: pages of events, the newest signed checkpoint, the export that anybody can verify."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from hub import audit
from hub.api.access import Auditor, RuntimeParameter
from hub.api.bodies import Body, Id
from hub.api.events import EventView, event_view
from hub.api.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, seal, unseal
from hub.audit import EventFilter, EventKind, ForeignFormat
from hub.bundles import recorded_policy
from hub.core.errors import NotFound

router = APIRouter(prefix="/audit", tags=["audit"])

JSON_LINES: Final = "application/jsonl"


def _lines(description: str) -> dict[int | str, dict[str, Any]]:
    """Return what a schema of the API says of a stream of lines."""
    return {200: {"description": description, "content": {JSON_LINES: {}}}}


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


class Values(BaseModel):
    """The private values of one event, each checked against its commitment."""

    values: dict[str, Any]


class ExportBody(Body):
    """What to export."""

    with_values: bool = Field(default=False, description="With the private values; that they left is on record.")
    since: str | None = Field(
        default=None, max_length=4000, description="An older checkpoint's note: only what came after it."
    )


class FeedBody(Body):
    """Which events are wanted, and how."""

    format: ForeignFormat
    first: int = Field(default=0, ge=0, le=2**53 - 1, description="Begin at the event with this number.")


class EvidenceBody(Body):
    """On what evidence is wanted."""

    invocation_id: str = Field(max_length=40, examples=["inv_06dvh3x5m8qk2v7c1n4pz9tbwr"])
    with_values: bool = Field(default=False, description="With the private values; that they left is on record.")


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


@router.post("/events/{event_id}/values", operation_id="readEventValues", summary="Read the private values of an event")
async def read_values(runtime: RuntimeParameter, acting: Auditor, event_id: Id) -> Values:
    """Return what has not been erased of an event's private values. That they were read is an event too."""
    async with runtime.database.transaction() as tx:
        values = await audit.open_values(tx, event_id, runtime.keys)
        await acting.authority(runtime).record(tx, EventKind.BODIES_READ, event_id, fields=sorted(values))
    return Values(values=values)


@router.get("/checkpoint", operation_id="getCheckpoint", summary="The newest checkpoint")
async def get_checkpoint(runtime: RuntimeParameter, _acting: Auditor) -> CheckpointView:
    """Return the newest signed checkpoint; whoever keeps it finds out if the log is cut or rewritten later."""
    async with runtime.database.reading() as tx:
        checkpoint = await audit.latest_checkpoint(tx, runtime.keys)
    if checkpoint is None:
        raise NotFound("Nothing has been sealed yet; ask again in a second.")
    return CheckpointView(size=checkpoint.size, note=checkpoint.note)


@router.post(
    "/evidence",
    operation_id="createEvidence",
    summary="Evidence on one invocation",
    response_class=StreamingResponse,
    responses=_lines("One JSON line after another, the page last."),
)
async def create_evidence(runtime: RuntimeParameter, acting: Auditor, wanted: EvidenceBody) -> StreamingResponse:
    """Stream all that the log holds on one invocation; `toolhub audit verify` checks it without the hub."""
    order = audit.EvidenceOrder(
        subject=wanted.invocation_id, by=acting.principal.id, policy=recorded_policy, with_values=wanted.with_values
    )
    return await _streamed(
        audit.evidence_lines(runtime.database, runtime.keys, order), name=f"{wanted.invocation_id}.jsonl"
    )


@router.post(
    "/exports",
    operation_id="createExport",
    summary="Export the log",
    response_class=StreamingResponse,
    responses=_lines("One JSON line after another, the header first."),
)
async def create_export(runtime: RuntimeParameter, acting: Auditor, wanted: ExportBody) -> StreamingResponse:
    """Stream the log with its proofs; `toolhub audit verify` checks it without the hub. The export is an event too."""
    order = audit.ExportOrder(by=acting.principal.id, with_values=wanted.with_values, since=wanted.since)
    return await _streamed(audit.export_lines(runtime.database, runtime.keys, order), name="audit.jsonl")


@router.post(
    "/feeds",
    operation_id="createFeed",
    summary="Events for another system",
    response_class=StreamingResponse,
    responses=_lines("One JSON line for each event."),
)
async def create_feed(runtime: RuntimeParameter, acting: Auditor, wanted: FeedBody) -> StreamingResponse:
    """Stream events as OCSF, CloudEvents or OTLP, without private values; that it was asked for is an event too."""
    order = audit.FeedOrder(by=acting.principal.id, shape=wanted.format, first=wanted.first)
    return await _streamed(
        audit.feed_lines(runtime.database, runtime.keys, order), name=f"events.{wanted.format}.jsonl"
    )


async def _streamed(lines: AsyncGenerator[bytes], *, name: str) -> StreamingResponse:
    """Return `lines` as a file of that name, begun: what is wrong with the order is said before anything leaves."""
    header = await anext(lines)

    async def whole() -> AsyncIterator[bytes]:
        yield header
        async for line in lines:
            yield line

    attached = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(whole(), media_type=JSON_LINES, headers=attached)
