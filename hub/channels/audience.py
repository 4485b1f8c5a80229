"""The audience: the people whom a notice is for, asked again when it is delivered, for who they are may change."""

from collections.abc import Iterable

from hub.approvals import Question, electorate, latest, may_look
from hub.channels.notices import Notice
from hub.identity import directory
from hub.identity.expiring import SECRET_ENDS_SOON
from hub.identity.principals import Principal, PrincipalKind
from hub.invocations.alarming import AGENT_SUSPENDED
from hub.invocations.break_glass import GLASS_BROKEN
from hub.invocations.reminders import APPROVAL_ESCALATED
from hub.pins import PIN_WAITS
from hub.pins import deciders as deciders_on_pin
from hub.promotions import PROMOTION_WAITS, deciders
from hub.storage import Tx, now


async def audience(tx: Tx, notice: Notice) -> list[Principal]:
    """Return who is to hear of `notice` now, each once; nobody of a question that is answered or asked anew."""
    if notice.event in {GLASS_BROKEN, AGENT_SUSPENDED, SECRET_ENDS_SOON}:
        return _people((await directory.get_many(tx, notice.facts["owners"])).values())
    if notice.event == PROMOTION_WAITS:
        facts = notice.facts
        return await deciders(tx, notice.about, facts["promotion_digest"], facts["deciders"])
    if notice.event == PIN_WAITS:
        return await deciders_on_pin(tx, notice.about)
    question = await _asked(tx, notice) if notice.is_question else None
    if question is None:
        return []
    if notice.event == APPROVAL_ESCALATED:
        return await _told(tx, notice, question)
    return await electorate(tx, question) if question.stage == notice.facts["stage"] else []


async def _asked(tx: Tx, notice: Notice) -> Question | None:
    question = await latest(tx, notice.about)
    if question is None or question.digest != notice.facts["approval_digest"]:
        return None
    return question if question.is_open and question.expires_at > await now(tx) else None


async def _told(tx: Tx, notice: Notice, question: Question) -> list[Principal]:
    """Return those whom the question was escalated to and who may look at it."""
    found = await directory.get_many(tx, notice.facts["people"])
    for group in notice.facts["groups"]:
        found |= {one.id: one for one in await directory.members(tx, group)}
    return [one for one in _people(found.values()) if await may_look(tx, one, question)]


def _people(found: Iterable[Principal]) -> list[Principal]:
    active = (one for one in found if one.kind is PrincipalKind.USER and not one.is_suspended)
    return sorted(active, key=lambda one: one.id)
