"""The parts of a document as a guard: held inside Tryton where its module can, else looked at just before a write.

Tryton checks the versions of what a call writes, and a button writes a document without its lines. Its module
`hub_trial` locks the document and all its parts, compares them, and makes the call, in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from connectors.sdk import Context, Precondition
from connectors.tryton.rows import Row, check_weak, weak

Json = Any
"""Any JSON value."""

GUARDED: Final = "hub.guarded"
_HELD: Final = "held:"
"""What the token of a guard begins with that Tryton's module keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Rows of one model that belong to a document: all there are. `field` points from them to it."""

    model: str
    field: str
    rows: Sequence[Row]

    @property
    def versions(self) -> dict[str, str]:
        """Return the version of each."""
        return {str(part.id): part.timestamp for part in self.rows}


async def parts_guard(context: Context, name: str, parts: Sequence[Parts]) -> Precondition:
    """Return the guard over `parts`, which is strong where Tryton's module is active."""
    guard = weak(name, _rows(parts))
    if not await context.rpc("model.ir.model.search_count", [["name", "=", GUARDED]], {}, returns=int):
        return guard
    return Precondition(target=name, token=_HELD + guard.token)


def checked_parts(context: Context, name: str, parts: Sequence[Parts]) -> Sequence[Parts]:
    """Return which of `parts` must be held inside Tryton: all, or none where a look has to do.

    Raises:
        Conflict: one was added, removed or changed since the preview.
    """
    token = context.guard[name]
    check_weak(name, token.removeprefix(_HELD), _rows(parts))
    return parts if token.startswith(_HELD) else ()


def is_of_tryton(guard: Precondition) -> bool:
    """Return whether Tryton itself checks `guard` in the call: it is strong, and about one record."""
    return guard.strength == "strong" and not guard.token.startswith(_HELD)


def call_of(
    method: tuple[str, str], record: int, values: Sequence[Json], parts: Sequence[Parts]
) -> tuple[str, tuple[Json, ...]]:
    """Return the RPC that calls `method` of a model for one record while `parts` are held, and its arguments."""
    model, name = method
    if not parts:
        return f"model.{model}.{name}", ([record], *values)
    held = [[part.model, part.field, part.versions] for part in parts]
    return f"model.{GUARDED}.run", (model, name, record, list(values), held)


def _rows(parts: Sequence[Parts]) -> list[Row]:
    return [row for part in parts for row in part.rows]
