"""The dry-run of an invocation: taken on a channel that cannot write, and put on record with its digest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update

from connectors.sdk.errors import Unavailable
from connectors.sdk.preview import Preview
from hub import dryrun
from hub.audit import EventKind
from hub.budgets import OutOfReach
from hub.core.errors import Conflict, Malformed
from hub.dryrun import PreviewRecord, preview_digest
from hub.execution import CheckOutcome, Failed, Passage, Passed, Previewed, PreviewOutcome, Ran, Violation
from hub.invocations.asking import ask_check, unveiled
from hub.invocations.braking import out_of_reach
from hub.invocations.conclude import passage_facts
from hub.invocations.contact import note_contact
from hub.invocations.history import keep_amounts
from hub.invocations.journal import Step, load, move, put_off, record_event
from hub.invocations.leasing import kept_leased
from hub.invocations.planning import preview_plan
from hub.invocations.playing import sealed_exchanges
from hub.invocations.quoting import move_quoting
from hub.invocations.request import intent_digest
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import bind, opened, sealed, sealed_before
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.untouched import Moved, NotUndoable, Untouched, still_as_committed
from hub.invocations.values import Invocation
from hub.invocations.veil import veil_of
from hub.keys import Keyring
from hub.registry import PublishedTool, is_composite, quarantine
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

_AGAIN_AFTER: Final = timedelta(seconds=30)
_OUT_OF_REACH: Final = frozenset({Unavailable.code, OutOfReach.code})


async def dry_run(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Take the preview of `standing` with `tool`; return it in PREVIEWING or PREVIEW_FAILED.

    One whose system cannot be reached for now has no record of its revision yet: it is taken later.

    Raises:
        Conflict: others have gone on with it meanwhile; nothing of this was kept.
    """
    previewing = await _begin(standing, tool, runtime)
    async with kept_leased(previewing, runtime):
        seen = await _seen(previewing, tool, runtime)
    if not isinstance(seen, _Seen):
        async with runtime.database.transaction() as tx:
            await _hold(tx, previewing)
            return await _not_taken(tx, previewing, _not_asked(seen), runtime)
    await note_contact(seen.ran, previewing.connection_id, runtime)
    outcome = _checked(seen.ran.outcome)
    if isinstance(outcome, Violation):  # whoever has gone on with the call meanwhile
        async with runtime.database.transaction() as tx:
            reason = f"It tried to write during a check or a preview: {outcome.message}"
            await quarantine(tx, tool.tool.id, reason, runtime.authority)
    async with runtime.database.transaction() as tx:
        await _hold(tx, previewing)
        if isinstance(outcome, Previewed):
            record = preview_record(previewing, outcome.preview, seen.ran.passage, observed_at=await now(tx))
            await _keep_before(tx, previewing, seen.before)
            if not is_composite(tool.operation):  # the amounts of a plan are those of its steps
                await keep_amounts(tx, previewing, tool, opened(previewing, runtime.keys), outcome.preview)
            return await _keep(tx, previewing, record, seen.passed, runtime)
        return await _not_taken(tx, previewing, _failed(outcome, seen.ran), runtime)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What came of asking the connector: how it ran and, sealed, what it keeps for the commit and what passed."""

    ran: Ran[CheckOutcome] | Ran[PreviewOutcome]
    before: bytes | None = None
    passed: bytes | None = None


async def _seen(
    previewing: Invocation, tool: PublishedTool, runtime: Runtime
) -> _Seen | OutOfReach | Moved | NotUndoable:
    """Ask the connector, unless something speaks against asking it."""
    found = await out_of_reach(tool, runtime) or await still_as_committed(previewing, runtime)
    if not isinstance(found, Untouched):
        return found
    checked = await ask_check(previewing, tool, runtime)
    if not isinstance(checked.outcome, Passed):
        return _Seen(ran=checked)
    seen = await _look(previewing, tool, runtime)
    ran = veil_of(previewing, runtime.keys).ran(seen)
    return _Seen(
        ran=ran,
        before=sealed_before(seen.outcome, ran.outcome, runtime.keys, invocation_id=previewing.id),
        passed=sealed_exchanges(previewing, seen.passage.heard, runtime.keys),
    )


async def _hold(tx: Tx, previewing: Invocation) -> None:
    """Hold the call until `tx` ends, if it is still this process that previews it.

    Raises:
        Conflict: others have gone on with it, and nothing of this is wanted any more.
    """
    mine = (InvocationRow.id == previewing.id, InvocationRow.fence == previewing.fence)
    same = (InvocationRow.state == State.PREVIEWING.value, InvocationRow.revision == previewing.revision)
    if await tx.scalar(select(InvocationRow.id).where(*mine, *same).with_for_update()) is None:
        raise Conflict("Somebody else has gone on with this invocation.")


async def _not_taken(tx: Tx, previewing: Invocation, step: Step, runtime: Runtime) -> Invocation:
    """Make `step`, unless the preview is taken later: people were asked before, and its system is out of reach for now.

    What waited for people is not lost by an outage, nor by a wrong address that is put right in the time it had.
    """
    asked = previewing.question
    if step.facts["code"] in _OUT_OF_REACH and asked is not None and await now(tx) < asked.expires_at:
        await put_off(tx, previewing, _AGAIN_AFTER)
        return await load(tx, previewing.id)
    return await move_quoting(tx, runtime, previewing, step)


async def _look(previewing: Invocation, tool: PublishedTool, runtime: Runtime) -> Ran[PreviewOutcome]:
    if is_composite(tool.operation):
        return await preview_plan(previewing, tool, runtime)
    return await unveiled(previewing, tool, runtime)


async def _begin(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    if standing.state is State.PREVIEWING and _is_bound_to(standing, tool):
        return standing
    async with runtime.database.transaction() as tx:
        if standing.state is State.PREVIEWING:
            return await _bound_anew(tx, standing, tool, runtime)
        changes = {"lease_until": await now(tx) + timedelta(seconds=runtime.lease_seconds)}
        if standing.state is State.STALE:
            changes |= next_revision(standing, tool, opened(standing, runtime.keys), runtime.keys)
        step = Step(to=State.PREVIEWING, event=EventKind.INVOCATION_PREVIEWING, changes=changes)
        return await move(tx, runtime, standing, step)


def _is_bound_to(standing: Invocation, tool: PublishedTool) -> bool:
    version, generation = standing.tool_version_id, standing.connection_generation
    return version == tool.version.id and generation == tool.connection.generation


async def _bound_anew(tx: Tx, previewing: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Bind the revision whose preview could not be taken to the tool and connection as they were changed since."""
    await _hold(tx, previewing)
    fresh = next_revision(previewing, tool, opened(previewing, runtime.keys), runtime.keys)
    changes = {**fresh, "revision": previewing.revision}
    await tx.execute(update(InvocationRow).where(InvocationRow.id == previewing.id).values(changes))
    return await load(tx, previewing.id)


