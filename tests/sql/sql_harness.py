"""The harness of the SQL connector: the shop as its owner sees it, all its rows, and edits by somebody else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sql_desk import SECRET
from sql_shop import Shop

from connectors.sdk.harness import Case, Contents

Json = Any

_TABLES = {"customer": "id", "orders": "id", "note": "code", "watched": "id", "noticed": "body"}
"""Without the receipts, which are the hub's own and stay."""
_COLUMNS = {
    "customer": ("id", "name", "email", "credit_minor", "version", "secret"),
    "orders": ("id", "customer_id", "total_minor"),
    "note": ("code", "body"),
    "watched": ("id", "body"),
    "noticed": ("body",),
}


@dataclass(kw_only=True)
class ShopHarness:
    """A shop to try the connector on."""

    shop: Shop
    cases: Sequence[Case] = ()
    secret: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.secret = {} if self.shop.engine == "sqlite" else SECRET

    @property
    def system(self) -> str:
        """Which engine it runs on."""
        return {"sqlite": "a shop on SQLite", "postgresql": "a shop on PostgreSQL 18"}[self.shop.engine]

    @property
    def base_url(self) -> str:
        """Where it is."""
        return self.shop.url

    async def contents(self) -> Contents:
        """Return every row of every table; the hub's reference in a row is the hub's own."""
        held = dict[str, dict[str, Json]]()
        for table, key in _TABLES.items():
            columns = _COLUMNS[table]
            for row in await self.shop.rows(f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608  # our own names
                record = dict(zip(columns, row, strict=True))
                held[f"{table}/{record[key]}"] = record
        return held

    def write(self, operation: str, *, edit: str | None = None, **arguments: Json) -> Case:
        """Return the case of a write; `edit` is what somebody else does meanwhile."""

        async def edited() -> None:
            assert edit is not None
            await self.shop.script(edit)

        return Case(operation=operation, arguments=arguments, edit=None if edit is None else edited)
