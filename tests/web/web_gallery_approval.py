"""Typed examples of the inbox and of the approval page in all its states."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from web_gallery_grounds import BLIND, HOSTILE, HOSTILE_GROUNDS, NOW, ORDINARY, UNUSUAL
from web_gallery_sale import LONG, SALE_WORDS

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect, Tier
from hub.core.money import money
from hub.invocations.provenance import Origin, Trace
from hub.invocations.states import State
from hub.web.comparison import Veil, compare_records, comparison
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.state_words import STATES
from hub.web.trace_words import trace_line
from hub.web.views.approval import (
    ApprovalPage,
    BriefChange,
    Claim,
    CounterForm,
    CounterLine,
    Decision,
    Difference,
    InboxCard,
    InboxPage,
    Quorum,
    ReleaseLine,
    Revised,
    StageLine,
    VoteLine,
)
from hub.web.views.grounds import Earlier, RuleLine, TakenBack
from hub.web.views.invocation_line import InvocationLine
from hub.web.wording import ASSUMED_EFFECTS, EFFECTS, TIERS, Word

WAITING = Word(label="Waiting for approval", meaning="Nothing has been written.", tone="warn")
_FRESH = "each with a login younger than 10 minutes"
_NOW = Word(label="asked now", meaning="", tone="warn")
_STOPPED = "Policy does not let you approve this. A kill switch is on; ask an operator"
_SUSPENDED = "Policy does not let you approve this. Suspended agents and people do nothing"
APPROVED = Word(label="approved", meaning="", tone="good")
REJECTED = Word(label="rejected", meaning="", tone="bad")
HIGH = ApprovalPage(
    invocation_id="inv_01kb2x9m5q7n3",
    invocation_url="/invocations/inv_01kb2x9m5q7n3",
    headline=inert_name("Change credit_limit_minor and customer_payment_term of party.party/7 in Tryton (demo)"),
    state=WAITING,
    is_open=True,
    agent=inert_name("Invoice assistant"),
    agent_owner="Olive Owner",
    on_behalf_of="Ada Lovelace",
    asked=at(NOW - timedelta(minutes=12), now=NOW),
    revision=1,
    tool="party_payment_term_set",
    tool_title=inert_name("Change a customer's payment term"),
    tool_url="/servers/everything/tools/party_payment_term_set",
    tier=TIERS[Tier.HIGH],
    effect=EFFECTS[Effect.UPDATE],
    system=inert_name("Tryton (demo)"),
    environment="dev",
    grounds=ORDINARY,
    rules=(RuleLine(why=inert("Writes of tier high need one person who did not ask for them."), rule_id="tier-high"),),
    stages=(StageLine(number=1, word=_NOW, quorums=(Quorum(group="approvers", needed=1, given=0),)),),
    votes=(),
    expires=at(NOW + timedelta(hours=23, minutes=48), now=NOW),
    claims=(
        Claim(label="Purpose", text=inert("Dagobert Trading asked for longer terms")),
        Claim(label="Rationale", text=inert("They have paid every invoice of the last two years on time.")),
        Claim(label="Confidence", text=inert("0.9")),
    ),
    arguments=inert('{\n  "party_id": 7,\n  "payment_term": "60 days net"\n}'),
    digests=(("Approval", "5be1" * 16), ("Preview", "90ac" * 16), ("Intent", "77fe" * 16)),
    decision=Decision(action="/approvals/inv_01kb2x9m5q7n3", digest="5be1" * 16, grant_url="/approvals/inv_1/grant"),
    traces=tuple(
        trace_line(one)
        for one in (
            Trace(argument="/party_id", origin=Origin.RESULT, tool="tryton.party_find", is_trusted=True),
            Trace(argument="/payment_term", origin=Origin.RESULT, tool="mail.message_read", in_another_run=True),
            Trace(argument="/note", origin=Origin.RESULT, tool="mail.message_read", is_certain=False),
            Trace(argument="/approver", origin=Origin.APPROVED, tool="tryton.party_rename"),
            Trace(argument="/limit", origin=Origin.UNKNOWN),
        )
    ),
)
CRITICAL = replace(
    HIGH,
    headline=inert_name("Change invoice_date and state of account.invoice/3 in Tryton (demo)"),
    tool="invoice_post",
    tool_title=inert_name("Post an invoice"),
    tier=TIERS[Tier.CRITICAL],
    grounds=UNUSUAL,
    rules=(
        RuleLine(
            why=inert("Posting cannot be taken back; two people from different groups agree, each just logged in."),
            rule_id="tier-critical",
        ),
    ),
    stages=(
        StageLine(
            number=1,
            word=Word(label="complete", meaning="", tone="good"),
            quorums=(Quorum(group="approvers", needed=1, given=1, fresh=_FRESH),),
        ),
        StageLine(
            number=2,
            word=_NOW,
            quorums=(Quorum(group="controllers or legal", needed=2, given=0, fresh=_FRESH),),
        ),
        StageLine(
            number=3,
            word=Word(label="asked later", meaning=""),
            quorums=(
                Quorum(
                    group="people in all of board, finance",
                    needed=1,
                    given=0,
                    fresh=_FRESH,
                ),
            ),
        ),
    ),
    votes=(
        VoteLine(
            voter="Barbara Liskov",
            groups=("approvers",),
            decision=APPROVED,
            reason=inert("Checked against the order."),
            at=at(NOW - timedelta(minutes=5), now=NOW),
        ),
    ),
    decision=replace(
        HIGH.decision,
        needs_fresh_login="You will be asked for your password, because your login is older than 10 minutes.",
    ),
)
CONFIRMATION = replace(
    HIGH,
    rules=(RuleLine(why=inert_name("Whoever it is done for agrees first."), rule_id="payment-terms"),),
    stages=(
        StageLine(number=0, word=_NOW, quorums=(Quorum(group="the person it is done for", needed=1, given=0),)),
        StageLine(
            number=1,
            word=Word(label="asked later", meaning=""),
            quorums=(Quorum(group="approvers", needed=1, given=0),),
        ),
    ),
    decision=Decision(action="/approvals/inv_01kb2x9m5q7n3", digest="5be1" * 16, confirms=True),
)


def resting_on(page: ApprovalPage, **known: Any) -> ApprovalPage:  # noqa: ANN401  # what an example has otherwise
    """Return the page with other grounds."""
    return replace(page, grounds=replace(page.grounds, **known))


APPROVALS = {
    "high": HIGH,
    "confirmation": CONFIRMATION,
    "critical": CRITICAL,
    "repeat": resting_on(
        HIGH,
        earlier=Earlier(
            asked=at(NOW - timedelta(minutes=20), now=NOW), state=STATES[State.VERIFIED], url="/invocations/1"
        ),
    ),
    "undo": resting_on(
        replace(
            HIGH,
            claimed_by="Tom Owner",
            claims=(Claim(label="Purpose", text=inert("To undo inv_01kb2x9m5q7n2: The wrong customer.")),),
        ),
        takes_back=TakenBack(id="inv_01kb2x9m5q7n2", url="/invocations/inv_01kb2x9m5q7n2"),
    ),
    "undo-of-others": resting_on(HIGH, takes_back=TakenBack(id="inv_01kb2x9m5q7n2")),
    "long": resting_on(HIGH, changes=(comparison(LONG, SALE_WORDS),)),
    "changed": replace(
        HIGH,
        has_changed=True,
        revision=2,
        changed=(
            Difference(
                title=inert_name("party.party/7 as it stands"),
                fields=comparison(
                    Change(
                        target="party.party/7",
                        effect=Effect.UPDATE,
                        before={"customer_payment_term": "30 days net"},
                        after={"customer_payment_term": "10 days net"},
                    )
                ).changed,
            ),
        ),
    ),
    "revised": replace(
        HIGH,
        revision=2,
        revised=Revised(
            fields=tuple(compare_records({"limit": 900, "term": "60 days"}, {"limit": 500}, Veil())),
            counters=(
                CounterLine(
                    revision=2,
                    author="Barbara Liskov",
                    groups=("approvers",),
                    reason=inert(HOSTILE),
                    at=at(NOW, now=NOW),
                ),
            ),
        ),
    ),
    "counter-refused": replace(
        HIGH,
        counter=CounterForm(
            action="/approvals/inv_01kb2x9m5q7n3/instead",
            digest="5be1" * 16,
            arguments='{"limit": -1}',
            reason="Less.",
            problem="limit: is below its minimum",
        ),
    ),
    "changed-otherwise": replace(HIGH, has_changed=True),
    "reason-missing": replace(
        HIGH, decision=replace(HIGH.decision, problem="Say why you reject it; the agent gets your words.")
    ),
    "not-yours": replace(
        HIGH,
        decision=None,
        lacking=("Nobody else is in approvers now.",),
        why_no_decision="You asked for this write yourself (through the agent), so somebody else has to decide.",
    ),
    "rejected": replace(
        HIGH,
        is_open=False,
        state=Word(label="Rejected", meaning="", tone="bad"),
        decision=None,
        why_no_decision="It has been decided.",
        votes=(
            VoteLine(
                groups=("approvers",),
                voter="Barbara Liskov",
                decision=REJECTED,
                reason=inert("Not before the audit."),
                at=at(NOW, now=NOW),
            ),
        ),
    ),
    "expired": replace(
        HIGH,
        is_open=False,
        expires=at(NOW - timedelta(hours=1), now=NOW),
        decision=None,
        why_no_decision="Nobody decided in time. It can no longer be carried out.",
    ),
    "blind": replace(resting_on(HIGH, **BLIND), claims=(), effect=ASSUMED_EFFECTS[Effect.DELETE]),
    "suspended": resting_on(
        replace(HIGH, decision=replace(HIGH.decision, why_not_approve=_SUSPENDED, grant_url="")), is_suspended=True
    ),
    "stopped": resting_on(
        replace(HIGH, decision=replace(HIGH.decision, why_not_approve=_STOPPED, grant_url="")),
        stops=("The hub is stopped: We look into strange refunds.", "This tool is stopped: It loops."),
    ),
    "stopped-meanwhile": resting_on(
        replace(
            HIGH,
            decision=replace(HIGH.decision, why_not_approve=_STOPPED, problem=_STOPPED, reason="Fine.", grant_url=""),
        ),
        stops=(f"This tool is stopped: {HOSTILE}",),
    ),
    "created": resting_on(
        HIGH,
        changes=(
            comparison(
                Change(
                    target="party.party",
                    effect=Effect.CREATE,
                    after={"name": "New Ltd", "code": None},
                    unknown=("id", "code"),
                )
            ),
            comparison(Change(target="party.address/9", effect=Effect.DELETE, before={"street": "Old street 1"})),
        ),
    ),
    "hostile": replace(
        HIGH,
        headline=inert_name(HOSTILE),
        agent=inert_name(HOSTILE),
        grounds=HOSTILE_GROUNDS,
        claims=(Claim(label="Purpose", text=inert(HOSTILE)),),
        arguments=inert(HOSTILE),
        on_behalf_of="\u202eecilA",
    ),
}
_CARD = InboxCard(
    url="/approvals/inv_01kb2x9m5q7n3",
    headline=HIGH.headline,
    agent=HIGH.agent,
    on_behalf_of="Ada Lovelace",
    tool="party_payment_term_set",
    tier=TIERS[Tier.HIGH],
    expires=HIGH.expires,
    progress="approvers: 0 of 1",
    environment="prod",
    changes=(
        BriefChange(
            title=inert_name("Customer payment term"),
            before=inert_name("10 days net"),
            after=inert_name("60 days net"),
        ),
        BriefChange(title=inert_name(HOSTILE), before=inert_name("not there"), after=inert_name(HOSTILE)),
    ),
    more_changes=4,
    same_url="/approvals/inv_2",
)
_RELEASE = ReleaseLine(
    url="/promotions/prm_1", connector="tryton", version="7.0.3", environment="prod", reason=inert_name(HOSTILE)
)
LINE = InvocationLine(
    url="/invocations/inv_01kb2x9m5q7n3",
    id="inv_01kb2x9m5q7n3",
    tool="party_payment_term_set",
    tier=HIGH.tier,
    state=STATES[State.VERIFIED],
    agent=HIGH.agent,
    asked=HIGH.asked,
)
INBOXES = {
    "full": InboxPage(
        cards=(
            _CARD,
            replace(
                _CARD,
                headline=CRITICAL.headline,
                tool="invoice_post",
                tier=TIERS[Tier.CRITICAL],
                money=money(1234550, "EUR"),
                progress="approvers: 1 of 1 · controllers: 0 of 1",
            ),
        )
    ),
    "empty": InboxPage(cards=()),
    "decided": InboxPage(cards=(_CARD,), decided=(LINE, replace(LINE, agent=inert_name(HOSTILE)))),
    "release": InboxPage(cards=(), releases=(_RELEASE,)),
    "hostile": InboxPage(cards=(replace(_CARD, headline=inert_name(HOSTILE), agent=inert_name(HOSTILE)),)),
}
