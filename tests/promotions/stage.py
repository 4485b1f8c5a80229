"""A stage for promotions: the upstream's connector in use in every environment, its owner rita, and ann who decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update
from upstream.connector import connector
from upstream.later import later
from world import World, caller_for

from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Effect
from hub import promotions
from hub.identity.authority import Authority
from hub.identity.clients import limit_client
from hub.identity.principals import Principal
from hub.invocations.invoke import invoke
from hub.invocations.promoting import ask_for
from hub.invocations.values import Call, Claims, Invocation
from hub.promotions import Decision, Promotion, Wish
from hub.registry import (
    Badge,
    BadgeLine,
    BadgeVerdict,
    Declared,
    Environment,
    Grade,
    NewConnection,
    Promise,
    create_connection,
    keep_badge,
    newest_release,
    proof_digest,
    register_as_declared,
)
from hub.registry.reports import keep_report, report_of
from hub.registry.tables import ConnectorRow
from hub.registry.using import put_in_use

LATER: ConnectorSpec = later.spec
DOCUMENTED: ConnectorSpec = connector.spec.model_copy(update={"version": "1.1.0", "description": "Better described."})
"""The same code and tools, described otherwise: everything comes out as before."""

_PASSED_LIVE = (BadgeVerdict.PASSED, Grade.LIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The world, and what is done in it."""

    world: World

    def authority(self, person: Principal | None) -> Authority:
        """Return the authority of a person, or of the console."""
        itself = self.world.runtime.authority
        return replace(itself, by=None if person is None else person.id)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Invocation:
        """Call a tool in prod, as an agent that may."""
        call = Call(
            caller=caller_for(self.world.bot, self.world.rita),
            server="everything-prod",
            tool=tool,
            arguments=dict(arguments),
            trace_id="trace",
            claims=Claims(purpose="a test"),
        )
        return await invoke(call, self.world.runtime)

    async def release(self, spec: ConnectorSpec, *, by: Principal | None = None, is_staged: bool = True) -> None:
        """Register a release and let staging use it, too."""
        async with self.world.runtime.database.transaction() as tx:
            declared = Declared(spec=spec.model_dump(mode="json"))
            await register_as_declared(tx, spec, declared, self.authority(by))
            if is_staged:
                await put_in_use(tx, await newest_release(tx, spec.name), Environment.STAGING)

    async def badge(
        self,
        spec: ConnectorSpec,
        *,
        without: Sequence[str] = (),
        otherwise: Mapping[str, tuple[BadgeVerdict, Grade]] | None = None,
    ) -> None:
        """Keep a badge of `spec` with a line about each write, which has passed live unless it came out `otherwise`."""
        badge = self.found(spec, without=without, otherwise=otherwise)
        async with self.world.runtime.database.transaction() as tx:
            await keep_badge(tx, badge, self.authority(None))

    async def report(self, spec: ConnectorSpec) -> None:
        """Report that each write of `spec` has passed live elsewhere, as its owner may."""
        found = replace(self.found(spec), checked_at=datetime.now(UTC))
        async with self.world.runtime.database.transaction() as tx:
            await keep_report(tx, report_of(found, place="CI", kit="0.1.0"), None, self.authority(None))

    def found(
        self,
        spec: ConnectorSpec,
        *,
        without: Sequence[str] = (),
        otherwise: Mapping[str, tuple[BadgeVerdict, Grade]] | None = None,
    ) -> Badge:
        """Return a badge of `spec`, as `badge` keeps it."""
        came = otherwise or {}
        tried = [one.name for one in spec.operations if one.effect is not Effect.READ and one.name not in without]
        lines = [
            BadgeLine(
                operation=name,
                promise=Promise.FENCE,
                verdict=came.get(name, _PASSED_LIVE)[0],
                grade=came.get(name, _PASSED_LIVE)[1],
                reason="Tried.",
            )
            for name in tried
        ]
        return Badge(
            connector=spec.name,
            version=spec.version,
            artefact_digest=spec.artefact_digest,
            system="a system for tests",
            checked_at=datetime(2026, 11, 1, tzinfo=UTC),
            covers={name: proof_digest(spec, spec.operation(name)) for name in tried},
            lines=lines,
        )

    async def ask(self, to: Environment = Environment.PROD, *, by: Principal | None = None) -> Promotion:
        """Ask, as rita unless somebody else does, for what is in use before `to`."""
        wish = Wish(connector="upstream", environment=to, reason="It is better described.")
        return await ask_for(wish, self.world.runtime, self.authority(by or self.world.rita))

    async def decide(self, promotion: Promotion, by: Principal, *, login: datetime | None = None) -> Promotion:
        """Let somebody agree who has just looked at `promotion` and logged in."""
        decision = Decision(
            digest=promotion.digest, reason="Looked at it.", authenticated_at=login or datetime.now(UTC)
        )
        runtime = self.world.runtime
        async with runtime.database.transaction() as tx:
            return await promotions.put_in_force(tx, promotion.id, decision, runtime.promotions, self.authority(by))

    async def version_in(self, environment: Environment, tool: str = "item_update") -> int:
        """Return the number of the version of a tool that an environment offers."""
        caller, runtime = caller_for(self.world.bot, self.world.rita), self.world.runtime
        async with runtime.database.reading() as tx:
            found = await runtime.catalog.current(tx, tool, server=f"everything-{environment}", caller=caller)
        return found.version.number


async def open_stage(world: World) -> Stage:
    """Return the stage, with connections everywhere, what they offer in use, and an agent that may use it."""
    runtime, authority = world.runtime, world.runtime.authority
    servers = frozenset({"everything", "everything-staging", "everything-prod"})
    async with runtime.database.transaction() as tx:
        scopes = world.bot.allowed_scopes
        bot = await limit_client(tx, world.bot.id, scopes=scopes, servers=servers, authority=authority)
        await tx.execute(update(ConnectorRow).values(owner_id=world.rita.id))
        first = await newest_release(tx, "upstream")
        for environment in (Environment.STAGING, Environment.PROD):
            await put_in_use(tx, first, environment)
            new = NewConnection(
                name=f"upstream-{environment}",
                connector="upstream",
                environment=environment,
                base_url=world.upstream.base_url,
            )
            made = await create_connection(tx, new, authority)
            await runtime.vault.put(tx, made.id, {"token": world.upstream.token}, authority)
    return Stage(world=replace(world, bot=bot))
