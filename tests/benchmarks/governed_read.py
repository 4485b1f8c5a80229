"""The benchmark of governed reads: upstream, ungoverned proxy and hub measured in turns, with everything checked.

The gateways run on core 0; the upstream, the load and this program on core 1. Over stdio each gateway starts a program
of its own, which shares its core: the throughput is that of both, the core time that of the gateway alone, and both
sides keep one process open with many requests under way. Nothing leaves the machine. Rounds
alternate between what is compared, so that what else the machine does hits all alike; a ratio is made within one
round, and the median of the rounds is told.
"""

import argparse
import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import httpx2
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import governed_hub
from benchmarks.cores import GATEWAY_CORE, LOAD_CORE, PATIENCE_SECONDS, core_time, process
from benchmarks.governed_hub import GovernedHub
from benchmarks.load import ERAS, MODERN, RIGHT, LoadFailed, Target, run_load
from benchmarks.profile import print_profile
from benchmarks.upstream import counted

Program = subprocess.Popen[str]

UPSTREAM, PROXY, HUB = "upstream", "ungoverned proxy", "hub"
SUBJECTS: Final = (UPSTREAM, PROXY, HUB)
CONNECTIONS: Final = (1, 16)
WARM_UP_SECONDS: Final = 1.0
MOST_WAITING: Final = 0.1
"""A gateway that waited for its core for a larger share of the time than this was measured among others' work."""
KEY: Final = "governed_read_over_ungoverned_proxy"

