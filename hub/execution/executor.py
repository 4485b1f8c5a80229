"""The executor: runs phases of an operation, confined or direct, behind the broker, and says truly how they ended."""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2

from connectors.sdk.errors import Conflict, ConnectorError, Refused, Unavailable
from connectors.sdk.errors import NotFound as UpstreamNotFound
from connectors.sdk.run import DirectRunner, Done, Found, NotFoundYet, PhaseCall, PhaseResult
from connectors.sdk.run import Failed as PhaseFailed
from connectors.sdk.run import Observed as PhaseObserved
from connectors.sdk.run import Previewed as PhasePreviewed
from connectors.sdk.vocabulary import Phase
from hub.credentials import Vault
from hub.execution.outcomes import (
    CommitOrder,
    CommitOutcome,
    Conflicted,
    Failed,
    LookUpOutcome,
    Observed,
    ObserveOutcome,
    Passage,
    Previewed,
    PreviewOutcome,
    Ran,
    ReadOutcome,
    Succeeded,
    Target,
    TranscriptEntry,
    Unknown,
    Violation,
)
from hub.execution.pool import PoolKey, ReadPool
from hub.storage import Database
from sandbox.broker import Bounds, Channel, ChannelKind, Fate, Upstream
from sandbox.confinement import Level, Limits
from sandbox.host import HostFailed, Zygote
from sandbox.sign_in import SignIn
from schemas import compile_schema

Json = Any
"""Any JSON value."""

T = TypeVar("T")

AT_ONCE_PER_CONNECTION: Final = 16
MOST_UPSTREAMS: Final = 256
DIRECT: Final = "direct"
"""The level that is reported for connectors that run no foreign code."""
_DEFINITE: Final = frozenset({Refused.code, UpstreamNotFound.code, Conflict.code, Unavailable.code})
"""What a connector may conclude from the clear answer to its only request."""


