"""Typed examples of the pages of promotions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.promotions import Finding, Gate, Likeness, Played, Promotion, Rehearsal, Stand, State
from hub.registry import Environment
from hub.registry.differing import Difference, FieldChange, Kind
from hub.web.promotion_views import Seen, promotion_line, promotion_page
from hub.web.views.catalog import Choice
from hub.web.views.promotions import CompositeForm, PromotionsPage

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
ASKED = Promotion(
    id="pro_1",
    connector="tryton",
    environment=Environment.PROD,
    release_id="rel_2",
    release_digest="5c" * 32,
    version="1.4.0",
    former_release_id="rel_1",
    former_digest="5d" * 32,
    former_version="1.3.2",
    state=State.ASKED,
    reason="Addresses keep their building's name now.",
    asked_by=None,
    asked_at=NOW - timedelta(hours=2),
    findings=(
        Finding(gate=Gate.PATH, stand=Stand.HOLDS, reason="It is in use in staging, and nothing of it was withdrawn."),
        Finding(
            gate=Gate.BADGE,
            stand=Stand.FAILS,
            reason="Nothing of sale_cancel has passed on the system itself: `toolhub connector check tryton --keep`.",
        ),
        Finding(
            gate=Gate.REPLAY,
            stand=Stand.OPEN,
            reason="Of 3 recorded writes 1 come out the same, 1 differ, and of 1 it cannot be told. The connector's "
            "owner or an administrator has to explain that.",
        ),
        Finding(gate=Gate.PERSON, stand=Stand.OPEN, reason="Somebody of approvers decides, who neither asked."),
    ),
    rehearsal=Rehearsal(
        release_id="rel_2",
        former_release_id="rel_1",
        writes=12,
        played=(
            Played(invocation_id="inv_01hzy3v7", tool="sale_confirm", likeness=Likeness.SAME),
            Played(
                invocation_id="inv_01hzy3v8",
                tool="address_update",
                likeness=Likeness.DIFFERENT,
                reasons=("party.address,4: building_name would become something else",),
            ),
            Played(
                invocation_id="inv_01hzy3v9",
                tool="sale_create",
                likeness=Likeness.UNSURE,
                reasons=("It asks what was never asked: model.account.tax.read",),
            ),
        ),
    ),
    explanation=None,
    explained_by=None,
    decided_by=None,
    decided_at=None,
    decided_why=None,
    ended_at=None,
    ended_why=None,
)
CHANGED = (
    Difference(operation="contact_merge", kind=Kind.NEW),
    Difference(
        operation="address_update",
        kind=Kind.CHANGED,
        fields=(
            FieldChange(
                pointer="/input_schema/properties/building_name",
                before=None,
                after={"type": "string", "maxLength": 80},
                is_absent_before=True,
            ),
        ),
    ),
)
SEEN = Seen(
    people={},
    changed=CHANGED,
    now=NOW,
    shows_calls=True,
    may_ask=True,
    may_decide=False,
    may_revert=False,
    deciders="approvers",
)
EXPLAINED = replace(ASKED, explanation="The building's name was dropped before; see the release's notes.")
IN_FORCE = replace(EXPLAINED, state=State.IN_FORCE, decided_at=NOW - timedelta(minutes=5))
REVERTED = replace(
    IN_FORCE,
    state=State.REVERTED,
    ended_at=NOW,
    ended_why="1 of its latest 4 judged writes came out otherwise than previewed; the line is 1 of 50.",
)
FIRST = replace(
    ASKED,
    former_release_id=None,
    former_version=None,
    former_digest=None,
    rehearsal=Rehearsal(release_id="rel_2", former_release_id=None, writes=12, played=()),
    findings=(
        Finding(gate=Gate.PATH, stand=Stand.HOLDS, reason="It is in use in staging, and nothing of it was withdrawn."),
        Finding(
            gate=Gate.REPLAY,
            stand=Stand.OPEN,
            reason="No release is in use there yet, so there is nothing to compare it with. The connector's owner "
            "or an administrator has to say why it may be the first.",
        ),
    ),
)
PROMOTIONS = {
    "asked": promotion_page(ASKED, SEEN),
    "decider": promotion_page(EXPLAINED, replace(SEEN, may_ask=False, may_decide=True)),
    "first": promotion_page(FIRST, SEEN),
    "onlooker": promotion_page(EXPLAINED, replace(SEEN, may_ask=False, shows_calls=False)),
    "in-force": promotion_page(IN_FORCE, replace(SEEN, may_revert=True)),
    "reverted": promotion_page(REVERTED, SEEN, problem="This promotion is not in force, or not any more."),
}
PROMOTION_LISTS = {
    "some": PromotionsPage(
        lines=tuple(promotion_line(one, NOW) for one in (REVERTED, ASKED)),
        connectors=(Choice(value="tryton", label="tryton"),),
        environments=(Choice(value="staging", label="staging"), Choice(value="prod", label="prod")),
        more_url="/promotions?before=pro_1",
    ),
    "composites": PromotionsPage(
        lines=(),
        connectors=(Choice(value="tryton", label="tryton"),),
        environments=(Choice(value="staging", label="staging"), Choice(value="prod", label="prod")),
        composites=CompositeForm(
            tools=(Choice(value="sale_to_invoice", label="sale_to_invoice (dev, staging)", is_chosen=True),),
            environments=(Choice(value="staging", label="staging"), Choice(value="prod", label="prod", is_chosen=True)),
            connections="confirm = tryton-prod-eu",
            reason="Tried for a week.",
            problem="The composite tool 'sale_to_invoice' cannot be promoted to prod yet. The step 'bill' goes over "
            "none of the connections there: name one of tryton-prod-eu, tryton-prod-us.",
        ),
    ),
    "none": PromotionsPage(lines=(), connectors=(), environments=()),
}
