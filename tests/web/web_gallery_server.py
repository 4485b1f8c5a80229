"""The page of one server in every state, as typed examples."""

from dataclasses import replace

from web_gallery_tool import HOSTILE, SERVERS

from connectors.sdk.vocabulary import Tier
from hub.registry import Listing
from hub.web.inert import inert, inert_name
from hub.web.server_views import LISTINGS, listing_choices
from hub.web.tool_offers import Offers, ToolOffer
from hub.web.views.catalog import Choice, DifferenceLine, EntryLine, ServerPage, ServerProposalCard
from hub.web.wording import TIERS, Word

_LINE = replace(SERVERS["full"].servers[1], url="/servers/sales")
_GROUPS = (Choice(value="sellers", label="Sellers", is_chosen=True), Choice(value="approvers", label="Approvers"))
_OFFER = ToolOffer(
    value="payments refund_create",
    tool="refund_create",
    connection="payments",
    title=inert_name("Refund a payment"),
    tier=TIERS[Tier.HIGH],
    effect=Word(label="Creates", meaning="", tone="info"),
    is_chosen=True,
)
_OFFERS = Offers(
    shown=(
        _OFFER,
        replace(_OFFER, value="erp party_find", tool="party_find", connection="erp", title=inert_name("Find parties")),
        replace(_OFFER, value="erp fax", tool="fax_the_whole_order_to_its_party_again", is_chosen=False),
    ),
    found=1_204,
    more=1_201,
    words="refund",
    name="refund",
    reason="From Monday on.",
)
PROPOSAL = ServerProposalCard(
    id="spr_06dvh3x5m8qk2v7c1n4pz9tbwr",
    server="sales",
    reason=inert("The desk gives refunds from Monday on."),
    proposed_by="Olive Owner",
    digest="0" * 64,
    changes=(
        DifferenceLine(what=inert_name("title"), before=inert("Sales"), after=inert("Sales desk")),
        DifferenceLine(
            what=inert_name("tool refund_create"), before=inert(""), after=inert("refund_create of payments")
        ),
        DifferenceLine(
            what=inert_name("name of sale_get of erp"), before=inert("sale_get"), after=inert("look_up_sale")
        ),
    ),
    may_publish=True,
    may_reject=True,
)
_FULL = ServerPage(
    line=_LINE,
    description=inert("What the sales desk needs, and no more."),
    instructions=inert("Look a sale up before you change it.\n\nAmounts are in cents."),
    listing=Choice(value="automatic", label=LISTINGS[Listing.AUTOMATIC]),
    owner_group="sellers",
    scopes=("erp:read", "erp:write"),
    agents=("Sales bot", "Night watch"),
    groups=("sellers",),
    entries=(
        EntryLine(name="look_up_sale", url="/servers/sales/tools/look_up_sale", tool="sale_get", connection="erp"),
        EntryLine(
            name="sale_quote",
            url="/servers/sales/tools/sale_quote",
            tool="sale_quote",
            connection="erp",
            needs_tasks=True,
        ),
        EntryLine(
            name="sale_fax",
            url="",
            tool="sale_fax",
            connection="erp",
            why_not=inert("Withdrawn: nothing that is in use in prod has this tool any more."),
        ),
    ),
    proposals=(PROPOSAL,),
    may_change=True,
    takes_two=True,
    texts=("Sales desk", "What the sales desk needs, and no more.", "Look a sale up before you change it."),
    listings=listing_choices(Listing.AUTOMATIC),
    group_choices=_GROUPS,
    team_choices=_GROUPS,
    offers=_OFFERS,
)
SERVER_PAGES = {
    "full": _FULL,
    "own-proposal": replace(_FULL, proposals=(replace(PROPOSAL, may_publish=False),)),
    "refused": replace(_FULL, takes_two=False, proposals=(), problem="There is no connection 'nowhere' in prod."),
    "no-such-tool": replace(_FULL, offers=Offers(words="fly to the moon")),
    "looked-at": replace(_FULL, may_change=False, proposals=(replace(PROPOSAL, may_publish=False, may_reject=False),)),
    "built-in": replace(_FULL, may_change=False, is_built_in=True, proposals=(), groups=(), agents=()),
    "empty": replace(
        _FULL,
        entries=(),
        proposals=(replace(PROPOSAL, changes=()),),
        scopes=(),
        agents=(),
        groups=(),
        description=inert(""),
        instructions=inert(""),
        owner_group="",
        takes_two=False,
        offers=Offers(),
        group_choices=(),
        team_choices=(),
    ),
    "hostile": replace(
        _FULL,
        description=inert(HOSTILE),
        instructions=inert(HOSTILE),
        agents=(HOSTILE,),
        offers=Offers(shown=(replace(_OFFER, title=inert_name(HOSTILE)),), found=1, words=HOSTILE, reason=HOSTILE),
        texts=(HOSTILE, HOSTILE, HOSTILE),
    ),
}
SERVER_LISTS = {
    **SERVERS,
    "proposals": replace(
        SERVERS["full"], proposals=(PROPOSAL,), environments=("dev", "staging", "prod"), problem="Choose another name."
    ),
}
