"""Who may change what can be called, and what every such change begins with: a new catalog generation."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, text

from hub.core.errors import Forbidden
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.principals import Role
from hub.registry.tables import CatalogGenerationRow
from hub.storage import Tx

CATALOG_CHANNEL: Final = "catalog"
"""Signalled whenever what can be called has changed."""

_BUMP: Final = text(
    "INSERT INTO catalog_generation (id, generation) VALUES (1, 1)"
    " ON CONFLICT (id) DO UPDATE SET generation = catalog_generation.generation + 1"
)


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


async def outdate_catalog(tx: Tx, authority: Authority) -> None:
    """Make every cached catalog be read again, in every process, once `tx` has committed.

    Every change begins with it: on PostgreSQL the row it writes stays locked until then, so that changes of the
    catalog happen one after another and each sees what those before it did.
    """
    await tx.execute(_BUMP)
    await authority.database.signal(tx, CATALOG_CHANNEL)


async def catalog_generation(tx: Tx) -> int:
    """Return the number that has grown with every change of what can be called."""
    return await tx.scalar(select(CatalogGenerationRow.generation)) or 0
