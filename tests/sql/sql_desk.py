"""A hub connected to the shop: an agent that calls, somebody who approves, and the executor for a closer look."""

import itertools
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sql_shop import Shop
from world import open_hub

from connectors.sdk.preview import Preview
from connectors.sdk.spec import ConnectorSpec
from connectors.sql.compile import compiled, needed_tables
from connectors.sql.manifest import read_manifest
from hub.approvals import Ballot, Choice
from hub.bundles import publish_default
from hub.execution import CommitOrder, Previewed, Target
from hub.execution.databases import describe
from hub.execution.upstreams import reach
from hub.identity import directory
from hub.identity.accounts import create_default_groups, set_groups, set_roles
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, create_agent
from hub.identity.enrolment import enrol
from hub.identity.principals import Caller, Principal, PrincipalKind, Role
from hub.invocations.invoke import invoke
from hub.invocations.resume import resume
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Call, Claims, Invocation
from hub.invocations.votes import vote
from hub.keys import Keyring
from hub.registry import Connection, Environment, NewConnection, create_connection, get_connection, register_connector
from hub.storage import Database

Json = Any

PEOPLE = ("rita", "ann")
"""Nobody logs in here, so nobody has a password, which takes long to make."""
SCOPES = frozenset({"shop:read", "shop:write"})
SECRET = {"username": "postgres", "password": "the-shops-password"}

_numbers = itertools.count(1)


async def _secret() -> Mapping[str, str]:
    return SECRET


async def spec_of(shop: Shop, text: str | None = None) -> ConnectorSpec:
    """Return the connector that the shop's manifest, or `text`, declares."""
    manifest = read_manifest(text or shop.manifest)
    wanted = (manifest.db_schema, needed_tables(manifest))
    return compiled(manifest, await describe(shop.url, _secret, reach(None, (), [shop.folder]), wanted))


@dataclass(kw_only=True)
class Permits:
    """A permit that counts how often it was asked."""

    asked: int = 0
    error: Exception | None = None

    async def ask(self) -> None:
        """Give leave, or not."""
        self.asked += 1
        if self.error is not None:
            raise self.error


