"""Which bundle decides: read once, kept until another one is published anywhere."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from sqlalchemy import select, update

from hub.audit import Event, EventKind, append
from hub.bundles.tables import BundleRow
from hub.core.ids import new_id
from hub.keys import Keyring
from hub.policy import Bundle
from hub.storage import Database, Tx, now

BUNDLES_CHANGED: Final = "bundles"
"""Signalled when a bundle has been published."""


def default_bundle_text() -> str:
    """Return the rules a new hub starts with: what each risk tier asks for."""
    return files("hub.bundles").joinpath("default.cedar").read_text(encoding="utf-8")


class Bundles:
    """The active bundle of each environment, read once and kept until a newer one is announced.

    On PostgreSQL another process hears of it through the relay within moments; `fresh` asks the database itself, and
    is what a commit uses.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._active: dict[str, Bundle] = {}
        self._heard = database.subscribe(BUNDLES_CHANGED)

    async def active(self, environment: str) -> Bundle:
        """Return the bundle that decides in `environment`."""
        if self._heard.is_set():
            self._heard.clear()
            self._active.clear()
        if environment not in self._active:
            async with self._database.reading() as tx:
                self._active[environment] = await self.fresh(tx, environment)
        return self._active[environment]

    async def fresh(self, tx: Tx, environment: str) -> Bundle:
        """Return the bundle that the database says decides in `environment` now."""
        which = (BundleRow.environment == environment, BundleRow.is_active)
        row = (await tx.execute(select(BundleRow.digest, BundleRow.text).where(*which))).one_or_none()
        kept = self._active.get(environment)
        if kept is not None and row is not None and kept.digest == row.digest:
            return kept
        return Bundle.parse(default_bundle_text() if row is None else row.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A bundle's text, where it is to decide, and who says so (None: the hub itself, on first start)."""

    environment: str
    text: str
    by: str | None


async def publish_bundle(tx: Tx, database: Database, keys: Keyring, publication: Publication) -> Bundle:
    """Make the published text the bundle that decides in its environment, and return it.

    Raises:
        BundleInvalid: it cannot be used; nothing has changed.
    """
    bundle, environment = Bundle.parse(publication.text), publication.environment
    which = (BundleRow.environment == environment, BundleRow.is_active)
    await tx.execute(update(BundleRow).where(*which).values(is_active=False))
    tx.add(
        BundleRow(
            id=new_id("bdl"),
            environment=environment,
            digest=bundle.digest,
            text=publication.text,
            is_active=True,
            published_by=publication.by,
            published_at=await now(tx),
        )
    )
    await tx.flush()
    await database.signal(tx, BUNDLES_CHANGED)
    facts = {"environment": environment, "digest": bundle.digest}
    await append(
        tx, Event(kind=EventKind.BUNDLE_PUBLISHED, subject=environment, actor=publication.by, facts=facts), keys
    )
    return bundle


async def publish_default(tx: Tx, database: Database, keys: Keyring, *, environment: str) -> None:
    """Put the default bundle on record where none is, so that every decision's digest leads to a text."""
    if await tx.scalar(select(BundleRow.id).where(BundleRow.environment == environment).limit(1)) is None:
        publication = Publication(environment=environment, text=default_bundle_text(), by=None)
        await publish_bundle(tx, database, keys, publication)
