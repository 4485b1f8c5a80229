"""Reading back: did the commit do what its preview said? A divergence raises the tool's tier until its owner looks."""

from connectors.sdk.errors import NotFound as UpstreamNotFound
from hub import dryrun
from hub.audit import EventKind
from hub.dryrun import Records, Verdict
from hub.execution import Failed, Observed, Previewed, Target
from hub.invocations.journal import Step, move
from hub.invocations.preview import ask_preview
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import before_of, opened, with_answer
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.invocations.veil import veil_of
from hub.registry import PublishedTool, raise_tier

_EVENTS = {
    Verdict.VERIFIED: EventKind.COMMIT_VERIFIED,
    Verdict.DIVERGED: EventKind.COMMIT_DIVERGED,
    Verdict.UNVERIFIABLE: EventKind.COMMIT_UNVERIFIABLE,
}


async def verify(committed: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Read back what `committed` changed, and return it VERIFIED, DIVERGED or UNVERIFIABLE."""
    verdict, differences = await _judge(committed, tool, runtime)
    async with runtime.database.transaction() as tx:
        await dryrun.put_verdict(tx, committed.id, committed.revision, verdict=verdict, differences=differences)
        if verdict is Verdict.DIVERGED:
            reason = f"Invocation {committed.id} did something else than its preview said."
            await raise_tier(tx, committed.tool_id, reason, runtime.authority)
        step = Step(
            to=State(verdict.value),
            event=_EVENTS[verdict],
            facts={"preview_digest": committed.preview.digest if committed.preview else None},
            private={"differences": list(differences)},
            changes={"findings": [*committed.findings, *differences], "lease_until": None},
        )
        return await move(tx, runtime, committed, step)


async def _judge(committed: Invocation, tool: PublishedTool, runtime: Runtime) -> tuple[Verdict, tuple[str, ...]]:
    if committed.preview is None:
        return Verdict.UNVERIFIABLE, ()
    if tool.connection.generation != committed.connection_generation:
        return Verdict.UNVERIFIABLE, ("The connection was changed before the record could be read back.",)
    records = await records_now(committed, tool, runtime)
    return dryrun.judge(committed.preview.preview, records, volatile=tool.version.spec.volatile)


async def records_now(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Records:
    """Return the records that the preview named, as they are now; those that cannot be read are missing.

    The connector reads them back, by what the commit answered or, where that was lost, by its arguments. Where it
    cannot, a new preview serves: what it would start from is how the records are. (Of a creation a new preview knows
    nothing, and once a button has been pressed a connector may refuse to preview pressing it again.)
    """
    if standing.preview is None:
        return {}
    approved = standing.preview.preview
    target = Target(connector=tool.connector, operation=tool.version.spec, connection=tool.connection)
    arguments = opened(standing, runtime.keys)
    observed = await runtime.executor.observe(
        target, arguments, before=before_of(standing, runtime.keys), output=with_answer(standing, runtime.keys).output
    )
    ran = veil_of(standing, runtime.keys).ran(observed)
    if isinstance(ran.outcome, Observed):
        return ran.outcome.records
    existed = {change.target for change in approved.changes if change.before is not None}
    match (await ask_preview(standing, tool, runtime)).outcome:
        case Previewed(preview=fresh):
            return {change.target: change.before for change in fresh.changes if change.target in existed}
        case Failed(code=UpstreamNotFound.code):
            return dict.fromkeys(existed)
        case _:
            return {}
