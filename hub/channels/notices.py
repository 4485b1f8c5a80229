"""Notices: what the hub tells of, and their way into channels, one message for each channel and recipient.

A notice begins as one message in the outbox, put in the transaction of what it tells of. Delivering that message means
to put one more for each channel and recipient, all in one transaction, each under a key of its own. So a channel that
fails is tried again alone; a crash in between makes the same messages again, which are the ones that are there. What
leaves the hub, leaves at least once: a crash after a channel has sent, and before that is on record, sends again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from hub import outbox
from hub.identity.expiring import SECRET_ENDS_SOON
from hub.invocations.alarming import AGENT_SUSPENDED
from hub.invocations.approve import APPROVAL_REQUESTED
from hub.invocations.break_glass import GLASS_BROKEN
from hub.invocations.journal import INVOCATION_MOVED
from hub.invocations.reminders import APPROVAL_ESCALATED, APPROVAL_REMINDED
from hub.outbox import Handler, Message
from hub.pins import PIN_WAITS
from hub.promotions import PROMOTION_WAITS
from hub.storage import Database, Tx

QUESTIONS: Final = (APPROVAL_REQUESTED, APPROVAL_REMINDED, APPROVAL_ESCALATED)
"""The topics of a question that waits."""
CHANNEL_TOPIC: Final = "notice."
"""What the topics of channels in the outbox begin with."""
TOPICS: Final = (
    *QUESTIONS,
    GLASS_BROKEN,
    AGENT_SUSPENDED,
    SECRET_ENDS_SOON,
    PROMOTION_WAITS,
    PIN_WAITS,
    INVOCATION_MOVED,
)
"""The topics of the outbox that are notices. What stands in their payload is ids, states, groups and digests."""

_ABOUT: Final = {SECRET_ENDS_SOON: "secret_id", PROMOTION_WAITS: "promotion_id", PIN_WAITS: "pin_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell: the same `id` however often it is told."""

    id: str
    event: str
    at: datetime
    facts: Mapping[str, Any]

    @property
    def about(self) -> str:
        """Return the id of what it is about: an invocation, a promotion, a pin, or a secret of an agent."""
        return str(self.facts[_ABOUT.get(self.event, "invocation_id")])

    @property
    def is_question(self) -> bool:
        """Return whether it tells of a question that waits."""
        return self.event in QUESTIONS

    @property
    def page(self) -> str:
        """Return the path of the page that it leads to."""
        if self.event in {AGENT_SUSPENDED, SECRET_ENDS_SOON}:
            return f"/people/{self.facts['agent_id']}"
        if self.event == PROMOTION_WAITS:
            return f"/promotions/{self.about}"
        if self.event == PIN_WAITS:
            return f"/pins/{self.about}"
        return f"/{'approvals' if self.is_question else 'invocations'}/{self.about}"

    def as_json(self) -> dict[str, Any]:
        """Return what waits in the outbox until a channel has delivered it."""
        return {"notice": self.id, "event": self.event, "at": self.at.isoformat(), "facts": dict(self.facts)}


class Channel(Protocol):
    """One way to reach somebody."""

    @property
    def name(self) -> str:
        """The last part of its topic in the outbox."""
        ...

    async def recipients(self, tx: Tx, notice: Notice) -> Sequence[str]:
        """Return who is to hear of `notice` this way, by short names that stay the same; nobody, if nobody is."""
        ...

    async def deliver(self, notice: Notice, recipient: str) -> None:
        """Tell one recipient; whatever it raises means "not told, try again later"."""
        ...


def handlers(database: Database, channels: Iterable[Channel]) -> Mapping[str, Handler]:
    """Return who delivers the messages of each topic: those that begin a notice, and those of each channel."""
    there = tuple(channels)

    async def spread(message: Message) -> None:
        notice = Notice(id=message.id, event=_event_of(message), at=message.created_at, facts=message.payload)
        async with database.transaction() as tx:
            for channel in there:
                for recipient in await channel.recipients(tx, notice):
                    payload = {**notice.as_json(), "recipient": recipient}
                    await outbox.put(tx, topic=_topic(channel), payload=payload, key=f"{notice.id}:{recipient}")

    return dict.fromkeys(TOPICS, spread) | {_topic(channel): _delivering(channel) for channel in there}


def _delivering(channel: Channel) -> Handler:
    async def deliver(message: Message) -> None:
        payload = message.payload
        at = datetime.fromisoformat(payload["at"])
        notice = Notice(id=payload["notice"], event=payload["event"], at=at, facts=payload["facts"])
        await channel.deliver(notice, payload["recipient"])

    return deliver


def _topic(channel: Channel) -> str:
    return f"{CHANNEL_TOPIC}{channel.name}"


def _event_of(message: Message) -> str:
    """Return what happened, in the words of webhooks: an invocation that moved is named by where it stands."""
    state = message.payload.get("state")
    return message.topic if state is None else f"invocation.{str(state).lower()}"
