"""Who may change what can be called, and what every such change begins with: a new catalog generation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select, text

from hub.core.errors import Forbidden, InputError
from hub.identity.authority import Authority
from hub.identity.directory import get, get_many
from hub.identity.principals import PrincipalKind, Role
from hub.registry.tables import CatalogChangeRow, CatalogGenerationRow
from hub.storage import Tx

CATALOG_CHANNEL: Final = "catalog"
"""Signalled whenever what can be called has changed."""

_BUMP: Final = text(
    "INSERT INTO catalog_generation (id, generation) VALUES (1, 1)"
    " ON CONFLICT (id) DO UPDATE SET generation = catalog_generation.generation + 1 RETURNING generation"
)
_REMEMBERED: Final = 1000
"""So many changes are told one by one; who has missed more reads everything."""
_MOST_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a change is about; everything that hangs on it is read again: entries, versions, badges.

    `connectors` stands for all their tools and connections. Servers are so few that all are looked at every time, and
    of one in `servers` the entries are read again.
    """

    tools: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()
    connectors: frozenset[str] = frozenset()
    servers: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, list[str]]:
        """Return it as it is stored."""
        return {kind: sorted(getattr(self, kind)) for kind in _KINDS if getattr(self, kind)}

    @classmethod
    def of(cls, stored: Iterable[Mapping[str, Iterable[str]]]) -> "Touched":
        """Return all that any of `stored` tells."""
        joined = {kind: set[str]() for kind in _KINDS}
        for one in stored:
            for kind, ids in one.items():
                joined[kind].update(ids)
        return cls(**{kind: frozenset(ids) for kind, ids in joined.items()})


_KINDS: Final = ("tools", "connections", "connectors", "servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stewards:
    """Who may change something: its owner, administrators and, where `operators_may`, operators."""

    owner_id: str | None
    what: str
    operators_may: bool = False


async def require_steward(tx: Tx, authority: Authority, stewards: Stewards) -> None:
    """Let the hub itself and its console pass, and whoever is among `stewards`.

    Raises:
        Forbidden: it is somebody else.
    """
    if authority.by is None:
        return
    principal = await get(tx, authority.by)
    is_owner = principal.id == stewards.owner_id and not principal.is_suspended
    may_pause = stewards.operators_may and principal.has_role(Role.OPERATOR)
    if not (is_owner or may_pause or principal.has_role(Role.ADMINISTRATOR)):
        others = "an administrator or an operator" if stewards.operators_may else "an administrator"
        raise Forbidden(f"Only its owner or {others} may change {stewards.what}.")


async def checked_owner(tx: Tx, owner_id: str | None) -> str | None:
    """Return who shall own something, if anybody is named.

    Raises:
        InputError: it is no user.
    """
    if owner_id is None:
        return None
    owner = (await get_many(tx, [owner_id])).get(owner_id)
    if owner is None or owner.kind is not PrincipalKind.USER:
        raise InputError(f"The owner has to be a user, named by its id; {owner_id!r} is none.")
    return owner_id


async def outdate_catalog(tx: Tx, authority: Authority, touched: Touched | None = None) -> None:
    """Make every cached catalog be read again in every process, once `tx` has committed: all, or what is touched.

    Every change begins with it: on PostgreSQL the row it writes stays locked until then, so that changes of the
    catalog happen one after another and each sees what those before it did.
    """
    generation = (await tx.execute(_BUMP)).scalar_one()
    tx.add(CatalogChangeRow(generation=generation, touched=None if touched is None else touched.as_json()))
    await tx.execute(delete(CatalogChangeRow).where(CatalogChangeRow.generation <= generation - _REMEMBERED))
    await tx.flush()
    await authority.database.signal(tx, CATALOG_CHANNEL)


async def touched_since(tx: Tx, known: int, generation: int) -> Touched | None:
    """Return what changed after generation `known`, up to `generation`; None: it cannot be told, so everything."""
    later = (CatalogChangeRow.generation > known, CatalogChangeRow.generation <= generation)
    found = (await tx.scalars(select(CatalogChangeRow.touched).where(*later))).all()
    if len(found) != generation - known or len(found) > _MOST_AT_ONCE or None in found:
        return None
    return Touched.of(one for one in found if one is not None)


async def catalog_generation(tx: Tx) -> int:
    """Return the number that has grown with every change of what can be called."""
    return await tx.scalar(select(CatalogGenerationRow.generation)) or 0
