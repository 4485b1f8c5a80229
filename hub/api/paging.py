"""Keyset paging: where the next page begins, sealed, so that only whoever was given a cursor can use it."""

from typing import Annotated, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from hub.api.access import Acting
from hub.invocations.runtime import Runtime
from hub.keys import open_cursor, seal_cursor

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200

T = TypeVar("T")

CursorParameter = Annotated[
    str | None, Query(max_length=2000, description="`next_cursor` of the page before; leave it out for the first page.")
]
LimitParameter = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items a page holds at most.")]


class Page(BaseModel, Generic[T]):
    """Some items of a list, in its order."""

    items: list[T]
    next_cursor: str | None = Field(default=None, description="Where the next page begins; missing on the last one.")


def seal(runtime: Runtime, acting: Acting, place: str, after: str) -> str:
    """Return the cursor that goes on behind `after` in the list `place`, for this caller alone."""
    return seal_cursor(runtime.keys, after, purpose=_purpose(acting, place))


def unseal(runtime: Runtime, acting: Acting, place: str, cursor: str | None) -> str | None:
    """Return where the page begins that `cursor` stands for, None for the first one.

    Raises:
        Malformed: it is not one of ours, or was given to somebody else, for another list, or too long ago.
    """
    return None if cursor is None else open_cursor(runtime.keys, cursor, purpose=_purpose(acting, place))


def _purpose(acting: Acting, place: str) -> str:
    return f"api:{place}:{acting.caller.visible_key}"
