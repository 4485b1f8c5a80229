"""Typed examples of the pages of policy."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.bundles import default_bundle_text
from hub.invocations.replay import Change
from hub.policy import Bundle, BundleInvalid, remarks
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.policy_views import (
    ACTIVE,
    CHANGES,
    OUTDATED,
    PAST,
    WAITS,
    count_lines,
    fault_lines,
    rule_lines,
    test_lines,
)
from hub.web.text_difference import text_lines
from hub.web.views.catalog import Choice
from hub.web.views.policy import (
    Because,
    BundleForm,
    BundlePage,
    DifferenceLine,
    EditionLine,
    PolicyPage,
    Tally,
    TrialPage,
    TrialShown,
)

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
YESTERDAY = at(NOW - timedelta(days=1), now=NOW)
DEFAULT = Bundle.parse(default_bundle_text())
STRICTER = Bundle.parse(
    f"""{default_bundle_text()}
//= {{"fact": "refunded", "sum": "amount_minor", "of": "payments.refund", "per": ["agent", "user"], "within": "P1D"}}

//= {{"fact": "seen", "count": "read", "of": "payments.payment_get", "per": ["run"], "within": "PT1H",
//=  "same": {{"id": "payment"}}}}

@id("refund-needs-finance") @require("finance:1") @ttl("PT4H") @fresh("PT10M") @why("Refunds need Finance.")
forbid (principal, action == Action::"autocommit", resource in ToolClass::"payments.refund");
"""
)
WRONG = f"""{default_bundle_text()}
@id("typo")
forbid (principal, action == Action::"autocommit", resource)
when {{ context.ammount > 100000 }};

@id("late")
forbid (principal, action, resource) when {{ context.hour == "night" }};
"""


def _edition(digest: str, state: object) -> EditionLine:
    url = f"/policy/bundles/bdl_{digest}"
    return EditionLine(url=url, digest=digest, by=inert_name("Grace Hopper"), since=YESTERDAY, state=state)  # type: ignore[arg-type]  # a word


def _wrong() -> BundleForm:
    try:
        Bundle.parse(WRONG)
    except BundleInvalid as error:
        return replace(FORM, source=WRONG, faults=fault_lines(WRONG, error))
    raise AssertionError("the text was to be wrong")


FORM = BundleForm(action="/policy/prod", source=default_bundle_text(), days="30", takes_two=True)
UNGUARDED = remarks(Bundle.parse('@id("anything") permit (principal, action, resource);'))
POLICY = PolicyPage(
    environment="prod",
    environments=tuple(Choice(value=e, label=e, is_chosen=e == "prod") for e in ("dev", "staging", "prod")),
    digest=DEFAULT.digest,
    by=inert_name("Grace Hopper"),
    since=YESTERDAY,
    rules=rule_lines(DEFAULT),
    counts=count_lines(DEFAULT),
    tests=test_lines(DEFAULT),
    source=inert(DEFAULT.text),
    waiting=(_edition("0f1e2d3c4b5a", WAITS), _edition("1f1e2d3c4b5a", OUTDATED)),
    history=(_edition("2f1e2d3c4b5a", ACTIVE), _edition("3f1e2d3c4b5a", PAST)),
    form=FORM,
    more_url="/policy/prod?before=bdl_1",
)
POLICIES = {
    "prod": POLICY,
    "fresh": replace(POLICY, waiting=(), history=(), more_url="", form=replace(FORM, takes_two=False)),
    "wrong": replace(POLICY, waiting=(), form=_wrong()),
}
TRIAL = TrialShown(
    days=30,
    decisions=12_540,
    same=11_283,
    notes=("3 more cannot be decided again: their facts have been erased.",),
    tallies=(Tally(change=CHANGES[Change.REFUSED], count=3), Tally(change=CHANGES[Change.ASKED], count=1_254)),
    differences=(
        DifferenceLine(
            invocation_id="inv_01hzy3v7",
            tool="payments.refund, tier high",
            question="May it go by itself?",
            when=YESTERDAY,
            change=CHANGES[Change.ASKED],
            was="asks 1 of approvers",
            would_be="asks 1 of approvers and 1 of finance",
            records=(inert_name("update invoices/2041"), inert_name("create refunds/new"), inert_name("and 4 more")),
            because=(
                Because(
                    rule=inert_name("refund-needs-finance"), verb="decides now", why=inert("Refunds need Finance.")
                ),
            ),
        ),
    ),
    hidden=1_256,
)
NOTHING = TrialShown(days=1, decisions=1, same=1, notes=(), tallies=(), differences=(), hidden=0)
TRIALS = {
    "changes": TrialPage(environment="prod", tests=12, trial=TRIAL, form=FORM),
    "nothing": TrialPage(environment="dev", tests=1, trial=NOTHING, form=replace(FORM, takes_two=False)),
    "unguarded": TrialPage(environment="prod", tests=0, trial=NOTHING, form=FORM, remarks=UNGUARDED),
}
PROPOSAL = BundlePage(
    address="/policy/bundles/bdl_1",
    environment="prod",
    digest=STRICTER.digest,
    state=WAITS,
    proposed_by=inert_name("Grace Hopper"),
    proposed_at=YESTERDAY,
    published_by=inert_name(""),
    published_at=None,
    rules=rule_lines(STRICTER),
    counts=count_lines(STRICTER),
    tests=test_lines(STRICTER),
    source=inert(STRICTER.text),
    compared_with="2f1e2d3c4b5a",
    changed=text_lines(DEFAULT.text, STRICTER.text),
    days=(Choice(value="7", label="7 days"), Choice(value="30", label="30 days", is_chosen=True)),
    may_publish=True,
    fresh_words="You will be asked for your password first: this needs a login younger than 10 minutes.",
)
BUNDLES = {
    "proposal": PROPOSAL,
    "tried": replace(PROPOSAL, trial=TRIAL, fresh_words=""),
    "own": replace(PROPOSAL, may_publish=False, why_not="You proposed it; another administrator publishes it."),
    "past": replace(
        PROPOSAL, state=PAST, days=(), changed=(), published_at=YESTERDAY, published_by=inert_name("Ada Lovelace")
    ),
    "refused": replace(PROPOSAL, problem="Another policy has been published since this one was proposed."),
}
