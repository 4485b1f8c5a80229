"""How a bundle comes to decide: tried on its own examples, published, and in production only by a second person."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update

from hub.audit import Event, EventKind, append
from hub.bundles.bundles import BUNDLES_CHANGED, active_in, default_bundle_text, newest_active
from hub.bundles.tables import BundleRow
from hub.core.errors import Conflict, Forbidden, FreshLoginNeeded, NotFound
from hub.core.ids import new_id
from hub.identity.directory import get
from hub.identity.permissions import Permission, demand
from hub.keys import Keyring
from hub.policy import Bundle, refuse_failing, refuse_unfit
from hub.storage import Database, Tx, now

BY_TWO: Final = frozenset({"prod"})
"""Where the person who publishes is another one than the person who proposed."""
FRESH: Final = timedelta(minutes=10)
"""How old the login of the second person may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A bundle's text, where it is to decide, and who says so (None: the hub itself, or whoever runs its commands)."""

    environment: str
    text: str
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A bundle that waits for a second person."""

    id: str
    environment: str
    digest: str
    text: str
    proposed_by: str


async def publish_bundle(tx: Tx, database: Database, keys: Keyring, publication: Publication) -> Bundle:
    """Make the published text the bundle that decides in its environment, and return it.

    Raises:
        BundleInvalid: it cannot be used, permits nothing, or decides one of its own examples otherwise; nothing has
            changed.
        Forbidden: it is no administrator, or it takes two here: propose it, and let another administrator publish it.
    """
    if publication.by is not None:
        await _demand_administrator(tx, publication.by)
    if publication.environment in BY_TWO:
        where = publication.environment
        raise Forbidden(f"In {where} policy takes two people: propose it, and let another administrator publish it.")
    refuse_unfit(Bundle.parse(publication.text))
    await _one_at_a_time(tx, database, publication.environment)
    return await _publish(tx, database, keys, publication)


async def propose_bundle(tx: Tx, keys: Keyring, publication: Publication, *, by: str) -> Proposal:
    """Put a bundle on record for another administrator to publish; it decides nothing yet.

    Raises:
        BundleInvalid: it cannot be used, permits nothing, or decides one of its own examples otherwise; nothing has
            changed.
        Forbidden: it is no administrator.
    """
    await _demand_administrator(tx, by)
    bundle = Bundle.parse(publication.text)
    refuse_unfit(bundle)
    row = BundleRow(
        id=new_id("bdl"),
        environment=publication.environment,
        digest=bundle.digest,
        text=publication.text,
        is_active=False,
        proposed_by=by,
        proposed_at=await now(tx),
        proposed_on=await _deciding(tx, publication.environment),
    )
    tx.add(row)
    await tx.flush()
    facts = {"environment": publication.environment, "digest": bundle.digest}
    await append(tx, Event(kind=EventKind.BUNDLE_PROPOSED, subject=row.id, actor=by, facts=facts), keys)
    return _proposal(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """The person who publishes what another one proposed, and when that person last proved who it is."""

    person_id: str
    authenticated_at: datetime | None


async def publish_proposal(tx: Tx, database: Database, keys: Keyring, proposal_id: str, second: Second) -> Proposal:
    """Publish what another administrator has proposed, exactly as it was proposed; return it.

    Raises:
        BundleInvalid: this release cannot use it.
        Conflict: it has been published already, or another one has since it was proposed.
        Forbidden: it is no administrator, or the one who proposed it.
        FreshLoginNeeded: its login is older than `FRESH`.
        NotFound: there is no such proposal.
    """
    by = second.person_id
    await _demand_administrator(tx, by)
    row = await tx.scalar(select(BundleRow).where(BundleRow.id == proposal_id).with_for_update())
    if row is None or row.proposed_by is None:
        raise NotFound("There is no such proposal.")
    if row.published_at is not None:
        raise Conflict("It has been published already.")
    if row.proposed_by == by:
        raise Forbidden("You proposed this policy; another administrator publishes it.")
    if second.authenticated_at is None or await now(tx) - second.authenticated_at > FRESH:
        raise FreshLoginNeeded("Publishing policy needs a fresh login. Enter your password again, then publish.")
    await _one_at_a_time(tx, database, row.environment)  # before it is looked at what decides now
    if row.proposed_on != await _deciding(tx, row.environment):
        raise Conflict("Another policy has been published since this one was proposed. Look at both and propose again.")
    await _publish(tx, database, keys, Publication(environment=row.environment, text=row.text, by=by), row=row)
    return _proposal(row)


async def proposals(tx: Tx, environment: str) -> list[Proposal]:
    """Return what waits for a second person in `environment`, the oldest first."""
    waits = (BundleRow.environment == environment, BundleRow.published_at.is_(None))
    return [_proposal(row) for row in await tx.scalars(select(BundleRow).where(*waits).order_by(BundleRow.id))]


async def publish_default(tx: Tx, database: Database, keys: Keyring, *, environment: str) -> None:
    """Put on record what decides in `environment`, so that every decision's digest leads to a text.

    That is the default bundle where there is none, and the active one again where this release reads it with another
    schema, and so under another digest.

    Raises:
        BundleInvalid: this release cannot use the active bundle; publish one that it can.
    """
    row = await tx.scalar(newest_active(environment))
    if row is None or Bundle.parse(row.text).digest != row.digest:
        text = default_bundle_text() if row is None else row.text
        await _publish(tx, database, keys, Publication(environment=environment, text=text, by=None))


async def _publish(
    tx: Tx, database: Database, keys: Keyring, publication: Publication, *, row: BundleRow | None = None
) -> Bundle:
    bundle, environment = Bundle.parse(publication.text), publication.environment
    refuse_failing(bundle)
    await tx.execute(update(BundleRow).where(*active_in(environment)).values(is_active=False))
    published = row or BundleRow(id=new_id("bdl"), environment=environment, text=publication.text)
    published.digest, published.is_active = bundle.digest, True
    published.published_by, published.published_at = publication.by, await now(tx)
    tx.add(published)
    await tx.flush()
    await database.signal(tx, BUNDLES_CHANGED)
    facts = {"environment": environment, "digest": bundle.digest, "proposed_by": published.proposed_by}
    await append(
        tx, Event(kind=EventKind.BUNDLE_PUBLISHED, subject=environment, actor=publication.by, facts=facts), keys
    )
    return bundle


async def _one_at_a_time(tx: Tx, database: Database, environment: str) -> None:
    """Let publications in one environment wait for each other: none replaces what its people have not seen decide."""
    await database.lock(tx, f"bundles:{environment}")


async def _deciding(tx: Tx, environment: str) -> str:
    row = await tx.scalar(newest_active(environment))
    return row.digest if row is not None else Bundle.parse(default_bundle_text()).digest


async def _demand_administrator(tx: Tx, principal_id: str) -> None:
    demand(await get(tx, principal_id), Permission.MANAGE_POLICY)


def _proposal(row: BundleRow) -> Proposal:
    assert row.proposed_by is not None  # noqa: S101  # what waits was proposed by somebody
    return Proposal(
        id=row.id,
        environment=row.environment,
        digest=row.digest,
        text=row.text,
        proposed_by=row.proposed_by,
    )
