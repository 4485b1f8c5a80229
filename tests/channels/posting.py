"""Words for tests of channels: channels that remember, and a worker that delivers until nothing is due."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select, update

from hub.channels import Channel, Notice, handlers
from hub.outbox import MessageState, deliver
from hub.outbox.tables import MessageRow
from hub.storage import Database, Tx, now


@dataclass(kw_only=True)
class Pigeons:
    """A channel that remembers whom it told, and fails as often as it is told."""

    name: str = "pigeons"
    keepers: tuple[str, ...] = ("ann",)
    failures: int = 0
    told: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    notices: list[Notice] = field(default_factory=list[Notice])

    async def recipients(self, tx: Tx, notice: Notice) -> Sequence[str]:  # noqa: ARG002  # a channel's way
        """Return its keepers, whatever there is to tell."""
        return self.keepers

    async def deliver(self, notice: Notice, recipient: str) -> None:
        """Remember, or fail."""
        if self.failures:
            self.failures -= 1
            raise ConnectionError("fog")
        self.told.append((notice.event, recipient))
        self.notices.append(notice)


async def post(database: Database, *channels: Channel) -> None:
    """Deliver all that is due, and what comes of it."""
    while await deliver(database, handlers(database, channels)):
        pass


async def make_due(database: Database) -> None:
    """Let the time pass after which what failed is tried again."""
    async with database.transaction() as tx:
        waiting = MessageRow.state == MessageState.WAITING.value
        await tx.execute(update(MessageRow).where(waiting).values(due_at=await now(tx) - timedelta(seconds=1)))


async def states(database: Database, topic: str) -> list[str]:
    """Return how the messages of a topic stand, the oldest first."""
    async with database.reading() as tx:
        query = select(MessageRow.state).where(MessageRow.topic == topic).order_by(MessageRow.id)
        return list(await tx.scalars(query))


async def forget_that_it_was_spread(database: Database, topics: Iterable[str]) -> None:
    """Put the record back to before notices were spread, as a crash does that came after the spreading."""
    async with database.transaction() as tx:
        again = {"state": MessageState.WAITING.value, "due_at": await now(tx) - timedelta(seconds=1)}
        await tx.execute(update(MessageRow).where(MessageRow.topic.in_(topics)).values(again))
