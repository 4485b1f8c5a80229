"""Typed examples of the invocation page and the list of one's own invocations."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from web_gallery_approval import HIGH, LINE
from web_gallery_grounds import HOSTILE, HOSTILE_CHANGE, ORDINARY, TERM

from connectors.sdk.vocabulary import Reversal
from hub.web.comparison import comparison, plain_fields
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.state_words import TAKEN_BACK_SINCE
from hub.web.views.catalog import Choice
from hub.web.views.grounds import TakenBack
from hub.web.views.invocation import ConflictLine, EventLine, InvocationPage, InvocationsPage
from hub.web.wording import REVERSALS, Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
VERIFIED = Word(
    label="Done and verified", meaning="It was written, and the record reads exactly as the preview said.", tone="good"
)
IN_DOUBT = Word(
    label="In doubt", meaning="The request left, and no clear answer came. Nothing is sent again by itself.", tone="bad"
)
WAITING = Word(label="Waiting for approval", meaning="Nothing has been written yet.", tone="warn")


def event(minutes_ago: int, label: str, who: str, *, tone: str = "info", **facts: str) -> EventLine:
    """Return an event that happened `minutes_ago`."""
    return EventLine(
        at=at(NOW - timedelta(minutes=minutes_ago), now=NOW),
        what=Word(label=label, meaning="", tone=tone),
        who=inert_name(who),
        facts=tuple((name, inert(value)) for name, value in facts.items()),
    )


DONE = InvocationPage(
    id=HIGH.invocation_id,
    headline=HIGH.headline,
    state=VERIFIED,
    tool=HIGH.tool,
    tool_url=HIGH.tool_url,
    server="everything",
    environment="dev",
    tier=HIGH.tier,
    effect=HIGH.effect,
    agent=HIGH.agent,
    on_behalf_of=HIGH.on_behalf_of,
    asked=HIGH.asked,
    changed_at=at(NOW, now=NOW),
    expires=None,
    revision=1,
    error=None,
    outcome=inert('{\n  "id": 7,\n  "customer_payment_term": "60 days net"\n}'),
    findings=(),
    alarms=(),
    masked="",
    verification=Word(label="as the preview said", meaning="", tone="good"),
    undo=ORDINARY.undo,
    arguments=HIGH.arguments,
    argument_fields=plain_fields({"party_id": 7, "term": "60 days net", "from": "2026-12-01"}),
    outcome_fields=plain_fields({"id": 7, "customer_payment_term": "60 days net"}),
    changes=(comparison(TERM),),
    previewed="as previewed",
    claims=HIGH.claims,
    digests=HIGH.digests,
    events=(
        event(12, "Received", "Invoice assistant for Ada Lovelace", tool="party_payment_term_set"),
        event(12, "Previewed", "the hub", fidelity="simulated"),
        event(12, "Approval asked for", "the hub", tone="warn", rule="tier-high"),
        event(3, "Approved", "Grace Hopper", tone="good", reason="Fine by finance."),
        event(3, "Sent", "the hub", fence="1"),
        event(3, "Committed", "the hub", tone="good"),
        event(2, "Read back and verified", "the hub", tone="good"),
    ),
    approval_url="/approvals/inv_01kb2x9m5q7n3",
)
INVOCATIONS = {
    "done": DONE,
    "undone-in-part": replace(
        DONE,
        undo=replace(ORDINARY.undo, reversal=REVERSALS[Reversal.PARTIAL], tool="invoice_credit_and_cancel_again"),
    ),
    "undoable": replace(
        DONE,
        undo=replace(ORDINARY.undo, residue=(inert("the number it was given"),)),
        undo_url="/invocations/inv_1/undo",
        undo_word=REVERSALS[Reversal.PARTIAL],
        undo_until=HIGH.expires,
    ),
    "undone": replace(DONE, state=TAKEN_BACK_SINCE, undone_by="inv_2", undoing=DONE.state),
    "undo-conflict": replace(
        DONE,
        outcome=None,
        verification=None,
        takes_back=TakenBack(id="inv_01kb2x9m5q7n3", url="/invocations/inv_01kb2x9m5q7n3"),
        error=inert("Somebody has changed this since. Nothing was written."),
        conflict=(
            ConflictLine(
                target=inert("parties/7"),
                title=inert("Payment term"),
                name=inert("customer_payment_term"),
                before=inert("'30 days net'"),
                committed=inert("'60 days net'"),
                now=inert(HOSTILE),
            ),
        ),
    ),
    "findings": replace(
        DONE, findings=(inert("/customer_payment_term: the answer is not the text the schema promises"),)
    ),
    "waiting": replace(
        DONE,
        state=WAITING,
        outcome=None,
        verification=None,
        expires=HIGH.expires,
        events=DONE.events[:3],
        cancel_url="/invocations/inv_1/cancel",
    ),
    "in-doubt": replace(
        DONE,
        state=IN_DOUBT,
        previewed="as previewed; whether it was done is not known",
        doubt_url="/doubts/inv_1",
        outcome=None,
        verification=None,
        error=inert("Tryton closed the connection before it answered."),
        claims=(),
        digests=(),
    ),
    "hostile": replace(
        DONE,
        argument_fields=plain_fields({HOSTILE: HOSTILE}),
        outcome_fields=plain_fields({HOSTILE: HOSTILE}),
        changes=(comparison(HOSTILE_CHANGE),),
        error=inert(HOSTILE),
        outcome=inert(HOSTILE),
        findings=(inert(HOSTILE),),
        headline=inert_name(HOSTILE),
        events=(
            event(1, "Received", "\u202eevil", note=HOSTILE),
            replace(event(1, "Vote cast", HOSTILE), note=inert(HOSTILE)),
        ),
    ),
}
INVOCATION_LISTS = {
    "full": InvocationsPage(
        lines=(LINE, replace(LINE, state=WAITING), replace(LINE, state=IN_DOUBT)), more_url="/invocations?after=x"
    ),
    "empty": InvocationsPage(lines=()),
    "filtered": InvocationsPage(
        lines=(),
        of_everybody=True,
        may_see_all=True,
        agent=HOSTILE,
        tool="party_find",
        states=(Choice(value="IN_DOUBT", label="In doubt", is_chosen=True),),
        since="2026-11-20",
    ),
}
