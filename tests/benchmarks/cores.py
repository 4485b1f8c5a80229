"""Processes on cores of their own, what core time they use, and how long they wait for a core that others occupy."""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GATEWAY_CORE: Final = 0
LOAD_CORE: Final = 1
PATIENCE_SECONDS: Final = 30.0


@contextmanager
def process(
    module: str, *words: str, core: int, environment: Mapping[str, str] | None = None
) -> Generator[subprocess.Popen[str]]:
    """Run one of our programs on one core until the block ends; it ends with its standard input."""
    command = [sys.executable, "-m", module, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as started:
        os.sched_setaffinity(started.pid, {core})  # before it starts threads, which inherit it
        try:
            yield started
        finally:
            if started.stdin is not None:
                started.stdin.close()
            try:
                started.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreTime:
    """What all threads of a process have run, and waited while they were ready to run, in seconds."""

    ran: float
    waited: float

    def since(self, earlier: "CoreTime") -> "CoreTime":
        """Return what has been added since."""
        return CoreTime(ran=self.ran - earlier.ran, waited=self.waited - earlier.waited)


def core_time(pid: int) -> CoreTime:
    """Return the core time of a process that keeps its threads. Source: Linux, sched-stats, /proc/PID/schedstat."""
    lines = [file.read_text().split() for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return CoreTime(ran=sum(int(line[0]) for line in lines) / 1e9, waited=sum(int(line[1]) for line in lines) / 1e9)
