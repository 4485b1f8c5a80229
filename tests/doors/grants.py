"""Standing grants of the approver, for tests of doors."""

from datetime import UTC, datetime, timedelta

from doors.working_hub import WorkingHub
from hub.identity.directory import get
from hub.invocations.granting import Wanted, give
from hub.standing import StandingGrant


async def grant_like(hub: WorkingHub, invocation_id: str) -> StandingGrant:
    """Let the approver allow three more calls like one that waits."""
    async with hub.database.reading() as tx:
        giver = await get(tx, hub.people["approver"].id)
    wanted = Wanted(
        like=invocation_id,
        giver=giver,
        authenticated_at=datetime.now(UTC),
        reason="Tickets are routine.",
        uses=3,
        lasts=timedelta(days=7),
    )
    return await give(wanted, hub.runtime)
