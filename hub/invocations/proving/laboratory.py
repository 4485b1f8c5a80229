"""The laboratory: a hub of one connector and one system, on which phases run as they do in every hub.

The same executor, broker and confinement; a database of its own, which ends with it.
"""

import itertools
import os
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

from connectors.sdk.harness import Harness
from connectors.sdk.preview import Preview
from connectors.sdk.spec import ConnectorSpec
from connectors.sql.addresses import address
from hub.budgets import Brakes
from hub.bundles import Bundles
from hub.core.ids import derived_id
from hub.credentials import Vault
from hub.execution import (
    Around,
    CheckOutcome,
    CommitOrder,
    CommitOutcome,
    Executor,
    LookUpOutcome,
    Observed,
    ObserveOutcome,
    Passage,
    Passed,
    Permit,
    Previewed,
    PreviewOutcome,
    Ran,
    Reach,
    ReadOutcome,
    Succeeded,
    Target,
)
from hub.identity.authority import Authority
from hub.identity.tokens import TokenVerifier
from hub.invocations.group_commit import GroupCommit
from hub.invocations.proving.governed import Office, open_office
from hub.invocations.proving.interference import Interference
from hub.invocations.runtime import Runtime
from hub.keys import Keyring
from hub.registry import (
    Catalog,
    Connection,
    Environment,
    Grade,
    NewConnection,
    canonical_under,
    create_connection,
    get_connection,
    register_connector,
)
from hub.storage import Database
from hub.storage.migrations import upgrade
from schemas import CompiledSchema

Json = Any
"""Any JSON value."""

T = TypeVar("T")

_CONNECTION: Final = "trial"
_NOWHERE: Final = "http://127.0.0.1"
"""A laboratory has no doors."""
_PATIENCE_SECONDS: Final = 600.0


async def _leave() -> None:
    """Give leave to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A commit to carry out: what was previewed, under which key, and who permits it."""

    guard: Mapping[str, str]
    before: Mapping[str, Mapping[str, Json]]
    key: str
    permit: Permit = _leave

    @classmethod
    def of(cls, preview: Preview, *, key: str, permit: Permit = _leave) -> "Order":
        """Return the order to do what `preview` shows."""
        guard = {condition.target: condition.token for condition in preview.preconditions}
        return cls(guard=guard, before=befores(preview), key=key, permit=permit)


@dataclass(slots=True, kw_only=True)
class Laboratory:
    """A connector on a system. `heard` is every text that came out of it, for finding secrets."""

    spec: ConnectorSpec
    harness: Harness
    runtime: Runtime
    connection: Connection
    interference: Interference
    grade: Grade
    seed: str
    on_step: Callable[[str], None] = lambda _: None
    """Is told which step of the kit begins."""
    gaps: list[str] = field(default_factory=list[str])
    """What was asked for and is not in the recording that stands for the system."""
    heard: list[str] = field(default_factory=list[str])
    said: list[Json] = field(default_factory=list[Json])
    """What the connector made of the system's answers, in its own terms, for finding classified values."""
    _office: Office | None = None
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def executor(self) -> Executor:
        """What runs the phases."""
        return self.runtime.executor

    async def office(self) -> Office:
        """Return the governed way to this connector, opened when it is first needed."""
        if self._office is None:
            self._office = await open_office(self.runtime, self.spec.name)
        return self._office

    def new_key(self) -> str:
        """Return an idempotency key that was never used; a replayed laboratory gives the recorded ones again.

        It has the form of a hub's own: a connector must not learn from it that it is being checked.
        """
        return f"{derived_id('inv', f'{self.seed} {next(self._numbers)}')}.1"

    def canonical(self, operation: str, arguments: Mapping[str, Json]) -> dict[str, Json]:
        """Return `arguments` as a hub hands them on, with defaults filled in.

        Raises:
            ArgumentsInvalid: no call with them comes further than the hub's door.
        """
        return canonical_under(CompiledSchema(self.spec.operation(operation).input_schema), dict(arguments))

    async def read(self, operation: str, arguments: Mapping[str, Json]) -> ReadOutcome:
        """Run a read."""
        target = self._target(operation)
        seconds = target.operation.timeout_seconds
        return self._heard(await self.executor.read(target, arguments, deadline_seconds=seconds))

    async def preview(self, operation: str, arguments: Mapping[str, Json]) -> PreviewOutcome:
        """Run a preview."""
        target = self._target(operation)
        seconds = target.operation.timeout_seconds
        return self._heard(await self.executor.preview(target, arguments, deadline_seconds=seconds))

    async def check(self, operation: str, arguments: Mapping[str, Json], guard: Mapping[str, str]) -> CheckOutcome:
        """Ask the connector's own rules, if the operation has any."""
        target = self._target(operation)
        if not target.operation.has_check:
            return Passed()
        seconds = target.operation.timeout_seconds
        return self._heard(await self.executor.check(target, arguments, guard=guard, deadline_seconds=seconds))

    async def commit(self, operation: str, arguments: Mapping[str, Json], order: Order) -> CommitOutcome:
        """Run a commit.

        Raises:
            Exception: what the permit raised, when nothing has been sent.
        """
        target = self._target(operation)
        ordered = CommitOrder(
            idempotency_key=order.key,
            guard=order.guard,
            before=order.before,
            deadline_seconds=target.operation.timeout_seconds,
            permit=order.permit,
        )
        return self._heard(await self.executor.commit(target, arguments, order=ordered))

    async def look_up(self, operation: str, arguments: Mapping[str, Json], key: str) -> LookUpOutcome:
        """Ask whether what a commit with `key` created is there."""
        return self._heard(await self.executor.look_up(self._target(operation), arguments, idempotency_key=key))

    async def observe(
        self,
        operation: str,
        arguments: Mapping[str, Json],
        *,
        before: Mapping[str, Mapping[str, Json]],
        output: Json,
    ) -> ObserveOutcome:
        """Read back what a commit did."""
        target = self._target(operation)
        return self._heard(await self.executor.observe(target, arguments, before=before, output=output))

    def _target(self, operation: str) -> Target:
        return Target(connector=self.spec, operation=self.spec.operation(operation), connection=self.connection)

    def _heard(self, ran: Ran[T]) -> T:
        self.heard += [repr(ran.outcome), *_lines(ran.passage)]
        self.said += _values(ran.outcome)
        return ran.outcome


