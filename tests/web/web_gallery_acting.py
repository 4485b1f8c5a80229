"""Typed examples of the page of the agents that act for somebody."""

from datetime import UTC, datetime, timedelta

from web_gallery_identities import ACTIVE, SUSPENDED

from hub.web.acting import ActingLine, ActingPage, LeaveLine
from hub.web.inert import inert_name
from hub.web.moments import at
from hub.web.scope_words import scope_line
from hub.web.views.people import AgentLine

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
WAITING = ActingLine(
    id="agt_3",
    agent=inert_name("Night clerk"),
    name="night-clerk",
    is_suspended=False,
    may_come_back=False,
    leaves=(),
    has_only_asked=True,
)
OWNED = tuple(
    AgentLine(
        url=f"/people/{one.id}",
        name=one.name,
        display_name=one.agent,
        kind="agent",
        owner="",
        scopes=(),
        servers=(),
        state=state,
    )
    for one, state in ((ASSISTANT, ACTIVE), (SUMMARIZER, SUSPENDED))
)
ACTING: dict[str, tuple[str, object]] = {
    "acting-none": ("acting.html", ActingPage(lines=())),
    "acting-some": ("acting.html", ActingPage(lines=(ASSISTANT, SUMMARIZER, WAITING), owned=OWNED)),
    "acting-owned": ("acting.html", ActingPage(lines=(), owned=OWNED)),
}
