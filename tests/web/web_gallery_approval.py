"""Typed examples of the inbox and of the approval page in all its states."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from web_gallery_sale import LONG, SALE_WORDS

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier
from hub.core.money import money
from hub.invocations.provenance import Origin, Trace
from hub.web.comparison import Veil, compare_records, comparison, plain_fields
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.trace_words import trace_line
from hub.web.views.approval import (
    ApprovalPage,
    Claim,
    CounterForm,
    CounterLine,
    Decision,
    Difference,
    Guard,
    InboxCard,
    InboxPage,
    Quorum,
    Reach,
    ReleaseLine,
    Revised,
    RuleLine,
    SideLine,
    StageLine,
    Sureness,
    Undo,
    VoteLine,
)
from hub.web.wording import ASSUMED_EFFECTS, EFFECTS, FIDELITIES, REVERSALS, TIERS, Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script> \u202egnp.exe \u200bpay\u0440al " + "long" * 600
WAITING = Word(label="Waiting for approval", meaning="Nothing has been written.", tone="warn")
_FRESH = "each with a login younger than 10 minutes"
_NOW = Word(label="asked now", meaning="", tone="warn")
APPROVED = Word(label="approved", meaning="", tone="good")
REJECTED = Word(label="rejected", meaning="", tone="bad")
TERM = Change(
    target="party.party/7",
    effect=Effect.UPDATE,
    before={
        "name": "Dagobert Trading Ltd",
        "customer_payment_term": "10 days net",
        "credit_limit_minor": 500000,
        "currency": "EUR",
        "language": "English",
        "code": "C-0007",
        "active": True,
    },
    after={
        "name": "Dagobert Trading Ltd",
        "customer_payment_term": "60 days net",
        "credit_limit_minor": 750000,
        "currency": "EUR",
        "language": "English",
        "code": "C-0007",
        "active": True,
    },
)
INVOICE = Change(
    target="account.invoice/3",
    effect=Effect.UPDATE,
    before={
        "state": "draft",
        "number": None,
        "invoice_date": None,
        "total_minor": 1234550,
        "currency": "EUR",
        "party": "Dagobert Trading Ltd",
        "tax_id": "DE123456789",
    },
    after={
        "state": "posted",
        "number": None,
        "invoice_date": "2026-11-21",
        "total_minor": 1234550,
        "currency": "EUR",
        "party": "Dagobert Trading Ltd",
        "tax_id": "DE123456789",
    },
    unknown=("number",),
    sensitive=("tax_id",),
)
HOSTILE_CHANGE = Change(
    target="party/\u202e7",
    effect=Effect.UPDATE,
    before={"note": "harmless", "a.b": 1, "a": {"b": 2}, "limit": "1", "gone": "x", "list": [1, 2]},
    after={
        "note": HOSTILE,
        "a.b": 1,
        "a": {"b": 3},
        "limit": 1,
        "list": [1, {"deep": ["</td>", ""]}],
        "<b>new</b>": None,
    },
)
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
    changes=(comparison(TERM),),
    reach=Reach(rows=1, money="", parties=1),
    side_effects=(),
    sureness=Sureness(
        fidelity=FIDELITIES[Fidelity.SIMULATED],
        rank=2,
        observed=at(NOW - timedelta(minutes=12), now=NOW),
        copied=None,
        track="497 of the last 500 previews of this tool matched what was written.",
        track_word=Word(label="99.4 % matched", meaning="", tone="good"),
        not_covered=(inert("What Tryton's own rules add or refuse when the record is saved"),),
        guards=(Guard(target=inert_name("party.party/7"), is_strong=True),),
    ),
    undo=Undo(reversal=REVERSALS[Reversal.EXACT], tool="party_payment_term_set", window="30 days"),
    rules=(RuleLine(why=inert("Writes of tier high need one person who did not ask for them."), rule_id="tier-high"),),
    alarms=(),
    masked="",
    stages=(StageLine(number=1, word=_NOW, quorums=(Quorum(group="approvers", needed=1, given=0),)),),
    votes=(),
    expires=at(NOW + timedelta(hours=23, minutes=48), now=NOW),
    claims=(
        Claim(label="Purpose", text=inert("Dagobert Trading asked for longer terms")),
        Claim(label="Rationale", text=inert("They have paid every invoice of the last two years on time.")),
        Claim(label="Confidence", text=inert("0.9")),
    ),
    arguments=inert('{\n  "party_id": 7,\n  "payment_term": "60 days net"\n}'),
    argument_fields=plain_fields({"party_id": 7, "term": "60 days net", "from": "2026-12-01"}),
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
    changes=(comparison(INVOICE),),
    reach=Reach(rows=1, money=money(1234550, "EUR"), parties=1),
    sureness=replace(HIGH.sureness, guards=(Guard(target=inert_name("account.invoice/3"), is_strong=True),)),
    side_effects=(
        SideLine(
            kind=inert("Posting in the general ledger"),
            recipient=inert("fiscal year 2026, journal REV"),
            reversal=REVERSALS[Reversal.NONE],
        ),
    ),
    undo=Undo(
        reversal=REVERSALS[Reversal.PARTIAL], tool="invoice_credit", residue=(inert("the invoice number stays used"),)
    ),
    alarms=(
        RuleLine(
            why=inert(
                "It moves more than ten times as much money as its agent ever has with this tool within 90 days."
            ),
            rule_id="jump-in-amounts",
        ),
        RuleLine(
            why=inert("A result that its agent has read in this run speaks to the model that reads it."),
            rule_id="spoken-to",
        ),
    ),
    masked="personal, salary",
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
_NO_TRACK = replace(
    HIGH.sureness,
    fidelity=FIDELITIES[Fidelity.NONE],
    rank=0,
    track="Nothing has been carried out with this tool yet.",
    track_word=Word(label="no record yet", meaning=""),
    guards=(),
    not_covered=(inert("Everything: this connector offers no preview"),),
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
_BLIND = replace(HIGH, changes=(), sureness=_NO_TRACK, undo=Undo(reversal=REVERSALS[Reversal.NONE]), claims=())
APPROVALS = {
    "high": HIGH,
    "confirmation": CONFIRMATION,
    "critical": CRITICAL,
    "long": replace(HIGH, changes=(comparison(LONG, SALE_WORDS),)),
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
    "blind": replace(_BLIND, effect=ASSUMED_EFFECTS[Effect.DELETE]),
    "created": replace(
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
        changes=(comparison(HOSTILE_CHANGE),),
        argument_fields=plain_fields({HOSTILE: HOSTILE}),
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
)
_RELEASE = ReleaseLine(
    url="/promotions/prm_1", connector="tryton", version="7.0.3", environment="prod", reason=inert_name(HOSTILE)
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
    "release": InboxPage(cards=(), releases=(_RELEASE,)),
    "hostile": InboxPage(cards=(replace(_CARD, headline=inert_name(HOSTILE), agent=inert_name(HOSTILE)),)),
}
