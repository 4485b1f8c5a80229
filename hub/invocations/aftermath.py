"""What has become of a write after it was done: whether an undo has taken it back since, and still stands itself."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

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
    return _fates([call], among)[call.id].taken_back_by


def may_be_undone(call: Invocation, among: Sequence[Invocation]) -> bool:
    """Return whether one of `among` has undone `call`, or may have, and was not undone in turn."""
    return _fates([call], among)[call.id].may_be_undone


@dataclass(frozen=True, slots=True)
class _Fate:
    taken_back_by: str
    may_be_undone: bool


def _fates(calls: Iterable[Invocation], among: Iterable[Invocation]) -> dict[str, _Fate]:
    """Return what has become of `calls` and of `among`: each is decided once, after all that undo it."""
    every = {one.id: one for one in (*among, *calls)}
    undos = _undos_by_call(every.values())
    order = [one for one in every.values() if one.undoes not in every]
    for one in order:  # which grows meanwhile
        order += undos[one.id]
    fates = dict[str, _Fate]()
    for one in reversed(order):
        mine = [(undo, fates[undo.id]) for undo in undos[one.id]]
        certain = (undo.id for undo, fate in mine if has_restored(undo) and not fate.may_be_undone)
        possible = (_may_have_happened(undo) and not fate.taken_back_by for undo, fate in mine)
        fates[one.id] = _Fate(next(certain, ""), any(possible))
    return fates


def _undos_by_call(among: Iterable[Invocation]) -> defaultdict[str | None, list[Invocation]]:
    undos = defaultdict[str | None, list[Invocation]](list)
    for one in among:
        undos[one.undoes].append(one)
    return undos


def undoing_among(call: Invocation, among: Sequence[Invocation]) -> list[Invocation]:
    """Return those of `among` that take back `call`, then those that take back these, and so on."""
    undos = _undos_by_call(among)
    found = [*undos[call.id]]
    for one in found:  # which grows meanwhile
        found += undos[one.id]
    return found


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
    fates = _fates(calls, among)
    return {one.id: undo for one in calls if (undo := fates[one.id].taken_back_by)}


async def with_aftermath(tx: Tx, standing: Invocation) -> Invocation:
    """Return `standing` with what has taken it back since, if it is a write that was done."""
    if standing.effect is Effect.READ or not was_carried_out(standing):
        return standing
    return replace(standing, taken_back_by=taken_back_by(standing, await undos_of(tx, [standing.id])))
