"""What has become of a write after it was done: whether an undo has taken it back since, and still stands itself."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import select

from connectors.sdk.vocabulary import Effect
from hub.invocations.envelope import Status, outward
from hub.invocations.journal import load
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.storage import Tx


async def undos_of(tx: Tx, ids: Collection[str]) -> list[Invocation]:
    """Return every call that takes back one of `ids`, or one of these in turn, and so on; oldest first."""
    found, newest = set[str](), set(ids)
    while newest:  # people may undo an undo, too
        undoing = select(InvocationRow.id).where(InvocationRow.undoes.in_(sorted(newest)))
        newest = set(await tx.scalars(undoing)) - found
        found |= newest
    return [await load(tx, one) for one in sorted(found)]


def taken_back_by(call: Invocation, among: Sequence[Invocation]) -> str:
    """Return which of `among` has undone `call`, or nothing: it left the records as they were, and stands itself."""
    certain = (one.id for one in undos_among(call, among) if has_restored(one) and not may_be_undone(one, among))
    return next(certain, "")


def may_be_undone(call: Invocation, among: Sequence[Invocation]) -> bool:
    """Return whether one of `among` has undone `call`, or may have, and was not undone in turn."""
    return any(_may_have_happened(one) and not taken_back_by(one, among) for one in undos_among(call, among))


def undos_among(call: Invocation, among: Sequence[Invocation]) -> list[Invocation]:
    """Return those of `among` that take back `call` itself."""
    return [one for one in among if one.undoes == call.id]


def has_restored(undo: Invocation) -> bool:
    """Return whether an undo was carried out, and its records were not found to be others than they had been before."""
    return was_carried_out(undo) and undo.state is not State.DIVERGED


def came_to_nothing(undo: Invocation) -> bool:
    """Return whether what an undo was to take back stands, so that it may be tried again: it failed, or was undone."""
    return outward(undo).is_error or bool(undo.taken_back_by)


def was_carried_out(call: Invocation) -> bool:
    """Return whether a call has ended, and was done: as its system said, or as people found."""
    return call.state.is_terminal and outward(call).status is Status.DONE


def _may_have_happened(undo: Invocation) -> bool:
    return was_carried_out(undo) if undo.state.is_terminal else undo.sent_at is not None


async def taken_back_among(tx: Tx, calls: Sequence[Invocation]) -> dict[str, str]:
    """Return those of `calls` that an undo has taken back, each with the undo that did."""
    among = await undos_of(tx, [one.id for one in calls])
    return {one.id: undo for one in calls if (undo := taken_back_by(one, among))}


async def with_aftermath(tx: Tx, standing: Invocation) -> Invocation:
    """Return `standing` with what has taken it back since, if it is a write that was done."""
    if standing.effect is Effect.READ or not was_carried_out(standing):
        return standing
    return replace(standing, taken_back_by=taken_back_by(standing, await undos_of(tx, [standing.id])))
