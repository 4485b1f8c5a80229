"""The load: one tools/call sent again and again over some connections, every answer read, by wrk or by Python."""

import asyncio
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SCRIPT: Final = Path(__file__).with_name("read.lua")
MODERN: Final = "2026-07-28"
LEGACY: Final = "2025-11-25"
ERAS: Final = (MODERN, LEGACY)
RIGHT: Final = '"sum":3'
"""Stands in every right answer, and in none that is not."""
_ABOUT: Final = "io.modelcontextprotocol"


class LoadFailed(Exception):
    """The measurement cannot be believed: an answer was wrong, or none came."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the load goes, in which protocol."""

    url: str
    era: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def body(self) -> str:
        """The message."""
        params: dict[str, Any] = {"name": "add", "arguments": {"a": 1, "b": 2}}
        if self.era == MODERN:
            params["_meta"] = {f"{_ABOUT}/protocolVersion": MODERN, f"{_ABOUT}/clientCapabilities": {}}
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers of every request."""
        modern = {"Mcp-Method": "tools/call", "Mcp-Name": "add"} if self.era == MODERN else {}
        return {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": self.era,
            **modern,
            **self.headers,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run of the load measured."""

    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float


def run_load(target: Target, *, connections: int, seconds: float) -> Figures:
    """Send the load for `seconds` and return its figures.

    Raises:
        LoadFailed: an answer was wrong or missing.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        return asyncio.run(_by_python(target, connections, seconds))
    return _by_wrk(wrk, target, connections, seconds)


def _by_wrk(wrk: str, target: Target, connections: int, seconds: float) -> Figures:
    headers = [f"{name}: {value}" for name, value in target.all_headers.items()]
    options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(SCRIPT)]
    command = [wrk, *options, target.url, "--", target.body, RIGHT, *headers]
    said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True).stdout
    told = dict(line.partition(" ")[::2] for line in said.splitlines() if line.startswith(("figures", "example")))
    found = json.loads(told["figures"])
    if found["wrong"] or found["broken"] or not found["answers"]:
        raise LoadFailed(f"{target.url} ({target.era}): {found}; a wrong answer: {told['example']}")
    return Figures(
        answers=found["answers"],
        per_second=found["answers"] / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
    )


async def _by_python(target: Target, connections: int, seconds: float) -> Figures:
    """Do what wrk does, several times slower: good for ratios where the generator is not the bottleneck."""
    began = time.perf_counter()
    until = began + seconds
    taken = [
        time_ for each in await asyncio.gather(*(_send(target, until) for _ in range(connections))) for time_ in each
    ]
    lasted = time.perf_counter() - began
    percent = statistics.quantiles(taken, n=100)
    return Figures(
        answers=len(taken), per_second=len(taken) / lasted, p50_ms=percent[49] * 1000, p99_ms=percent[98] * 1000
    )


async def _send(target: Target, until: float) -> list[float]:
    host, _, path = target.url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    body = target.body.encode()
    headers = {"Host": host, "Content-Length": str(len(body)), **target.all_headers}
    lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    message = f"POST /{path} HTTP/1.1\r\n{lines}\r\n".encode() + body
    reader, writer = await asyncio.open_connection(name, int(port))
    taken = list[float]()
    try:
        while (began := time.perf_counter()) < until:
            writer.write(message)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            answer = (await reader.readexactly(length)).decode()
            if not head.startswith("http/1.1 200") or RIGHT not in answer or '"isError":true' in answer:
                raise LoadFailed(f"{target.url} ({target.era}): {head[:60]} {answer[:300]}")
            taken.append(time.perf_counter() - began)
    finally:
        writer.close()
    return taken
