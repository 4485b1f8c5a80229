"""Every page in every state, as typed examples: what the template, accessibility and appearance tests look at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from web_gallery_acting import ACTING
from web_gallery_approval import APPROVALS, INBOXES
from web_gallery_audit import LOGS
from web_gallery_doubts import DOUBT_LISTS, DOUBTS
from web_gallery_erasures import ERASURES
from web_gallery_grants import GRANTS, NEW_GRANTS, REVIEWS
from web_gallery_identities import identity_pages
from web_gallery_invitations import invitation_pages, link_pages
from web_gallery_invocation import INVOCATION_LISTS, INVOCATIONS
from web_gallery_limits import BRAKES, OWN_LIMITS
from web_gallery_metrics import CENTRE_LISTS, CENTRES, METRIC_PAGES
from web_gallery_passkeys import PASSKEYS
from web_gallery_people import AGENT_SERVERS, NOW, PEOPLE, PERSON, SECRETS, SUSPENDED
from web_gallery_pins import PIN_LISTS, PINS
from web_gallery_plan import PLANS, PLANS_BEGUN
from web_gallery_policy import BUNDLES, POLICIES, TRIALS
from web_gallery_promotions import PROMOTION_LISTS, PROMOTIONS
from web_gallery_runners import RUNNERS
from web_gallery_server import SERVER_LISTS, SERVER_PAGES
from web_gallery_together import BATCHES, DEPUTIES, GLASS, TRUST, WAITING
from web_gallery_tool import CATALOGS, CONNECTIONS, HOSTILE, NEW_CONNECTIONS, TOOLS

from hub.identity.principals import Principal, PrincipalKind, Role
from hub.web.inert import inert, inert_name
from hub.web.menu import menu_of
from hub.web.moments import at
from hub.web.rendering import Chrome, Viewer
from hub.web.servers import UNAVAILABLE
from hub.web.slack_link import SlackPage
from hub.web.views.entry import (
    ConsentPage,
    FirstAdministratorPage,
    FreshLoginPage,
    LoginPage,
    LoginWay,
    PasswordPage,
    ScopeLine,
)
from hub.web.views.operations import ErrorPage, HealthLine, HealthPage
from hub.web.views.people import (
    AgentVersionLine,
    NewGroupForm,
    NewSecretPage,
)
from hub.web.wording import Word

SOON = NOW + timedelta(hours=3)
EVERYBODY = Principal(
    id="usr_grace",
    kind=PrincipalKind.USER,
    name="grace",
    display_name="Grace Hopper",
    groups=frozenset(),
    roles=frozenset(Role),
    owner_id=None,
    is_suspended=False,
)
"""Somebody with every role, to whom the menu offers everything."""
VIEWER = Viewer(
    display_name="Grace Hopper",
    csrf_token="csrf-example",
    menu=menu_of(EVERYBODY, waiting=2, doubts=1, owns_things=True, has_agents=True),
    sees_waiting=True,
    has_slack=True,
)
WELL = Word(label="Well", meaning="Every part answers.", tone="good")
ILL = Word(label="Not well", meaning="Something needs a look.", tone="bad")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One page in one state."""

    name: str
    template: str
    chrome: Chrome
    page: object


LOGIN = LoginPage(form_token="form-example", next="/approvals")
FIRST = FirstAdministratorPage(form_token="form-example", link_token="link-example")
FRESH = FreshLoginPage(
    name="grace", next="/approvals/inv_1", why="This decision needs a login younger than 10 minutes."
)
CONSENT = ConsentPage(
    request_id="req_1",
    agent=inert_name("Invoice assistant"),
    agent_name="invoice-assistant",
    agent_owner="Olive Owner",
    server="everything",
    scopes=(
        ScopeLine(
            scope="tryton:read", meaning="Read whatever its Tryton tools can read", is_write=False, given_before=True
        ),
        ScopeLine(scope="tryton:write", meaning="Propose writes with its Tryton tools", is_write=True),
    ),
    returns_to="127.0.0.1:8765",
)
HEALTH = HealthPage(
    overall=WELL,
    lines=(
        HealthLine(part="Database", state=WELL, detail="SQLite answers in 1 ms."),
        HealthLine(
            part="Connection Tryton (demo)", state=WELL, detail="Generation 3, enabled.", url="/connections/con_1"
        ),
    ),
)


def examples() -> Iterator[Example]:
    """Yield every page in every state."""
    yield from _entry()
    yield from _governed()
    yield from _administration()


