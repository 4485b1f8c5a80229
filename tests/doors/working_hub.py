"""A working hub over the test upstream: its people, its agents, and words for what they do."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import upstream
from continued import continue_due
from upstream.connector import connector
from upstream.fixtures import Upstream
from upstream.proven import prove_undo
from zygotes import zygote_of_this_loop

from hub.approvals import Ballot, Choice
from hub.budgets import Brakes
from hub.bundles import Bundles, publish_default
from hub.credentials import Vault
from hub.identity import scopes
from hub.identity.accounts import set_groups, set_roles
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent
from hub.identity.directory import find, get
from hub.identity.enrolment import enrol
from hub.identity.grants import ACCESS_TOKEN_LIFETIME, AuthorizationServer, NewGrant, issue, open_grant
from hub.identity.principals import Caller, Principal, PrincipalKind, Role
from hub.identity.resources import EVERYTHING, resource_of
from hub.identity.tokens import TokenVerifier
from hub.invocations.group_commit import GroupCommit
from hub.invocations.queries import current
from hub.invocations.runtime import Executor, Runtime
from hub.invocations.votes import vote
from hub.keys import Keyring
from hub.oauth.routes import is_published
from hub.registry import (
    Catalog,
    Connection,
    Environment,
    NewConnection,
    Tool,
    create_connection,
    find_tool,
    quarantine,
    register_connector,
)
from hub.storage import Database, Tx, now

PUBLIC_URL = "http://127.0.0.1:8420"
ANSWER_SECONDS = 120.0
"""So long that a busy machine does not turn an outcome into a "still running"."""
PASSWORD = "correct horse battery staple"
ALL_SCOPES = frozenset({"upstream:read", "upstream:write"})
_MEMBER: Final = frozenset({Role.MEMBER})
_PARTS: Final[dict[str, tuple[frozenset[Role], frozenset[str]]]] = {
    "requester": (_MEMBER, frozenset()),
    "owner": (_MEMBER, frozenset()),
    "approver": (_MEMBER, frozenset({"approvers"})),
    "controller": (_MEMBER, frozenset({"controllers"})),
    "administrator": (frozenset({Role.ADMINISTRATOR}), frozenset()),
    "operator": (frozenset({Role.OPERATOR}), frozenset()),
    "auditor": (frozenset({Role.AUDITOR}), frozenset()),
    "nobody": (frozenset(), frozenset()),
}
"""The parts that somebody can play."""


@dataclass(frozen=True, kw_only=True)
class WorkingHub:
    """A hub in which `agent` acts for `requester`, and `approver` and `controller` decide."""

    runtime: Runtime
    upstream: Upstream
    connection: Connection
    agent: Principal
    people: dict[str, Principal] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """The hub's database."""
        return self.runtime.database

    @property
    def authority(self) -> Authority:
        """The authority of the hub's console."""
        return Authority(database=self.runtime.database, keys=self.runtime.keys)

    @property
    def caller(self) -> Caller:
        """The agent, acting for the requester with every scope."""
        return Caller(
            actor=self.agent, on_behalf_of=self.people["requester"], scopes=ALL_SCOPES, client_id=self.agent.id
        )

    async def tool(self, tx: Tx, name: str) -> Tool:
        """Return a tool of the test connector."""
        found = await find_tool(tx, connector.spec.name, name)
        assert found is not None
        return found

    async def token(
        self,
        *,
        of: Principal | None = None,
        for_user: Principal | None = None,
        granted: frozenset[str] = ALL_SCOPES,
        server: str = EVERYTHING,
        bound_to: str | None = None,
    ) -> str:
        """Return an access token of an agent, for the requester unless somebody else is named."""
        client, user = of or self.agent, for_user or self.people["requester"]
        async with self.database.transaction() as tx:
            new = NewGrant(
                kind="authorization_code",
                client=client,
                user_id=user.id,
                scopes=granted,
                resource=resource_of(server, PUBLIC_URL),
                server=server,
                authenticated_at=await now(tx),
                lifetime=ACCESS_TOKEN_LIFETIME,
                key_thumbprint=bound_to,
            )
            authorization = AuthorizationServer(
                database=self.database, keys=self.runtime.keys, public_url=PUBLIC_URL, is_server=is_published
            )
            issued = await issue(tx, authorization, await open_grant(tx, new), granted, with_refresh=False)
        assert scopes.are_scopes(granted)
        return issued.access_token

    async def make_agent(
        self, name: str, *, allowed: frozenset[str] = ALL_SCOPES, servers: frozenset[str]
    ) -> Principal:
        """Register one more agent of the owner."""
        async with self.database.transaction() as tx:
            return await create_agent(
                tx,
                NewAgent(
                    name=name,
                    display_name=name.title(),
                    owner_id=self.people["owner"].id,
                    allowed_scopes=allowed,
                    allowed_servers=servers,
                ),
                self.authority,
            )

    async def vote(self, invocation_id: str, voter: str, choice: Choice = Choice.APPROVE) -> None:
        """Let one of the people vote on an invocation as it stands, after a fresh login."""
        standing = await current(self.runtime, invocation_id)
        assert standing.question is not None
        async with self.database.reading() as tx:
            ballot = Ballot(
                invocation_id=invocation_id,
                digest=standing.question.digest,
                choice=choice,
                reason="as agreed" if choice is Choice.APPROVE else "too much",
                voter=await get(tx, self.people[voter].id),
                authenticated_at=await now(tx),
            )
        await vote(ballot, self.runtime)

    async def hold_back(self, name: str) -> None:
        """Let a tool of the test connector be listed no more."""
        async with self.database.transaction() as tx:
            await quarantine(tx, (await self.tool(tx, name)).id, "it looked odd", self.authority)

    async def let_the_worker_work(self) -> None:
        """Continue whatever is due until nothing is."""
        while await continue_due(self.runtime):
            pass


