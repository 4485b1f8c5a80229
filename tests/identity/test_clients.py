"""Agents and services: what may be registered, and what is on record about it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.audit.tables import EventRow
from hub.core.errors import InputError, NotFound
from hub.identity.accounts import suspend
from hub.identity.authority import Authority
from hub.identity.clients import (
    ClientAuthentication,
    NewAgent,
    create_agent,
    find_client,
    issue_secret,
    limit_client,
    revoke_secret,
)
from hub.identity.enrolment import enrol
from hub.identity.principals import PrincipalKind
from hub.identity.redirects import answer_uri, check_redirect_uri, resolve_redirect_uri
from hub.identity.resources import may_use, resource_of, server_of
from hub.identity.tables import ClientSecretRow
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
def authority(database: Database, keys: Keyring) -> Authority:
    return Authority(database=database, keys=keys)


@pytest.fixture
async def owner(database: Database) -> str:
    async with database.transaction() as tx:
        return await enrol(tx, kind=PrincipalKind.USER, name="ada", display_name="Ada")


async def test_an_agent_is_bounded_by_what_it_was_registered_with(
    database: Database, authority: Authority, owner: str
) -> None:
    new = NewAgent(
        name="clerk",
        display_name="Clerk",
        owner_id=owner,
        allowed_scopes=frozenset({"tryton:read"}),
        allowed_servers=frozenset({"sales"}),
    )
    async with database.transaction() as tx:
        agent = await create_agent(tx, new, authority)

    assert (agent.kind, agent.owner_id) == (PrincipalKind.AGENT, owner)
    assert (agent.allowed_scopes, agent.allowed_servers) == ({"tryton:read"}, {"sales"})


async def test_an_agent_registered_with_nothing_may_do_nothing(
    database: Database, authority: Authority, owner: str
) -> None:
    async with database.transaction() as tx:
        agent = await create_agent(tx, NewAgent(name="clerk", display_name="Clerk", owner_id=owner), authority)

    assert agent.allowed_scopes == agent.allowed_servers == frozenset()


@pytest.mark.parametrize(
    "changes",
    [
        {"owner_id": "usr_nobody"},
        {"allowed_scopes": frozenset({"*"})},
        {"allowed_servers": frozenset({"../mcp"})},
        {"redirect_uris": ("javascript:alert(1)",)},
        {"name": "Not A Name"},
        {"display_name": "two\nlines"},
    ],
)
async def test_an_agent_that_could_do_harm_is_not_registered(
    database: Database, authority: Authority, owner: str, changes: dict[str, object]
) -> None:
    new = NewAgent(**{"name": "clerk", "display_name": "Clerk", "owner_id": owner, **changes})  # type: ignore[arg-type]  # wrong on purpose

    with pytest.raises(InputError):
        async with database.transaction() as tx:
            await create_agent(tx, new, authority)


async def test_somebody_suspended_owns_no_new_agents(database: Database, authority: Authority, owner: str) -> None:
    async with database.transaction() as tx:
        await suspend(tx, owner, "left", authority)

        with pytest.raises(InputError, match="owner"):
            await create_agent(tx, NewAgent(name="clerk", display_name="Clerk", owner_id=owner), authority)


async def test_a_secret_is_shown_once_and_neither_stored_nor_recorded(
    database: Database, authority: Authority, owner: str
) -> None:
    async with database.transaction() as tx:
        agent = await create_agent(tx, NewAgent(name="clerk", display_name="Clerk", owner_id=owner), authority)
        secret = await issue_secret(tx, agent.id, authority)

    async with database.reading() as tx:
        stored = (await tx.scalars(select(ClientSecretRow.hash))).one()
        recorded = b"".join((await tx.scalars(select(EventRow.body))).all()).decode()
    assert secret.value not in repr(secret)
    assert secret.value != stored
    assert secret.value not in recorded


@pytest.mark.parametrize("lifetime", [timedelta(), timedelta(days=-1), timedelta(days=367)])
async def test_a_secret_lives_for_up_to_a_year(
    database: Database, authority: Authority, owner: str, lifetime: timedelta
) -> None:
    async with database.transaction() as tx:
        agent = await create_agent(tx, NewAgent(name="clerk", display_name="Clerk", owner_id=owner), authority)

        with pytest.raises(InputError, match="366 days"):
            await issue_secret(tx, agent.id, authority, lifetime=lifetime)


async def test_secrets_are_for_clients_that_can_keep_them(database: Database, authority: Authority, owner: str) -> None:
    async with database.transaction() as tx:
        new = NewAgent(name="app", display_name="App", owner_id=owner, authentication=ClientAuthentication.NONE)
        app = await create_agent(tx, new, authority)

        with pytest.raises(InputError, match="by PKCE or a key"):
            await issue_secret(tx, app.id, authority)
        with pytest.raises(NotFound):
            await issue_secret(tx, owner, authority)
        with pytest.raises(NotFound):
            await revoke_secret(tx, app.id, "sec_unknown", authority)
        with pytest.raises(NotFound):
            await limit_client(tx, owner, scopes=frozenset(), servers=frozenset(), authority=authority)
        assert await find_client(tx, owner) is None


@pytest.mark.parametrize(
    "uri",
    [
        "https://agent.example/callback",
        "https://agent.example/callback?tenant=1",
        "http://127.0.0.1/done",
        "http://127.0.0.1:8765/done",
        "http://[::1]/done",
        "http://localhost:3118/callback",
        "com.example.agent:/done",
        "cursor.app:/callback",
    ],
)
def test_a_redirect_uri_that_codes_may_be_sent_to_is_registered(uri: str) -> None:
    check_redirect_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/callback",
        "//agent.example/callback",
        "http://agent.example/callback",
        "http://localhost.evil.example/",
        "http://127.0.0.1.nip.io/",
        "https://",
        "https://user@agent.example/",
        "https://agent.example/#here",
        "https://agent.example/*",
        "https://agent.example\\@evil.example/",
        "https://agent.example/a b",
        "https://agent.example:x/",
        "https://[::1/",
        "https://\u00e4.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "myapp://callback",
        "com.example.agent://evil/done",
        "https://agent.example/" + "x" * 2000,
    ],
)
def test_a_redirect_uri_that_could_lead_astray_is_not_registered(uri: str) -> None:
    with pytest.raises(InputError):
        check_redirect_uri(uri)


def test_a_request_without_redirect_uri_means_the_only_one() -> None:
    assert resolve_redirect_uri(["https://a.example/x"], None) == "https://a.example/x"
    assert resolve_redirect_uri(["https://a.example/x", "https://a.example/y"], None) is None
    assert resolve_redirect_uri([], None) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_the_port_of_a_loopback_uri_may_be_any_whichever_is_registered(host: str) -> None:
    for registered in (f"http://{host}:8765/done?a=1", f"http://{host}/done?a=1"):
        for requested in (f"http://{host}:8765/done?a=1", f"http://{host}:49152/done?a=1", f"http://{host}/done?a=1"):
            assert resolve_redirect_uri([registered], requested) == requested


@pytest.mark.parametrize(
    "requested",
    [
        "http://127.0.0.1:49152/other",
        "http://127.0.0.1:49152/done/",
        "http://127.0.0.1:49152/done?x=1",
        "http://127.0.0.1:49152/done#x",
        "http://127.0.0.1:49152/DONE",
        "http://127.0.0.1:49152",
        "https://127.0.0.1:49152/done",
        "HTTP://127.0.0.1:49152/done",
        "http://127.0.0.1:/done",
        "http://127.0.0.1:049152/done",
        "http://127.0.0.1:491520/done",
        "http://127.0.0.1:49\t152/done",
        " http://127.0.0.1:49152/done",
        "http://user@127.0.0.1:49152/done",
        "http://127.0.0.1:49152@evil.example/done",
        "http://127.0.0.1:49152\\@evil.example/done",
        "http://127.0.0.1.evil.example:49152/done",
        "http://127.0.0.2:49152/done",
        "http://127.1:49152/done",
        "http://localhost:49152/done",
        "http://[::1]:49152/done",
    ],
)
def test_of_a_loopback_uri_nothing_but_the_port_may_differ(requested: str) -> None:
    assert resolve_redirect_uri(["http://127.0.0.1:8765/done"], requested) is None


def test_the_port_of_any_other_host_may_not_differ() -> None:
    for registered in ("https://agent.example/done", "https://agent.example:8443/done", "https://localhost:8443/done"):
        assert resolve_redirect_uri([registered], "https://agent.example:9443/done") is None
        assert resolve_redirect_uri([registered], "https://localhost:9443/done") is None


def test_an_answer_keeps_the_query_that_the_redirect_uri_has() -> None:
    assert answer_uri("https://a.example/x?t=1", code="c d", state=None) == "https://a.example/x?t=1&code=c+d"
    assert answer_uri("com.example.agent:/done", error="access_denied") == "com.example.agent:/done?error=access_denied"


@pytest.mark.parametrize("public_url", ["https://hub.example", "http://127.0.0.1:8000/"])
@pytest.mark.parametrize("server", ["everything", "sales", "sales-eu.prod"])
def test_a_resource_and_its_server_name_each_other(public_url: str, server: str) -> None:
    assert server_of(resource_of(server, public_url), public_url) == server


@pytest.mark.parametrize(
    ("allowed", "server", "is_open"),
    [
        ({"sales"}, "sales", True),
        ({"sales"}, "everything", True),
        ({"sales"}, "everything-prod", True),
        ({"sales"}, "sales-eu", False),
        ({"everything"}, "sales", False),
        (set[str](), "everything", False),
        (set[str](), "", False),
    ],
)
def test_the_built_in_servers_are_open_to_whoever_may_use_any(allowed: set[str], server: str, is_open: bool) -> None:  # noqa: FBT001  # a table's column
    assert may_use(frozenset(allowed), server) is is_open


@pytest.mark.parametrize(
    "path", ["", "/", "/mcp/", "/MCP", "/servers//mcp", "/servers/a/b/mcp", "/servers/everything/mcp"]
)
def test_anything_else_is_no_resource(path: str) -> None:
    assert server_of("https://hub.example" + path, "https://hub.example") is None