class Executor:
    """Runs connector code. Built once; use it within `running()`."""

    def __init__(
        self, database: Database, vault: Vault, *, minimum: str | None = None, paths: Sequence[Path] = ()
    ) -> None:
        """`minimum` is the level of confinement below which nothing is run; `paths` hold connectors not installed."""
        self._database = database
        self._vault = vault
        self._minimum = Level(minimum) if minimum else Level.NONE
        self._zygote = Zygote(paths=paths, limits=Limits())
        self._pool = ReadPool(self._zygote)
        self._upstreams: OrderedDict[tuple[str, int], Upstream] = OrderedDict()
        self._places: dict[str, asyncio.Semaphore] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator["Executor"]:
        """Keep the zygote running for as long as the block lasts."""
        async with self._zygote.running():
            try:
                yield self
            finally:
                await self._pool.end_idle(older_than=0)
                for upstream in self._upstreams.values():
                    await upstream.close()

    async def read(self, target: Target, arguments: Mapping[str, Json], *, deadline_seconds: float) -> Ran[ReadOutcome]:
        """Return what the read found, with its output checked against the tool's output schema."""
        channel = self._channel(target, ChannelKind.READ)
        call = PhaseCall(operation=target.operation.name, phase=Phase.READ, arguments=arguments)
        conclude: Callable[[PhaseResult], ReadOutcome] = partial(_read, target, channel)
        return await self._run(target, call, channel, deadline_seconds, conclude)

    async def preview(
        self, target: Target, arguments: Mapping[str, Json], *, deadline_seconds: float
    ) -> Ran[PreviewOutcome]:
        """Return what the write would do; a preview that tries to write is a Violation, whatever it answers."""
        channel = self._channel(target, ChannelKind.PREVIEW)
        call = PhaseCall(operation=target.operation.name, phase=Phase.PREVIEW, arguments=arguments)
        return await self._run(target, call, channel, deadline_seconds, partial(_preview, channel))

    async def commit(self, target: Target, arguments: Mapping[str, Json], *, order: CommitOrder) -> Ran[CommitOutcome]:
        """Carry out the write, once.

        Raises:
            Exception: what `order.permit` raised when it was asked and nothing had been sent.
        """
        bounds = Bounds(unsafe_requests=target.operation.max_unsafe_requests)
        channel = self._channel(target, ChannelKind.WRITE, bounds)
        channel.permit = order.permit
        call = PhaseCall(
            operation=target.operation.name,
            phase=Phase.COMMIT,
            arguments=arguments,
            guard=order.guard,
            before=order.before,
            idempotency_key=order.idempotency_key,
        )
        conclude: Callable[[PhaseResult], CommitOutcome] = partial(_commit, target, channel)
        ran = await self._run(target, call, channel, order.deadline_seconds, conclude)
        if channel.refusal is not None and not channel.unsafe(Fate.ANSWERED, Fate.UNKNOWN):
            raise channel.refusal
        return ran

    async def look_up(
        self, target: Target, arguments: Mapping[str, Json], *, idempotency_key: str
    ) -> Ran[LookUpOutcome]:
        """Return whether what a commit created is there: Succeeded with it, or Failed with code `not_applied`."""
        channel = self._channel(target, ChannelKind.READ)
        call = PhaseCall(
            operation=target.operation.name, phase=Phase.LOOKUP, arguments=arguments, idempotency_key=idempotency_key
        )
        return await self._run(target, call, channel, target.operation.timeout_seconds, _look_up)

    async def observe(
        self, target: Target, arguments: Mapping[str, Json], *, before: Mapping[str, Mapping[str, Json]], output: Json
    ) -> Ran[ObserveOutcome]:
        """Return the records that a commit concerned, as they are now."""
        channel = self._channel(target, ChannelKind.READ)
        call = PhaseCall(
            operation=target.operation.name, phase=Phase.OBSERVE, arguments=arguments, before=before, output=output
        )
        return await self._run(target, call, channel, target.operation.timeout_seconds, _observe)

    async def _run(
        self,
        target: Target,
        call: PhaseCall,
        channel: Channel,
        seconds: float,
        conclude: Callable[[PhaseResult], T],
    ) -> Ran[T]:
        started = time.monotonic()
        place = self._places.setdefault(target.connection.id, asyncio.Semaphore(AT_ONCE_PER_CONNECTION))
        level = DIRECT
        try:
            async with place:
                result, level = await self._phase(target, call, channel, seconds)
        except HostFailed as error:
            result = PhaseFailed(code="connector_failed", message=f"{error}.")
        passage = Passage(
            transcript=_transcript(channel),
            sandbox_level=level,
            latency_ms=round((time.monotonic() - started) * 1000),
        )
        return Ran(outcome=conclude(result), passage=passage)

    async def _phase(
        self, target: Target, call: PhaseCall, channel: Channel, seconds: float
    ) -> tuple[PhaseResult, str]:
        if target.connector.runs == "direct":
            return await _direct(target, call, channel, seconds), DIRECT
        if channel.kind is ChannelKind.READ and call.phase is Phase.READ:
            key = PoolKey(
                artefact_digest=target.connector.artefact_digest,
                connection_id=target.connection.id,
                generation=target.connection.generation,
            )
            async with self._pool.host(key, target.connector.entry) as host:
                self._check_level(host.level)
                return await host.run(call, channel, seconds=seconds), host.level.value
        host = await self._zygote.fork(target.connector.entry)
        try:
            self._check_level(host.level)
            return await host.run(call, channel, seconds=seconds), host.level.value
        finally:
            await host.end()

    def _check_level(self, level: Level) -> None:
        if level.rank < self._minimum.rank:
            raise HostFailed(
                f"connector code must run at confinement level {self._minimum.value}, and here it is {level.value}"
            )

    def _channel(self, target: Target, kind: ChannelKind, bounds: Bounds | None = None) -> Channel:
        return Channel(upstream=self._upstream(target), kind=kind, bounds=bounds or Bounds())

    def _upstream(self, target: Target) -> Upstream:
        connection = target.connection
        key = (connection.id, connection.generation)
        if key not in self._upstreams:
            timeout = httpx2.Timeout(60.0, connect=10.0)
            self._upstreams[key] = Upstream(
                base_url=connection.base_url.rstrip("/"),
                spec=target.connector,
                sign_in=SignIn(target.connector.auth, partial(self._secret, connection.id)),
                client=httpx2.AsyncClient(timeout=timeout, trust_env=False),
                fresh_client=httpx2.AsyncClient(
                    timeout=timeout, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
                ),
            )
            if len(self._upstreams) > MOST_UPSTREAMS:
                self._upstreams.popitem(last=False)
        return self._upstreams[key]

    async def _secret(self, connection_id: str) -> Mapping[str, str]:
        async with self._database.reading() as tx:
            return await self._vault.open(tx, connection_id)


