"""Which bundle decides: read once, kept until another one is published anywhere."""

import time
from collections.abc import Callable
from importlib.resources import files
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Select, select

from hub.audit import Policy
from hub.bundles.tables import BundleRow
from hub.policy import Bundle, schema_digest
from hub.storage import Database, Joined, Tx

BUNDLES_CHANGED: Final = "bundles"
"""Signalled when a bundle has been published."""
LOOK_AGAIN_SECONDS: Final = 1.0
"""The bound: no decision is made by a bundle that was replaced longer ago than this, whichever process did it."""
_DEFAULT: Final = "default"
"""Stands for the row of an environment that has none."""


def default_bundle_text() -> str:
    """Return the rules a new hub starts with: what each risk tier asks for."""
    return files("hub.bundles").joinpath("default.cedar").read_text(encoding="utf-8")


class Bundles:
    """The active bundle of each environment, read once and kept until another one is published anywhere.

    A publication in this process is seen by the next call, one in another process by PostgreSQL's signal within
    moments; what no signal tells of is found by asking the database again after `LOOK_AGAIN_SECONDS`. `fresh` asks
    it at once, and is what a write uses.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._active: dict[str, _Kept] = {}
        self._publications = 0
        self._joined = Joined[Bundle](LOOK_AGAIN_SECONDS)
        self._heard = database.subscribe(BUNDLES_CHANGED)

    async def active(self, environment: str) -> Bundle:
        """Return the bundle that decides in `environment`."""
        if self._heard.is_set():
            self._heard.clear()  # before looking: what is published from here on sets it again
            self._look_again()
        kept = self._active.get(environment)
        if kept is not None and self._clock() < kept.look_at:
            return kept.bundle
        return await self._joined.read(environment, lambda: self._looked_up(environment))

    async def _looked_up(self, environment: str) -> Bundle:
        async with self._database.reading() as tx:
            return await self.fresh(tx, environment)

    async def fresh(self, tx: Tx, environment: str) -> Bundle:
        """Return the bundle that the database says decides in `environment` now."""
        look_at, publications = self._clock() + LOOK_AGAIN_SECONDS, self._publications
        row_id = await tx.scalar(newest_active(environment).with_only_columns(BundleRow.id)) or _DEFAULT
        kept = self._active.get(environment)
        bundle = kept.bundle if kept is not None and kept.row_id == row_id else await self._read(tx, row_id)
        if publications == self._publications:  # else it may be older than what was read since
            self._active[environment] = _Kept(row_id, bundle, look_at)
        return bundle

    def _look_again(self) -> None:
        self._publications += 1
        self._joined.part()
        self._active = {name: kept._replace(look_at=self._clock()) for name, kept in self._active.items()}

    async def _read(self, tx: Tx, row_id: str) -> Bundle:
        """Return the bundle in a row, or the default one: rows are never changed, so their id stands for the text."""
        text = default_bundle_text() if row_id == _DEFAULT else (await tx.get_one(BundleRow, row_id)).text
        return Bundle.parse(text)


class _Kept(NamedTuple):
    row_id: str
    bundle: Bundle
    look_at: float


async def recorded_bundle(tx: Tx, digest: str) -> Bundle | None:
    """Return the bundle that decided under `digest`; None: it is not on record, or this release reads it otherwise."""
    text = await tx.scalar(select(BundleRow.text).where(BundleRow.digest == digest).limit(1))
    bundle = None if text is None else Bundle.parse(text)
    return bundle if bundle is not None and bundle.digest == digest else None


async def recorded_policy(tx: Tx, digest: str) -> Policy | None:
    """Return the policy that decided under `digest` as evidence holds it; None where `recorded_bundle` has none."""
    bundle = await recorded_bundle(tx, digest)
    return None if bundle is None else Policy(schema=schema_digest(), text=bundle.text)


def newest_active(environment: str) -> Select[BundleRow]:
    """Return the query for the row that decides in `environment`."""
    newest_first = (BundleRow.published_at.desc(), BundleRow.id.desc())
    return select(BundleRow).where(*active_in(environment)).order_by(*newest_first).limit(1)


def active_in(environment: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions under which a row is active in `environment`."""
    return BundleRow.environment == environment, BundleRow.is_active.is_(True)
