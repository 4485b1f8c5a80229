"""Standing grants and reviews in every state, as typed examples."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from web_gallery_grounds import BLIND, HOSTILE_GROUNDS, UNUSUAL
from web_gallery_tool import HOSTILE

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect, Tier
from hub.invocations.states import State
from hub.web.comparison import comparison
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.state_words import STATES
from hub.web.views.grants import GrantCard, GrantsPage, LimitField, NewGrantPage
from hub.web.views.reviews import ReviewCard, ReviewsPage
from hub.web.wording import TIERS, Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
GRANT = GrantCard(
    agent=inert_name("Invoice assistant"),
    tool="refund_post",
    giver=inert_name("Ann Approver"),
    group="approvers",
    environment="prod",
    tier=TIERS[Tier.HIGH],
    state=Word(label="in force", meaning="", tone="good"),
    left="9 of 10 uses left",
    money="EUR 400.00 left",
    limits=(("amount_minor", inert("at most 10,000")),),
    beside=(),
    to_anybody=False,
    reason=inert("Small refunds are routine."),
    expires=at(NOW + timedelta(days=6), now=NOW),
    like_url="/approvals/inv_1",
    revoke_url="/standing-grants/grant_1/revoke",
)
MAILING = replace(GRANT, beside=(inert_name("mail"), inert_name("letter")), to_anybody=True)
ENDED = replace(
    GRANT,
    beside=(inert_name("mail"),),
    state=Word(label="it was revoked", meaning=""),
    revoke_url="",
    money="",
    limits=(),
)
GRANTS = {
    "some": GrantsPage(cards=(GRANT, MAILING, ENDED)),
    "none": GrantsPage(cards=()),
    "hostile": GrantsPage(
        cards=(replace(GRANT, agent=inert_name(HOSTILE), beside=(inert_name(HOSTILE),), reason=inert(HOSTILE)),)
    ),
}
FORM = NewGrantPage(
    action="/approvals/inv_1/standing-grant",
    back_url="/approvals/inv_1",
    headline=inert_name("Create a record refunds/new in shop"),
    agent=inert_name("Invoice assistant"),
    tool="refund_post",
    group="approvers",
    environment="prod",
    reach="1 record and 1 party in one call",
    side_effects=(),
    fields=(
        LimitField(name="amount_minor", value=inert("9900"), is_number=True, typed="9900", fact=9900),
        LimitField(name="currency", value=inert("EUR"), is_number=False, typed="yes", fact="EUR"),
    ),
    free=("customer", "note"),
    currency="EUR",
)
NEW_GRANTS = {
    "empty": FORM,
    "mailing": replace(FORM, side_effects=((inert_name("mail"), inert_name("ada@example.org")),)),
    "hostile": replace(FORM, side_effects=((inert_name(HOSTILE), inert_name(HOSTILE)),), to_anybody=True),
    "wrong": replace(FORM, fields=(), currency="", uses="many", problem="Write uses as a whole number."),
}
REVIEW = ReviewCard(
    action="/reviews/rev_1",
    kind=Word(label="glass broken", meaning="", tone="bad"),
    headline=inert_name("Create a record tickets/new in desk"),
    agent=inert_name("Invoice assistant"),
    tool="ticket_create",
    state=STATES[State.VERIFIED],
    environment="prod",
    grounds=replace(
        UNUSUAL,
        changes=(comparison(Change(target="tickets/new", effect=Effect.CREATE, after={"title": "The roof leaks"})),),
    ),
    url="/invocations/inv_1",
    broken_by=inert_name("Omar Operator"),
    why=inert("It is raining in, and nobody answers."),
    opened=at(NOW - timedelta(hours=2), now=NOW),
)
SAMPLE = replace(
    REVIEW,
    grounds=replace(UNUSUAL, **BLIND),
    kind=Word(label="sample", meaning="", tone="info"),
    broken_by=None,
    why=None,
)
REVIEWS = {
    "some": ReviewsPage(cards=(REVIEW, SAMPLE), problem="Say what is wrong; a dispute needs a reason."),
    "none": ReviewsPage(cards=()),
    "erased": ReviewsPage(cards=(replace(REVIEW, grounds=None),)),
    "hostile": ReviewsPage(cards=(replace(REVIEW, why=inert(HOSTILE), grounds=HOSTILE_GROUNDS),)),
}
