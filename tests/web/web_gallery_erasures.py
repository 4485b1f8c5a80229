"""Typed examples of the page of erasures and legal holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.web.inert import inert
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.erasures import ErasureLine, ErasuresPage, Foreseen, HoldLine
from hub.web.wording import Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
WAITING = ErasureLine(
    id="ers_1",
    what=inert("person usr_06dvh3x5m8qk2v7c1n4pz9tbwr"),
    reason=inert("Their request of 18 November, ticket 4711."),
    asked_by="Ada Lovelace",
    asked=at(NOW - timedelta(hours=3), now=NOW),
    stage=Word(label="Waits for an auditor", meaning="", tone="warn"),
    decided="",
    answer=None,
    is_open=True,
    why_not="",
)
OWN = replace(WAITING, id="ers_2", asked_by="Grace Hopper", why_not="You asked for it; another auditor decides.")
DONE = replace(
    WAITING,
    id="ers_3",
    what=inert("record party.party/7 of connection con_1"),
    stage=Word(label="Erased", meaning="", tone="good"),
    decided="by Grace Hopper: 3 invocations, 2 previews, 14 events, 31 values",
    is_open=False,
)
REFUSED = replace(
    WAITING,
    id="ers_4",
    stage=Word(label="Refused", meaning="", tone="bad"),
    decided="by Grace Hopper",
    answer=inert("The dispute with this customer is not over."),
    is_open=False,
)
PAGE = ErasuresPage(
    erasures=(WAITING, OWN, DONE, REFUSED),
    holds=(
        HoldLine(
            id="hld_1",
            what=inert("everything since 2026-03-01 00:00Z"),
            reason=inert("Proceedings 3 O 118/26."),
            set_by="Grace Hopper",
            since=at(NOW - timedelta(days=40), now=NOW),
        ),
    ),
    kinds=(
        Choice(value="invocation", label="one invocation, by its id"),
        Choice(value="person", label="everything done for a person, by the person's id"),
    ),
    hold_kinds=(Choice(value="since", label="everything since a day"),),
    may_grant=True,
)
ERASURES = {
    "everything": PAGE,
    "foreseen": replace(
        PAGE,
        foreseen=Foreseen(
            words="3 invocations, 2 previews and 31 private values of 14 events",
            kind="person",
            subject="usr_06dvh3x5m8qk2v7c1n4pz9tbwr",
            connection_id="",
        ),
    ),
    "none": replace(
        PAGE, erasures=(), holds=(), may_grant=False, problem="It must end first: inv_1. Let it be decided."
    ),
}
