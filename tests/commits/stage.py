"""Where the fault matrix is played: a hub with one connector per upstream class, workers that end badly, and time."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update
from upstream.classes import CONNECTORS
from world import World

from commits.cells import Event
from commits.moments import Ending, Moment, Recovery
from connectors.sdk.vocabulary import UpstreamClass
from hub.core.errors import Conflict
from hub.identity.accounts import set_groups, suspend
from hub.identity.clients import NewAgent, create_agent
from hub.identity.principals import Caller
from hub.invocations.resume import expire_overdue, resume
from hub.invocations.states import State
from hub.invocations.tables import AttemptRow, InvocationRow
from hub.invocations.values import Invocation
from hub.registry import (
    Environment,
    NewConnection,
    create_connection,
    disable_connection,
    quarantine,
    register_connector,
)
from hub.storage import now

Json = Any

AMOUNT = 60_000
"""A charge that a person has to approve."""
CHARGES_EACH = 15
"""How many charges an agent asks for before another takes over: what a busy one has to expect is shown elsewhere."""
_LONGEST_RECOVERY = 5
"""How many workers it takes at most to come to any moment of a recovery."""
RESTS = frozenset({State.AWAITING_APPROVAL, State.IN_DOUBT}) | {state for state in State if state.is_terminal}


class TakenBack(StrEnum):
    """What may be taken back while a commit is under way."""

    AGENT = "its agent is suspended"
    TOOL = "its tool is quarantined"
    CONNECTION = "its connection is disabled"
    ACCOUNT = "its connection is signed in anew"


@dataclass(slots=True)
class Nursery:
    """The program that forks workers; see `commits.nursery`."""

    process: subprocess.Popen[str]

    def work(self, invocation: Invocation, moment: Moment | Recovery, ending: Ending) -> dict[str, Json]:
        """Let a worker resume `invocation`; return what became of it."""
        return self._ask({"invocation": invocation.id, "moment": moment.value, "ending": ending.value})

    def wake(self, pid: int) -> dict[str, Json]:
        """Continue a worker that has stopped; return what became of it."""
        return self._ask({"continue": pid})

    def _ask(self, order: dict[str, Json]) -> dict[str, Json]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Json] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def nursery(world: World) -> Iterator[Nursery]:
    """Run the program until the block ends."""
    url = world.runtime.database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "commits.nursery", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Nursery(process)
        finally:
            process.kill()


@dataclass(slots=True, kw_only=True)
class Stage:
    """The hub, its systems of four classes, and an agent that may charge in all of them."""

    world: World
    nursery: Nursery
    caller: Caller
    accounts: int = field(default=0)

    async def approved(self, upstream_class: UpstreamClass) -> tuple[Invocation, int]:
        """Return a charge that ann has approved, and the number of its account, which nothing else charges."""
        if self.accounts and self.accounts % CHARGES_EACH == 0:
            self.caller = await hire(self.world, self.caller.scopes, name=f"biller-{self.accounts}")
        self.accounts += 1
        arguments = {"number": self.accounts, "amount": AMOUNT}
        asked = await self.world.call(f"charge_{upstream_class.lower()}", arguments, caller=self.caller)
        assert asked.state is State.AWAITING_APPROVAL
        return await self.world.vote(asked, self.world.ann), self.accounts

    async def step(self, invocation: Invocation, *, is_quarantine_over: bool) -> State:
        """Let leases and pauses be over, let a worker take one step, and return where the invocation stands."""
        await self.let_time_pass(invocation, is_quarantine_over=is_quarantine_over)
        await expire_overdue(self.world.runtime)
        try:
            return (await resume(invocation.id, self.world.runtime)).state
        except Conflict:
            return await self.state(invocation)

    async def let_time_pass(self, invocation: Invocation, *, is_quarantine_over: bool) -> None:
        """Let leases and pauses be over."""
        async with self.world.runtime.database.transaction() as tx:
            row = InvocationRow
            at = await now(tx)
            mine = update(row).where(row.id == invocation.id)
            await tx.execute(mine.values(not_before=None))
            await tx.execute(mine.where(row.lease_until.is_not(None)).values(lease_until=at - timedelta(seconds=1)))
            hours = timedelta(hours=-1 if is_quarantine_over else 1)
            await tx.execute(mine.where(row.sent_at.is_not(None)).values(sent_at=at + hours))

    async def recover(self, invocation: Invocation, again: Moment | Recovery) -> bool:
        """Let workers go on with it until one dies at `again`; return whether one has."""
        for _ in range(_LONGEST_RECOVERY):
            await self.let_time_pass(invocation, is_quarantine_over=False)
            became = self.nursery.work(invocation, again, Ending.DIES)
            if became["became"] == Ending.DIES.value:
                return True
        return False

    async def settle(self, invocation: Invocation, *, is_quarantine_over: bool) -> State:
        """Take steps until nothing more comes of them."""
        before = None
        for _ in range(12):
            state = await self.step(invocation, is_quarantine_over=is_quarantine_over)
            if state in RESTS and state is before:
                return state
            before = state
        raise AssertionError(f"it does not come to rest: {before}")

    async def state(self, invocation: Invocation) -> State:
        """Return where the invocation stands."""
        async with self.world.runtime.database.reading() as tx:
            return State((await tx.get_one(InvocationRow, invocation.id)).state)

    async def attempts(self, invocation: Invocation) -> list[AttemptRow]:
        """Return the attempts that were marked as sent."""
        async with self.world.runtime.database.reading() as tx:
            return list(await tx.scalars(select(AttemptRow).where(AttemptRow.invocation_id == invocation.id)))

    async def happen(self, event: Event, invocation: Invocation, account: int) -> None:
        """Let happen besides what makes a difference at once."""
        match event:
            case Event.EDIT:
                self.edit(UpstreamClass(invocation.connector[-1].upper()), account)
            case Event.REVOCATION:
                await self.dismiss_ann()
            case Event.EXPIRY:
                await self.expire(invocation)
            case _:
                pass

    def edit(self, upstream_class: UpstreamClass, account: int) -> None:
        """Let somebody else change the account."""
        rows = self.world.upstream.store.rows
        letter = upstream_class.lower()
        rows("INSERT OR IGNORE INTO account (class, id) VALUES (?, ?)", letter, account)
        change = "UPDATE account SET balance = balance + 7, version = version + 1 WHERE class = ? AND id = ?"
        rows(change, letter, account)

    async def dismiss_ann(self) -> None:
        """Take from ann what made her an approver."""
        await self._groups_of_ann(frozenset())

    async def reinstate_ann(self) -> None:
        """Give it back."""
        await self._groups_of_ann(frozenset({"approvers"}))

    async def _groups_of_ann(self, groups: frozenset[str]) -> None:
        async with self.world.runtime.database.transaction() as tx:
            await set_groups(tx, self.world.ann.id, groups, self.world.runtime.authority)

    async def take_back(self, what: TakenBack, invocation: Invocation) -> None:
        """Take back something that `invocation` needs, for good."""
        authority = self.world.runtime.authority
        async with self.world.runtime.database.transaction() as tx:
            match what:
                case TakenBack.AGENT:
                    await suspend(tx, self.caller.actor.id, "out of control", authority)
                case TakenBack.TOOL:
                    await quarantine(tx, invocation.tool_id, "It misbehaved.", authority)
                case TakenBack.CONNECTION:
                    await disable_connection(tx, invocation.connection_id, authority, reason="It misbehaved.")
                case TakenBack.ACCOUNT:
                    secret = {"token": self.world.upstream.token}
                    await self.world.runtime.vault.put(tx, invocation.connection_id, secret, authority)

    async def expire(self, invocation: Invocation) -> None:
        """Let the time to decide be over."""
        async with self.world.runtime.database.transaction() as tx:
            past = await now(tx) - timedelta(milliseconds=1)
            await tx.execute(update(InvocationRow).where(InvocationRow.id == invocation.id).values(deadline=past))


async def set_up(world: World, nursery: Nursery) -> Stage:
    """Return a stage over `world`."""
    authority, scopes = world.runtime.authority, frozenset[str]()
    async with world.runtime.database.transaction() as tx:
        for connector in CONNECTORS.values():
            spec = connector.spec
            await register_connector(tx, spec, authority)
            new = NewConnection(
                name=spec.name.replace("_", "-"),
                connector=spec.name,
                environment=Environment.DEV,
                base_url=world.upstream.base_url,
            )
            connection = await create_connection(tx, new, authority)
            await world.runtime.vault.put(tx, connection.id, {"token": world.upstream.token}, authority)
            scopes |= {f"{spec.name}:read", f"{spec.name}:write"}
    caller = await hire(world, scopes, name="biller")
    return Stage(world=world, nursery=nursery, caller=caller)


async def hire(world: World, scopes: frozenset[str], *, name: str) -> Caller:
    """Return a new agent that acts for rita with `scopes`."""
    new = NewAgent(
        name=name,
        display_name="Biller",
        owner_id=world.rita.id,
        allowed_scopes=scopes,
        allowed_servers=frozenset({"everything"}),
    )
    async with world.runtime.database.transaction() as tx:
        biller = await create_agent(tx, new, world.runtime.authority)
    return replace(world.caller, actor=biller, client_id=biller.id, scopes=scopes)
