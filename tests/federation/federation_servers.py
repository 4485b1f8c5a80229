"""MCP servers that behave as a test wants, over HTTP and over standard input and output."""

import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import upstream
from execution_house import House
from upstream.fixtures import running

from connectors.mcp_upstream import Discovery, Owner
from connectors.sdk.spec import ConnectorSpec
from hub.execution import Unreachable
from sandbox.programs import Program

Json = Any

OWNER: Final = Owner(name="echo", reads=frozenset({"echo"}))
_TESTS: Final = str(Path(upstream.__file__).parent.parent)
ME: Final = pwd.getpwuid(os.getuid()).pw_name
"""Who runs the tests: the interpreter may stand in a folder that nobody else can enter."""


def program(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Program:
    """Return a test server of ours as a program that may be started."""
    words = (sys.executable, "-m", module, *arguments)
    return Program(command=words, environment={"PYTHONPATH": _TESTS, **(environment or {})}, user=ME)


@contextmanager
def unruly_over_http(manner: str) -> Iterator[str]:
    """Run the unruly server over HTTP and yield its endpoint."""
    with running("upstream.unruly", "http", manner) as (_, port):
        yield f"http://127.0.0.1:{port}/mcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Federated:
    """A house, and the MCP servers that are connected to it."""

    house: House
    programs: dict[str, Program]

    def over_stdio(self, manner: str) -> str:
        """Let the unruly server be started as a program, and return its base URL."""
        return self.allow(manner, program("upstream.unruly", "stdio", manner))

    def allow(self, name: str, allowed: Program) -> str:
        """Let a program be started, and return its base URL."""
        self.programs[name] = allowed
        return f"stdio:{name}"

    async def connect(self, url: str) -> House:
        """Return a house of its own with a connection to the server at `url`."""
        own = replace(self.house)
        await own.connect(url)
        return own

    async def discovered(self, house: House, owner: Owner = OWNER) -> ConnectorSpec:
        """Return the connector made of what the connected server lists."""
        found = await house.executor.discover(owner, house.connection)
        assert isinstance(found, Discovery), found
        return found.spec

    async def undiscovered(self, house: House, owner: Owner = OWNER) -> Unreachable:
        """Return why the connected server cannot be used."""
        found = await house.executor.discover(owner, house.connection)
        assert isinstance(found, Unreachable), found
        return found


def text_of(outcome: Json) -> str:
    """Return the text of a tool's answer."""
    return str(outcome.output["content"][0]["text"])