def befores(preview: Preview) -> dict[str, dict[str, Json]]:
    """Return what the preview had found, by target."""
    return {change.target: dict(change.before) for change in preview.changes if change.before is not None}


def _values(outcome: object) -> list[Json]:
    match outcome:
        case Succeeded(output=output):
            return [output]
        case Previewed(preview=preview):
            return [part for change in preview.changes for part in (change.before, change.after) if part is not None]
        case Observed(records=records):
            return [*records.values()]
        case _:
            return []


def _lines(passage: Passage) -> list[str]:
    return [entry.line for entry in passage.transcript]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What a laboratory may need beside connector and system. `beneath` is a recording, or stands for the system."""

    beneath: Around | None = None
    on_step: Callable[[str], None] = lambda _: None
    gaps: list[str] = field(default_factory=list[str])
    grade: Grade = Grade.LIVE
    seed: str = field(default_factory=lambda: uuid4().hex)
    minimum: str | None = None
    """The level of confinement below which nothing is run."""
    paths: Sequence[Path] = ()
    """Folders beside the installed packages to import connectors from."""
    reach: Reach = field(default_factory=Reach)
    """Where the connection may lead; a database file of the harness may be opened where it is, whoever says so."""


@asynccontextmanager
async def open_laboratory(
    spec: ConnectorSpec, harness: Harness, equipment: Equipment | None = None
) -> AsyncGenerator[Laboratory]:
    """Yield a laboratory with `spec` on the system of `harness`.

    Raises:
        InputError: the connector could not be registered with a hub; the message lists every problem.
    """
    equipment = equipment or Equipment()
    interference = Interference(spec=spec, beneath=equipment.beneath)
    with tempfile.TemporaryDirectory(prefix="toolhub-kit-") as folder:
        database = Database(f"sqlite+aiosqlite:///{folder}/kit.sqlite")
        try:
            await upgrade(database)
            keys = await Keyring.open(database, os.urandom(32))
            connection = await _connect(database, keys, spec, harness)
            executor = Executor(
                database,
                Vault(keys),
                minimum=equipment.minimum,
                paths=equipment.paths,
                reach=_reach(equipment.reach, harness.base_url),
            )
            executor.stand_around(interference.around)
            records = GroupCommit(database, keys)
            runtime = Runtime(
                database=database,
                keys=keys,
                catalog=Catalog(database),
                bundles=Bundles(database),
                brakes=Brakes(database),
                executor=executor,
                vault=Vault(keys),
                verifier=TokenVerifier(database, keys, _NOWHERE),
                records=records,
                public_url=_NOWHERE,
                environment=Environment.DEV.value,
                answer_seconds=_PATIENCE_SECONDS,
            )
            async with executor.running(), records.running():
                yield Laboratory(
                    spec=spec,
                    harness=harness,
                    runtime=runtime,
                    connection=connection,
                    interference=interference,
                    grade=Grade.ELSEWHERE if spec.rpc == "mcp" and equipment.grade is Grade.LIVE else equipment.grade,
                    seed=equipment.seed,
                    on_step=equipment.on_step,
                    gaps=equipment.gaps,
                )
                await runtime.tasks.drain(_PATIENCE_SECONDS)
        finally:
            await database.close()


def _reach(allowed: Reach, base_url: str) -> Reach:
    """Return `allowed` with the folder of the harness's own database file: whoever opens a laboratory has named it."""
    if not base_url.startswith("sqlite:"):
        return allowed
    return replace(allowed, folders=(*allowed.folders, Path(address(base_url).path).parent))


async def _connect(database: Database, keys: Keyring, spec: ConnectorSpec, harness: Harness) -> Connection:
    authority = Authority(database=database, keys=keys)
    new = NewConnection(name=_CONNECTION, connector=spec.name, environment=Environment.DEV, base_url=harness.base_url)
    async with database.transaction() as tx:
        await register_connector(tx, spec, authority)
        made = await create_connection(tx, new, authority)
        if spec.auth.secret_fields:
            await Vault(keys).put(tx, made.id, dict(harness.secret), authority)
        return await get_connection(tx, made.id)
