"""A program that carries out one call or resumes one invocation, and kills itself at a given durable write.

`python -m crashing DATABASE_URL WHEN N ACTION...`, where WHEN is `before`, `after` or
`never`, N counts this process's transactions from the moment the hub is open, and ACTION is `call TOOL JSON` or
`resume ID`. It is the tests' way to a process that really dies: nothing is unwound, nothing is flushed.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from world import MASTER_KEY, caller_for, open_hub

from hub.identity import directory
from hub.invocations.invoke import invoke
from hub.invocations.resume import resume
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call
from hub.keys import Keyring
from hub.storage import Database, Tx


class DyingDatabase(Database):
    """A database whose process dies just before or just after its N-th commit, once it has been armed."""

    when = "never"
    left = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx]:
        """Open a transaction as `Database` does, and die when it is time."""
        self.left -= 1
        is_last = self.left == 0
        async with super().transaction() as tx:
            yield tx
            if is_last and self.when == "before":
                await tx.flush()
                os.kill(os.getpid(), signal.SIGKILL)
        if is_last and self.when == "after":
            os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, when: str, number: str, kind: str, *rest: str) -> None:
    database = DyingDatabase(url)
    keys = await Keyring.open(database, MASTER_KEY)
    async with open_hub(database, keys) as runtime:
        database.when, database.left = when, int(number)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        if kind == "resume":
            await resume(rest[0], runtime)
        else:
            await _call(runtime, *rest)
    await database.close()


async def _call(runtime: Runtime, tool: str, arguments: str) -> None:
    async with runtime.database.reading() as tx:
        bot, rita = await directory.find(tx, "bot"), await directory.find(tx, "rita")
    assert bot is not None
    assert rita is not None
    call = Call(
        caller=caller_for(bot, rita), server="everything", tool=tool, arguments=json.loads(arguments), trace_id="crash"
    )
    await invoke(call, runtime)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
