"""Telling where the hub's time goes, from samples of its stack."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console

from benchmarks.load import Figures
from benchmarks.sampling import ELSEWHERE

_WORDS: Final = {
    "token": "token: who calls",
    "resolve": "resolve: which tool, and may the caller see it",
    "arguments": "arguments: checked against the schema, defaults filled",
    "policy": "policy: facts and decision",
    "execute": "execute: the call of the upstream, its answer checked",
    "record": "record: digests, audit event, group commit",
    "render": "render: the result for the client",
    "door": "door: the rest of the MCP endpoint",
    "protocol": "protocol: the SDK's server and Starlette",
    "http": "http: uvicorn",
    "worker": "worker: sealing the audit log and looking for work",
    ELSEWHERE: "the event loop, and waiting for the database's thread",
}


def print_profile(out: Console, samples: Mapping[str, Any], figures: Figures) -> None:
    """Print each step's share of the hub's CPU time, and what it is per call."""
    steps: Mapping[str, int] = samples["steps"]
    total = sum(steps.values())
    per_call = 1000 / figures.per_second
    out.print(f"Where the hub's time goes: {figures.per_second:.0f} governed reads a second, {total} samples")
    for step, number in sorted(steps.items(), key=lambda each: -each[1]):
        share = number / total
        out.print(f"  {share:6.1%}  {share * per_call:6.3f} ms  {_WORDS[step]}", highlight=False)
