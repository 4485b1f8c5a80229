"""A small world for tests: a hub without doors, the test upstream connected to it, an agent, and people who decide."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from upstream.connector import connector
from upstream.fixtures import Upstream
from upstream.proven import prove_undo
from zygotes import zygote_of_this_loop

from connectors.sdk.spec import ConnectorSpec
from hub.approvals import Ballot, Choice
from hub.budgets import Brakes
from hub.bundles import Bundles, Publication, default_bundle_text, publish_bundle, publish_default
from hub.credentials import Vault
from hub.identity import directory
from hub.identity.accounts import NewUser, create_default_groups, create_user
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent
from hub.identity.principals import Caller, Principal
from hub.identity.tokens import TokenVerifier
from hub.invocations.group_commit import GroupCommit
from hub.invocations.invoke import invoke
from hub.invocations.runtime import Executor, Runtime, reach
from hub.invocations.values import Call, Claims, Invocation
from hub.invocations.votes import vote
from hub.keys import Keyring
from hub.registry import Catalog, Environment, NewConnection, create_connection, register_connector
from hub.storage import Database

MASTER_KEY = bytes(range(32))
ANSWER_SECONDS = 120.0
"""So long that a busy machine does not turn an outcome into a "still running"."""
PASSWORD = "correct-horse-battery"
PUBLIC_URL = "http://127.0.0.1:8420"
PEOPLE: Final = {"rita": (), "ann": ("approvers",), "carl": ("controllers",)}
"""Who has an account, and their groups."""
CONNECTORS: Final = ("upstream", "composite_dev", "composite_prod", "mailing", "notes", "talkative")
"""What the agent may be allowed to use, if a test connects it."""


def caller_for(bot: Principal, user: Principal) -> Caller:
    """Return `bot` acting for `user`, with every scope of the connector."""
    scopes = frozenset({"upstream:read", "upstream:write"})
    return Caller(actor=bot, on_behalf_of=user, scopes=scopes, client_id=bot.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The hub, its upstream and its people: an agent `bot` that acts for `rita`, approver `ann`, controller `carl`."""

    runtime: Runtime
    upstream: Upstream
    connection_id: str
    bot: Principal
    rita: Principal
    ann: Principal
    carl: Principal

    @property
    def caller(self) -> Caller:
        """The agent, acting for rita, with every scope of the connector."""
        return caller_for(self.bot, self.rita)

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        caller: Caller | None = None,
        run: str | None = None,
        key: str | None = None,
    ) -> Invocation:
        """Invoke `tool` as the agent."""
        call = Call(
            caller=caller or self.caller,
            server="everything",
            tool=tool,
            arguments=dict(arguments),
            trace_id="trace",
            claims=Claims(run=run, purpose="a test"),
            idempotency_key=key,
        )
        return await invoke(call, self.runtime)

    async def decide_by(self, *more: str) -> None:
        """Let the rules of the default policy and `more` decide, without the tests of the former."""
        rules = "\n".join(line for line in default_bundle_text().splitlines() if not line.startswith(("// ", "//?")))
        publication = Publication(environment="dev", text="\n".join([rules, *more]), by=None)
        async with self.runtime.database.transaction() as tx:
            await publish_bundle(tx, self.runtime.database, self.runtime.keys, publication)

    def edit_by_hand(self, number: int, *, quantity: int) -> None:
        """Change an item as somebody else would, in the upstream itself."""
        change = "UPDATE item SET quantity = ?, version = version + 1 WHERE id = ?"
        self.upstream.store.rows(change, quantity, number)

    async def vote(self, invocation: Invocation, voter: Principal, choice: Choice = Choice.APPROVE) -> Invocation:
        """Let `voter` vote on what `invocation` shows."""
        return await vote(self.ballot(invocation, voter, choice), self.runtime)

    def ballot(self, invocation: Invocation, voter: Principal, choice: Choice = Choice.APPROVE) -> Ballot:
        """Return the ballot of somebody who has read what `invocation` shows and has just logged in."""
        assert invocation.question is not None
        return Ballot(
            invocation_id=invocation.id,
            digest=invocation.question.digest,
            choice=choice,
            reason="looks right" if choice is Choice.APPROVE else "too much",
            voter=voter,
            authenticated_at=datetime.now(UTC),
        )


