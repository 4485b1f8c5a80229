"""Asking Tryton for rows, and the guards that say whether they are still the same."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk import Conflict, Context, NotFound, Precondition

Json = Any
"""Any JSON value."""

Clause = Sequence[Json]
LARGEST_PAGE = 100


class Row(BaseModel):
    """A row of one of Tryton's models as far as it is asked for; `timestamp` is its version."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    id: int
    timestamp: str = Field(alias="_timestamp")


class Page(BaseModel):
    """Which rows to ask for, and in which company's eyes where that matters (prices)."""

    model_config = ConfigDict(frozen=True)

    limit: int | None = None
    company: int | None = None
    more: Mapping[str, Json] = {}
    """What else the context of the question says: for whom a price is, as of which day a balance."""


class _Preferences(BaseModel):
    company: int | None = None


class Owned(Row):
    """A row that belongs to a company."""

    company: int


class Named(BaseModel):
    """A row that another one points to."""

    model_config = ConfigDict(frozen=True)

    id: int
    rec_name: str


R = TypeVar("R", bound=Row)
EVERYTHING = Page()


async def rows(
    context: Context, model: str, kind: type[R], clauses: Iterable[Clause], page: Page = EVERYTHING
) -> list[R]:
    """Return the rows of `model` that match all `clauses`, archived ones among them, oldest first."""
    return await context.rpc(
        f"model.{model}.search_read",
        [list(clause) for clause in clauses],
        0,
        page.limit,
        [["id", "ASC"]],
        fields_of(kind),
        {"active_test": False, **({} if page.company is None else {"company": page.company}), **page.more},
        returns=list[kind],  # type: ignore[valid-type]  # a type made at run time, and checked then
    )


async def row(context: Context, model: str, kind: type[R], record: int, *, called: str) -> R:
    """Return one row.

    Raises:
        NotFound: there is none, or the connection's account may not see it; `called` says what it is to a reader.
    """
    found = await rows(context, model, kind, [("id", "=", record)])
    if not found:
        raise NotFound(f"There is no {called} {record} in Tryton.")
    return found[0]


async def company_of_account(context: Context) -> int | None:
    """Return the company in which the connection's account works."""
    preferences = await context.rpc("model.res.user.get_preferences", True, {}, returns=_Preferences)
    return preferences.company


def fields_of(kind: type[BaseModel]) -> list[str]:
    """Return the fields to ask for: those of `kind` and, where one is a relation ("party."), those of its target."""
    names: list[str] = []
    for name, field in kind.model_fields.items():
        asked = field.alias or name
        inner = next((item for item in _types_in(field.annotation) if issubclass(item, BaseModel)), None)
        names += [asked + child for child in fields_of(inner)] if asked.endswith(".") and inner else [asked]
    return names


def _types_in(annotation: Json) -> list[type]:
    inner: tuple[Json, ...] = getattr(annotation, "__args__", ())
    return (
        [annotation] if isinstance(annotation, type) and not inner else [t for item in inner for t in _types_in(item)]
    )


def containing(field: str, text: str) -> Clause:
    """Return the clause for rows whose `field` contains `text`, whatever its case and whatever signs it holds."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return (field, "ilike", f"%{escaped}%")


def target(model: str, record: int) -> str:
    """Return how previews and guards name a record."""
    return f"{model}/{record}"


def strong(model: str, guarded: Row) -> Precondition:
    """Return the guard that Tryton checks itself, in the transaction of the write."""
    return Precondition(target=target(model, guarded.id), token=guarded.timestamp)


def weak(name: str, parts: Iterable[Row]) -> Precondition:
    """Return a guard over rows that the write does not touch: the connector checks it just before it writes."""
    return Precondition(target=name, token=_token(parts), strength="weak")


def check_weak(name: str, token: str, parts: Iterable[Row]) -> None:
    """Return if the rows are those of the preview, to which `token` belongs.

    Raises:
        Conflict: one was added, removed or changed.
    """
    if token != _token(parts):
        raise Conflict(f"Somebody changed {name} in Tryton first.")


def under_guard(context: Context, guarded: Iterable[tuple[str, int]], **more: Json) -> Mapping[str, Json]:
    """Return the context of a call that writes the records `guarded`: Tryton refuses it unless all are as previewed."""
    tokens = {f"{model},{record}": context.guard[target(model, record)] for model, record in guarded}
    return {"_timestamp": tokens, **more}


def computed(name: str, values: Json) -> Precondition:
    """Return a weak guard over what Tryton computed for a preview (prices, taxes, addresses)."""
    return Precondition(target=name, token=_digest(values), strength="weak")


def check_computed(context: Context, name: str, values: Json) -> None:
    """Return if Tryton computes the same as it did for the preview.

    Raises:
        Conflict: a price, a tax or whatever else it fills in has changed since.
    """
    if context.guard[name] != _digest(values):
        raise Conflict("What Tryton fills in (prices, taxes, addresses) has changed since the preview.")


def _digest(values: Json) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _token(parts: Iterable[Row]) -> str:
    versions = "\n".join(f"{type(part).__name__} {part.id} {part.timestamp}" for part in parts)
    return hashlib.sha256(versions.encode()).hexdigest()
