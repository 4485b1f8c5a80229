"""Questions decided together, and the deputies who decide for others, as typed examples."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from web_gallery_approval import HOSTILE_CHANGE, INBOXES, TERM
from web_gallery_tool import HOSTILE

from hub.web.batches import BatchItem, BatchPage
from hub.web.comparison import comparison
from hub.web.deputies import DeputiesPage, DeputyLine
from hub.web.inert import inert_name
from hub.web.moments import at

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
_CARDS = INBOXES["full"].cards
_ITEMS = tuple(
    BatchItem(value=f"inv_{number} digest", card=card, changes=(comparison(TERM),))
    for number, card in enumerate(_CARDS)
)
_HOSTILE = BatchItem(
    value="inv_9 digest", card=replace(_CARDS[0], headline=inert_name(HOSTILE)), changes=(comparison(HOSTILE_CHANGE),)
)
BATCHES = {
    "some": BatchPage(action="/approvals/together/shape", items=_ITEMS, currency="EUR"),
    "no-money": BatchPage(action="/approvals/together/shape", items=_ITEMS[:1], currency=""),
    "hostile": BatchPage(action="/approvals/together/shape", items=(*_ITEMS, _HOSTILE), currency="EUR"),
}
_MINE = DeputyLine(
    who="Grace Hopper",
    is_mine=True,
    starts=at(NOW - timedelta(days=1), now=NOW),
    ends=at(NOW + timedelta(days=6), now=NOW),
    end_url="/deputies/dep_1/end",
)
DEPUTIES = {
    "some": DeputiesPage(lines=(_MINE, replace(_MINE, who="Ada Lovelace", is_mine=False, end_url=""))),
    "none": DeputiesPage(lines=()),
    "wrong": DeputiesPage(lines=(), deputy="nobody", problem="There is no user 'nobody'."),
    "hostile": DeputiesPage(lines=(replace(_MINE, who=HOSTILE),)),
}