@dataclass(kw_only=True)
class Desk:
    """The hub and its people; `spec` is what is registered."""

    shop: Shop
    runtime: Runtime
    spec: ConnectorSpec
    connection: Connection
    bot: Principal
    people: dict[str, Principal] = field(default_factory=dict)

    async def call(self, tool: str, **arguments: Json) -> Invocation:
        """Invoke `tool` as the agent."""
        caller = Caller(actor=self.bot, on_behalf_of=self.people["rita"], scopes=SCOPES, client_id=self.bot.id)
        call = Call(
            caller=caller,
            server="everything",
            tool=tool,
            arguments=arguments,
            trace_id="trace",
            claims=Claims(run=f"run-{next(_numbers)}", purpose="a test"),
            idempotency_key=None,
        )
        return await invoke(call, self.runtime)

    async def approve(self, invocation: Invocation) -> Invocation:
        """Let ann approve what `invocation` shows, and go on with it as the worker does."""
        await self.vote(invocation)
        return await self.go_on(invocation)

    async def undo(self, invocation: Invocation) -> Invocation:
        """Let rita ask for the undo of `invocation`, and ann approve it."""
        caller = Caller(actor=self.people["rita"])
        wanted = Undo(caller=caller, invocation_id=invocation.id, reason="a slip", trace_id="trace")
        asked = await undo(wanted, self.runtime)
        return await self.approve(asked) if asked.state is State.AWAITING_APPROVAL else asked

    async def vote(self, invocation: Invocation) -> None:
        """Let ann approve what `invocation` shows."""
        assert invocation.question is not None
        ballot = Ballot(
            invocation_id=invocation.id,
            digest=invocation.question.digest,
            choice=Choice.APPROVE,
            reason="looks right",
            voter=self.people["ann"],
            authenticated_at=datetime.now(UTC),
        )
        await vote(ballot, self.runtime)

    async def go_on(self, invocation: Invocation) -> Invocation:
        """Take `invocation` one step further, as the worker does."""
        return await self.go_on_with(invocation.id)

    async def go_on_with(self, invocation_id: str) -> Invocation:
        """Take the invocation one step further, as the worker does."""
        return await resume(invocation_id, self.runtime)

    def target(self, tool: str, spec: ConnectorSpec | None = None) -> Target:
        """Return the tool on the connection."""
        used = spec or self.spec
        return Target(connector=used, operation=used.operation(tool), connection=self.connection)

    async def read(self, tool: str, spec: ConnectorSpec | None = None, **arguments: Json) -> Json:
        """Return what a read came to."""
        return (await self.runtime.executor.read(self.target(tool, spec), arguments, deadline_seconds=20)).outcome

    async def try_out(self, tool: str, spec: ConnectorSpec | None = None, **arguments: Json) -> Json:
        """Return what a preview came to."""
        return (await self.runtime.executor.preview(self.target(tool, spec), arguments, deadline_seconds=20)).outcome

    async def preview(self, tool: str, **arguments: Json) -> Preview:
        """Return the preview."""
        outcome = await self.try_out(tool, **arguments)
        assert isinstance(outcome, Previewed), outcome
        return outcome.preview

    async def commit(
        self, tool: str, permits: Permits | None = None, *, key: str = "", guard: Json = None, **arguments: Json
    ) -> Json:
        """Return what a commit came to, with the guard of a fresh preview unless one is given."""
        if guard is None:
            preview = await self.preview(tool, **arguments)
            guard = {one.target: one.token for one in preview.preconditions}
        order = CommitOrder(
            idempotency_key=key or f"key-{next(_numbers)}",
            guard=guard,
            before={},
            deadline_seconds=20,
            permit=(permits or Permits()).ask,
        )
        return (await self.runtime.executor.commit(self.target(tool), arguments, order=order)).outcome


async def settle(database: Database, keys: Keyring, spec: ConnectorSpec) -> None:
    """Put on record what every desk has: its people, its agent, the policy and the connector `spec`."""
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await create_default_groups(tx)
        await publish_default(tx, database, keys, environment="dev")
        rita, ann = [await enrol(tx, kind=PrincipalKind.USER, name=one, display_name=one.title()) for one in PEOPLE]
        await set_roles(tx, rita, frozenset({Role.MEMBER}), authority)
        await set_roles(tx, ann, frozenset({Role.MEMBER}), authority)
        await set_groups(tx, ann, frozenset({"approvers"}), authority)
        await create_agent(
            tx,
            NewAgent(
                name="bot",
                display_name="Bot",
                owner_id=rita,
                allowed_scopes=SCOPES,
                allowed_servers=frozenset({"everything"}),
            ),
            authority,
        )
        await register_connector(tx, spec, authority)


@asynccontextmanager
async def opened(shop: Shop, database: Database, keys: Keyring, spec: ConnectorSpec) -> AsyncGenerator[Desk]:
    """Yield a hub that is connected to `shop`; `settle` has been at its database."""
    async with open_hub(database, keys, folders=[shop.folder]) as runtime:
        authority = Authority(database=database, keys=keys)
        async with database.transaction() as tx:
            new = NewConnection(name="shop", connector="shop", environment=Environment.DEV, base_url=shop.url)
            connection = await create_connection(tx, new, authority)
            if spec.auth.secret_fields:
                await runtime.vault.put(tx, connection.id, SECRET, authority)
            connection = await get_connection(tx, connection.id)
            known = {name: await directory.find(tx, name) for name in ("bot", *PEOPLE)}
        there = {name: principal for name, principal in known.items() if principal is not None}
        yield Desk(shop=shop, runtime=runtime, spec=spec, connection=connection, bot=there.pop("bot"), people=there)
