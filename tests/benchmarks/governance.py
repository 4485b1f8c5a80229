"""The benchmark of governance: what a decision, an event, a proof and a claim cost, each beside the plain thing.

Run as `python -m benchmarks.governance`, on a PostgreSQL that writes to disk. What is compared is measured in turns in
one run; the median of the rounds is told.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import cedarpy
from postgresql import running_postgresql
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import Column, LargeBinary, MetaData, String, insert, update
from sqlalchemy import Table as SqlTable
from upstream.fixtures import running_upstream
from world import MASTER_KEY, World, open_world

from connectors.sdk.vocabulary import Effect, Reversal, Tier, UpstreamClass
from hub.audit import Event, EventKind, ExportOrder, append_many, export_lines, sequence, verify_export
from hub.bundles import default_bundle_text
from hub.core.ids import new_id
from hub.invocations.replay import Candidate, what_if
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.keys import Keyring
from hub.policy import Action, Bundle, Facts, decide
from hub.storage import Database, now
from hub.storage.migrations import upgrade

READS: Final = 300
EVENTS: Final = 500
CLAIMS: Final = 60

out = Console(width=120)
plain_events = SqlTable(
    "benchmark_plain_events", MetaData(), Column("id", String(40), primary_key=True), Column("body", LargeBinary)
)


@dataclass(kw_only=True)
class Rates:
    """How many a second, by what was measured."""

    by_name: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    async def time(self, name: str, count: int, action: Callable[[], Awaitable[object]]) -> None:
        """Measure `action`, which does `count` of them."""
        began = time.perf_counter()
        await action()
        self.by_name.setdefault(name, []).append(count / (time.perf_counter() - began))

    def median(self, name: str) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.by_name[name])


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is measured, and the plain thing it is measured beside."""

    name: str
    beside: str


DECISIONS: Final = Comparison(name="policy decisions", beside="the bare question to Cedar")
APPENDS: Final = Comparison(name="events appended, sequenced and signed", beside="rows of the same bytes inserted")
PROOFS: Final = Comparison(name="events verified from an export", beside="lines of it parsed and hashed")
REPLAYS: Final = Comparison(name="recorded decisions tried against another bundle", beside="policy decisions")
CLAIMED: Final = Comparison(name="claims by two workers", beside="the same rows updated and nothing recorded")
ALONE: Final = Comparison(name="claims by one worker", beside="claims by two workers")
COMPARED: Final = (DECISIONS, APPENDS, PROOFS, REPLAYS, CLAIMED, ALONE)


async def measure(world: World, url: str, *, rounds: int) -> Rates:
    """Return all figures."""
    rates = Rates()
    for _ in range(READS):
        await world.call("item_get", {"id": 1})
    async with world.runtime.database.transaction() as tx:
        await (await tx.connection()).run_sync(plain_events.create)
    approved = await _approved(world)
    for turn in range(rounds):
        await _measure_policy(rates, turn)
        await _measure_log(rates, world)
        await _measure_replay(rates, world)
        await _measure_claims(rates, world, url, approved)
    return rates


async def _measure_policy(rates: Rates, turn: int) -> None:
    bundle = Bundle.parse(default_bundle_text())
    facts = [replace(_facts(), arguments={"number": turn * EVENTS + number}) for number in range(EVENTS)]
    request = {
        "principal": {"type": "User", "id": "u"},
        "action": {"type": "Action", "id": "read"},
        "resource": {"type": "Item", "id": "i"},
        "context": {},
    }
    policies = cedarpy.PolicySet.from_str("permit (principal, action, resource);")

    async def decided() -> None:
        for one in facts:
            decide(Action.PROPOSE, one, bundle)

    async def asked() -> None:
        for _ in facts:
            cedarpy.is_authorized(request, policies, [])

    await rates.time(DECISIONS.name, EVENTS, decided)
    await rates.time(DECISIONS.beside, EVENTS, asked)


def _facts() -> Facts:
    return Facts(
        principal_id="agent_1",
        principal_kind="agent",
        principal_groups=frozenset(),
        requester_groups=frozenset(),
        is_suspended=False,
        reversal=Reversal.EXACT,
        undo_proven=True,
        hour=12,
        weekday=1,
        connector="upstream",
        tool="item_update",
        tier=Tier.MEDIUM,
        effect=Effect.UPDATE,
        upstream_class=UpstreamClass.B,
        environment="dev",
    )


