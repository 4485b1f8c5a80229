"""An executor with its vault and registry, for tests that run the test connectors against the test upstream."""

import itertools
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import upstream.connector
import upstream.misbehaving

from connectors.sdk.spec import AuthSpec, ConnectorSpec
from hub.credentials import Vault
from hub.execution import CommitOrder, CommitOutcome, Executor, PreviewOutcome, Ran, ReadOutcome, Target
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.registry import (
    Connection,
    Environment,
    NewConnection,
    create_connection,
    get_connection,
    register_connector,
)
from hub.storage import Database
from sandbox.reach import Reach

Json = Any

ITEMS: Final = upstream.connector.connector.spec
MISBEHAVING: Final = upstream.misbehaving.connector.spec.model_copy(
    update={"auth": AuthSpec(kind="bearer", secret_fields=("token",))}
)
CONNECTION: Final = Connection(
    id="con_1",
    name="items",
    connector="upstream",
    environment=Environment.DEV,
    base_url="http://127.0.0.1:1",
    generation=1,
    owner_id=None,
    is_enabled=True,
    settings={},
)
"""One that nobody reaches, for what needs only its name."""
SECONDS: Final = 20.0

_numbers = itertools.count(1)


async def _nothing() -> None:
    """Let it pass."""


@dataclass(kw_only=True)
class Permits:
    """A permit that counts how often it was asked, and does `then` when it is."""

    then: Callable[[], Awaitable[None]] = _nothing
    asked: int = 0

    async def ask(self) -> None:
        """Give leave, unless `then` raises."""
        self.asked += 1
        await self.then()


def order(
    permits: Permits | None = None, *, guard: Mapping[str, str] | None = None, seconds: float = SECONDS
) -> CommitOrder:
    """Return a commit order with a key of its own."""
    return CommitOrder(
        idempotency_key=f"key-{next(_numbers)}",
        guard=guard or {},
        before={},
        deadline_seconds=seconds,
        permit=(permits or Permits()).ask,
    )


@dataclass(kw_only=True)
class House:
    """The parts; `connect` makes a connection with a credential, which the other methods then use."""

    executor: Executor
    database: Database
    vault: Vault
    authority: Authority
    url: str = ""
    token: str = ""
    connection: Connection = field(init=False)

    async def connect(self, url: str | None = None, secret: Mapping[str, str] | None = None) -> Connection:
        """Make another connection, use it from now on, and return it."""
        number = next(_numbers)
        new = NewConnection(
            name=f"upstream-{number}",
            connector=ITEMS.name,
            environment=Environment.DEV,
            base_url=url or self.url,
            prefix=f"n{number}_",
        )
        async with self.database.transaction() as tx:
            made = await create_connection(tx, new, self.authority)
            await self.vault.put(tx, made.id, secret or {"token": self.token}, self.authority)
            self.connection = await get_connection(tx, made.id)
        return self.connection

    def target(self, connector: ConnectorSpec, operation: str, on_behalf_of: str | None = None) -> Target:
        """Return the operation on the connection."""
        return Target(
            connector=connector,
            operation=connector.operation(operation),
            connection=self.connection,
            on_behalf_of=on_behalf_of,
        )

    async def read(
        self, connector: ConnectorSpec, operation: str, seconds: float = SECONDS, **arguments: Json
    ) -> Ran[ReadOutcome]:
        """Run a read."""
        return await self.executor.read(self.target(connector, operation), arguments, deadline_seconds=seconds)

    async def preview(
        self, connector: ConnectorSpec, operation: str, seconds: float = SECONDS, **arguments: Json
    ) -> Ran[PreviewOutcome]:
        """Run a preview."""
        return await self.executor.preview(self.target(connector, operation), arguments, deadline_seconds=seconds)

    async def commit(
        self, connector: ConnectorSpec, operation: str, ordered: CommitOrder | None = None, **arguments: Json
    ) -> Ran[CommitOutcome]:
        """Run a commit."""
        return await self.executor.commit(self.target(connector, operation), arguments, order=ordered or order())


@asynccontextmanager
async def running_house(template: Path, folder: Path, *, reaching: Reach | None = None) -> AsyncGenerator[House]:
    """Run an executor beside a database of its own, in which the test connector is registered; nothing is connected."""
    file = folder / "hub.sqlite"
    shutil.copyfile(template, file)
    database = Database(f"sqlite+aiosqlite:///{file}")
    keys = await Keyring.open(database, bytes(32))
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await register_connector(tx, ITEMS, authority)
    vault = Vault(keys)
    async with Executor(database, vault, reach=reaching).running() as executor:
        yield House(executor=executor, database=database, vault=vault, authority=authority)
    await database.close()