@asynccontextmanager
async def open_runtime(database: Database, keys: Keyring) -> AsyncGenerator[Runtime]:
    """Yield what a process of the hub runs with; `settle` has been at its database."""
    async with AsyncExitStack() as stack:
        vault = Vault(keys)
        executor = Executor(database, vault, paths=[Path(upstream.__file__).parent.parent])
        if zygote := zygote_of_this_loop():
            executor.fork_from(zygote)
        await stack.enter_async_context(executor.running())
        records = GroupCommit(database, keys)
        await stack.enter_async_context(records.running())
        verifier = TokenVerifier(database, keys, PUBLIC_URL)
        await stack.enter_async_context(verifier.listening())
        yield Runtime(
            database=database,
            keys=keys,
            catalog=Catalog(database),
            bundles=Bundles(database),
            brakes=Brakes(database),
            executor=executor,
            vault=vault,
            verifier=verifier,
            records=records,
            public_url=PUBLIC_URL,
            environment=Environment.DEV.value,
            answer_seconds=ANSWER_SECONDS,
        )


@asynccontextmanager
async def working_hub(database: Database, keys: Keyring, system: Upstream) -> AsyncGenerator[WorkingHub]:
    """Yield a hub with the test connector connected to `system`; `settle` has been at its database."""
    async with open_runtime(database, keys) as runtime:
        connection, there = await _connected(runtime, system)
        agent = there.pop("assistant")
        yield WorkingHub(runtime=runtime, upstream=system, connection=connection, agent=agent, people=there)
        await runtime.tasks.drain(5)


async def settle(database: Database, keys: Keyring) -> None:
    """Put on record what every such hub has: the policy, its people, its agent and the test connector."""
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await publish_default(tx, database, keys, environment=Environment.DEV.value)
        people = await _people(tx, authority)
        owner_id = people["owner"].id
        await register_connector(tx, connector.spec, authority, owner_id=owner_id)
        await prove_undo(tx, connector.spec, authority)
        await create_agent(
            tx,
            NewAgent(
                name="assistant",
                display_name="Assistant",
                owner_id=owner_id,
                allowed_scopes=ALL_SCOPES | {"composite_dev:write", "payer:write"},
                allowed_servers=frozenset({EVERYTHING}),
            ),
            authority,
        )


async def _people(tx: Tx, authority: Authority) -> dict[str, Principal]:
    """Enrol one person for each part somebody can play; they have no passwords, which take long to make."""
    people = dict[str, Principal]()
    for name, (roles, groups) in _PARTS.items():
        person = await enrol(tx, kind=PrincipalKind.USER, name=name, display_name=name.title())
        await set_roles(tx, person, roles, authority)
        people[name] = await set_groups(tx, person, groups, authority)
    return people


async def _connected(runtime: Runtime, system: Upstream) -> tuple[Connection, dict[str, Principal]]:
    """Connect the test connector to `system`; return the connection, and who is there by name."""
    authority = Authority(database=runtime.database, keys=runtime.keys)
    async with runtime.database.transaction() as tx:
        known = {name: await find(tx, name) for name in ("assistant", *_PARTS)}
        there = {name: principal for name, principal in known.items() if principal is not None}
        new = NewConnection(
            name="test-system",
            connector=connector.spec.name,
            environment=Environment.DEV,
            base_url=system.base_url,
            owner_id=there["owner"].id,
        )
        connection = await create_connection(tx, new, authority)
        await runtime.vault.put(tx, connection.id, {"token": system.token}, authority)
    return connection, there
