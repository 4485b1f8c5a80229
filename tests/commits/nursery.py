"""A program that forks a worker for each line it reads, which resumes one invocation and comes to the ending asked for.

`python -m commits.nursery DATABASE_URL` reads `{"invocation", "moment", "ending"}`, or `{"continue": PID}` for a worker
that has stopped, and answers `{"pid", "became"}`: `dies`, `stops`, or `ends` with its exit status.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

from answering import answers
from world import MASTER_KEY, open_hub

from commits.moments import Ending, arm, moment_of
from hub.core.errors import Conflict
from hub.invocations.resume import resume
from hub.keys import Keyring
from hub.storage import Database

Json = Any


async def work(url: str, invocation_id: str) -> None:
    """Resume the invocation as a worker does."""
    database = Database(url)
    keys = await Keyring.open(database, MASTER_KEY)
    async with open_hub(database, keys) as runtime:
        with suppress(Conflict):  # somebody else has gone on with it
            await resume(invocation_id, runtime)
    await database.close()


def born(url: str, order: dict[str, Json]) -> int:
    """Return the process id of a new worker."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        arm(moment_of(order["moment"]), Ending(order["ending"]))
        asyncio.run(work(url, order["invocation"]))
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


def awaited(pid: int) -> dict[str, Json]:
    """Return what became of the worker."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return {"pid": pid, "became": "stops"}
    if os.WIFSIGNALED(status):
        return {"pid": pid, "became": "dies"}
    return {"pid": pid, "became": "ends", "status": os.WEXITSTATUS(status)}


def main(url: str) -> None:
    told = answers()
    for line in sys.stdin:
        order = json.loads(line)
        if "continue" in order:
            pid = order["continue"]
            os.kill(pid, signal.SIGCONT)
        else:
            pid = born(url, order)
        told.write(json.dumps(awaited(pid)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
