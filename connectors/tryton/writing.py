"""What all writes share: a preview that changes one record, and reading back after a write that Tryton accepted."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from connectors.sdk import Blast, Conflict, ConnectorError, Context, Preview, Refused
from connectors.sdk.errors import Accepted
from connectors.tryton.holding import Parts, call_of
from connectors.tryton.rows import Owned, Row, row, target, under_guard

Json = Any
"""Any JSON value."""

T = TypeVar("T")


def changed(model: str, found: Row, before: BaseModel, after: Mapping[str, Json], *not_covered: str) -> Preview:
    """Return the preview of changing one record of one party: `after` holds what will be different."""
    blast = Blast(rows=1, parties=1)
    return Preview.update(
        target(model, found.id), before, after, guard=found.timestamp, blast=blast, not_covered=not_covered
    )


def archiving(model: str, found: Row, before: BaseModel, *, is_now: bool, becomes: bool) -> Preview:
    """Return the preview of archiving a record, or of bringing it back: whether it is in use now, and after.

    Raises:
        Refused: it is so already.
    """
    if is_now is becomes:
        called = model.rpartition(".")[2].partition("_")[0].capitalize()
        raise Refused(f"{called} {found.id} is {'in use' if becomes else 'archived'} already.")
    return changed(model, found, before, {"is_active": becomes})


async def write(context: Context, model: str, record: int, values: Mapping[str, Json], **more: Json) -> None:
    """Write `values` into one record, unless it is no longer as previewed.

    `more` is what else the context of the call says: in which company's books a price is.

    Raises:
        Conflict: somebody changed it first; nothing was written.
    """
    # A harmless question goes first: where the session has ended the hub signs in anew for it, but never for a write.
    await row(context, model, Row, record, called="record")
    await _send(context, [(model, record)], ("write", dict(values)), (), **more)


async def write_lines(
    context: Context, guarded: Sequence[tuple[str, int]], what: Sequence[Json], parts: Sequence[Parts]
) -> None:
    """Do `what` to the lines of a document, unless it or a line of it is no longer as previewed: those `guarded`.

    `parts` are held meanwhile.

    Raises:
        Conflict: somebody changed them first; nothing was written.
    """
    owned = await row(context, guarded[0][0], Owned, guarded[0][1], called="record")  # see `write`
    await _send(context, guarded, ("write", {"lines": [list(what)]}), parts, company=owned.company)


async def press(context: Context, what: tuple[str, int], button: str, parts: Sequence[Parts] = ()) -> None:
    """Press a button of one record, unless the record is no longer as previewed, nor the `parts` that are held.

    Raises:
        Conflict: somebody changed it first; nothing was done.
    """
    model, record = what
    owned = await row(context, model, Owned, record, called="record")
    await _send(context, [what], (button,), parts, company=owned.company)


async def read_back(read: Callable[[Context, int], Awaitable[T]], context: Context, record: int) -> T:
    """Return what `read` finds after a write.

    Raises:
        Accepted: it cannot be read; the write was carried out all the same, and nothing may make it look undone.
    """
    try:
        return await read(context, record)
    except ConnectorError as error:
        raise Accepted(
            f"It was carried out, but could not be read afterwards: {error.message}", {"id": record}
        ) from error


async def _send(
    context: Context,
    guarded: Sequence[tuple[str, int]],
    what: tuple[Json, ...],
    parts: Sequence[Parts],
    **more: Json,
) -> None:
    """Send a call that writes the first of the records `guarded`, and the others with it, while `parts` are held.

    Raises:
        Conflict: somebody changed it first. Tryton may notice that by its version, or because the call no longer fits
            the state of the record; either way nothing was done by this call.
    """
    method, *values = what
    model, record = guarded[0]
    try:
        operation, arguments = call_of((model, method), record, values, parts)
        await context.rpc(operation, *arguments, under_guard(context, guarded, **more), returns=object)
    except Refused as refused:
        now = await row(context, model, Row, record, called="record")
        if now.timestamp == context.guard[target(model, record)]:
            raise
        raise Conflict(f"Somebody changed the record in Tryton first. {refused.message}") from refused
