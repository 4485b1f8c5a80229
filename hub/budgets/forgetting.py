"""What of limits is forgotten: counts of windows that are long over, and of runs that nobody goes on with.

Agents name their runs as they like, and each name has rows of its own. Nothing that is forgotten would be asked for.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, exists, or_, select

from hub.budgets.tables import LimitRow, PlaceRow, TakenRow, UsageRow
from hub.budgets.values import Measure
from hub.storage import Tx, now

_OVER: Final = timedelta(days=1)
"""For so long after its end a window is kept: what took of it may still be giving back."""
RUNS_KEPT: Final = timedelta(days=90)
"""For so long after its time is over a run is known to have had it; a run that is named the same later begins anew."""


async def forget_usage(tx: Tx) -> None:
    """Forget what was counted long ago, under limits that were lifted, and of calls at once where none is under way."""
    at = await now(tx)
    over, begun = int((at - _OVER).timestamp()), int((at - RUNS_KEPT).timestamp())
    for row in (UsageRow, TakenRow):
        seconds = select(LimitRow.seconds).where(LimitRow.id == row.limit_id).scalar_subquery()
        await tx.execute(delete(row).where(row.began > 0, row.began + seconds < over))
    mine = LimitRow.id == UsageRow.limit_id
    amount = select(LimitRow.amount).where(mine).scalar_subquery()
    under_way = exists().where(PlaceRow.limit_id == UsageRow.limit_id, PlaceRow.subject == UsageRow.subject)
    forgotten = or_(
        exists().where(mine, LimitRow.lifted_at < at - _OVER),
        exists().where(mine, LimitRow.measure == Measure.TIME.value) & (UsageRow.used + amount < begun),
        exists().where(mine, LimitRow.measure == Measure.AT_ONCE.value) & ~under_way,
    )
    await tx.execute(delete(UsageRow).where(forgotten))