out = Console(width=120)


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """What is measured in one go: who, in which protocol, over how many connections."""

    era: str
    connections: int
    subject: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs during the measurement."""

    upstream_url: str
    proxy_url: str
    hub: GovernedHub
    subjects: tuple[str, ...] = SUBJECTS
    pids: dict[str, int] = field(default_factory=dict[str, int])

    def target(self, subject: str, era: str, token: str) -> Target:
        """Return where the load for one of the three goes."""
        if subject == HUB:
            headers = {"Authorization": f"Bearer {token}"}
            return Target(url=f"{self.hub.settings.address}/mcp", era=era, headers=headers)
        return Target(url=self.upstream_url if subject == UPSTREAM else self.proxy_url, era=era)

    def upstream_calls(self) -> int:
        """Return how often the upstream's tool has been called."""
        if self.hub.count is not None:
            return counted(self.hub.count)
        return int(httpx2.get(self.upstream_url.replace("/mcp", "/calls")).text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The figures of one go. `core_ms` is the core time per answer: what others do on the machine hardly changes it.

    `waiting` is the share of the time in which the measured process was ready to run and had no core.
    """

    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    core_ms: float
    waiting: float


Found = dict[Point, list[Measured]]


@dataclass(slots=True)
class Ledger:
    """The governed calls, counted on three sides."""

    answers: int = 0
    on_record: int = 0
    at_upstream: int = 0


# --------------------------------------------------------------------------------------------------------- processes
def _mcp_url(started: Program) -> str:
    assert started.stdout is not None
    return f"http://127.0.0.1:{json.loads(started.stdout.readline())['port']}/mcp"


@contextmanager
def running_hub(hub: GovernedHub, samples: Path | None = None) -> Generator[Program]:
    """Run the hub until the block ends."""
    ours = ["--samples", str(samples)] if samples else []
    words = [*ours, "--", *hub.command]
    with process("benchmarks.governed_hub", *words, core=GATEWAY_CORE, environment=hub.environment) as started:
        _wait_for(hub.settings.address)
        yield started


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"{address}/.well-known/oauth-protected-resource/mcp").raise_for_status()
        except httpx2.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise LoadFailed(f"nothing answers at {address}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def stage(folder: Path, over: str) -> Generator[Stage]:
    """Run the upstream and the proxy, and set up a hub; over stdio each of them has an upstream of its own."""
    counts = [folder / "proxy.calls", folder / "hub.calls"] if over == "stdio" else []
    for count in counts:
        count.write_bytes(bytes(8))
    with ExitStack() as stack:
        upstream = stack.enter_context(process("benchmarks.upstream", core=LOAD_CORE))
        upstream_url = _mcp_url(upstream)
        words = ["--stdio", str(counts[0])] if counts else [upstream_url]
        proxy = stack.enter_context(process("benchmarks.ungoverned_proxy", *words, core=GATEWAY_CORE))
        proxy_url = _mcp_url(proxy)
        hub = governed_hub.set_up(
            folder / "hub", port=_free_port(), upstream_url=upstream_url, count=counts[1] if counts else None
        )
        pids = {UPSTREAM: upstream.pid, PROXY: proxy.pid}
        subjects = (PROXY, HUB) if counts else SUBJECTS
        yield Stage(upstream_url=upstream_url, proxy_url=proxy_url, hub=hub, subjects=subjects, pids=pids)


# ------------------------------------------------------------------------------------------------------- measuring
def measure(on: Stage, *, rounds: int, seconds: float) -> tuple[Found, Ledger]:
    """Return the figures of every point in every round, and what was counted of the governed calls."""
    found: Found = {}
    ledger = Ledger()
    pairs = [(era, connections) for era in ERAS for connections in CONNECTIONS]
    for number in range(rounds):
        token = on.hub.token()  # it outlives a round, and not all of them
        for era, connections in pairs:
            for subject in on.subjects if number % 2 == 0 else on.subjects[::-1]:
                point = Point(era, connections, subject)
                out.print(f"round {number + 1} of {rounds}: {era}, {connections} connection(s), {subject}")
                target = on.target(subject, era, token)
                if number == 0:
                    _wake(target)
                    _checked(on, target, point, WARM_UP_SECONDS, ledger)
                found.setdefault(point, []).append(_checked(on, target, point, seconds, ledger))
    return found, ledger


def _wake(target: Target) -> None:
    """Call until there is a result: an upstream over standard input and output is started by the first call."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        sent = httpx2.post(target.url, content=target.body, headers=target.all_headers, timeout=PATIENCE_SECONDS)
        if RIGHT in sent.raise_for_status().text:
            return
    raise LoadFailed(f"{target.url} gives no result")


def _checked(on: Stage, target: Target, point: Point, seconds: float, ledger: Ledger) -> Measured:
    if point.subject != HUB:
        measured = _measured(on, target, point, seconds)
        _wait_until_steady(on)
        return measured
    calls, reads = on.upstream_calls(), on.hub.governed_reads()
    measured = _measured(on, target, point, seconds)
    _wait_until_quiet(on, calls - reads)
    calls, reads = on.upstream_calls() - calls, on.hub.governed_reads() - reads
    ledger.answers += measured.answers
    ledger.on_record += reads
    ledger.at_upstream += calls
    # what was under way when the load stopped is finished and recorded too, though nobody read its answer
    if reads != calls or not measured.answers <= reads <= measured.answers + point.connections:
        raise LoadFailed(
            f"{measured.answers} answers, {reads} audit events and {calls} calls of the upstream do not fit together"
        )
    return measured


def _measured(on: Stage, target: Target, point: Point, seconds: float) -> Measured:
    before = core_time(on.pids[point.subject])
    figures = run_load(target, connections=point.connections, seconds=seconds)
    used = core_time(on.pids[point.subject]).since(before)
    return Measured(
        **asdict(figures),
        core_ms=1000 * used.ran / figures.answers,
        waiting=used.waited * figures.per_second / figures.answers,
    )


def _wait_until_steady(on: Stage) -> None:
    """Wait until nobody calls the upstream any more: what a proxy still had under way is none of the hub's calls."""
    before, calls = -1, on.upstream_calls()
    while calls != before:
        time.sleep(0.3)
        before, calls = calls, on.upstream_calls()


def _wait_until_quiet(on: Stage, more_at_upstream: int) -> None:
    """Wait until the hub has nothing left to do: sealing the log afterwards must slow nobody else down.

    `more_at_upstream` is by how much the upstream's calls outnumber the reads on record when all are.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    missing = unsealed = 0
    while time.monotonic() < deadline:
        missing = on.upstream_calls() - on.hub.governed_reads() - more_at_upstream
        unsealed = on.hub.unsequenced()
        if missing == 0 and unsealed == 0:
            return
        time.sleep(0.1)
    raise LoadFailed(f"the upstream was called {missing} times more than is on record; {unsealed} events are unsealed")


# --------------------------------------------------------------------------------------------------------- telling
def ratios(found: Found, figure: str) -> dict[tuple[str, int], list[float]]:
    """Return how the hub compares with the proxy in each round, lowest first, by protocol and connections."""
    kept: dict[tuple[str, int], list[float]] = {}
    for point, hub in found.items():
        if point.subject == HUB:
            proxy = found[Point(point.era, point.connections, PROXY)]
            each = (getattr(mine, figure) / getattr(theirs, figure) for mine, theirs in zip(hub, proxy, strict=True))
            kept[point.era, point.connections] = sorted(each)
    return kept


def summary(found: Found, ledger: Ledger) -> dict[str, Any]:
    """Return everything that was measured, as JSON; headlines are geometric means over the four ways to call."""
    throughput, core = ratios(found, "per_second"), ratios(found, "core_ms")
    return {
        KEY: _mean(statistics.median(each) for each in throughput.values()),
        "by_core_time": _mean(1 / statistics.median(each) for each in core.values()),
        "is_disturbed": max(_median(each).waiting for each in found.values()) > MOST_WAITING,
        "ratios": [
            {
                "protocol": era,
                "connections": connections,
                "throughput": round(statistics.median(each), 4),
                "lowest": round(each[0], 4),
                "highest": round(each[-1], 4),
                "by_core_time": round(1 / statistics.median(core[era, connections]), 4),
            }
            for (era, connections), each in throughput.items()
        ],
        "points": [
            {**asdict(point), **asdict(_median(each)), "rounds": [asdict(one) for one in each]}
            for point, each in sorted(found.items())
        ],
        "governed_calls": asdict(ledger),
        "load_average": os.getloadavg()[0],
    }


def _mean(numbers: Iterable[float]) -> float:
    return round(math.exp(statistics.fmean(math.log(each) for each in numbers)), 4)


def _median(each: Sequence[Measured]) -> Measured:
    middles = {
        one.name: statistics.median(getattr(measured, one.name) for measured in each) for one in fields(Measured)
    }
    return Measured(**{**middles, "answers": sum(measured.answers for measured in each)})


def print_table(found: Found, told: Mapping[str, Any], over: str) -> None:
    """Print the figures side by side."""
    heads = ("protocol", "conn.", "", "req/s", "p50 ms", "p99 ms", "core ms", "waiting", "of proxy", "by core")
    table = Table(*heads, title=f"Reads of a server over {over}", box=box.SIMPLE)
    for row in told["ratios"]:
        for subject in SUBJECTS:
            point = Point(row["protocol"], row["connections"], subject)
            if point not in found:
                continue
            middle = _median(found[point])
            of_proxy = f"{row['throughput']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})"
            compared = (of_proxy, f"{row['by_core_time']:.2f}") if subject == HUB else ("", "")
            cells = (f"{middle.per_second:.0f}", f"{middle.p50_ms:.2f}", f"{middle.p99_ms:.2f}")
            more = (f"{middle.core_ms:.2f}", f"{middle.waiting:.0%}")
            table.add_row(
                row["protocol"], str(row["connections"]), subject, *cells, *more, *compared, end_section=subject == HUB
            )
    out.print(table)
    counted = told["governed_calls"]
    out.print(
        f"{counted['on_record']} governed calls: as many audit events as calls of the upstream; "
        f"{counted['answers']} answers read, all of them right."
    )
    out.print(f"{KEY}: {told[KEY]} by throughput, {told['by_core_time']} by core time", highlight=False)
    if told["is_disturbed"]:
        out.print(
            "[bold]Disturbed:[/] what was measured had to wait for its core, so throughput says more about the other "
            "work on this machine than about the hub. Go by core time, or measure again on a quiet machine."
        )


def profile(on: Stage, folder: Path, *, seconds: float) -> None:
    """Print where the hub's time goes under load."""
    samples = folder / "samples.json"
    with running_hub(on.hub, samples) as started:
        target = on.target(HUB, MODERN, on.hub.token())
        run_load(target, connections=CONNECTIONS[-1], seconds=WARM_UP_SECONDS)
        started.send_signal(signal.SIGUSR1)
        figures = run_load(target, connections=CONNECTIONS[-1], seconds=seconds)
    print_profile(out, json.loads(samples.read_text(encoding="utf-8")), figures)


def main() -> None:
    """Measure, tell, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures here")
    parser.add_argument("--rounds", type=int, default=3, help="how often each point is measured; 0 only profiles")
    parser.add_argument("--seconds", type=float, default=3, help="how long each time")
    overs = ["http", "stdio"]
    parser.add_argument("--over", choices=overs, nargs="+", default=overs, help="how the upstream is reached")
    parser.add_argument("--profile", action="store_true", help="also say where the hub's time goes")
    asked = parser.parse_args()
    if not {GATEWAY_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        sys.exit("This benchmark needs cores 0 and 1.")
    os.sched_setaffinity(0, {LOAD_CORE})
    told = {over: _measured_over(over, asked) for over in asked.over}
    if asked.json and asked.rounds:
        first = {**told[asked.over[0]], "over": told}
        asked.json.write_text(json.dumps(first, indent=2) + "\n", encoding="utf-8")


def _measured_over(over: str, asked: argparse.Namespace) -> dict[str, Any]:
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, stage(Path(name), over) as on:
        if asked.rounds:
            with running_hub(on.hub) as hub:
                on.pids[HUB] = hub.pid
                found, ledger = measure(on, rounds=asked.rounds, seconds=asked.seconds)
            told = summary(found, ledger)
            print_table(found, told, over)
        if asked.profile:
            profile(on, Path(name), seconds=asked.seconds)
    return told


if __name__ == "__main__":
    main()