@asynccontextmanager
async def open_hub(database: Database, keys: Keyring, *, folders: Sequence[Path] = ()) -> AsyncGenerator[Runtime]:
    """Yield a running hub without doors; `folders` may hold SQLite files to connect to."""
    async with AsyncExitStack() as stack:
        vault = Vault(keys)
        executor = Executor(database, vault, paths=[Path(__file__).parent], reach=reach(None, (), folders))
        if zygote := zygote_of_this_loop():
            executor.fork_from(zygote)
        await stack.enter_async_context(executor.running())
        records = GroupCommit(database, keys)
        await stack.enter_async_context(records.running())
        runtime = Runtime(
            database=database,
            keys=keys,
            catalog=Catalog(database),
            bundles=Bundles(database),
            brakes=Brakes(database),
            executor=executor,
            vault=vault,
            verifier=TokenVerifier(database, keys, PUBLIC_URL),
            records=records,
            public_url=PUBLIC_URL,
            environment="dev",
            answer_seconds=ANSWER_SECONDS,
        )
        try:
            yield runtime
        finally:
            await runtime.tasks.drain(10)


@asynccontextmanager
async def open_world(
    database: Database,
    keys: Keyring,
    upstream: Upstream,
    *,
    spec: ConnectorSpec = connector.spec,
) -> AsyncGenerator[World]:
    """Yield a world over an empty database, or over one that `settle` has been at; `spec` replaces the connector's."""
    async with open_hub(database, keys) as runtime:
        async with database.reading() as tx:
            is_settled = await directory.find(tx, "bot") is not None
        if not is_settled:
            await settle(database, keys)
        if spec is not connector.spec:
            await _publish(spec, Authority(database=database, keys=keys))
        yield await _connect(runtime, upstream)


async def settle(database: Database, keys: Keyring) -> None:
    """Put on record what every world has: people with passwords, the agent, the policy and the connector.

    All that takes long is here, and nothing that is a test's own: `settled.py` does it once for all tests of a folder.
    """
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await create_default_groups(tx)
        await publish_default(tx, database, keys, environment="dev")
        people = {
            name: await create_user(
                tx,
                NewUser(name=name, display_name=name.title(), password=PASSWORD, groups=frozenset(groups)),
                authority,
            )
            for name, groups in PEOPLE.items()
        }
        await create_agent(
            tx,
            NewAgent(
                name="bot",
                display_name="Bot",
                owner_id=people["rita"].id,
                allowed_scopes=frozenset(f"{name}:{access}" for name in CONNECTORS for access in ("read", "write")),
                allowed_servers=frozenset({"everything"}),
            ),
            authority,
        )
    await _publish(connector.spec, authority)


async def _publish(spec: ConnectorSpec, authority: Authority) -> None:
    async with authority.database.transaction() as tx:
        await register_connector(tx, spec, authority)
        await prove_undo(tx, spec, authority)


async def _connect(runtime: Runtime, upstream: Upstream) -> World:
    authority = Authority(database=runtime.database, keys=runtime.keys)
    async with runtime.database.transaction() as tx:
        connection = await create_connection(
            tx,
            NewConnection(
                name="upstream", connector="upstream", environment=Environment.DEV, base_url=upstream.base_url
            ),
            authority,
        )
        await runtime.vault.put(tx, connection.id, {"token": upstream.token}, authority)
        known = {name: await directory.find(tx, name) for name in ("bot", *PEOPLE)}
    there = {name: principal for name, principal in known.items() if principal is not None}
    return World(runtime=runtime, upstream=upstream, connection_id=connection.id, **there)
