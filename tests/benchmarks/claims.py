"""One worker of the benchmark of claims: claims what is approved, or only updates rows, and says how long it took.

It waits for a line on standard input before it begins, so that several begin together.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import update
from world import MASTER_KEY, open_hub

from hub.invocations.commit import claim
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.keys import Keyring
from hub.storage import Database

Taken = Callable[[str, Runtime], Awaitable[object]]
"""Takes one invocation if nobody else has, and returns None if somebody has."""


async def update_alone(invocation_id: str, runtime: Runtime) -> object:
    """Take a row as a claim does, and put nothing on record: what it is compared with."""
    async with runtime.database.transaction() as tx:
        mine = (InvocationRow.id == invocation_id, InvocationRow.state == State.APPROVED.value)
        taking = update(InvocationRow).where(*mine).values(state=State.COMMITTING.value, fence=InvocationRow.fence + 1)
        return await tx.scalar(taking.returning(InvocationRow.id))


async def _work(url: str, taken: Taken, ids: list[str]) -> None:
    database = Database(url)
    async with open_hub(database, await Keyring.open(database, MASTER_KEY)) as runtime:
        await asyncio.to_thread(sys.stdin.readline)
        began = time.monotonic()
        claimed = [one for one in ids if await taken(one, runtime) is not None]
        said = {"claimed": len(claimed), "began": began, "ended": time.monotonic()}
        print(json.dumps(said), flush=True)  # noqa: T201  # the starter reads it
    await database.close()


def main() -> None:
    """Work through the ids that the first line of standard input names."""
    url, kind = sys.argv[1:]
    ids: list[str] = json.loads(sys.stdin.readline())
    asyncio.run(_work(url, {"claim": claim, "update": update_alone}[kind], ids))


if __name__ == "__main__":
    main()