async def _measure_log(rates: Rates, world: World) -> None:
    database, keys = world.runtime.database, world.runtime.keys
    events = [Event(kind=EventKind.LOG_EXPORTED, subject=f"s{number}", facts={"n": number}) for number in range(EVENTS)]

    async def append() -> None:
        async with database.transaction() as tx:
            await append_many(tx, events, keys)
        await sequence(database, keys, batch=EVENTS * 2)

    async def plain() -> None:
        async with database.transaction() as tx:
            await tx.execute(insert(plain_events), [{"id": new_id("row"), "body": bytes(300)} for _ in events])

    await rates.time(APPENDS.name, EVENTS, append)
    await rates.time(APPENDS.beside, EVENTS, plain)
    lines = [line async for line in export_lines(database, keys, ExportOrder(by=None))]

    async def verified() -> None:
        assert verify_export(lines).is_sound

    async def parsed() -> None:
        for line in lines:
            json.loads(line)
            hashlib.sha256(line).digest()

    await rates.time(PROOFS.name, len(lines) - 1, verified)
    await rates.time(PROOFS.beside, len(lines) - 1, parsed)


async def _measure_replay(rates: Rates, world: World) -> None:
    database = world.runtime.database
    candidate = Candidate(environment="dev", bundle=Bundle.parse(default_bundle_text() + "\n"))
    async with database.reading() as tx:
        since = await now(tx) - timedelta(days=1)
    found = await what_if(candidate, database, world.runtime.keys, since)
    assert found.decisions >= READS

    async def replayed() -> None:
        await what_if(candidate, database, world.runtime.keys, since)

    await rates.time(REPLAYS.name, found.decisions, replayed)


async def _approved(world: World) -> list[str]:
    """Return writes that people have approved."""
    ids: list[str] = []
    for number in range(CLAIMS):
        world.upstream.store.rows("INSERT INTO item VALUES (?, 'box', 1, 1)", 1000 + number)
        asked = await world.call("item_delete", {"id": 1000 + number})
        ids.append((await world.vote(asked, world.ann)).id)
    return ids


async def _measure_claims(rates: Rates, world: World, url: str, ids: list[str]) -> None:
    for name, kind, workers in (
        (CLAIMED.name, "claim", 2),
        (CLAIMED.beside, "update", 2),
        (ALONE.name, "claim", 1),
    ):
        async with world.runtime.database.transaction() as tx:
            later = {"state": State.APPROVED.value, "deadline": await now(tx) + timedelta(hours=1)}
            await tx.execute(update(InvocationRow).where(InvocationRow.id.in_(ids)).values(later))
        rates.by_name.setdefault(name, []).append(await _rate_of(url, kind, ids, workers))


async def _rate_of(url: str, kind: str, ids: list[str], workers: int) -> float:
    """Let `workers` processes go through the same ids, which each may take once, and return the rate of all."""
    pipe = asyncio.subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.claims", url, kind, stdin=pipe, stdout=pipe, env=os.environ
        )
        for _ in range(workers)
    ]
    for one in started:
        assert one.stdin is not None
        one.stdin.write(json.dumps(ids).encode() + b"\n")
    await asyncio.sleep(5)  # each has opened its hub by then; who has not begins as soon as it has
    told = await asyncio.gather(*(one.communicate(b"go\n") for one in started))
    done: list[dict[str, Any]] = [json.loads(said) for said, _ in told]
    assert sum(one["claimed"] for one in done) == len(ids), "each is taken once, and by one of them"
    return len(ids) / (max(one["ended"] for one in done) - min(one["began"] for one in done))


def print_table(rates: Rates) -> None:
    """Print each figure beside what it is compared with."""
    table = Table("", "a second", "beside", "a second", "ratio", title="Governance", box=box.SIMPLE)
    for one in COMPARED:
        rate, plain = rates.median(one.name), rates.median(one.beside)
        table.add_row(one.name, f"{rate:,.0f}", one.beside, f"{plain:,.0f}", f"{rate / plain:.2f}")
    out.print(table)


async def _run(url: str, folder: Path, rounds: int) -> Rates:
    database = Database(url)
    await upgrade(database)
    keys = await Keyring.open(database, MASTER_KEY)
    with running_upstream(folder) as system:
        system.store.rows("INSERT INTO item VALUES (1, 'pencil', 10, 1)")
        async with open_world(database, keys, system) as world:
            rates = await measure(world, url, rounds=rounds)
    await database.close()
    return rates


def main() -> None:
    """Measure, tell, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures here")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    asked = parser.parse_args()
    with running_postgresql() as server, tempfile.TemporaryDirectory() as name:
        asyncio.run(server.run("CREATE DATABASE benchmark"))
        rates = asyncio.run(_run(server.url("benchmark"), Path(name), asked.rounds))
    print_table(rates)
    if asked.json:
        medians = {name: round(rates.median(name), 1) for name in rates.by_name}
        asked.json.write_text(json.dumps({"governance": medians}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
