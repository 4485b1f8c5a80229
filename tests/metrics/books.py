"""A world whose calls cost something, with those who read its numbers, and a record whose moments can be moved."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from settled import settled_by
from sqlalchemy import update
from upstream.connector import connector
from upstream.fixtures import Upstream
from world import PASSWORD, World, open_world, settle

from connectors.sdk.spec import Cost
from hub import metrics
from hub.approvals.tables import CounterRow, QuestionRow, VoteRow
from hub.core.errors import HubError
from hub.identity import directory
from hub.identity.accounts import NewUser, create_user
from hub.identity.authority import Authority
from hub.identity.principals import Principal, Role
from hub.invocations.invoke import invoke
from hub.invocations.resume import resume
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Call, Claims, Invocation
from hub.keys import Keyring
from hub.metrics import Answer, By, Measured, Of, Selection, allow, answer
from hub.registry import find_tool, register_connector, set_tool_owner
from hub.storage import Database, Tx, now

BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
COSTS: Final = {
    "item_get": Cost(amount=3, unit="credits"),
    "item_put": Cost(amount=20, unit="EUR"),
    "item_delete": Cost(amount=5, unit="USD"),
}
ROLES: Final = {"adam": Role.ADMINISTRATOR, "olga": Role.OPERATOR, "aud": Role.AUDITOR, "mo": Role.MEMBER}


async def _settle(database: Database, keys: Keyring) -> None:
    await settle(database, keys)
    authority = Authority(database=database, keys=keys)
    spec = connector.spec.model_copy(deep=True)
    operations = [one.model_copy(update={"cost": COSTS.get(one.name)}) for one in spec.operations]
    async with database.transaction() as tx:
        await register_connector(tx, spec.model_copy(update={"operations": tuple(operations)}), authority)
        for name, role in ROLES.items():
            new = NewUser(name=name, display_name=name.title(), password=PASSWORD, roles=frozenset({role}))
            await create_user(tx, new, authority)
        for name in ("bob", "owen"):
            groups = frozenset({"approvers"} if name == "bob" else ())
            await create_user(
                tx, NewUser(name=name, display_name=name.title(), password=PASSWORD, groups=groups), authority
            )


sqlite_template, postgresql_template = settled_by(_settle)


Only = Mapping[str, str]
"""Which dimensions must have which values, by their names in a selection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """A world and its people: `adam` administers, `olga` operates, `aud` audits, `bob` approves as ann does,
    `owen` owns the tool item_delete, `mo` is a member.
    """

    world: World
    people: Mapping[str, Principal]
    tools: Mapping[str, str]

    @property
    def database(self) -> Database:
        return self.world.runtime.database

    def authority(self, name: str) -> Authority:
        return Authority(database=self.database, keys=self.world.runtime.keys, by=self.people[name].id)

    async def call(
        self, tool: str, arguments: Mapping[str, Any], *, run: str | None = None, case: str | None = None
    ) -> Invocation:
        """Invoke a tool as the agent, in a run and a case of its choice."""
        call = Call(
            caller=self.world.caller,
            server="everything",
            tool=tool,
            arguments=dict(arguments),
            trace_id="trace",
            claims=Claims(run=run, case=case),
        )
        return await invoke(call, self.world.runtime)

    async def refused(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Invoke a tool in a way that is turned away at the door."""
        with pytest.raises(HubError):
            await self.call(tool, arguments)

    async def asked(self, number: int = 7) -> Invocation:
        """Return a write that waits for an approver."""
        return await self.call("item_put", {"id": number, "name": "stapler", "quantity": 600_000})

    async def approved(self, asked: Invocation, by: str = "ann") -> Invocation:
        """Let somebody approve a write; return it as it was carried out."""
        return await resume((await self.world.vote(asked, self.people[by])).id, self.world.runtime)

    async def took(self, asked: Invocation, *, seconds: float) -> None:
        """Let what decided the latest question about a call come so long after the question."""
        assert asked.question is not None
        question = asked.question
        at = question.opened_at + timedelta(seconds=seconds)
        async with self.database.transaction() as tx:
            await tx.execute(update(VoteRow).where(VoteRow.digest == question.digest).values(cast_at=at))
            await tx.execute(
                update(CounterRow)
                .where(CounterRow.invocation_id == asked.id, CounterRow.revision == question.revision + 1)
                .values(made_at=at)
            )

    async def words(self, asked: Invocation, words: int) -> None:
        """Let the question about a call have so many words."""
        assert asked.question is not None
        async with self.database.transaction() as tx:
            mine = update(QuestionRow).where(QuestionRow.digest == asked.question.digest)
            await tx.execute(mine.values(words=words))

    async def made_at(self, call: Invocation, at: datetime) -> None:
        """Let a call have been made, and have ended, at another time."""
        async with self.database.transaction() as tx:
            mine = update(InvocationRow).where(InvocationRow.id == call.id)
            await tx.execute(mine.values(created_at=at, updated_at=at))

    async def moved(self, tx: Tx, call: Invocation, at: datetime) -> None:
        """Let a call have moved last at some time."""
        await tx.execute(update(InvocationRow).where(InvocationRow.id == call.id).values(updated_at=at))

    async def days_ago(self, days: int, *calls: Invocation) -> date:
        """Let calls have been made at noon, so many days ago; return that day."""
        day = (await self.now()).date() - timedelta(days=days)
        for call in calls:
            await self.made_at(call, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        return day

    async def now(self) -> datetime:
        async with self.database.reading() as tx:
            return await now(tx)

    async def ask(
        self, name: str = "aud", *, of: Of | None = None, by: By = By.NOTHING, days: int = 40, only: Only | None = None
    ) -> Answer:
        """Return the numbers of the last days as somebody sees them."""
        today = (await self.now()).date()
        first = today - timedelta(days=days - 1)
        chosen = replace(Selection(first=first, last=today, by=by), **(only or {}))  # type: ignore[arg-type]  # by name
        async with self.database.reading() as tx:
            return await answer(tx, await allow(tx, self.people[name], chosen, of))

    async def numbers(
        self, name: str = "aud", *, of: Of | None = None, only: Only | None = None
    ) -> dict[str, Measured]:
        """Return every metric of all calls by its name; of costs, with their unit behind it."""
        found = await self.ask(name, of=of, only=only)
        return named(found)[""]


def named(found: Answer) -> dict[str, dict[str, Measured]]:
    """Return the lines of an answer by their keys, and their metrics by their names."""
    return {line.key: {f"{one.metric.name} {one.unit}".strip(): one for one in line.measured} for line in found.lines}


def shares(measured: Mapping[str, Measured]) -> dict[str, tuple[int | None, int]]:
    """Return of every share how many of how many."""
    return {name: (one.of, one.n) for name, one in measured.items() if one.of is not None}


def told(one: Measured) -> tuple[float | None, int]:
    """Return the value of a metric, and what it rests on."""
    return None if one.value is None else float(one.value), one.n


async def roll_up(books: Books) -> metrics.Rolled:
    """Count the days that are over."""
    return await metrics.roll_up(books.database)


@pytest.fixture
async def books(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[Books]:
    async with open_world(database, keys, upstream) as world:
        async with database.transaction() as tx:
            names = ("rita", "ann", "bob", "carl", "owen", *ROLES)
            found = {name: await directory.find(tx, name) for name in names}
            people = {name: person for name, person in found.items() if person is not None}
            tools = {
                name: tool.id
                for name in (*COSTS, "item_update")
                if (tool := await find_tool(tx, "upstream", name)) is not None
            }
            await set_tool_owner(tx, tools["item_delete"], people["owen"].id, world.runtime.authority)
        yield Books(world=world, people=people, tools=tools)
