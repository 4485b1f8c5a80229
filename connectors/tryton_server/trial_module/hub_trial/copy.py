# Copyright the toolhub maintainers. Licence: GPL-3.0-or-later, see LICENSE.
"""The mark of a twin: this database is a copy, made at such a time."""

from argparse import ArgumentParser
from datetime import UTC, datetime

from trytond import config
from trytond.model import ModelSQL, fields
from trytond.pool import Pool
from trytond.rpc import RPC
from trytond.transaction import Transaction


class Copy(ModelSQL):
    """When this database was copied from the one that people work in."""

    __name__ = "hub.trial.copy"

    copied_at = fields.Timestamp("Copied At", required=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__ = {"search_read": RPC()}  # written by whoever copied it, not by users


def mark(database, copied_at):
    """Write into `database` that it is a copy, made at `copied_at` (UTC, without a time zone)."""
    Pool.start()
    pool = Pool(database)
    pool.init()
    with Transaction().start(database, 0):
        copies = pool.get("hub.trial.copy")
        copies.delete(copies.search([]))
        copies.create([{"copied_at": copied_at}])


def main():
    """Mark the database that the command line names."""
    parser = ArgumentParser(description="Mark a Tryton database as a twin: a copy to try calls in.")
    parser.add_argument("-c", "--config", required=True, metavar="FILE", help="Tryton's configuration")
    parser.add_argument("-d", "--database", required=True, help="the copy; its module hub_trial is active")
    parser.add_argument("--copied-at", required=True, type=datetime.fromisoformat, help="2026-11-21T08:00:00+00:00")
    given = parser.parse_args()
    if given.copied_at.tzinfo is None:
        parser.error("--copied-at needs a time zone: 2026-11-21T08:00:00+00:00")
    config.update_etc(given.config)
    mark(given.database, given.copied_at.astimezone(UTC).replace(tzinfo=None))
