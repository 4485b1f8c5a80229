"""People, agents and groups in their pages' states, as typed examples: part of the gallery."""

from datetime import UTC, datetime, timedelta

from hub.web.inert import inert_name
from hub.web.moments import at
from hub.web.views.catalog import Choice
from hub.web.views.people import (
    AgentLine,
    GroupLine,
    NewAgentForm,
    NewGroupForm,
    NewUserForm,
    PeoplePage,
    PersonLine,
    PersonPage,
    SecretLine,
)
from hub.web.wording import Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
ACTIVE = Word(label="active", meaning="May sign in.", tone="good")
SUSPENDED = Word(label="suspended", meaning="Refused everywhere.", tone="bad")
ROLES = tuple(Choice(value=name, label=name) for name in ("administrator", "operator", "auditor", "member"))
GROUPS = (
    Choice(value="approvers", label="Approvers (approvers)", is_chosen=True),
    Choice(value="controllers", label="Controllers (controllers)"),
)
AGENT_SERVERS = (
    Choice(value="everything", label="everything: All tools, at /mcp", is_chosen=True),
    Choice(value="hub.api", label="hub.api: The API, at /api/v1"),
)
PEOPLE = PeoplePage(
    people=(
        PersonLine(
            url="/people/usr_1",
            name="grace",
            display_name=inert_name("Grace Hopper"),
            groups=("approvers", "controllers"),
            roles=("administrator", "member"),
            state=ACTIVE,
        ),
        PersonLine(
            url="/people/usr_2",
            name="mallory",
            display_name=inert_name("Mallory"),
            groups=(),
            roles=("member",),
            state=SUSPENDED,
        ),
    ),
    agents=(
        AgentLine(
            url="/people/agt_1",
            name="invoice-assistant",
            display_name=inert_name("Invoice assistant"),
            kind="agent",
            owner="Olive Owner",
            scopes=("tryton:read", "tryton:write"),
            servers=("everything",),
            state=ACTIVE,
        ),
    ),
    groups=(
        GroupLine(name="approvers", title=inert_name("Approvers")),
        GroupLine(name="controllers", title=inert_name("Controllers")),
    ),
    new_user=NewUserForm(groups=GROUPS, roles=ROLES),
    new_agent=NewAgentForm(owner="grace", servers=AGENT_SERVERS),
    new_group=NewGroupForm(),
)
PERSON = PersonPage(
    id="usr_1",
    name="grace",
    display_name=inert_name("Grace Hopper"),
    kind="user",
    state=ACTIVE,
    is_suspended=False,
    is_user=True,
    groups=GROUPS,
    roles=ROLES,
    can_have_secrets=False,
    owner="",
    scopes=(),
    servers=(),
    may_manage=True,
)
SECRETS = (
    SecretLine(
        id="sec_06dvh3x5m8qk2v7c1n4pz9tbwr",
        issued=at(NOW - timedelta(days=80), now=NOW),
        ends=at(NOW + timedelta(days=10), now=NOW),
        state=Word(label="ends soon", meaning="No other one is good for longer.", tone="warn"),
    ),
)
