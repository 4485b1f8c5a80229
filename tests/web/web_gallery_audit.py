"""Typed examples of the page on which auditors read the log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.audit import EventKind
from hub.web.event_kinds import event_word
from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.views.audit import Checked, LogLine, LogPage
from hub.web.views.catalog import Choice
from hub.web.wording import Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
CALL = LogLine(
    number="12,052",
    at=at(NOW - timedelta(minutes=3), now=NOW),
    what=Word(label="Asked for", meaning="The call is on record."),
    kind="invocation.received",
    who=inert_name("Invoice assistant for Rita"),
    about=inert_name("inv_06dvh3x5m8qk2v7c1n4pz9tbwr"),
    url="/invocations/inv_06dvh3x5m8qk2v7c1n4pz9tbwr",
    facts=(("tool", inert("party_update")), ("intent digest", inert("9f2c4be1a7d0" + "5c" * 26))),
    private=("arguments", "purpose"),
)
ACCOUNT = LogLine(
    number="",
    at=at(NOW, now=NOW),
    what=event_word(EventKind.ACCOUNT_CHANGED),
    kind="account.changed",
    who=inert_name("Alma"),
    about=inert_name("Ann"),
    url="",
    facts=(("changed", inert("invitation")),),
    private=(),
)
LOG = LogPage(
    size=12_053,
    note="toolhub/4f1d27c0\n12053\nq2Qm0k3U5cN0m8f1yX3r6Zl4b9m8s7d6=\n\n\u2014 toolhub/4f1d27c0 dPIPG9BvXh\n",
    keys=("toolhub/4f1d27c0+c74f20a3+ARpc2QcUq2Qm0k3U5cN0m8f1yX3r6Zl4b9m8s7d6f5",),
    at_once=2000,
    lines=(ACCOUNT, CALL),
    kinds=(
        Choice(value="account.changed", label="An account changed (account.changed)"),
        Choice(value="invocation.received", label="Received (invocation.received)", is_chosen=True),
    ),
    of="rita",
    who="bot",
    more_url="/audit?before=3",
)
PROVEN = "Proven: 2,101 events, from number 9,952 to 12,052, under one signed checkpoint."
BROKEN = "line 7, event 9957: inclusion: The event is not where the checkpoint says."
LOGS = {
    "full": LOG,
    "proven": replace(LOG, checked=Checked(words=PROVEN, tone="good")),
    "broken": replace(LOG, checked=Checked(words="Not proven: 1 finding(s).", tone="bad", findings=(BROKEN,))),
    "nothing": replace(LOG, size=0, note="", lines=(), kinds=(), of="", more_url=""),
}
