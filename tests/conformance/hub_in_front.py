"""A hub that is served in front of the test upstream, and a token that stands in for the suite's sign-in."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx2
from serving import serve
from starlette.types import ASGIApp, Receive, Scope, Send
from upstream.fixtures import running_upstream
from world import MASTER_KEY, World, open_world

from conformance.everything import asking, plain, slowly
from connectors.mcp_upstream import Discovery, Owner
from hub.identity.authority import Authority
from hub.identity.client_documents import ClientDocuments
from hub.identity.clients import ClientAuthentication, NewAgent, create_agent, issue_secret
from hub.identity.newcomers import Newcomers
from hub.invocations.runtime import judged_by, reach
from hub.keys import Keyring
from hub.outbound import Outbound
from hub.registry import (
    DefinedTool,
    Environment,
    NewConnection,
    ServerDefinition,
    create_connection,
    define_server,
    disable_connection,
    get_connection,
    register_connector,
)
from hub.storage import Database

NAME: Final = "conformance"
_CHANGING: Final = ("test_trigger_tool_change", "test_trigger_prompt_change")
_TOOLS: Final = (*plain.TOOLS, *asking.TOOLS, *slowly.TOOLS)
OWNER: Final = Owner(name=NAME, reads=frozenset({*(tool.name for tool in _TOOLS), *_CHANGING}))
"""The owner's word that the tools of the test upstream change nothing, which is true."""
CALLBACK: Final = "http://127.0.0.1/callback"
"""Where the suite waits for a code, at a port that it is told: of loopback addresses any will do (RFC 8252)."""
_READS: Final = f"{NAME}:read"
QUIET_SECONDS: Final = 2.0
"""Less than the one tool of the test upstream takes that sends its clients away meanwhile."""


EVERYTHING_AT: Final = "/mcp"
TASKS_AT: Final = "/servers/tasks/mcp"
NEEDS_TASKS: Final = "failing_job"
"""What the suite wants to be refused to clients that know no tasks."""
NEWCOMERS: Final = Newcomers(
    owner="rita",
    scopes=frozenset({_READS}),
    servers=frozenset({"everything"}),
    documents_from=frozenset({"agents.example.org"}),
)


@dataclass(slots=True)
class SignedIn:
    """Stands where a client's sign-in would: the suite knows none, so what comes without a token gets this one."""

    app: ASGIApp
    tokens: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """By the path of the endpoint that each is for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["path"] in self.tokens and not _is_signed_in(scope):
            bearer = (b"authorization", f"Bearer {self.tokens[scope['path']]}".encode())
            scope = {**scope, "headers": [*scope["headers"], bearer]}
        await self.app(scope, receive, send)


def _is_signed_in(scope: Scope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])


@dataclass(frozen=True, slots=True, kw_only=True)
class InFront:
    """The hub, and where the suite finds its MCP endpoint."""

    world: World
    address: str
    app_id: str
    """An agent that keeps no secret: it gets its codes on the machine of the person it acts for."""

    @property
    def url(self) -> str:
        """The endpoint of everything."""
        return f"{self.address}{EVERYTHING_AT}"

    @property
    def tasks_url(self) -> str:
        """The endpoint of a server with the same tools, one of which is for clients alone that know tasks."""
        return f"{self.address}{TASKS_AT}"


@asynccontextmanager
async def hub_in_front_of(
    url: str, database: Database, folder: Path, *, answer_seconds: float | None = None
) -> AsyncGenerator[InFront]:
    """Serve a hub to which the MCP server at `url` is connected; `database` is settled.

    `answer_seconds` is after how long a call that is still under way is answered; else they are all waited for.
    """
    doors: list[SignedIn] = []

    def behind(app: ASGIApp) -> ASGIApp:
        doors.append(SignedIn(app))
        return doors[0]

    keys = await Keyring.open(database, MASTER_KEY)
    authority = Authority(database=database, keys=keys)
    with running_upstream(folder) as system:
        async with open_world(database, keys, system) as patient:
            nobody = Outbound(judged_by(reach((), ())))
            documents = ClientDocuments(outbound=nobody, public=nobody, newcomers=NEWCOMERS)
            seconds = answer_seconds or patient.runtime.answer_seconds
            runtime = replace(patient.runtime, answer_seconds=seconds, quiet_seconds=QUIET_SECONDS, documents=documents)
            world = replace(patient, runtime=runtime)
            await _connect(world, url, authority)
            async with database.transaction() as tx:
                suite = NewAgent(
                    name="suite",
                    display_name="Suite",
                    owner_id=world.rita.id,
                    allowed_scopes=frozenset({_READS}),
                    allowed_servers=frozenset({"everything", "tasks"}),
                )
                agent = await create_agent(tx, suite, authority)
                native = replace(
                    suite,
                    name="app",
                    display_name="App",
                    redirect_uris=(CALLBACK,),
                    authentication=ClientAuthentication.NONE,
                )
                app = await create_agent(tx, native, authority)
                secret = await issue_secret(tx, agent.id, authority)
            async with serve(world, behind=behind) as served:
                for path in (EVERYTHING_AT, TASKS_AT):
                    doors[0].tokens[path] = await _token(f"{served.address}{path}", agent.id, secret.value)
                yield InFront(world=served.world, address=served.address, app_id=app.id)


async def _connect(world: World, url: str, authority: Authority) -> None:
    async with authority.database.transaction() as tx:
        looking = NewConnection(
            name="looking", connector="upstream", environment=Environment.DEV, base_url=url, prefix="l_"
        )
        made = await create_connection(tx, looking, authority)
        await world.runtime.vault.put(tx, made.id, {"token": "none"}, authority)
        there = await get_connection(tx, made.id)
    found = await world.runtime.executor.discover(OWNER, there)
    assert isinstance(found, Discovery), found
    assert not found.refused, found.refused
    async with authority.database.transaction() as tx:
        await disable_connection(tx, made.id, authority, reason="only for looking")
        await register_connector(tx, found.spec, authority)
        new = NewConnection(name=NAME, connector=NAME, environment=Environment.DEV, base_url=url)
        await create_connection(tx, new, authority)
        names = [one.name for one in found.spec.operations if one.name in OWNER.reads]
        tools = [DefinedTool(tool=one, connection=NAME, needs_tasks=one == NEEDS_TASKS) for one in names]
        tasks = ServerDefinition(name="tasks", environment=Environment.DEV, title="Tasks", tools=tuple(tools))
        await define_server(tx, tasks, authority)


async def _token(resource: str, client_id: str, secret: str) -> str:
    form = {"grant_type": "client_credentials", "resource": resource, "scope": _READS}
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        answer = await http.post(urljoin(resource, "/oauth/token"), data=form, auth=(client_id, secret))
    assert answer.is_success, answer.text
    return str(answer.json()["access_token"])
