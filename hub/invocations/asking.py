"""Asking a system without any effect: the connector's own check, its preview, and how the records stand now."""

from typing import Final

from connectors.sdk.errors import NotFound as UpstreamNotFound
from connectors.sdk.preview import Preview
from connectors.sdk.vocabulary import Fidelity
from hub.dryrun import Records
from hub.execution import CheckOutcome, Failed, Observed, Passage, Passed, Previewed, PreviewOutcome, Ran, Target
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import before_of, opened, with_answer
from hub.invocations.values import Invocation
from hub.invocations.veil import veil_of
from hub.registry import PublishedTool, read_current

UNPREVIEWED: Final = Preview(
    changes=(), fidelity=Fidelity.NONE, not_covered=("everything: this tool offers no preview",)
)
"""The preview of a tool that cannot say what it would do: what it would be given is all that anybody knows."""


async def called_with(standing: Invocation, runtime: Runtime) -> PublishedTool:
    """Return the very version and connection that `standing` was called with, whatever has become of them since."""
    async with runtime.database.reading() as tx:
        return await read_current(
            tx,
            standing.tool_version_id,
            standing.connection_id,
            server=standing.server,
            name=standing.tool_name,
        )


async def ask_check(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Ran[CheckOutcome]:
    """Ask the connector's own rules, with the guards of the preview once there is one; most tools have none."""
    if not tool.version.spec.has_check:
        return Ran(outcome=Passed(), passage=Passage(transcript=(), sandbox_level="not run", latency_ms=0))
    seen = standing.preview
    ran = await runtime.executor.check(
        Target(connector=tool.connector, operation=tool.version.spec, connection=tool.connection),
        opened(standing, runtime.keys),
        guard={} if seen is None else {one.target: one.token for one in seen.preview.preconditions},
        deadline_seconds=tool.version.spec.timeout_seconds,
    )
    return veil_of(standing, runtime.keys).ran(ran)


async def ask_preview(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Ran[PreviewOutcome]:
    """Run the tool's preview, without the secrets of the call in what it shows."""
    return veil_of(standing, runtime.keys).ran(await unveiled(standing, tool, runtime))


async def unveiled(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Ran[PreviewOutcome]:
    """Run the tool's preview and return it as it is, secrets included.

    A tool that offers none gets the honest minimum: nothing, fidelity `none`.
    """
    if tool.version.spec.fidelity is Fidelity.NONE:
        passage = Passage(transcript=(), sandbox_level="not run", latency_ms=0)
        return Ran(outcome=Previewed(preview=UNPREVIEWED), passage=passage)
    target = Target(connector=tool.connector, operation=tool.version.spec, connection=tool.connection)
    arguments = opened(standing, runtime.keys)
    return await runtime.executor.preview(target, arguments, deadline_seconds=tool.version.spec.timeout_seconds)


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
