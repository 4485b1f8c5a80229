"""What all writes share: a preview that changes one record, and reading back after a write that Tryton accepted."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from connectors.sdk import Blast, Change, ConnectorError, Context, Effect, Precondition, Preview
from connectors.sdk.errors import Accepted
from connectors.tryton.rows import Row, row, under_guard

Json = Any
"""Any JSON value."""

T = TypeVar("T")


def changed(
    target: str, before: BaseModel, after: dict[str, Json], *guards: Precondition, unknown: tuple[str, ...] = ()
) -> Preview:
    """Return the preview of an update of one record of one party: `after` holds what will be different."""
    then = before.model_dump(mode="json")
    change = Change(target=target, effect=Effect.UPDATE, before=then, after={**then, **after}, unknown=unknown)
    return Preview(changes=(change,), preconditions=guards, blast=Blast(rows=1, parties=1))


async def write(context: Context, model: str, record: int, values: Mapping[str, Json]) -> None:
    """Write `values` into one record, unless it is no longer as previewed.

    Raises:
        Conflict: somebody changed it first; nothing was written.
    """
    # A harmless question goes first: where the session has ended the hub signs in anew for it, but never for a write.
    await row(context, model, Row, record, called="record")
    await context.rpc(
        f"model.{model}.write", [record], dict(values), under_guard(context, model, record), returns=type(None)
    )


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
