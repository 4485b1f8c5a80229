"""The executor: runs phases of an operation, confined or direct, behind the broker, and says truly how they ended."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from connectors.mcp_upstream import Discovery, Owner, before_discovery, discover
from connectors.sdk.errors import ConnectorError
from connectors.sdk.run import Failed as PhaseFailed
from connectors.sdk.run import PhaseCall, PhaseResult
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Phase
from hub.credentials import Vault
from hub.execution import conclude
from hub.execution.conclude import CONNECTOR_FAILED, OUT_OF_TIME, Evidence
from hub.execution.databases import Databases
from hub.execution.direct import DIRECT, DIRECT_RUNNERS, SQL_RUNNERS, directly
from hub.execution.hosts import Code, Hosts, Sharing
from hub.execution.outcomes import (
    CheckOutcome,
    Client,
    CommitOrder,
    CommitOutcome,
    Health,
    LookUpOutcome,
    ObserveOutcome,
    Passage,
    PreviewOutcome,
    Ran,
    Reachable,
    ReadOutcome,
    Target,
    Unreachable,
)
from hub.execution.outputs import OutputSchemas
from hub.execution.overhearing import Nowhere, Overheard
from hub.execution.places import PlacesByConnection
from hub.execution.runs import NOT_RUN, News, Run
from hub.execution.upstreams import Upstreams
from hub.registry import COMPOSITE, Connection, Declared, Undeclared
from hub.storage import Database
from sandbox.broker import Bounds, Channel, ChannelKind, Stopped
from sandbox.confinement import Level, Limits
from sandbox.host import Host, HostFailed
from sandbox.launch import Zygote
from sandbox.line import BrokenOff, NoAnswer, TooLarge
from sandbox.mcp.http import MODERN
from sandbox.mcp.standing import Wanted
from sandbox.reach import Reach
from sandbox.requests import BadBaseUrl
from sandbox.sql.channel import SqlChannel
from sandbox.upstream import Around, Way

Json = Any
"""Any JSON value."""

T = TypeVar("T")

IDLE_SECONDS: Final = 300.0
CHECK_SECONDS: Final = 10.0
DISCOVERY_SECONDS: Final = 60.0


class Executor:
    """Runs connector code. Built once; use it within `running()`."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        minimum: str | None = None,
        paths: Sequence[Path] = (),
        reach: Reach | None = None,
    ) -> None:
        """`minimum` is the level of confinement below which nothing is run; `paths` hold connectors not installed.

        `reach` says which addresses connections may lead to.
        """
        self._zygote = Zygote(paths=[path.resolve() for path in paths], limits=Limits())
        self._minimum = Level(minimum) if minimum else Level.NONE
        self._hosts = Hosts(self._zygote, self._minimum)
        self._upstreams = Upstreams(database, vault, reach or Reach())
        self._databases = Databases(self._upstreams.secret, reach or Reach())
        self._schemas = OutputSchemas()
        self._places = PlacesByConnection()

    def stand_around(self, around: Around) -> None:
        """Put `around` around each exchange with a system, before anything runs. It is for the contract kit alone."""
        self._upstreams.around = around

    def fork_from(self, zygote: Zygote) -> None:
        """Use a zygote that others use too and that outlives this executor, before anything runs."""
        self._zygote, self._hosts = zygote, Hosts(zygote, self._minimum)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator["Executor"]:
        """Run what is asked for as long as the block lasts; every confined process ends with it.

        The zygote that forks those is started by `start`, or else for the first call that needs one.
        """
        async with self._zygote.running():
            tidying = asyncio.create_task(self._tidy())
            try:
                yield self
            finally:
                tidying.cancel()
                await asyncio.gather(tidying, return_exceptions=True)
                await self._hosts.close()
                await self._upstreams.close()
                await self._databases.close_idle(older_than=0)

    async def start(self) -> None:
        """Have the zygote ready before the first call; a hub that serves does not let that call wait for it."""
        await self._zygote.start()

    async def read(
        self, target: Target, arguments: Mapping[str, Json], *, deadline_seconds: float, client: Client | None = None
    ) -> Ran[ReadOutcome]:
        """Return what the read found, its output checked against the tool's schema, or what it asks `client` first."""
        client = client or Client()
        named: Json = {"operation": target.operation.name, "phase": Phase.READ, "arguments": arguments}
        call = PhaseCall(**named, is_heard=client.hear is not None, replies=client.replies)
        run: Run[ReadOutcome] = Run(
            target=target, call=call, kind=ChannelKind.READ, seconds=deadline_seconds, conclude=conclude.read
        )
        run.hear = client.hear
        return await self._run(run)

    async def check(
        self, target: Target, arguments: Mapping[str, Json], *, guard: Mapping[str, str], deadline_seconds: float
    ) -> Ran[CheckOutcome]:
        """Return whether the connector's own rules allow the write; `guard` is empty before there is a preview.

        Ask only where the operation `has_check`.
        """
        call = PhaseCall(operation=target.operation.name, phase=Phase.CHECK, arguments=arguments, guard=guard)
        run: Run[CheckOutcome] = Run(
            target=target, call=call, kind=ChannelKind.PREVIEW, seconds=deadline_seconds, conclude=conclude.check
        )
        return await self._run(run)

    async def preview(
        self, target: Target, arguments: Mapping[str, Json], *, deadline_seconds: float, answers: Around | None = None
    ) -> Ran[PreviewOutcome]:
        """Return what the write would do; a preview that tries to write is a Violation, whatever it answers.

        With `answers` nothing is sent anywhere: they answer in place of the system.
        """
        has_twin = target.connection.twin is not None
        call = PhaseCall(operation=target.operation.name, phase=Phase.PREVIEW, arguments=arguments, has_twin=has_twin)
        run: Run[PreviewOutcome] = Run(
            target=target, call=call, kind=ChannelKind.PREVIEW, seconds=deadline_seconds, conclude=conclude.preview
        )
        run.answers = answers
        return await self._run(run)

    async def commit(self, target: Target, arguments: Mapping[str, Json], *, order: CommitOrder) -> Ran[CommitOutcome]:
        """Carry out the write, once.

        Raises:
            Exception: what `order.permit` raised when it was asked and nothing had been sent.
        """
        call = PhaseCall(
            operation=target.operation.name,
            phase=Phase.COMMIT,
            arguments=arguments,
            guard=order.guard,
            before=order.before,
            idempotency_key=order.idempotency_key,
        )
        run: Run[CommitOutcome] = Run(
            target=target,
            call=call,
            kind=ChannelKind.WRITE,
            seconds=order.deadline_seconds,
            conclude=conclude.commit,
            permit=order.permit,
        )
        ran = await self._run(run)
        if run.refusal is not None and not run.transcript.left:
            raise run.refusal
        return ran

    async def look_up(
        self, target: Target, arguments: Mapping[str, Json], *, idempotency_key: str
    ) -> Ran[LookUpOutcome]:
        """Return whether what a commit created is there: Succeeded with it, or Failed with code `not_applied`."""
        call = PhaseCall(
            operation=target.operation.name, phase=Phase.LOOKUP, arguments=arguments, idempotency_key=idempotency_key
        )
        seconds = target.operation.timeout_seconds
        run: Run[LookUpOutcome] = Run(
            target=target, call=call, kind=ChannelKind.READ, seconds=seconds, conclude=conclude.look_up
        )
        return await self._run(run)

    async def observe(
        self, target: Target, arguments: Mapping[str, Json], *, before: Mapping[str, Mapping[str, Json]], output: Json
    ) -> Ran[ObserveOutcome]:
        """Return the records that a commit concerned, as they are now."""
        call = PhaseCall(
            operation=target.operation.name, phase=Phase.OBSERVE, arguments=arguments, before=before, output=output
        )
        seconds = target.operation.timeout_seconds
        run: Run[ObserveOutcome] = Run(
            target=target, call=call, kind=ChannelKind.READ, seconds=seconds, conclude=conclude.observe
        )
        return await self._run(run)

    async def declared_by(self, connector: ConnectorSpec) -> Declared | Undeclared:
        """Return what the code that `connector` names says it declares, asked where it can do no harm."""
        return await self._hosts.declared(Code(entry=connector.entry, digest=connector.artefact_digest))

    async def check_connection(
        self, connector: ConnectorSpec, connection: Connection, *, seconds: float = CHECK_SECONDS
    ) -> Health:
        """Sign in, ask for what stands at the base URL, and return whether the connection can be used."""
        if connector.entry == COMPOSITE:  # it leads nowhere: each step goes over a connection of its own
            return Reachable(latency_ms=0)
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                problem = await self._problem_with(connector, connection)
        except TimeoutError:
            problem = Unreachable(message=f"It did not answer within {seconds:g} seconds.")
        except NoAnswer as error:
            is_there = isinstance(error, BrokenOff | TooLarge)
            problem = Unreachable(message=f"It cannot be reached; check the base URL. {error}", is_there=is_there)
        except (ConnectorError, BadBaseUrl) as error:
            problem = Unreachable(message=str(error))
        return problem or Reachable(latency_ms=round((time.monotonic() - started) * 1000))

    async def _problem_with(self, connector: ConnectorSpec, connection: Connection) -> Unreachable | None:
        if connector.speaks == "sql":
            found = await self._databases.problem_with(connector, connection)
        else:
            async with self._upstreams.to(connector, connection) as upstream:
                found = conclude.problem_with(await upstream.probe())
        return None if found is None else Unreachable(message=found, is_there=True)

    async def listen(self, connector: ConnectorSpec, connection: Connection, news: News) -> None:
        """Hear from the MCP server at `connection` what has changed, until there is no more to hear.

        Raises:
            NotOffered: it tells nothing of its own accord.
            NotNow: it cannot be listened to, and says for how long.
            NoAnswer, ConnectorError: it cannot be listened to any more, or could not.
        """
        met = (one.binding["version"] for one in connector.operations if "version" in one.binding)
        wanted = Wanted(version=str(next(met, MODERN)), uris=news.uris, tell=news.tell, opened=news.opened)
        try:
            async with self._upstreams.standing(connector, connection) as way:
                await way.listen(wanted)
        except BadBaseUrl as error:
            raise NoAnswer(str(error)) from error

    def take_changed(self) -> set[str]:
        """Return the connections whose servers have said since that their lists are not what they were."""
        changed, self._upstreams.changed = self._upstreams.changed, set()
        return changed

    async def discover(self, owner: Owner, connection: Connection) -> Discovery | Unreachable:
        """Return what the MCP server at `connection` offers, as a connector; only requests that meet it are sent."""
        spec = before_discovery(owner)
        try:
            async with asyncio.timeout(DISCOVERY_SECONDS), self._upstreams.visiting(spec, connection) as way:
                return await discover(Channel(upstream=way, spec=spec, kind=ChannelKind.READ), owner)
        except TimeoutError:
            return Unreachable(message=f"It did not list its tools within {DISCOVERY_SECONDS:g} seconds.")
        except (ConnectorError, BadBaseUrl, Stopped) as error:
            return Unreachable(message=str(error))
        except Exception as error:  # noqa: BLE001  # whatever a server lists, looking at it ends in words
            what = f"What it lists cannot be understood ({type(error).__name__}); its owner must mend it."
            return Unreachable(message=what)

    async def _run(self, run: Run[T]) -> Ran[T]:
        started = time.monotonic()
        result = await self._result(run)
        evidence = Evidence(target=run.target, result=result, transcript=run.transcript, schemas=self._schemas)
        outcome = await conclude.concluded(run.conclude, evidence)
        latency_ms = round((time.monotonic() - started) * 1000)
        told, heard = conclude.told(run.transcript), run.ear.kept
        passage = Passage(transcript=told, sandbox_level=run.level, latency_ms=latency_ms, heard=heard)
        return Ran(outcome=outcome, passage=passage)

    async def _result(self, run: Run[T]) -> PhaseResult:
        connection = run.target.connection
        run.seconds = min(run.seconds, connection.limits.call_seconds)
        run.until = time.monotonic() + run.seconds
        try:
            async with asyncio.timeout(run.seconds), self._places.of(connection):
                return await self._over_a_channel(run)
        except TimeoutError:
            message = f"The call took longer than {run.seconds:g} seconds and was stopped."
            return PhaseFailed(code=OUT_OF_TIME, message=message)
        except (HostFailed, Stopped) as error:
            message = str(error)
            return PhaseFailed(code=CONNECTOR_FAILED, message=f"{message[:1].upper()}{message[1:].rstrip('.')}.")
        except BadBaseUrl as error:
            return PhaseFailed(code=CONNECTOR_FAILED, message=f"Connection {connection.name} cannot be used: {error}")

    async def _over_a_channel(self, run: Run[T]) -> PhaseResult:
        if run.target.connector.speaks == "sql":
            return await self._in_a_database(run)
        unsafe_requests = run.target.operation.max_unsafe_requests if run.kind is ChannelKind.WRITE else 0
        async with (
            self._way(run, run.target.connection) as upstream,
            self._twin(run) as twin,
        ):
            bounds = Bounds(
                unsafe_requests=unsafe_requests,
                until=run.until,
                answer_bytes=run.target.connection.limits.answer_bytes,
            )
            channel = Channel(
                upstream=upstream,
                twin=twin,
                spec=run.target.connector,
                kind=run.kind,
                bounds=bounds,
                permit=run.permit,
                transcript=run.transcript,
                hear=run.hear,
            )
            try:
                if run.target.connector.runs == "direct":
                    run.level = DIRECT if run.target.connector.entry in DIRECT_RUNNERS else NOT_RUN
                    return await directly(run.target.connector, run.call, channel)
                async with self._host(run) as host:
                    return await host.run(run.call, channel)
            finally:
                run.refusal = channel.refusal

    async def _in_a_database(self, run: Run[T]) -> PhaseResult:
        runner = SQL_RUNNERS.get(run.target.connector.entry)
        if runner is None or run.answers is not None:
            why = "may not run in the hub itself" if runner is None else "speaks SQL: a transaction cannot be played"
            raise HostFailed(f"{run.target.connector.entry} {why}")
        run.level = DIRECT
        async with self._databases.to(run.target.connection) as system:
            channel = SqlChannel(
                system=system,
                spec=run.target.connector,
                kind=run.kind,
                permit=run.permit,
                transcript=run.transcript,
                until=run.until,
            )
            try:
                return await runner(run.target.connector, run.call, channel)
            finally:
                run.refusal = channel.refusal

    @contextlib.asynccontextmanager
    async def _twin(self, run: Run[T]) -> AsyncGenerator[Way | None]:
        """Yield the way to the connection's twin: to a preview alone."""
        connection = run.target.connection
        if connection.twin is None or run.call.phase is not Phase.PREVIEW:
            yield None
            return
        async with self._way(run, replace(connection, base_url=connection.twin)) as way:
            yield way

    @contextlib.asynccontextmanager
    async def _way(self, run: Run[T], connection: Connection) -> AsyncGenerator[Way]:
        if run.answers is not None:
            yield Nowhere(run.answers)
            return
        async with self._upstreams.to(run.target.connector, connection) as way:
            yield Overheard(way, run.ear) if run.call.phase is Phase.PREVIEW else way

    @contextlib.asynccontextmanager
    async def _host(self, run: Run[T]) -> AsyncGenerator[Host]:
        connector, connection = run.target.connector, run.target.connection
        code = Code(entry=connector.entry, digest=connector.artefact_digest)
        sharing = Sharing(
            code=code,
            connection_id=connection.id,
            generation=connection.generation,
            on_behalf_of=run.target.on_behalf_of,
        )
        is_shared = run.call.phase is Phase.READ
        async with self._hosts.shared(sharing) if is_shared else self._hosts.fresh(code) as host:
            run.level = str(host.confinement)
            yield host

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(IDLE_SECONDS / 5)
            await self._hosts.end_idle(older_than=IDLE_SECONDS)
            await self._upstreams.close_idle(older_than=IDLE_SECONDS)
            await self._databases.close_idle(older_than=IDLE_SECONDS)
