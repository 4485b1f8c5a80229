"""What a schema may cost: how large it is with every reference written out, and how much work one value may make.

Whoever writes a schema may be a server that nobody knows. Twenty definitions that each refer twice to the next are a
million schemas to whoever follows them, and defaults within defaults grow as fast. Both are counted, and end in time.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

from schemas.pointers import DanglingReference, resolve_reference

Json = Any
"""Any JSON value."""

LARGEST: Final = 20_000
"""JSON values that a schema may hold with its references written out; large ones of real servers hold hundreds."""
_MOST_STEPS: Final = 200_000
_LEFT: Final[ContextVar[list[int] | None]] = ContextVar("steps_left", default=None)


class TooMuchWork(Exception):
    """What was asked takes more steps than any ordinary value; so nothing may be concluded from it."""


@contextmanager
def bounded() -> Generator[None]:
    """Bound the work of what is done within, together with all that calls this in turn."""
    if _LEFT.get() is not None:
        yield
        return
    token = _LEFT.set([_MOST_STEPS])
    try:
        yield
    finally:
        _LEFT.reset(token)


def count_steps(steps: int = 1) -> None:
    """Count work that is done.

    Raises:
        TooMuchWork: it is more than there may be.
    """
    if left := _LEFT.get():
        left[0] -= steps
        if left[0] < 0:
            raise TooMuchWork


def size_problem(schema: Mapping[str, Json]) -> str | None:
    """Return that `schema` is too large with its references written out, as some clients do; None: it is not."""
    try:
        _Sizes(schema).of(schema)
    except _TooLarge:
        return f"with its references written out it holds more than {LARGEST} values, which no client can read"
    return None


class _TooLarge(Exception):
    """It is."""


class _Sizes:
    """How many values the parts of one schema hold; each part is counted once, and known from then on."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        self._root = root
        self._known = dict[int, int]()

    def of(self, value: Json) -> int:
        """Return how many values `value` holds."""
        if isinstance(value, list):
            return _within(1 + sum(map(self.of, cast("list[Json]", value))))
        return self._of_object(cast("dict[str, Json]", value)) if isinstance(value, dict) else 1

    def _of_object(self, members: dict[str, Json]) -> int:
        if id(members) not in self._known:
            self._known[id(members)] = 0  # what contains itself comes round here; it is told of elsewhere
            size = 1 + sum(map(self.of, members.values()))
            if isinstance(reference := members.get("$ref"), str):
                size += self._behind(reference)
            self._known[id(members)] = _within(size)
        return self._known[id(members)]

    def _behind(self, reference: str) -> int:
        try:
            return self.of(resolve_reference(self._root, reference))
        except DanglingReference:
            return 0  # told of elsewhere


def _within(size: int) -> int:
    if size > LARGEST:
        raise _TooLarge
    return size
