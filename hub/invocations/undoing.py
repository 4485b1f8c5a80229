"""Undoing: the compensation that a tool declares, called like any other write, from the record of what it takes back.

What must still hold when it is sent is in `hub.invocations.untouched`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.sdk.errors import Refused
from connectors.sdk.spec import Compensation
from connectors.sdk.vocabulary import Reversal
from hub.core.canonical import canonical_json
from hub.core.errors import Conflict
from hub.core.redaction import REDACTED
from hub.identity.principals import Caller, PrincipalKind
from hub.invocations.aftermath import came_to_nothing, with_aftermath
from hub.invocations.asking import called_with
from hub.invocations.envelope import Status, outward
from hub.invocations.invoke import invoke
from hub.invocations.journal import load
from hub.invocations.overtaking import end_without_leave
from hub.invocations.queries import concerned, look_at
from hub.invocations.request import undo_key
from hub.invocations.runtime import Runtime
from hub.invocations.tables import RepeatKeyRow
from hub.invocations.untouched import of_connection
from hub.invocations.values import Call, Claims, Invocation, Part
from hub.registry import PublishedTool
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

_MARK: Final = REDACTED[:-1].encode()
"""How every marker begins that stands for a secret on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoOffer:
    """Whether an invocation can be undone, and how far.

    `refusal` says why it cannot, and is empty when it can. `kind` is `exact` only where the contract kit has proven
    it. `undone_by` is the newest undo that came to something, or still may, and was not taken back in turn.
    """

    refusal: str
    tool: str
    kind: Reversal
    residue: tuple[str, ...]
    until: datetime | None
    undone_by: Invocation | None

    @property
    def is_open(self) -> bool:
        """Whether somebody may ask for it now."""
        return not self.refusal and self.undone_by is None


async def undo_offer(tx: Tx, original: Invocation, tool: PublishedTool) -> UndoOffer:
    """Return whether `original`, called with `tool`, can be undone at this moment of the database's clock."""
    compensation = tool.operation.compensation
    until = _until(original, compensation)
    return UndoOffer(
        refusal=_refusal(original, tool, is_late=until is not None and until <= await now(tx)),
        tool=compensation.tool if compensation else "",
        kind=_kind(tool),
        residue=tool.operation.residue,
        until=until,
        undone_by=await _undone_by(tx, original.id),
    )


async def offer_of(runtime: Runtime, caller: Caller, invocation_id: str) -> UndoOffer:
    """Return whether an invocation that is the caller's business can be undone.

    Raises:
        NotFound: there is none, or it is none of the caller's business.
    """
    original = await look_at(runtime, caller, invocation_id)
    tool = await called_with(original, runtime)
    async with runtime.database.reading() as tx:
        return await undo_offer(tx, original, tool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Who wants which invocation undone, and why."""

    caller: Caller
    invocation_id: str
    reason: str
    trace_id: str
    part: Part | None = None
    """The step of a plan that it takes back, if the hub itself asks for it."""


async def undo(wanted: Undo, runtime: Runtime) -> Invocation:
    """Call what undoes an invocation, as far as it may go now, and return that call; there is one, however many ask.

    Raises:
        Conflict: it cannot be undone, or not any more; the message says why.
        NotFound: there is no such invocation, or it is none of the caller's business, or the tool that undoes it is not
            offered there.
        ScopeMissing: the agent's token lacks the scopes of the tool that undoes it.
    """
    original = await concerned(runtime, wanted.caller, wanted.invocation_id)
    tool = await called_with(original, runtime)
    async with runtime.database.reading() as tx:
        offer = await undo_offer(tx, original, tool)
    if offer.undone_by is not None:
        if not await _ends(offer.undone_by, runtime):
            return replace(offer.undone_by, repeats=True)
        async with runtime.database.reading() as tx:
            offer = await undo_offer(tx, original, tool)
    if offer.refusal:
        raise Conflict(offer.refusal)
    name = await runtime.catalog.published_name(
        offer.tool, original.connection_id, server=original.server, caller=wanted.caller
    )
    call = Call(
        caller=await _with_scopes(wanted.caller, original.server, name, runtime),
        server=original.server,
        tool=name,
        arguments=_arguments(original, tool),
        trace_id=wanted.trace_id,
        claims=Claims(purpose=f"To undo {original.id}: {wanted.reason}"),
        undoes=original.id,
        undo_until=offer.until,
        part=wanted.part,
    )
    return await invoke(call, runtime)


async def _ends(undone_by: Invocation, runtime: Runtime) -> bool:
    """End an undo that waits by leave that was taken back since, and return whether that is so: it is asked anew."""
    async with runtime.database.transaction() as tx:
        return await end_without_leave(tx, runtime, undone_by)


def _refusal(original: Invocation, tool: PublishedTool, *, is_late: bool) -> str:
    if outward(original).status is not Status.DONE or not original.state.is_terminal:
        return "Only what was carried out can be undone, once it has been read back."
    if original.erased_at is not None:
        return "Its values were erased, and with them what undoing it would write back."
    if tool.operation.compensation is None:
        return "Its tool declares nothing that would undo it."
    if is_late:
        return "The time in which it could be undone is over."
    if _MARK in canonical_json(dict(original.arguments)):
        return "Its arguments had secrets, which are not kept; undo it by a call of your own."
    changed = of_connection(original, tool)
    return changed.message if changed else ""


def _until(original: Invocation, compensation: Compensation | None) -> datetime | None:
    if compensation is None or compensation.window_seconds is None:
        return None
    return (original.sent_at or original.updated_at) + timedelta(seconds=compensation.window_seconds)


def _kind(tool: PublishedTool) -> Reversal:
    declared = tool.operation.reversal
    return Reversal.PARTIAL if declared is Reversal.EXACT and not tool.undo_proven else declared


def _arguments(original: Invocation, tool: PublishedTool) -> Mapping[str, Json]:
    """Return the arguments of the call that undoes `original`.

    Raises:
        Conflict: what they are made of was empty, or secret, and is not on record.
    """
    assert tool.operation.compensation is not None  # noqa: S101  # the offer says so
    changes = original.preview.preview.changes if original.preview else ()
    receipt = {
        "input": dict(original.arguments),
        "output": original.output,
        "before": [None if change.before is None else dict(change.before) for change in changes],
    }
    try:
        arguments = tool.operation.compensation.arguments_for(receipt)
    except Refused as refusal:
        raise Conflict(refusal.message) from refusal
    if _MARK in canonical_json(arguments):
        raise Conflict("What it would write back is secret, and was not kept; undo it by a call of your own.")
    return arguments


async def _undone_by(tx: Tx, original_id: str) -> Invocation | None:
    key = await tx.get(RepeatKeyRow, undo_key(original_id), populate_existing=True)
    undoing = await with_aftermath(tx, await load(tx, key.invocation_id)) if key else None
    return None if undoing is None or came_to_nothing(undoing) else undoing


async def _with_scopes(caller: Caller, server: str, tool: str, runtime: Runtime) -> Caller:
    """Return the caller: an agent with its token's scopes, a person with those of the tool that it may see."""
    if caller.actor.kind is not PrincipalKind.USER:
        return caller
    found = await runtime.catalog.resolve(tool, server=server, caller=caller)
    return replace(caller, scopes=frozenset(found.needed_scopes()))
