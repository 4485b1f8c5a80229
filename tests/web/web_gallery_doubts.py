"""Writes in doubt and the page on which one is settled, as typed examples."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from web_gallery_grounds import BLIND, HOSTILE_GROUNDS, ORDINARY, UNUSUAL
from web_gallery_tool import HOSTILE

from connectors.sdk.vocabulary import Tier, UpstreamClass
from hub.web.comparison import plain_fields
from hub.web.doubts import DoubtCard, DoubtPage, DoubtsPage, FoundLine
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.wording import TIERS, UPSTREAM_CLASSES, Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
_CARD = DoubtCard(
    url="/doubts/inv_1",
    headline=inert_name("Send notes_post in Notes"),
    agent=inert_name("Invoice assistant"),
    on_behalf_of="Olive Owner",
    tool="notes_post",
    system=inert_name("Notes"),
    tier=TIERS[Tier.HIGH],
    sent=at(NOW - timedelta(minutes=12), now=NOW),
    why=inert("The tool reports an error: it broke."),
    upstream_class=UPSTREAM_CLASSES[UpstreamClass.D],
)
_HOSTILE_CARD = replace(
    _CARD,
    headline=inert_name(HOSTILE),
    agent=inert_name(HOSTILE),
    on_behalf_of=HOSTILE,
    system=inert_name(HOSTILE),
    why=inert(HOSTILE),
)
_FOUND = FoundLine(
    who="Omar Operator",
    what=Word(label="it was done", meaning="", tone="good"),
    reason=inert("The note is on the board, posted at 13:48."),
    at=at(NOW - timedelta(minutes=2), now=NOW),
)
_DOUBT = DoubtPage(
    id="inv_1",
    card=_CARD,
    invocation_url="/invocations/inv_1",
    reference="inv_1.1",
    grounds=replace(ORDINARY, **BLIND, argument_fields=plain_fields({"text": "Back at noon"})),
    found=(),
    needed=1,
    action="/doubts/inv_1",
)
DOUBT_LISTS = {
    "none": DoubtsPage(cards=()),
    "some": DoubtsPage(cards=(_CARD, replace(_CARD, url="/doubts/inv_2", why=None))),
    "cut": DoubtsPage(cards=(_CARD,) * 3, is_cut=True),
    "hostile": DoubtsPage(cards=(_HOSTILE_CARD,)),
}
DOUBTS = {
    "blind": _DOUBT,
    "previewed": replace(_DOUBT, grounds=UNUSUAL),
    "looked-for": replace(
        _DOUBT,
        card=replace(_CARD, upstream_class=UPSTREAM_CLASSES[UpstreamClass.B]),
        grounds=UNUSUAL,
        looks_again=at(NOW + timedelta(minutes=4), now=NOW),
    ),
    "looked-for-now": replace(_DOUBT, grounds=UNUSUAL, looks_again=at(NOW, now=NOW)),
    "critical": replace(_DOUBT, card=replace(_CARD, tier=TIERS[Tier.CRITICAL]), found=(_FOUND,), needed=2),
    "refused": replace(_DOUBT, reason="I looked.", problem="Another operator found the opposite. Look together."),
    "own": replace(_DOUBT, action=""),
    "hostile": replace(
        _DOUBT,
        card=_HOSTILE_CARD,
        grounds=HOSTILE_GROUNDS,
        found=(replace(_FOUND, who=HOSTILE, reason=inert(HOSTILE)),),
    ),
}
