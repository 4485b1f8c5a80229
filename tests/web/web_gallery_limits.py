"""Typed examples of the pages of limits: everybody's, with the kill switches, and those of what somebody owns."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.web.inert import inert, inert_name
from hub.web.moments import at
from hub.web.views.brakes import BrakesPage, LimitForm, LimitLine, StopForm, StopLine
from hub.web.views.catalog import Choice
from hub.web.views.own_limits import OwnLimitLine, OwnLimitsPage

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
MONEY = OwnLimitLine(
    id="lim_1",
    words="EUR\N{NO-BREAK SPACE}5,000.00 of money in a day for this tool",
    of=inert_name("tryton/sale_quote"),
    used="EUR 3,120.00 of EUR 5,000.00",
    amount="5000.00",
    share=62,
    frees=at(NOW + timedelta(hours=10), now=NOW),
    may_change=True,
)
CALLS = replace(
    MONEY,
    id="lim_2",
    words="100 calls in an hour for one agent",
    of=inert_name("each agent"),
    used="100 of 100, most by invoice-assistant",
    amount="100",
    share=100,
    may_change=False,
)
AT_ONCE = replace(
    MONEY,
    id="lim_3",
    words="4 calls at the same time for this agent",
    of=inert_name("invoice-assistant"),
    used="nothing yet",
    amount="4",
    share=0,
    frees=None,
)
FULL = OwnLimitsPage(
    lines=(MONEY, AT_ONCE, CALLS),
    mine=(
        Choice(value="agt_1", label="agent: invoice-assistant"),
        Choice(value="tol_1", label="tool: tryton/sale_quote", is_chosen=True),
    ),
    measures=(Choice(value="calls", label="calls"), Choice(value="money", label="money")),
)
OWN_LIMITS = {
    "full": FULL,
    "none": replace(FULL, lines=()),
    "nothing-owned": OwnLimitsPage(lines=(), mine=(), measures=()),
    "wrong": replace(
        FULL, amount="many", unit="EUR", window="60", problem_of_new="An amount of EUR is written like 1234.50."
    ),
    "not-lifted": replace(FULL, problem="Somebody else has set this limit; only administrators change it."),
}

STOPPED = BrakesPage(
    stops=(
        StopLine(
            kind="agent", subject="agt_1", name="bot", reason=inert("It loops."), by="Ada", since=at(NOW, now=NOW)
        ),
    ),
    limits=(
        LimitLine(
            id="lim_1",
            words="100 calls in an hour for one agent",
            subject="each agent",
            used="73 of 100, most by invoice-assistant",
            share=73,
            frees=at(NOW + timedelta(minutes=12), now=NOW),
            may_lift=True,
        ),
        LimitLine(
            id="lim_2",
            words="10 minutes from its first call on for one run",
            subject="each run",
            used="",
            share=0,
            frees=None,
            may_lift=False,
        ),
    ),
    stop_form=StopForm(kinds=(Choice(value="hub", label="hub"), Choice(value="agent", label="agent"))),
    known=(Choice(value="invoice-assistant", label="agent"), Choice(value="tryton/sale_quote", label="tool")),
    limit_form=LimitForm(
        measures=(Choice(value="calls", label="calls"), Choice(value="money", label="money")),
        pers=(Choice(value="agent", label="agent"), Choice(value="tool", label="tool")),
    ),
)
BRAKES = {
    "full": STOPPED,
    "none": replace(
        STOPPED,
        stops=(),
        limits=(),
        limit_form=None,
        stop_form=StopForm(
            kinds=(Choice(value="hub", label="hub"), Choice(value="agent", label="agent", is_chosen=True)),
            reason="It loops.",
            problem="Name the agent, the tool or the connection; the hub has no name.",
        ),
    ),
    "wrong": replace(
        STOPPED,
        limit_form=LimitForm(
            measures=(Choice(value="calls", label="calls"), Choice(value="money", label="money", is_chosen=True)),
            pers=(Choice(value="agent", label="agent"), Choice(value="tool", label="tool", is_chosen=True)),
            amount="250.00",
            unit="EUR",
            window="fortnight",
            of="tryton/sale_quote",
            problem="A length of time is a number and its unit: 30 minutes, 1 hour, 7 days.",
        ),
    ),
    "lifted-already": replace(STOPPED, problem="This switch is not on."),
}
