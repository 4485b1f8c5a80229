"""The clients of the matrix as processes: which there are, where they are installed, and one turn of each."""

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Json = Any

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
ENVIRONMENTS: Final = ROOT / ".venvs"
_START_SECONDS: Final = 300
_TURN_SECONDS: Final = 300
_HANGS_AFTER_SECONDS: Final = 20
"""Ending a run that was only slow does no harm: its call has been made by then."""
HUNG: Final = "It hung, and was ended."
"""What is told of a client that did not go on after an answer was lost."""
_LONGEST_LINE: Final = 2**24
_CHARACTERS_OF_LOG_SHOWN: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client of the matrix."""

    name: str
    title: str
    driver: str
    told: str
    packages: Sequence[str]

    @property
    def environment(self) -> Path:
        """The folder of its environment."""
        return ENVIRONMENTS / self.name

    @property
    def constraints(self) -> Path:
        """The versions of all that is in its environment."""
        return ROOT / "constraints" / f"{self.name}.txt"

    @property
    def python(self) -> Path:
        """What runs its driver; what is no Python program is driven by ours."""
        return self.environment / "bin" / "python" if self.packages else Path(sys.executable)


CLIENTS: Final[Mapping[str, Client]] = {
    name: Client(name=name, **described)
    for name, described in tomllib.loads((HERE / "matrix.toml").read_text()).items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one turn came to: the tools offered to the model, what it was shown after each call, what was raised."""

    offered: Sequence[str]
    shown: Sequence[str]
    raised: str | None

    @property
    def last(self) -> str:
        """The answer to the last call, or what the framework made of it."""
        return self.shown[-1] if self.shown else self.raised or ""


class Process:
    """A driver. One that hangs is ended, as whoever watches an agent would, and started again for its next turn."""

    def __init__(self, client: Client, folder: Path, packages: Path | None = None) -> None:
        self._client = client
        self._folder = folder
        self._packages = packages
        self._log = folder / f"{client.name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self.versions: Mapping[str, str] = {}

    async def start(self) -> None:
        """Start it, with its home in the folder."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "PYTHONUNBUFFERED": "1"}
        if self._packages is not None:
            environment["PYTHONPATH"] = str(self._packages)
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(str(self._client.python), str(HERE / "drivers" / self._client.driver)),
                cwd=self._folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                limit=_LONGEST_LINE,
            )
        self.versions = (await self._told(_START_SECONDS))["versions"]

    async def play(self, order: Mapping[str, Json], *, struck: asyncio.Event | None = None) -> Played:
        """Return what one turn came to; one that does not end after what `struck` it is ended."""
        if self._process is None:
            await self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        told = asyncio.create_task(self._told(_TURN_SECONDS))
        if struck is not None:
            striking = asyncio.create_task(struck.wait())
            await asyncio.wait({told, striking}, return_when=asyncio.FIRST_COMPLETED)
            striking.cancel()
            await asyncio.wait({told}, timeout=_HANGS_AFTER_SECONDS)
            if not told.done():
                told.cancel()
                await self.stop()
                return Played(offered=(), shown=(), raised=HUNG)
        return Played(**await told)

    async def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()
        self._process = None

    async def _told(self, seconds: float) -> dict[str, Json]:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            line = await self._process.stdout.readline()
        assert line, f"the driver ended:\n{self._log.read_text(errors='replace')[-_CHARACTERS_OF_LOG_SHOWN:]}"
        told: dict[str, Json] = json.loads(line)
        return told


@asynccontextmanager
async def running(client: Client, folder: Path, packages: Path | None = None) -> AsyncIterator[Process]:
    """Run the driver of `client`, with `packages` beside those of its environment, until the block ends."""
    process = Process(client, folder, packages)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()
