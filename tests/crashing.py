"""A program that forks processes which carry out one call or resume one invocation, and die at a given durable write.

It is the tests' way to processes that really die: nothing is unwound, nothing is flushed. `python -m crashing` reads
`{"url", "when", "number", "action"}`, where `when` is `before`, `after` or `never`, `number` counts the process's
transactions from the moment its hub is open, and `action` is `["call", TOOL, JSON]`, with whose name behind it if not
the agent `bot`'s, `["resume", ID]`, `["go_on"]` with whatever waits, `["undo", ID]` or `["post", KEY, TOOL, JSON]`; it
answers with the process's id once that hub is open. To `{"end_of": PID}` it answers with how the process ended. What
all of them import is imported once, which takes many times as long as what they do.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from answering import answers
from plans.errand import let_leases_end
from world import MASTER_KEY, caller_for, open_hub

from hub.api.access import Acting
from hub.api.invocations import InvocationView, NewInvocation, create_invocation
from hub.core.errors import Conflict
from hub.erasures import Keeping, grant, retain
from hub.identity import directory
from hub.identity.principals import Caller
from hub.invocations.invoke import invoke
from hub.invocations.resume import resume
from hub.invocations.runtime import Runtime
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Call
from hub.keys import Keyring
from hub.storage import Database, Tx

_ROUNDS = 12


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


async def work(url: str, when: str, number: int, action: Sequence[str], is_open: int) -> None:
    """Do `action` in a hub of its own, having said through the pipe `is_open` that it is."""
    kind, *rest = action
    database = DyingDatabase(url)
    keys = await Keyring.open(database, MASTER_KEY)
    async with open_hub(database, keys) as runtime:
        database.when, database.left = when, number
        os.write(is_open, b"!")
        await _ACTIONS[kind](runtime, *rest)
    await database.close()


async def _erase(runtime: Runtime, erasure_id: str) -> None:
    async with runtime.database.reading() as tx:
        auditor = await directory.find(tx, "aud")
    assert auditor is not None
    async with runtime.database.transaction() as tx:
        await grant(tx, erasure_id, auditor, replace(runtime.authority, by=auditor.id))


async def _retain(runtime: Runtime) -> None:
    await retain(runtime.database, runtime.keys, Keeping(), batch=1)


async def _caller(runtime: Runtime, agent: str = "bot") -> Caller:
    async with runtime.database.reading() as tx:
        bot, rita = await directory.find(tx, agent), await directory.find(tx, "rita")
    assert bot is not None
    assert rita is not None
    caller = caller_for(bot, rita)
    return replace(caller, scopes=caller.scopes | {"composite_dev:write"})


async def _call(runtime: Runtime, tool: str, arguments: str, agent: str = "bot") -> None:
    caller = await _caller(runtime, agent)
    call = Call(caller=caller, server="everything", tool=tool, arguments=json.loads(arguments), trace_id="crash")
    await invoke(call, runtime)


async def _resume(runtime: Runtime, invocation_id: str) -> None:
    await resume(invocation_id, runtime)


async def _go_on(runtime: Runtime) -> None:
    """Go on with everything until nobody can do any more, as workers do to whom time passes quickly."""
    clock = Database(runtime.database.url.render_as_string(hide_password=False))
    for _ in range(_ROUNDS):
        for name in await let_leases_end(clock):
            with suppress(Conflict):
                await resume(name, runtime)
    await clock.close()


async def _undo(runtime: Runtime, invocation_id: str) -> None:
    caller = await _caller(runtime)
    await undo(Undo(caller=caller, invocation_id=invocation_id, reason="a slip", trace_id="crash"), runtime)


async def post(runtime: Runtime, key: str, tool: str, arguments: str) -> InvocationView:
    """Make a call as the API makes it, under an idempotency key."""
    acting = Acting(caller=await _caller(runtime), session=None, trace_id="crash")
    wanted = NewInvocation(tool=tool, arguments=json.loads(arguments))
    return await create_invocation(runtime, acting, wanted, key)


_ACTIONS: dict[str, Callable[..., Coroutine[Any, Any, object]]] = {
    "call": _call,
    "resume": _resume,
    "go_on": _go_on,
    "undo": _undo,
    "retain": _retain,
    "erase": _erase,
    "post": post,
}


def born(order: dict[str, Any]) -> int:
    """Return the id of a new process, once its hub is open or it has ended before."""
    opened, is_open = os.pipe()
    pid = os.fork()
    if pid:
        os.close(is_open)
        os.read(opened, 1)
        os.close(opened)
        return pid
    status = 1
    try:
        asyncio.run(work(order["url"], order["when"], order["number"], order["action"], is_open))
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


def main() -> None:
    told = answers()
    for line in sys.stdin:
        order = json.loads(line)
        answer = os.waitstatus_to_exitcode(os.waitpid(order["end_of"], 0)[1]) if "end_of" in order else born(order)
        told.write(f"{answer}\n")


if __name__ == "__main__":
    main()
