"""Typed examples of the page of the agents that act for somebody."""

from datetime import UTC, datetime, timedelta

from hub.web.acting import ActingLine, ActingPage, LeaveLine
from hub.web.inert import inert_name
from hub.web.moments import at
from hub.web.scope_words import scope_line

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
DESK = LeaveLine(
    server="desk",
    scopes=tuple(scope_line(one, given_before=True) for one in ("tryton:read", "tryton:write", "tool:invoice_post")),
    since=at(NOW - timedelta(days=40), now=NOW),
)
ELSEWHERE = LeaveLine(
    server="everything",
    scopes=(scope_line("crm:read", given_before=True),),
    since=at(NOW - timedelta(minutes=3), now=NOW),
    word="on the word of https://login.example.org/a-tenant",
)
ASSISTANT = ActingLine(
    id="agt_1",
    agent=inert_name("Order assistant \u202egnirts"),
    name="order-assistant",
    is_suspended=False,
    may_come_back=False,
    leaves=(DESK,),
)
SUMMARIZER = ActingLine(
    id="agt_2",
    agent=inert_name("Summarizer"),
    name="summarizer",
    is_suspended=True,
    may_come_back=True,
    leaves=(DESK, ELSEWHERE),
)
ACTING: dict[str, tuple[str, object]] = {
    "acting-none": ("acting.html", ActingPage(lines=())),
    "acting-some": ("acting.html", ActingPage(lines=(ASSISTANT, SUMMARIZER))),
}
