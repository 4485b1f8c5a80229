"""A world with an administrator and two auditors, and writes with something telling in them."""

import io
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from settled import settled_by
from sqlalchemy import inspect, text
from upstream.fixtures import Upstream
from world import PASSWORD, World, open_world, settle

from hub.audit import ExportOrder, Report, export, verify_export
from hub.erasures import Erasure, NewErasure, Scope, ScopeKind, ask, grant
from hub.identity import directory
from hub.identity.accounts import NewUser, create_user
from hub.identity.authority import Authority
from hub.identity.principals import Principal, Role
from hub.invocations.resume import resume
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.storage import Database

BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)

TELLING = "Zacharias Quillfeather"
"""A name that stands nowhere unless somebody was told it."""


async def _settle(database: Database, keys: Keyring) -> None:
    await settle(database, keys)
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        for name, role in (("adam", Role.ADMINISTRATOR), ("aud", Role.AUDITOR), ("otto", Role.AUDITOR)):
            new = NewUser(name=name, display_name=name.title(), password=PASSWORD, roles=frozenset({role}))
            await create_user(tx, new, authority)


sqlite_template, postgresql_template = settled_by(_settle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A world, and those who erase in it: `adam` asks, the auditors `aud` and `otto` grant."""

    world: World
    adam: Principal
    aud: Principal
    otto: Principal

    @property
    def database(self) -> Database:
        return self.world.runtime.database

    @property
    def keys(self) -> Keyring:
        return self.world.runtime.keys

    def authority(self, person: Principal) -> Authority:
        return Authority(database=self.database, keys=self.keys, by=person.id)

    async def ask(self, scope: Scope, person: Principal | None = None) -> Erasure:
        """Ask for an erasure, as adam unless somebody else is named."""
        asker = person or self.adam
        async with self.database.transaction() as tx:
            return await ask(tx, NewErasure(scope=scope, reason="They asked us to."), asker, self.authority(asker))

    async def grant(self, erasure: Erasure, auditor: Principal | None = None) -> Erasure:
        """Grant an erasure, as aud unless somebody else is named."""
        who = auditor or self.aud
        async with self.database.transaction() as tx:
            return await grant(tx, erasure.id, who, self.authority(who))

    async def erase(self, scope: Scope) -> Erasure:
        """Ask for an erasure, and grant it."""
        return await self.grant(await self.ask(scope))

    async def written(self, number: int = 7) -> Invocation:
        """Return a write with a telling value in it, that ann has approved and that was carried out and read back."""
        wanted = {"id": number, "name": TELLING, "quantity": 600_000}
        asked = await self.world.call("item_put", wanted, run="r1", key=f"key-{number}")
        approved = await self.world.vote(asked, self.world.ann)
        return await resume(approved.id, self.world.runtime)

    async def proof(self) -> Report:
        """Return what whoever verifies an export with values finds."""
        lines = io.StringIO()
        await export(self.database, self.keys, lines, ExportOrder(by=None, with_values=True))
        return verify_export(lines.getvalue().encode().splitlines(keepends=True))

    async def tables_with(self, telling: str) -> list[str]:
        """Return the tables in which a text stands, in whatever column."""
        found = list[str]()
        async with self.database.engine.connect() as connection:
            names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
            for name in sorted(names):
                rows = (await connection.execute(text(f'SELECT * FROM "{name}"'))).all()  # noqa: S608  # a table's own name
                if any(telling in str(value) for row in rows for value in row):
                    found.append(name)
        return found


def one(invocation: Invocation) -> Scope:
    """Return the scope of one invocation."""
    return Scope(kind=ScopeKind.INVOCATION, subject=invocation.id)


@pytest.fixture
async def office(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[Office]:
    async with open_world(database, keys, upstream) as world:
        async with database.reading() as tx:
            people = {name: await directory.find(tx, name) for name in ("adam", "aud", "otto")}
        there = {name: person for name, person in people.items() if person is not None}
        yield Office(world=world, **there)
