"""The fixture `doomed`: processes that die at a given durable write; see `crashing`."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hub.storage import Database

KILLED = -signal.SIGKILL
_LONGEST = 120.0
"""Seconds after which a test is taken to hang, however busy the machine is."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """The program that forks them."""

    program: subprocess.Popen[str]

    def start(self, database: Database, when: str, number: int, *action: str) -> int:
        """Return the id of a process that does `action` on `database` and dies as told, once its hub is open."""
        url = database.url.render_as_string(hide_password=False)
        return self._ask({"url": url, "when": when, "number": number, "action": action})

    def end_of(self, process: int) -> int:
        """Return how the process ended, when it has: a signal's number is negative."""
        return self._ask({"end_of": process})

    def killed(self, process: int) -> int:
        """Kill the process, and return how it ended."""
        os.kill(process, signal.SIGKILL)
        return self.end_of(process)

    def _ask(self, order: dict[str, object]) -> int:
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.write(json.dumps(order) + "\n")
        self.program.stdin.flush()
        assert select.select([self.program.stdout], [], [], _LONGEST)[0], f"nothing comes of {order}"
        return int(self.program.stdout.readline())


@pytest.fixture(scope="session")
def doomed() -> Iterator[Doomed]:
    command = [sys.executable, "-m", "crashing"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield Doomed(program)
        finally:
            program.kill()