async def _direct(target: Target, call: PhaseCall, channel: Channel, seconds: float) -> PhaseResult:
    module, _, name = target.connector.entry.partition(":")
    runner: DirectRunner = getattr(import_module(module), name)
    try:
        async with asyncio.timeout(seconds):
            return await runner(target.connector, call, channel)
    except TimeoutError as error:
        raise HostFailed(f"the connector took longer than {seconds:g} seconds and was stopped") from error
    except ConnectorError as error:
        return PhaseFailed(code=error.code, message=error.message)


def _read(target: Target, channel: Channel, result: PhaseResult) -> ReadOutcome:
    if channel.violations:
        return _violation(channel)
    if isinstance(result, Done):
        broken = compile_schema(target.operation.output_schema).violations(result.output)
        if not broken:
            return Succeeded(output=result.output, findings=result.findings)
        where = "; ".join(f"{one.pointer or '/'}: {one.message}" for one in broken[:5])
        return Failed(code="output_invalid", message=f"The system's answer is not what the tool declares: {where}")
    return _failed(result)


def _preview(channel: Channel, result: PhaseResult) -> PreviewOutcome:
    if channel.violations:
        return _violation(channel)
    return Previewed(preview=result.preview) if isinstance(result, PhasePreviewed) else _failed(result)


def _commit(target: Target, channel: Channel, result: PhaseResult) -> CommitOutcome:
    """Say what a commit came to; what the broker saw counts for more than what the connector says."""
    left = channel.unsafe(Fate.ANSWERED, Fate.UNKNOWN)
    if channel.unsafe(Fate.UNKNOWN):
        return Unknown(message=_failed(result).message if isinstance(result, PhaseFailed) else "An answer was lost.")
    if isinstance(result, Done):
        broken = compile_schema(target.operation.output_schema).violations(result.output)
        findings = (f"{one.pointer or '/'}: {one.message}" for one in broken[:5])
        return Succeeded(output=result.output, findings=(*result.findings, *findings))
    failed = _failed(result)
    if left and (len(left) > 1 or failed.code not in _DEFINITE):
        return Unknown(message=failed.message)
    return Conflicted(message=failed.message) if failed.code == Conflict.code else failed


def _look_up(result: PhaseResult) -> LookUpOutcome:
    match result:
        case Found():
            return Succeeded(output=result.output)
        case NotFoundYet():
            return Failed(code="not_applied", message="The system has no record with our reference.")
        case _:
            return Unknown(message=_failed(result).message)


def _observe(result: PhaseResult) -> ObserveOutcome:
    return Observed(records=result.records) if isinstance(result, PhaseObserved) else _failed(result)


def _violation(channel: Channel) -> Violation:
    tried = ", ".join(entry.operation or f"{entry.method} {entry.path}" for entry in channel.violations)
    return Violation(message=f"It tried to send {tried}.")


def _failed(result: PhaseResult) -> Failed:
    if isinstance(result, PhaseFailed):
        return Failed(code=result.code, message=result.message)
    return Failed(code="connector_broken", message="The connector answered something that does not fit the question.")


def _transcript(channel: Channel) -> tuple[TranscriptEntry, ...]:
    return tuple(
        TranscriptEntry(
            method=entry.method,
            path=entry.path,
            operation=entry.operation,
            is_safe=entry.is_safe,
            status=entry.status,
            verdict=entry.fate.value,
            milliseconds=entry.milliseconds,
        )
        for entry in channel.transcript
    )
