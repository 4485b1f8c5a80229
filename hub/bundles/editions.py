"""Every bundle that was ever proposed or published, as people look at them: newest first, each with who and when."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from hub.bundles.tables import BundleRow
from hub.core.errors import NotFound
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One bundle of one environment, with its story; `published_at` None: it waits for a second person."""

    id: str
    environment: str
    digest: str
    text: str
    is_active: bool
    proposed_by: str | None
    proposed_at: datetime | None
    proposed_on: str | None
    published_by: str | None
    published_at: datetime | None


async def editions(tx: Tx, environment: str, *, before: str | None = None, limit: int = 50) -> list[Edition]:
    """Return the bundles of `environment`, the newest first; `before` is the id of one, after which the page begins."""
    query = select(BundleRow).where(BundleRow.environment == environment).order_by(BundleRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(BundleRow.id < before)
    return [_edition(row) for row in await tx.scalars(query)]


async def edition(tx: Tx, bundle_id: str) -> Edition:
    """Return one bundle.

    Raises:
        NotFound: there is none with this id.
    """
    row = await tx.get(BundleRow, bundle_id)
    if row is None:
        raise NotFound("There is no such policy.")
    return _edition(row)


async def edition_before(tx: Tx, one: Edition) -> Edition | None:
    """Return what `one` replaced when it was published, or what it would replace now; None: the default bundle."""
    published = select(BundleRow).where(BundleRow.environment == one.environment, BundleRow.published_at.is_not(None))
    if one.published_at is not None:
        published = published.where(BundleRow.published_at < one.published_at)
    row = await tx.scalar(published.order_by(BundleRow.published_at.desc(), BundleRow.id.desc()).limit(1))
    return None if row is None else _edition(row)


def _edition(row: BundleRow) -> Edition:
    return Edition(
        id=row.id,
        environment=row.environment,
        digest=row.digest,
        text=row.text,
        is_active=row.is_active,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        proposed_on=row.proposed_on,
        published_by=row.published_by,
        published_at=row.published_at,
    )
