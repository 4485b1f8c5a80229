"""Typed examples of what decisions rest on: changes, and what else is known of writes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal
from hub.core.money import money
from hub.web.comparison import comparison, plain_fields
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.views.grounds import Grounds, Guard, Reach, RuleLine, SideLine, Sureness, Undo
from hub.web.wording import FIDELITIES, REVERSALS, Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script> \u202egnp.exe \u200bpay\u0440al " + "long" * 600
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
ORDINARY = Grounds(
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
    argument_fields=plain_fields({"party_id": 7, "term": "60 days net", "from": "2026-12-01"}),
)
UNUSUAL = replace(
    ORDINARY,
    changes=(comparison(INVOICE),),
    reach=Reach(rows=1, money=money(1234550, "EUR"), parties=1),
    sureness=replace(ORDINARY.sureness, guards=(Guard(target=inert_name("account.invoice/3"), is_strong=True),)),
    side_effects=(
        SideLine(
            kind=inert("Posting in the general ledger"),
            recipient=inert("fiscal year 2026, journal REV"),
            reversal=REVERSALS[Reversal.NONE],
        ),
    ),
    undo=Undo(
        reversal=REVERSALS[Reversal.PARTIAL],
        tool="invoice_credit",
        residue=(inert("the invoice number stays used"),),
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
)
_NO_TRACK = replace(
    ORDINARY.sureness,
    fidelity=FIDELITIES[Fidelity.NONE],
    rank=0,
    track="Nothing has been carried out with this tool yet.",
    track_word=Word(label="no record yet", meaning=""),
    guards=(),
    not_covered=(inert("Everything: this connector offers no preview"),),
)
BLIND = {"changes": (), "sureness": _NO_TRACK, "undo": Undo(reversal=REVERSALS[Reversal.NONE])}
HOSTILE_GROUNDS = replace(
    UNUSUAL,
    changes=(comparison(HOSTILE_CHANGE),),
    argument_fields=plain_fields({HOSTILE: HOSTILE}),
    side_effects=(SideLine(kind=inert(HOSTILE), recipient=inert(HOSTILE), reversal=REVERSALS[Reversal.NONE]),),
    sureness=replace(ORDINARY.sureness, not_covered=(inert(HOSTILE),)),
    alarms=(RuleLine(why=inert_name(HOSTILE), rule_id="spoken-to"),),
)
