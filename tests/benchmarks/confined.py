"""The benchmark of confinement: what running connector code in processes of its own costs, beside doing without.

Run as `python -m benchmarks.confined`. Everything runs on this machine, and what is compared is measured in turns, so
that what else the machine does hits both alike; the median of the rounds is told. A figure over the upstream's own time
is the difference between a call by the executor and the same requests sent by a plain client.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import upstream.connector
from rich import box
from rich.console import Console
from rich.table import Table
from upstream.fixtures import Upstream, running_upstream

from benchmarks.cores import LOAD_CORE
from connectors.sdk.artefact import artefact_digest
from hub.credentials import Vault
from hub.execution import Executor, Previewed, Succeeded, Target
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.registry import Environment, NewConnection, create_connection, get_connection, register_connector
from hub.storage import Database
from hub.storage.migrations import upgrade
from sandbox.host import start
from sandbox.launch import Zygote

ITEMS: Final = upstream.connector.connector.spec
PROBE: Final = "sandbox.probe:connector"
AIMS: Final[Mapping[str, float]] = {"preview over the upstream's own time": 30.0, "pooled read over direct": 1.0}

out = Console(width=120)


@dataclass(kw_only=True)
class Figures:
    """Milliseconds by what was measured."""

    by_name: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    async def time(self, name: str, action: Callable[[], Awaitable[object]]) -> float:
        """Measure `action` once and return the milliseconds."""
        started = time.perf_counter()
        await action()
        took = (time.perf_counter() - started) * 1000
        self.add(name, took)
        return took

    def add(self, name: str, milliseconds: float) -> None:
        """Take note of a figure."""
        self.by_name.setdefault(name, []).append(milliseconds)

    def told(self) -> dict[str, dict[str, float]]:
        """Return median, lowest and 95th percentile of each."""
        return {
            name: {
                "median_ms": round(statistics.median(each), 2),
                "lowest_ms": round(min(each), 2),
                "p95_ms": round(sorted(each)[int(len(each) * 0.95)], 2),
            }
            for name, each in self.by_name.items()
        }


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An executor with a connection to the test upstream, and a plain client beside it."""

    executor: Executor
    target: Callable[[str], Target]
    client: httpx2.AsyncClient

    async def read(self) -> None:
        """Read one item by the executor."""
        ran = await self.executor.read(self.target("item_get"), {"id": 1}, deadline_seconds=20)
        assert isinstance(ran.outcome, Succeeded), ran

    async def preview(self) -> None:
        """Preview the change of one item, which reads it once."""
        ran = await self.executor.preview(self.target("item_update"), {"id": 1, "quantity": 7}, deadline_seconds=20)
        assert isinstance(ran.outcome, Previewed), ran

    async def directly(self) -> None:
        """Read the item with the plain client."""
        (await self.client.get("/items/1")).raise_for_status()


async def measure(system: Upstream, folder: Path, *, rounds: int) -> Figures:
    """Return all figures."""
    figures = Figures()
    await _measure_start(figures, rounds)
    database = Database(f"sqlite+aiosqlite:///{folder / 'hub.sqlite'}")
    await upgrade(database)
    keys = await Keyring.open(database, os.urandom(32))
    vault, authority = Vault(keys), Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await register_connector(tx, ITEMS, authority)
        new = NewConnection(
            name="items", connector=ITEMS.name, environment=Environment.DEV, base_url=system.base_url, prefix="a_"
        )
        made = await create_connection(tx, new, authority)
        await vault.put(tx, made.id, {"token": system.token}, authority)
        connection = await get_connection(tx, made.id)

    def target(operation: str) -> Target:
        return Target(connector=ITEMS, operation=ITEMS.operation(operation), connection=connection)

    headers = {"authorization": f"Bearer {system.token}", "accept": "application/json"}
    async with (
        Executor(database, vault).running() as executor,
        httpx2.AsyncClient(base_url=system.base_url, headers=headers) as client,
    ):
        await _measure_calls(figures, Bench(executor=executor, target=target, client=client), rounds)
    await database.close()
    return figures


async def _measure_start(figures: Figures, rounds: int) -> None:
    digests = {PROBE: artefact_digest("sandbox.probe"), ITEMS.entry: ITEMS.artefact_digest}
    async with Zygote().running() as zygote:
        (await start(zygote, PROBE, digests[PROBE])).end()  # the zygote's own start is no part of it
        for _ in range(rounds):
            for name, entry in (("sandbox start, an empty connector", PROBE), ("sandbox start", ITEMS.entry)):
                started = time.perf_counter()
                host = await start(zygote, entry, digests[entry])
                figures.add(name, (time.perf_counter() - started) * 1000)
                host.end()
                await host.process.ended


async def _measure_calls(figures: Figures, bench: Bench, rounds: int) -> None:
    for _ in range(5):
        await bench.read()
        await bench.directly()
        await bench.preview()
    for _ in range(rounds):
        direct = await figures.time("direct read", bench.directly)
        previewed = await figures.time("preview", bench.preview)
        figures.add("preview over the upstream's own time", previewed - direct)
        await asyncio.sleep(0.05)  # a spare process is started meanwhile
        for _ in range(5):
            direct = await figures.time("direct read", bench.directly)
            read = await figures.time("pooled read", bench.read)
            figures.add("pooled read over direct", read - direct)


def print_table(told: Mapping[str, Mapping[str, float]]) -> None:
    """Print the figures beside what is aimed at."""
    table = Table("", "median ms", "lowest ms", "95 % below", "aim", title="Confinement", box=box.SIMPLE)
    for name, each in told.items():
        aim = f"< {AIMS[name]:g}" if name in AIMS else ""
        table.add_row(name, *(f"{each[kind]:.2f}" for kind in ("median_ms", "lowest_ms", "p95_ms")), aim)
    out.print(table)


def main() -> None:
    """Measure, tell, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures here")
    parser.add_argument("--rounds", type=int, default=40, help="how often each is measured")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_upstream(Path(name)) as system:
        if LOAD_CORE in os.sched_getaffinity(0):
            os.sched_setaffinity(system.process.pid, {LOAD_CORE})
        system.store.rows("INSERT INTO item VALUES (1, 'pencil', 10, 1)")
        told: dict[str, Any] = asyncio.run(measure(system, Path(name), rounds=asked.rounds)).told()
    print_table(told)
    if asked.json:
        asked.json.write_text(json.dumps({"confinement": told}, indent=2) + "\n", encoding="utf-8")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
