"""Newcomers: the agents that came by themselves, for whoever reviews them."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub.api.access import AccountManager, RuntimeParameter
from hub.api.agents import AgentView, view
from hub.api.bodies import Id
from hub.api.paging import DEFAULT_LIMIT, CursorParameter, LimitParameter, Page, seal, unseal
from hub.identity import arrivals

router = APIRouter(prefix="/newcomers", tags=["agents"])

PLACE = "newcomers"


class NewcomerView(BaseModel):
    """An agent that nobody registered."""

    agent: AgentView
    came_at: datetime
    used_at: datetime | None = Field(description="When it got its first token; one that never did goes by itself.")
    document_url: str | None = Field(description="Its metadata document; without one, it registered itself.")
    redirect_uris: list[str]


@router.get("", operation_id="listNewcomers", summary="Agents that came by themselves")
async def list_newcomers(
    runtime: RuntimeParameter,
    acting: AccountManager,
    cursor: CursorParameter = None,
    limit: LimitParameter = DEFAULT_LIMIT,
) -> Page[NewcomerView]:
    """Return the agents that nobody registered, the latest first."""
    before = unseal(runtime, acting, PLACE, cursor)
    async with runtime.database.reading() as tx:
        found = await arrivals.arrivals(tx, before=before, limit=limit + 1)
    more = seal(runtime, acting, PLACE, found[limit - 1].agent.id) if len(found) > limit else None
    return Page(items=[_view(one) for one in found[:limit]], next_cursor=more)


@router.put("/{agent_id}/acceptance", operation_id="acceptNewcomer", summary="Accept an agent that came by itself")
async def accept_newcomer(runtime: RuntimeParameter, acting: AccountManager, agent_id: Id) -> AgentView:
    """Let a newcomer be an agent like any other, within the limits that it has; to refuse one, suspend it."""
    async with runtime.database.transaction() as tx:
        return view(await arrivals.accept(tx, agent_id, acting.authority(runtime)))


def _view(one: arrivals.Arrival) -> NewcomerView:
    return NewcomerView(
        agent=view(one.agent),
        came_at=one.came_at,
        used_at=one.used_at,
        document_url=one.document,
        redirect_uris=list(one.redirect_uris),
    )