def next_revision(
    standing: Invocation, tool: PublishedTool, arguments: Mapping[str, Json], keys: Keyring
) -> dict[str, Any]:
    """Return what a new revision with `arguments` starts with: the tool and connection of today, and no approval."""
    bound = bind(tool, arguments, keys)
    return {
        "revision": standing.revision + 1,
        "tool_version_id": tool.version.id,
        "tool_version_digest": tool.version.digest,
        "connection_id": tool.connection.id,
        "connection_generation": tool.connection.generation,
        "tier": tool.tier_for(arguments).value,
        "arguments": bound.shown,
        "sealed_arguments": sealed(bound, arguments, keys, invocation_id=standing.id),
        "intent_digest": intent_digest(
            tool,
            agent_id=standing.agent_id,
            on_behalf_of_id=standing.on_behalf_of_id,
            arguments=bound,
            undoes=standing.undoes,
        ),
        "alarms": None,
        "approval_digest": None,
        "approved_by": None,
        "deadline": None,
        "sends": 0,
        "sent_at": None,
        "not_before": None,
        "error_code": None,
        "error_message": None,
    }


def _checked(outcome: CheckOutcome | PreviewOutcome) -> CheckOutcome | PreviewOutcome:
    """Return `outcome`, or a failure if its preview has no digest that everybody would agree on."""
    if isinstance(outcome, Previewed):
        try:
            preview_digest(outcome.preview)
        except Malformed as error:
            return Failed(code="preview_malformed", message=error.message)
    return outcome


async def _keep(
    tx: Tx, previewing: Invocation, record: PreviewRecord, passed: bytes | None, runtime: Runtime
) -> Invocation:
    await dryrun.keep(tx, previewing.id, previewing.tool_id, record)
    await dryrun.put_exchanges(tx, previewing.id, record.revision, passed)
    await tx.flush()
    step = Step(
        to=State.PREVIEWING,
        event=EventKind.INVOCATION_PREVIEWED,
        facts={
            "preview_digest": record.digest,
            "fidelity": record.preview.fidelity.value,
            "sandbox_level": record.sandbox_level,
            "latency_ms": record.latency_ms,
            "requests": len(record.transcript),
        },
        private={"preview": record.preview.model_dump(mode="json")},
    )
    await record_event(tx, runtime, previewing, step)
    return await load(tx, previewing.id)


def preview_record(standing: Invocation, preview: Preview, passage: Passage, *, observed_at: datetime) -> PreviewRecord:
    """Return the record of `preview`, taken for the revision at hand."""
    return PreviewRecord(
        revision=standing.revision,
        preview=preview,
        digest=preview_digest(preview),
        transcript=tuple(passage.transcript_json()),
        sandbox_level=passage.sandbox_level,
        latency_ms=passage.latency_ms,
        observed_at=observed_at,
    )


async def _keep_before(tx: Tx, previewing: Invocation, before: bytes | None) -> None:
    mine = (InvocationRow.id == previewing.id, InvocationRow.fence == previewing.fence)
    await tx.execute(update(InvocationRow).where(*mine).values(sealed_before=before))


def _not_asked(found: OutOfReach | Moved | NotUndoable) -> Step:
    conflict = [asdict(one) for one in found.differences] if isinstance(found, Moved) else None
    return Step(
        to=State.PREVIEW_FAILED,
        event=EventKind.INVOCATION_PREVIEW_FAILED,
        facts={"code": found.code},
        private={"reason": found.message, "conflict": conflict},
        changes={
            "error_code": found.code,
            "error_message": found.message,
            "conflict": conflict,
            "lease_until": None,
        },
    )


def _failed(outcome: CheckOutcome | PreviewOutcome, ran: Ran[CheckOutcome] | Ran[PreviewOutcome]) -> Step:
    assert not isinstance(outcome, Passed | Previewed)  # noqa: S101  # the caller goes on with those
    code = "preview_tried_to_write" if isinstance(outcome, Violation) else outcome.code
    return Step(
        to=State.PREVIEW_FAILED,
        event=EventKind.INVOCATION_PREVIEW_FAILED,
        facts=passage_facts(ran.passage)
        | {"code": code, "reason": outcome.message, "asked_for": [entry.line for entry in ran.passage.transcript]},
        changes={"error_code": code, "error_message": outcome.message, "lease_until": None},
    )
