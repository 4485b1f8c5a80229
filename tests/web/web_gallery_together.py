"""Questions decided together, and the deputies who decide for others, as typed examples."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from web_gallery_approval import HOSTILE_CHANGE, INBOXES, TERM
from web_gallery_tool import HOSTILE

from connectors.sdk.vocabulary import Reversal
from hub.web.batches import BatchItem, BatchPage
from hub.web.broken_glass import BrokenGlassPage
from hub.web.comparison import comparison, plain_fields
from hub.web.deputies import DeputiesPage, DeputyLine
from hub.web.inert import inert_name
from hub.web.moments import at
from hub.web.trust import TrustLine, TrustPage, Vouching
from hub.web.views.approval import InboxPage
from hub.web.wording import REVERSALS, Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
_CARDS = INBOXES["full"].cards
_GIVEN = plain_fields({"id": "n1", "text": HOSTILE})
_ITEMS = tuple(
    BatchItem(
        value=f"inv_{number} digest",
        card=card,
        changes=(comparison(TERM),),
        argument_fields=_GIVEN,
        undo=REVERSALS[Reversal.EXACT],
        targets=frozenset(),
        is_chosen=True,
    )
    for number, card in enumerate(_CARDS)
)
_HOSTILE = BatchItem(
    value="inv_9 digest",
    card=replace(_CARDS[0], headline=inert_name(HOSTILE)),
    changes=(comparison(HOSTILE_CHANGE),),
    argument_fields=_GIVEN,
    undo=REVERSALS[Reversal.NONE],
    targets=frozenset({"parties/1"}),
)
_BLIND = replace(
    _ITEMS[0],
    value="inv_7 digest",
    is_chosen=False,
    changes=(),
    card=replace(_CARDS[0], is_blind=True, given=inert_name(HOSTILE)),
)
_SAME = replace(_HOSTILE, value="inv_8 digest", same_as=_HOSTILE.card)
BATCHES = {
    "some": BatchPage(action="/approvals/together/shape", items=_ITEMS, currency="EUR"),
    "no-money": BatchPage(action="/approvals/together/shape", items=_ITEMS[:1], currency=""),
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
_GLASS = BrokenGlassPage(
    card=_CARDS[0], action="/approvals/inv_1/broken-glass", digest="0" * 64, changes=(comparison(TERM),)
)
GLASS = {
    "form": _GLASS,
    "refused": replace(_GLASS, reason="x", problem="Say in at most 2000 characters why this cannot wait."),
    "unreviewed": replace(_GLASS, waits_for="inv_0"),
    "hostile": replace(
        _GLASS, card=replace(_CARDS[0], headline=inert_name(HOSTILE)), changes=(comparison(HOSTILE_CHANGE),)
    ),
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
