"""A process of the hub that can be killed: its door for agents, behind a socket, at a database that others share."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from world import MASTER_KEY

from doors.agents import open_door
from doors.outside import served_at
from doors.working_hub import open_runtime
from hub.keys import Keyring
from hub.storage import Database


@dataclass(frozen=True, slots=True)
class Mortal:
    """The process, and where it answers."""

    address: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it at once (kill -9)."""
        self.process.kill()
        self.process.wait()


@contextmanager
def mortal(database: Database, *, answer_seconds: float) -> Iterator[Mortal]:
    """Yield one more process of the hub at `database`."""
    order = {"url": database.url.render_as_string(hide_password=False), "answer_seconds": answer_seconds}
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-m", "doors.mortal", json.dumps(order)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        try:
            assert process.stdout is not None
            yield Mortal(address=process.stdout.readline().strip(), process=process)
        finally:
            process.kill()


async def serve(url: str, answer_seconds: float) -> None:
    """Serve until somebody ends the process."""
    database = Database(url)
    keys = await Keyring.open(database, MASTER_KEY)
    async with (
        open_runtime(database, keys) as runtime,
        open_door(replace(runtime, answer_seconds=answer_seconds)) as door,
    ):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            async with served_at(listening, door):
                print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)  # noqa: T201  # for who made it
                await asyncio.Event().wait()


if __name__ == "__main__":
    said = json.loads(sys.argv[1])
    asyncio.run(serve(said["url"], said["answer_seconds"]))
