"""Scopes: what an erasure is about, and everything on record that belongs to it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, or_, select

from hub.audit import values_kept
from hub.core.errors import InputError, NotFound
from hub.dryrun.emptying import count_previews, naming, planning_for
from hub.identity.directory import get_many
from hub.identity.principals import PrincipalKind
from hub.invocations.tables import InvocationRow
from hub.registry import get_connection
from hub.registry.composites import PREFIX as COMPOSITES
from hub.storage import Tx

AT_ONCE: Final = 500
"""Ids in one statement."""
LONGEST_SUBJECT: Final = 200

ItemT = TypeVar("ItemT")


class ScopeKind(StrEnum):
    """What an erasure is about."""

    INVOCATION = "invocation"
    """One invocation, by its id."""
    PERSON = "person"
    """Every invocation that was made for a person, or by themselves, and the events about their account."""
    RECORD = "record"
    """Every write through one connection whose previews name a record, such as `party.party/7`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an erasure is about: an id, or the target of a record, which belongs to a connection."""

    kind: ScopeKind
    subject: str
    connection_id: str | None = None

    def __str__(self) -> str:
        where = f" of connection {self.connection_id}" if self.connection_id else ""
        return f"{self.kind.value} {self.subject}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What belongs to a scope: invocations, and the subjects of events, which the invocations are among."""

    invocations: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much there is to delete: invocations and previews that are not empty, events with values, and the values."""

    invocations: int
    previews: int
    events: int
    values: int

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing (left)."""
        return not self.invocations and not self.values

    def as_json(self) -> dict[str, Any]:
        """Return it as it goes on record."""
        return {
            "invocations": self.invocations,
            "previews": self.previews,
            "events": self.events,
            "values": self.values,
        }


async def reach_of(tx: Tx, scope: Scope) -> Reach:
    """Return what belongs to `scope`.

    Raises:
        InputError: the scope makes no sense.
        NotFound: there is no such invocation, person or connection.
    """
    if not 0 < len(scope.subject) <= LONGEST_SUBJECT or (scope.kind is ScopeKind.RECORD) != bool(scope.connection_id):
        raise InputError("Name the invocation or the person by its id, or a record and its connection.")
    match scope.kind:
        case ScopeKind.INVOCATION:
            found = await _ids(tx, InvocationRow.id == scope.subject)
            if not found:
                raise NotFound(f"There is no invocation {scope.subject}.")
            ids = await _with_plans(tx, found)
            return Reach(invocations=ids, subjects=ids)
        case ScopeKind.PERSON:
            person = (await get_many(tx, [scope.subject])).get(scope.subject)
            if person is None or person.kind is not PrincipalKind.USER:
                raise NotFound(f"There is no person {scope.subject}.")
            theirs = or_(InvocationRow.on_behalf_of_id == person.id, InvocationRow.agent_id == person.id)
            ids = await _ids(tx, theirs)
            return Reach(invocations=ids, subjects=(*ids, person.id))
        case ScopeKind.RECORD:
            ids = await _with_plans(tx, await _naming(tx, scope))
            return Reach(invocations=ids, subjects=ids)


async def survey(tx: Tx, scope: Scope) -> Extent:
    """Return how much an erasure of `scope` would delete now; nothing is changed.

    Raises: what `reach_of` raises.
    """
    return await extent_of(tx, await reach_of(tx, scope))


async def extent_of(tx: Tx, reach: Reach) -> Extent:
    """Return how much of what belongs to a scope is still there."""
    kept = [one for some in parts(reach.invocations) for one in await _kept(tx, some)]
    named = await values_kept(tx, reach.subjects)
    return Extent(
        invocations=len(kept),
        previews=sum([await count_previews(tx, some) for some in parts(kept)]),
        events=len(named),
        values=sum(map(len, named.values())),
    )


def parts(items: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    """Yield the items, no more at once than a statement takes."""
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


async def _kept(tx: Tx, ids: Collection[str]) -> Sequence[str]:
    query = select(InvocationRow.id).where(InvocationRow.id.in_(ids), InvocationRow.erased_at.is_(None))
    return (await tx.scalars(query)).all()


async def _ids(tx: Tx, condition: ColumnElement[bool]) -> tuple[str, ...]:
    return tuple(await tx.scalars(select(InvocationRow.id).where(condition).order_by(InvocationRow.id)))


async def _with_plans(tx: Tx, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the invocations and, of steps of a plan, the plan and all of its steps: each has values of the others."""
    row, found = InvocationRow, {*ids}
    for some in parts(ids):
        found |= {one for one in await tx.scalars(select(row.part_of).where(row.id.in_(some))) if one is not None}
    for some in parts(sorted(found)):
        found |= {*await _ids(tx, row.part_of.in_(some))}
    return tuple(sorted(found))


async def _naming(tx: Tx, scope: Scope) -> tuple[str, ...]:
    assert scope.connection_id is not None  # noqa: S101  # `reach_of` has seen to it
    await get_connection(tx, scope.connection_id)
    theirs = (InvocationRow.connection_id == scope.connection_id) & InvocationRow.erased_at.is_(None)
    found = [await naming(tx, scope.subject, some) for some in parts(await _ids(tx, theirs))]
    plans = InvocationRow.connector.startswith(COMPOSITES, autoescape=True) & InvocationRow.erased_at.is_(None)
    # a plan that was never carried out has shown the record all the same
    found += [await planning_for(tx, scope.subject, scope.connection_id, some) for some in parts(await _ids(tx, plans))]
    return tuple(sorted({one for some in found for one in some}))
