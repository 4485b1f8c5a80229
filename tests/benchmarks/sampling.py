"""Where a process's time goes: its stack is looked at every few milliseconds of CPU time and counted by step."""

import json
import signal
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

EVERY_SECONDS: Final = 0.002

STEPS: Final = (
    ("token", ("hub/identity/", "hub/mcp/challenges")),
    ("resolve", ("hub/registry/arguments", "hub/registry/")),
    ("policy", ("hub/policy/", "hub/bundles/", "hub/invocations/decisions")),
    ("execute", ("hub/execution/", "connectors/", "sandbox/", "hub/credentials/")),
    ("record", ("hub/audit/", "hub/keys/", "hub/invocations/group_commit", "hub/invocations/request")),
    ("record", ("hub/invocations/journal", "hub/invocations/reads")),
    ("render", ("hub/mcp/results", "hub/invocations/envelope")),
    ("worker", ("hub/worker",)),
    ("door", ("hub/mcp/",)),
    ("protocol", ("/mcp/server/", "/mcp/shared/", "/starlette/")),
    ("http", ("/uvicorn/",)),
)
"""The steps of a call and the files they stand in; a sample belongs to the innermost of these on its stack."""

ELSEWHERE: Final = "loop"
_RECORDS: Final = ("/sqlalchemy/", "/aiosqlite/", "hub/storage/")
"""The database's own greenlets and thread show no caller; nearly all they do for a read is its record."""


def step_of(files: list[str]) -> str:
    """Return the step of a stack, given its files from the innermost outwards."""
    for file in files:
        for step, places in STEPS:
            if any(place in file for place in places):
                return "arguments" if "hub/registry/arguments" in file else step
    return "record" if any(place in file for file in files for place in _RECORDS) else ELSEWHERE


@contextmanager
def sampled(file: Path) -> Generator[None]:
    """Count samples of this process's main thread while the block runs, and write them to `file` as JSON.

    `SIGUSR1` forgets what was counted so far: what came before the load is not asked about.
    """
    steps, lines = Counter[str](), Counter[str]()

    def look(_signal: int, frame: FrameType | None) -> None:
        stack = list[FrameType]()
        while frame is not None:
            stack.append(frame)
            frame = frame.f_back
        steps[step_of([each.f_code.co_filename for each in stack])] += 1
        for name in {f"{each.f_code.co_filename}:{each.f_code.co_qualname}" for each in stack}:
            lines[name] += 1

    def forget(_signal: int, _frame: FrameType | None) -> None:
        steps.clear()
        lines.clear()

    signal.signal(signal.SIGPROF, look)
    signal.signal(signal.SIGUSR1, forget)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        file.write_text(json.dumps({"steps": steps, "lines": lines.most_common(400)}), encoding="utf-8")
        sys.stdout.flush()
