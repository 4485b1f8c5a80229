"""The channel of Slack: a message to each person with a linked account, kept up to date until the question is over.

A message is told from the effect of the call, as the pages tell it; who tells it is given in. It carries buttons where
a vote may come from Slack, and a link always. Where the hub does not know whether Slack has taken a message, it is
sent again, and says so; the buttons of both vote on the same question, once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from sqlalchemy import update

from hub import outbox
from hub.approvals import Question, by_digest, mandate_of
from hub.audit import EventKind, events_of
from hub.channels.audience import audience
from hub.channels.notices import Notice
from hub.channels.slack_api import SlackApi, SlackDeclined, SlackRefused
from hub.channels.slack_blocks import Ask, Told, again_blocks, escaped, notice_blocks, open_blocks, shut_blocks
from hub.channels.slack_messages import PREFIX, forget, keep, noted, pending
from hub.channels.tables import SlackMessageRow
from hub.core.errors import Conflict, Forbidden
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.linked import links_of
from hub.identity.principals import Principal
from hub.invocations.break_glass import GLASS_BROKEN
from hub.invocations.journal import load
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.pins import PIN_WAITS
from hub.promotions import PROMOTION_WAITS
from hub.storage import Tx, now

SLACK: Final = "slack"
"""The system of linked identities that this channel speaks to, and the last part of its topic."""
_TOPIC: Final = f"notice.{SLACK}"
_REFRESH: Final = "slack.refresh"
_REPLY: Final = "slack.reply"
_AGAIN: Final = 5
"""How often a message is written anew because the call has moved on while it was written."""
_CHANGED: Final = "This has changed since; a newer preview is asked about."
_ON_ITS_PAGE: Final = "This is decided on its page only, after a login."
_COUNTS: Final = "A vote here is your vote on exactly what this message shows."
_TOLD: Final = {
    GLASS_BROKEN: "A write went without approval: an operator broke the glass.",
    PROMOTION_WAITS: "A promotion waits for a second person: you may decide on it.",
    PIN_WAITS: "An MCP server says otherwise than was accepted: look at it, and accept or refuse it.",
}
"""What is told in one sentence with a link, and never again."""

Json = Any
"""Any JSON value."""


class Tell(Protocol):
    """Puts a question into words for one person, without what that person may not see."""

    async def __call__(self, tx: Tx, person: Principal, invocation: Invocation, question: Question) -> Told:
        """Return the words, as plain text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A message as it is to stand now: `moved` tells when it was true, `is_over` whether nothing follows."""

    text: str
    blocks: list[Json]
    is_over: bool
    moved: tuple[str | None, int] | None


class SlackChannel:
    """Asks people in Slack, and tells there what became of what they were asked."""

    name = SLACK

    def __init__(self, authority: Authority, api: SlackApi, tell: Tell, public_url: str) -> None:
        self._database = authority.database
        self._authority = authority
        self._api = api
        self._tell = tell
        self._public_url = public_url

    async def recipients(self, tx: Tx, notice: Notice) -> Sequence[str]:
        """Return whom it is for and who is linked, and the messages about the same call that it outdates."""
        is_for_people = notice.is_question or notice.event in _TOLD
        people = [one.id for one in await audience(tx, notice)] if is_for_people else []
        linked = await links_of(tx, SLACK, people)
        return [
            *(one for one in people if one in linked),
            *(row.id for row in await pending(tx, notice.about)),
        ]

    async def deliver(self, notice: Notice, recipient: str) -> None:
        """Tell a person, bring a message up to date, or answer somebody who pressed a button.

        Raises:
            NotNow: Slack asks to wait.
            SlackNotReached: this time; another attempt may go better.
            SlackRefused: for good.
        """
        if notice.event == _REPLY:
            await self._api.call("chat.postEphemeral", notice.facts)
        elif recipient.startswith(PREFIX):
            await self._bring_up_to_date(recipient)
        else:
            await self._tell_person(notice, recipient)

    async def _tell_person(self, notice: Notice, person_id: str) -> None:
        async with self._database.reading() as tx:
            is_meant = person_id in {one.id for one in await audience(tx, notice)}
            link = (await links_of(tx, SLACK, [person_id])).get(person_id)
            if link is None or not is_meant:
                return
            if notice.event in _TOLD:
                said = self._in_a_sentence(notice)
            else:
                question = await by_digest(tx, notice.facts["approval_digest"])
                assert question is not None  # noqa: S101  # it has an audience
                said = await self._said(tx, question, await get(tx, person_id))
        await self._post(notice, person_id, link.elsewhere.account, said)

    async def _post(self, notice: Notice, person_id: str, account: str, said: _Said) -> None:
        """Send a message that has not been sent; if it may have been, say in it that it is the second."""
        async with self._database.transaction() as tx:
            note, is_again = await noted(tx, notice, person_id)
            if is_again and not note.timestamp:  # nobody knows whether Slack took the first
                await self._note_sent(tx, notice, person_id)
        if note.timestamp:
            return
        blocks = [*said.blocks, *(again_blocks() if is_again else [])]
        told = {"channel": account, "text": said.text, "blocks": blocks, "unfurl_links": False}
        try:
            answer = await self._api.call("chat.postMessage", told)
        except (outbox.NotNow, SlackDeclined, SlackRefused):
            if not is_again:
                async with self._database.transaction() as tx:
                    await forget(tx, note.id)
            raise
        async with self._database.transaction() as tx:
            await keep(tx, note.id, answer, is_over=said.is_over)
            await self._note_sent(tx, notice, person_id)

    async def _note_sent(self, tx: Tx, notice: Notice, person_id: str) -> None:
        """Put on record, once, that what a call says went to a person; what is written anew goes to the same one."""
        facts = {"to": person_id, "notice": notice.id}
        sent = (one.facts for one in await events_of(tx, notice.about) if one.kind is EventKind.BODIES_SENT)
        if notice.is_question and facts not in [{name: one.get(name) for name in facts} for one in sent]:
            await self._authority.record(tx, EventKind.BODIES_SENT, notice.about, **facts)

    async def _bring_up_to_date(self, message_id: str) -> None:
        """Write a message anew as things stand, until they stand as it says."""
        moved = None
        for _ in range(_AGAIN):
            async with self._database.reading() as tx:
                row = await tx.get(SlackMessageRow, message_id)
                question = None if row is None else await by_digest(tx, row.approval_digest)
                if row is None or question is None or (row.is_over and moved is None):
                    return
                said = await self._said(tx, question, await get(tx, row.principal_id))
            if said.moved == moved:
                return
            moved = said.moved
            await self._write_anew(row, said)

    async def _write_anew(self, row: SlackMessageRow, said: _Said) -> None:
        told = {"channel": row.conversation, "ts": row.timestamp, "text": said.text, "blocks": said.blocks}
        is_over = said.is_over
        try:
            await self._api.call("chat.update", told)
        except SlackRefused:  # somebody has deleted it: there is nothing to keep up to date
            is_over = True
        if is_over:
            async with self._database.transaction() as tx:
                await tx.execute(update(SlackMessageRow).where(SlackMessageRow.id == row.id).values(is_over=True))

    async def _said(self, tx: Tx, question: Question, person: Principal) -> _Said:
        invocation = await load(tx, question.invocation_id)
        current = invocation.question
        told = await self._tell(tx, person, invocation, question)
        link = f"{self._public_url}/approvals/{invocation.id}"
        is_over = invocation.state.is_terminal
        if current is None or current.digest != question.digest:
            blocks, is_over = notice_blocks(f"{told.headline}. {_CHANGED}", link=link), True
        elif not await _waits(tx, invocation, current):
            blocks = shut_blocks(told, link=link)
        elif why_not := await _why_not(tx, current, person):
            blocks = shut_blocks(replace(told, votes=(*told.votes, why_not)), link=link)
        else:
            may_be = current.may_be_decided_elsewhere and told.is_whole
            ask = Ask(invocation_id=invocation.id, digest=current.digest) if may_be else None
            blocks = open_blocks(told, ask, link=link, note=_ON_ITS_PAGE if ask is None else _COUNTS)
        moved = (invocation.last_event_id, len(question.votes))
        return _Said(text=escaped(told.headline), blocks=blocks, is_over=is_over, moved=moved)

    def _in_a_sentence(self, notice: Notice) -> _Said:
        told = _TOLD[notice.event]
        blocks = notice_blocks(told, link=f"{self._public_url}{notice.page}")
        return _Said(text=told, blocks=blocks, is_over=True, moved=None)


async def refresh(tx: Tx, invocation_id: str) -> None:
    """Let every message about the call be brought up to date, if, and only if, `tx` commits."""
    facts = {"invocation_id": invocation_id}
    for row in await pending(tx, invocation_id):
        await _put(tx, _REFRESH, facts, row.id)


async def reply(tx: Tx, *, conversation: str, account: str, text: str) -> None:
    """Let somebody be answered who pressed a button, in that conversation, seen by nobody else."""
    facts = {"channel": conversation, "user": account, "text": escaped(text), "link_names": False}
    await _put(tx, _REPLY, facts, account)


async def _put(tx: Tx, event: str, facts: dict[str, Json], recipient: str) -> None:
    notice = Notice(id=new_id("slk"), event=event, at=await now(tx), facts=facts)
    await outbox.put(tx, topic=_TOPIC, payload={**notice.as_json(), "recipient": recipient}, key=notice.id)


async def _waits(tx: Tx, invocation: Invocation, question: Question) -> bool:
    is_asked = invocation.state is State.AWAITING_APPROVAL and question.is_open
    return is_asked and question.expires_at > await now(tx)


async def _why_not(tx: Tx, question: Question, person: Principal) -> str:
    """Return why this person has nothing to decide any more; empty if it has."""
    try:
        await mandate_of(tx, question, person)
    except (Conflict, Forbidden) as refusal:
        return refusal.message
    return ""