def _entry() -> Iterator[Example]:
    def entry(name: str, template: str, page: object, viewer: Viewer | None = None) -> Example:
        return Example(name=name, template=template, chrome=Chrome(title="Sign in", viewer=viewer), page=page)

    yield entry("login", "login.html", LOGIN)
    yield entry(
        "login-wrong", "login.html", replace(LOGIN, name="grace", problem="This name and password do not match.")
    )
    ways = (LoginWay(action="/login/acme?next=%2F", title="Acme Corporation"),)
    yield entry("login-ways", "login.html", replace(LOGIN, ways=ways))
    yield entry("fresh-login-ways", "fresh_login.html", replace(FRESH, ways=ways), VIEWER)
    yield entry("fresh-login-elsewhere", "fresh_login.html", replace(FRESH, ways=ways, by_password=False), VIEWER)
    for name, (template, view) in invitation_pages(LOGIN).items():
        yield entry(name, template, view)
    yield entry("first-administrator", "first_administrator.html", FIRST)
    yield entry(
        "first-administrator-wrong",
        "first_administrator.html",
        replace(FIRST, name="root", problem="The two passwords differ."),
    )
    yield entry("fresh-login", "fresh_login.html", FRESH, VIEWER)
    yield entry("fresh-login-wrong", "fresh_login.html", replace(FRESH, problem="This password is not right."), VIEWER)
    yield entry("password", "password.html", PasswordPage(name="grace"), VIEWER)
    yield entry(
        "password-wrong", "password.html", PasswordPage(name="grace", problem="The two new passwords differ."), VIEWER
    )
    for name, (template, view) in (PASSKEYS | ACTING).items():
        yield entry(name, template, view, VIEWER)
    linked = SlackPage(account="U2CERLKJA", team="T1DC2JH3J", since=at(NOW - timedelta(days=3), now=NOW))
    yield entry("slack", "slack.html", SlackPage(), VIEWER)
    yield entry("slack-code", "slack.html", SlackPage(code="ABCDE-FGHJK-LMNPQ"), VIEWER)
    yield entry("slack-linked", "slack.html", linked, VIEWER)
    yield entry("consent", "consent.html", CONSENT, VIEWER)
    newcomer = replace(CONSENT, known_by="agents.example.org", returns_here=True)
    yield entry("consent-newcomer", "consent.html", newcomer, VIEWER)
    unasked = replace(CONSENT, knows_itself_alone=True)
    yield entry("consent-registered", "consent.html", unasked, VIEWER)
    yield entry("consent-more", "consent.html", replace(CONSENT, is_more=True), VIEWER)
    yield entry(
        "consent-hostile", "consent.html", replace(CONSENT, agent=inert_name(HOSTILE), agent_owner=HOSTILE), VIEWER
    )


def _governed() -> Iterator[Example]:
    families = (
        ("catalog", "catalog.html", "tools", CATALOGS),
        ("tool", "tool.html", "tools", TOOLS),
        ("inbox", "inbox.html", "approvals", INBOXES),
        ("approval", "approval.html", "approvals", APPROVALS | PLANS),
        ("standing-grants", "standing_grants.html", "approvals", GRANTS),
        ("new-standing-grant", "new_standing_grant.html", "approvals", NEW_GRANTS),
        ("reviews", "reviews.html", "approvals", REVIEWS),
        ("batch", "batch.html", "approvals", BATCHES),
        ("deputies", "deputies.html", "approvals", DEPUTIES),
        ("broken-glass", "broken_glass.html", "approvals", GLASS),
        ("trust", "trust.html", "tools", TRUST),
        ("waiting", "waiting.html", "health", WAITING),
        ("doubts", "doubts.html", "health", DOUBT_LISTS),
        ("doubt", "doubt.html", "health", DOUBTS),
        ("invocations", "invocations.html", "invocations", INVOCATION_LISTS),
        ("invocation", "invocation.html", "invocations", INVOCATIONS | PLANS_BEGUN),
        ("servers", "servers.html", "servers", SERVER_LISTS),
        ("server", "server.html", "servers", SERVER_PAGES),
        ("runners", "runners.html", "servers", RUNNERS),
        ("connection", "connection.html", "servers", CONNECTIONS),
        ("new-connection", "new_connection.html", "servers", NEW_CONNECTIONS),
        ("policy", "policy.html", "policy", POLICIES),
        ("policy-trial", "policy_trial.html", "policy", TRIALS),
        ("policy-bundle", "policy_bundle.html", "policy", BUNDLES),
        ("erasures", "erasures.html", "erasures", ERASURES),
        ("pins", "pins.html", "servers", PIN_LISTS),
        ("pin", "pin.html", "servers", PINS),
        ("own-limits", "own_limits.html", "own-limits", OWN_LIMITS),
        ("limits", "brakes.html", "limits", BRAKES),
        ("audit", "audit.html", "audit", LOGS),
        ("metrics", "metrics.html", "metrics", METRIC_PAGES),
        ("cost-centres", "cost_centres.html", "metrics", CENTRE_LISTS),
        ("cost-centre", "cost_centre.html", "metrics", CENTRES),
        ("promotions", "promotions.html", "servers", PROMOTION_LISTS),
        ("promotion", "promotion.html", "servers", PROMOTIONS),
    )
    for family, template, here, pages in families:
        for state, page in pages.items():
            chrome = Chrome(title=family.capitalize(), viewer=VIEWER, here=here)
            yield Example(name=f"{family}-{state}", template=template, chrome=chrome, page=page)


