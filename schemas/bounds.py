"""What a schema may cost: how large it is with every reference written out, and how much work one value may make.

Whoever writes a schema may be a server that nobody knows, and whoever writes the value another. Twenty definitions that
each refer twice to the next are a million schemas to whoever follows them; two thousand choices for each of three
thousand items are six million comparisons. So work is counted while it is done, never timed, and ends in time.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any, Final, TypeVar, cast

from schemas.pointers import DanglingReference, resolve_reference

Json = Any
"""Any JSON value."""

T = TypeVar("T")

LARGEST: Final = 20_000
"""JSON values that a schema may hold with its references written out; large ones of real servers hold hundreds."""
MOST_STEPS: Final = 400_000
"""Steps that checking any value may take: each is below a microsecond."""
_STEPS_OF_A_VALUE: Final = 2
"""More that may be taken for each part of the value: a long list of ordinary rows is no attack."""


class TooMuchWork(Exception):
    """What was asked takes more steps than any ordinary value; so nothing may be concluded from it."""


class _Budget:
    """The steps that are left, and what was found out on the way."""

    __slots__ = ("_value", "_weights", "known", "left")

    def __init__(self, value: Json) -> None:
        self.left = MOST_STEPS
        self._value: Json = value
        self._weights = dict[int, tuple[Json, int]]()
        self.known = dict[tuple[str, int], tuple[Json, Json]]()

    def overdraw(self) -> None:
        """Allow what the size of the value allows, once; it is counted only here, since few need it."""
        value, self._value = self._value, None
        if value is not None:
            self.left += _STEPS_OF_A_VALUE * size_of(value)
        if self.left < 0:
            raise TooMuchWork

    def weight_of(self, value: Json) -> int:
        """Return how many values `value` holds, found out once."""
        if not isinstance(value, dict | list):
            return 1 + len(value) // 64 if isinstance(value, str) else 1
        members = cast("dict[str, Json] | list[Json]", value)
        if id(members) not in self._weights:
            parts = members.values() if isinstance(members, dict) else members
            self._weights[id(members)] = (members, 1 + sum(map(self.weight_of, parts)))
        return self._weights[id(members)][1]


_BUDGET: Final[ContextVar[_Budget | None]] = ContextVar("steps_left", default=None)


class Bounded:
    """Bounds the work of what is done within, together with all that calls this in turn."""

    __slots__ = ("_token", "_value")

    def __init__(self, value: Json = None) -> None:
        """Take the value that is worked on, if it is one."""
        self._value: Json = value
        self._token: Token[_Budget | None] | None = None

    def __enter__(self) -> None:
        """Begin, unless something around this has begun already."""
        if _BUDGET.get() is None:
            self._token = _BUDGET.set(_Budget(self._value))

    def __exit__(self, *_error: object) -> None:
        """End what was begun here."""
        if self._token is not None:
            _BUDGET.reset(self._token)


def count_steps(steps: int = 1) -> None:
    """Count work that is done.

    Raises:
        TooMuchWork: it is more than there may be.
    """
    budget = _BUDGET.get()
    if budget is not None:
        budget.left -= steps
        if budget.left < 0:
            budget.overdraw()


def weight_of(value: Json) -> int:
    """Return how many values `value` holds, where a long text counts as several; 1 where nobody counts."""
    budget = _BUDGET.get()
    return 1 if budget is None else budget.weight_of(value)


def known(kind: str, source: Json, make: Callable[[Json], T]) -> T:
    """Return what `make` makes of `source`; in bounded work it is made once."""
    budget = _BUDGET.get()
    if budget is None:
        return make(source)
    key = (kind, id(source))
    if key not in budget.known:
        budget.known[key] = (source, make(source))
    return cast("T", budget.known[key][1])


def size_of(value: Json) -> int:
    """Return how many values `value` holds."""
    if isinstance(value, dict):
        return 1 + sum(map(size_of, cast("dict[str, Json]", value).values()))
    return 1 + sum(map(size_of, cast("list[Json]", value))) if isinstance(value, list) else 1


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
