"""Questions decided together, and the deputies who decide for others, as typed examples."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from web_gallery_approval import INBOXES
from web_gallery_grounds import BLIND, HOSTILE_GROUNDS, ORDINARY, UNUSUAL
from web_gallery_plan import PLANS
from web_gallery_tool import HOSTILE

from hub.web.batches import BatchItem, BatchPage
from hub.web.broken_glass import BrokenGlassPage
from hub.web.deputies import DeputiesPage, DeputyLine
from hub.web.inert import inert_name
from hub.web.moments import at
from hub.web.trust import TrustLine, TrustPage, Vouching
from hub.web.views.approval import InboxPage
from hub.web.wording import Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
_CARDS = INBOXES["full"].cards
_ITEMS = tuple(
    BatchItem(value=f"inv_{number} digest", card=card, grounds=ORDINARY, targets=frozenset(), is_chosen=True)
    for number, card in enumerate(_CARDS)
)
_HOSTILE = BatchItem(
    value="inv_9 digest",
    card=replace(_CARDS[0], headline=inert_name(HOSTILE)),
    grounds=HOSTILE_GROUNDS,
    targets=frozenset({"parties/1"}),
    why_not="A rule found it unusual, so it is for you to tick.",
)
_BLIND = replace(
    _HOSTILE,
    value="inv_7 digest",
    grounds=replace(ORDINARY, **BLIND),
    card=replace(_CARDS[0], is_blind=True, given=inert_name(HOSTILE)),
    why_not="Nobody knows what it would change, so it is for you to tick.",
)
_UNUSUAL = replace(
    _ITEMS[1],
    grounds=replace(UNUSUAL, is_suspended=True),
    is_chosen=False,
    why_not="Its agent is suspended and a rule found it unusual, so it is for you to tick.",
)
_PLAN = replace(
    _BLIND,
    value="inv_6 digest",
    grounds=PLANS["plan-blind"].grounds,
    card=_CARDS[0],
    why_not="Nobody knows what step 2 of it would change, so it is for you to tick.",
)
_SAME = replace(_HOSTILE, value="inv_8 digest", same_as=_HOSTILE.card)
BATCHES = {
    "some": BatchPage(action="/approvals/together/shape", items=_ITEMS, currency="EUR"),
    "no-money": BatchPage(action="/approvals/together/shape", items=_ITEMS[:1], currency=""),
    "unusual": BatchPage(action="/approvals/together/shape", items=(_ITEMS[0], _UNUSUAL), currency="EUR"),
    "plans": BatchPage(action="/approvals/together/shape", items=(_PLAN,), currency=""),
    "refused": BatchPage(
        action="/approvals/together/shape",
        items=(_BLIND, replace(_BLIND, value="inv_6 digest")),
        currency="",
        rows="5",
        reason="as agreed",
        problem="Nothing is chosen. Choose what you decide about. Nothing was decided.",
    ),
    "hostile": BatchPage(action="/approvals/together/shape", items=(*_ITEMS, _HOSTILE, _SAME, _BLIND), currency="EUR"),
}
_MINE = DeputyLine(
    who="Grace Hopper",
    is_mine=True,
    starts=at(NOW - timedelta(days=1), now=NOW),
    ends=at(NOW + timedelta(days=6), now=NOW),
    end_url="/deputies/dep_1/end",
)
WAITING = {"some": InboxPage(cards=(*_CARDS, _BLIND.card)), "none": InboxPage(cards=())}
_GLASS = BrokenGlassPage(card=_CARDS[0], action="/approvals/inv_1/broken-glass", digest="0" * 64, grounds=ORDINARY)
GLASS = {
    "form": _GLASS,
    "refused": replace(_GLASS, reason="x", problem="Say in at most 2000 characters why this cannot wait."),
    "blind": replace(_GLASS, grounds=_BLIND.grounds),
    "unusual": replace(_GLASS, grounds=UNUSUAL),
    "unreviewed": replace(_GLASS, waits_for="inv_0"),
    "hostile": replace(_GLASS, card=replace(_CARDS[0], headline=inert_name(HOSTILE)), grounds=HOSTILE_GROUNDS),
}
_TRUSTED = TrustLine(
    who=inert_name("Invoice assistant"),
    tool="version 3",
    version="3f2a91c07d5e",
    level=Word(label="level 1 of 2", meaning="20 writes came out as previewed.", tone="info"),
    proven=34,
    of=100,
    why="34 writes with these versions came out as previewed, and nobody disputes one. The next level takes 100.",
)
_LOST = replace(
    _TRUSTED,
    level=Word(label="trust lost", meaning="Until whoever answers for the tool has looked.", tone="bad"),
    proven=0,
    why="A reviewer disputes a write, and nobody has looked since.",
    evidence="/invocations/inv_1",
    look_url="/tools/tol_1/trust/agt_1",
)
TRUST = {
    "tool": TrustPage(
        subject=inert_name("party_payment_term_set"),
        back_url="/",
        lines=(_TRUSTED, _LOST),
        vouching=Vouching(is_trusted=False, action="/tools/tol_1/trust"),
        problem="Say what you found.",
    ),
    "vouched": TrustPage(
        subject=inert_name("party_find"),
        back_url="/",
        lines=(),
        vouching=Vouching(is_trusted=True, action="/tools/tol_1/trust"),
    ),
    "agent": TrustPage(subject=inert_name(HOSTILE), back_url="/people/agt_1", lines=(replace(_LOST, look_url=""),)),
}
DEPUTIES = {
    "some": DeputiesPage(lines=(_MINE, replace(_MINE, who="Ada Lovelace", is_mine=False, end_url=""))),
    "none": DeputiesPage(lines=()),
    "wrong": DeputiesPage(lines=(), deputy="nobody", problem="There is no user 'nobody'."),
    "hostile": DeputiesPage(lines=(replace(_MINE, who=HOSTILE),)),
}