def _administration() -> Iterator[Example]:
    def example(name: str, template: str, page: object, *, here: str = "", notice: str = "") -> Example:
        return Example(
            name=name, template=template, chrome=Chrome(title=name, viewer=VIEWER, here=here, notice=notice), page=page
        )

    yield example("people", "people.html", PEOPLE, here="people", notice="Ada Lovelace has been added.")
    yield example("people-empty", "people.html", replace(PEOPLE, agents=(), more_url="/people?after=x"), here="people")
    wrong = replace(
        PEOPLE,
        new_user=replace(PEOPLE.new_user, name="Grace", problem="There is an account with this name already."),
        new_agent=replace(
            PEOPLE.new_agent,
            scopes="all",
            problem="'all' is no scope; a scope is CONNECTOR:read, CONNECTOR:write or tool:NAME.",
        ),
        new_group=NewGroupForm(name="No Group", title="x", problem="The name 'No Group' will not do."),
    )
    yield example("people-wrong", "people.html", wrong, here="people")
    yield example("person", "person.html", PERSON, here="people")
    agent = replace(
        PERSON,
        kind="agent",
        is_user=False,
        owner="Olive Owner",
        scopes=("tryton:read",),
        servers=("everything",),
        server_choices=AGENT_SERVERS,
        can_have_secrets=True,
        known_scopes=("tryton:read", "tryton:write"),
        unknown_scopes=("nope:read",),
        model="m-4",
        prompt="sha256:0f3a",
        versions=(
            AgentVersionLine(
                number=2,
                digest="9f2c4be1a7d0" + "5c" * 26,
                by=inert_name("Grace Hopper"),
                since=at(NOW - timedelta(hours=3), now=NOW),
                is_newest=True,
                changes=(inert('scopes: ["tryton:read", "tryton:write"] -> ["tryton:read"]'),),
            ),
            AgentVersionLine(
                number=1,
                digest="03bb81c55f1e" + "a1" * 26,
                by=inert_name("the hub's console"),
                since=at(NOW - timedelta(days=40), now=NOW),
                is_newest=False,
                changes=(),
            ),
        ),
    )
    yield example("person-agent", "person.html", agent, here="people")
    yield example("person-secrets", "person.html", replace(agent, secrets=SECRETS), here="people")
    for name, template, shown in (*identity_pages(PERSON), *link_pages(PERSON)):
        yield example(name, template, shown, here="people")
    yield example(
        "person-refused",
        "person.html",
        replace(PERSON, problem="This is the last administrator; make another one first."),
        here="people",
    )
    yield example("person-suspended", "person.html", replace(PERSON, is_suspended=True, state=SUSPENDED), here="people")
    yield example(
        "new-secret",
        "new_secret.html",
        NewSecretPage(
            name="invoice-assistant",
            client_id="agt_1",
            secret_id="sec_1",
            client_secret="thc_shown-once",
            expires="19 Feb 2027",
        ),
        here="people",
    )
    yield example("health", "health.html", HEALTH, here="health")
    ill = replace(
        HEALTH,
        overall=ILL,
        lines=(
            *HEALTH.lines,
            HealthLine(part="Outbox", state=ILL, detail="3 messages were given up."),
            HealthLine(
                part="Connection Desk",
                state=UNAVAILABLE,
                detail="No call is made since 2026-11-21 13:56:00 UTC. It could not be reached. The next look is at"
                " 2026-11-21 14:00:20 UTC, or now, on its page.",
                url="/connections/con_2",
            ),
        ),
    )
    yield example("health-ill", "health.html", ill, here="health")
    yield example(
        "error-404",
        "error.html",
        ErrorPage(status=404, heading="There is nothing here", message="It does not exist, or it is not yours to see."),
    )
    yield example(
        "error-500",
        "error.html",
        ErrorPage(
            status=500,
            heading="Something went wrong here",
            message="It is not your doing.",
            advice="Try again.",
            trace_id="4bf92f3577b34da6",
        ),
    )
