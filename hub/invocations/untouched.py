"""The precondition of every undo: in time, and the records still stand as the commit left them."""

from dataclasses import dataclass
from typing import Final

from connectors.sdk.errors import Unavailable
from hub import dryrun
from hub.dryrun import ThreeWay
from hub.invocations.asking import called_with, records_now
from hub.invocations.journal import load
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.registry import PublishedTool
from hub.storage import now

CONFLICT: Final = "undo_conflict"
TOO_LATE: Final = "undo_too_late"
OTHER_CONNECTION: Final = "connection_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Untouched:
    """Nothing speaks against it: it is no undo, or nobody has touched what it takes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Somebody has changed the records since; undoing would undo that as well."""

    differences: tuple[ThreeWay, ...]
    code: str = CONFLICT

    @property
    def message(self) -> str:
        """What is different, in words."""
        lines = "; ".join(map(str, self.differences))
        return f"Somebody has changed this since, and undoing it would undo that too: {lines}. Nothing was written."


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUndoable:
    """It cannot be undone, or nobody can tell now whether it may be."""

    code: str
    message: str


async def still_as_committed(standing: Invocation, runtime: Runtime) -> Untouched | Moved | NotUndoable:
    """Return whether `standing`, if it is an undo, may still take back what it is to take back.

    It is asked before the preview and again before sending. Who changes a record between that and the preview taken
    right after it is found by the guard of the preview.
    """
    if standing.undoes is None:
        return Untouched()
    async with runtime.database.reading() as tx:
        original = await load(tx, standing.undoes)
        if standing.undo_until is not None and standing.undo_until <= await now(tx):
            return NotUndoable(code=TOO_LATE, message="The time in which this could be undone is over.")
    tool = await called_with(original, runtime)
    return of_connection(original, tool) or await _of_records(original, tool, runtime)


def of_connection(original: Invocation, tool: PublishedTool) -> NotUndoable | None:
    """Return why nothing of `original` can be undone through its connection as it is now; None if it can."""
    if tool.connection.generation == original.connection_generation:
        return None
    why = "The connection was changed since, and may lead to another system or account; undo it by a call of your own."
    return NotUndoable(code=OTHER_CONNECTION, message=why)


async def _of_records(original: Invocation, tool: PublishedTool, runtime: Runtime) -> Untouched | Moved | NotUndoable:
    found = await records_now(original, tool, runtime)
    lines = original.preview and dryrun.moved_since(original.preview, found, volatile=tool.version.spec.volatile)
    if lines is None:
        why = "The records cannot be read back, so nobody can tell whether they still stand as the commit left them."
        return NotUndoable(code=Unavailable.code, message=why)
    return Moved(differences=lines) if lines else Untouched()
