"""Reading back: did the commit do what its preview said? A divergence raises the tool's tier until its owner looks."""

from hub import dryrun
from hub.audit import EventKind
from hub.dryrun import ReadBack, Verdict
from hub.invocations.asking import records_now
from hub.invocations.journal import Step, hold, move
from hub.invocations.plan_progress import turns_of
from hub.invocations.plan_steps import is_plan
from hub.invocations.reviewing import on_the_list
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import PublishedTool, raise_tier

_EVENTS = {
    Verdict.VERIFIED: EventKind.COMMIT_VERIFIED,
    Verdict.DIVERGED: EventKind.COMMIT_DIVERGED,
    Verdict.UNVERIFIABLE: EventKind.COMMIT_UNVERIFIABLE,
}


async def verify(committed: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Read back what `committed` changed, and return it VERIFIED, DIVERGED or UNVERIFIABLE."""
    read = await (_judge_steps(committed, runtime) if is_plan(committed) else _judge(committed, tool, runtime))
    verdict, differences = read.verdict, read.differences
    async with runtime.database.transaction() as tx:
        await hold(tx, committed.id)
        await dryrun.put_read_back(tx, committed.id, committed.revision, read)
        if verdict is Verdict.DIVERGED:
            reason = f"Invocation {committed.id} did something else than its preview said."
            await raise_tier(tx, committed.tool_id, reason, runtime.authority)
        step = Step(
            to=State(verdict.value),
            event=_EVENTS[verdict],
            facts={
                "preview_digest": committed.preview.digest if committed.preview else None,
                **await on_the_list(tx, committed),
            },
            private={"differences": list(differences)},
            changes={"findings": [*committed.findings, *differences], "lease_until": None},
        )
        return await move(tx, runtime, committed, step)


async def _judge_steps(committed: Invocation, runtime: Runtime) -> ReadBack:
    """Return what reading back came to for a plan: what it did for all of its steps."""
    async with runtime.database.reading() as tx:
        turns = await turns_of(tx, committed)
    calls = [turn.call for turn in turns if turn.call is not None]
    lines = tuple(
        f"{turn.planned.name}: {line}" for turn in turns if turn.call is not None for line in turn.call.findings
    )
    if any(call.state is State.DIVERGED for call in calls):
        return ReadBack(verdict=Verdict.DIVERGED, differences=lines)
    is_verified = all(call.state is State.VERIFIED for call in calls)
    return ReadBack(verdict=Verdict.VERIFIED if is_verified else Verdict.UNVERIFIABLE, differences=lines)


async def _judge(committed: Invocation, tool: PublishedTool, runtime: Runtime) -> ReadBack:
    if committed.preview is None:
        return ReadBack(verdict=Verdict.UNVERIFIABLE)
    if tool.connection.generation != committed.connection_generation:
        why = "The connection was changed before the record could be read back."
        return ReadBack(verdict=Verdict.UNVERIFIABLE, differences=(why,))
    records = await records_now(committed, tool, runtime)
    verdict, differences = dryrun.judge(committed.preview.preview, records, volatile=tool.version.spec.volatile)
    return ReadBack(
        verdict=verdict, differences=differences, records=dryrun.named_in(committed.preview.preview, records)
    )
