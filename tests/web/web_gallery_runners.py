"""Typed examples of the page of runners."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.runners import RunnerLine, RunnersPage

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
KEY = "jqJgNnoXcN9D6VZ3rW2bC2mB1wR0h0q2dJ0W0bNq5kE="
CI = RunnerLine(
    connector="acme_crm",
    name="acme-ci",
    public_key=KEY,
    agent="ci-reporter",
    registered=at(NOW - timedelta(days=12), now=NOW),
    revoke_url="/runners/acme_crm/rnr_1/revoke",
)
FORMER = RunnerLine(
    connector="tryton",
    name="a-runner-with-a-name-of-forty-eight-characters-1",
    public_key=KEY,
    agent="",
    registered=at(NOW - timedelta(days=90), now=NOW),
    revoked=at(NOW - timedelta(days=2), now=NOW),
)
_CONNECTORS = tuple(Choice(value=name, label=name) for name in ("acme_crm", "tryton"))
_REFUSED = {
    "name": "Acme CI",
    "public_key": "-----BEGIN PUBLIC KEY-----",
    "agent": "nobody",
    "problem": "In a runner's name stand small letters, digits and hyphens, at most 48.",
}
RUNNERS = {
    "seen": RunnersPage(lines=(replace(CI, revoke_url=""), FORMER)),
    "managed": RunnersPage(lines=(CI, FORMER), may_register=True, connectors=_CONNECTORS),
    "refused": RunnersPage(lines=(CI,), may_register=True, connectors=_CONNECTORS, **_REFUSED),
    "none": RunnersPage(lines=()),
}
