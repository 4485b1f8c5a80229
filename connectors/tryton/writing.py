"""What all writes share: a preview that changes one record, and reading back after a write that Tryton accepted."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from connectors.sdk import Blast, Conflict, ConnectorError, Context, Preview, Refused
from connectors.sdk.errors import Accepted
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


async def write(
    context: Context,
    model: str,
    record: int,
    values: Mapping[str, Json],
    *,
    with_it: tuple[str, int] | None = None,
    **more: Json,
) -> None:
    """Write `values` into one record, unless it is no longer as previewed, nor the record that is written `with_it`.

    `more` is what else the context of the call says: in which company's books a price is.

    Raises:
        Conflict: somebody changed it first; nothing was written.
    """
    # A harmless question goes first: where the session has ended the hub signs in anew for it, but never for a write.
    await row(context, model, Row, record, called="record")
    guarded = [(model, record)] if with_it is None else [(model, record), with_it]
    await _send(context, guarded, ("write", dict(values)), **more)


async def press(context: Context, model: str, record: int, button: str) -> None:
    """Press a button of one record, unless the record is no longer as previewed.

    Raises:
        Conflict: somebody changed it first; nothing was done.
    """
    owned = await row(context, model, Owned, record, called="record")
    await _send(context, [(model, record)], (button,), company=owned.company)


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


async def _send(context: Context, guarded: Sequence[tuple[str, int]], what: tuple[Json, ...], **more: Json) -> None:
    """Send a call that writes the first of the records `guarded`, and the others with it.

    Raises:
        Conflict: somebody changed it first. Tryton may notice that by its version, or because the call no longer fits
            the state of the record; either way nothing was done by this call.
    """
    method, *values = what
    model, record = guarded[0]
    try:
        guard = under_guard(context, guarded, **more)
        await context.rpc(f"model.{model}.{method}", [record], *values, guard, returns=object)
    except Refused as refused:
        now = await row(context, model, Row, record, called="record")
        if now.timestamp == context.guard[target(model, record)]:
            raise
        raise Conflict(f"Somebody changed the record in Tryton first. {refused.message}") from refused
