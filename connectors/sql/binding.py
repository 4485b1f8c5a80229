"""The binding of one SQL operation: everything the broker needs, fixed when the connector is registered.

At run time nothing but the operation's name and its arguments reaches the broker. Every piece of SQL it ever sends for
the operation stands here, in the tool version that was reviewed, pinned and approved.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.sql.addresses import Engine

IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
Kind = Literal["select", "insert", "update", "delete"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Value):
    """How far one call may go."""

    rows: int = Field(default=100, ge=1, le=10_000)
    """How many rows a read returns."""
    changed_rows: int = Field(default=20, ge=1, le=1_000)
    """How many rows a write may change, in all tables together."""
    statement_seconds: float = Field(default=10, gt=0, le=120)
    lock_seconds: float = Field(default=2, gt=0, le=60)


class Text(_Value):
    """One statement, and the names of its parameters in the order in which they are bound."""

    sql: str
    parameters: tuple[str, ...] = ()


class Written(_Value):
    """What a write concerns: one table, by its key; and what the manifest allows to happen beside it."""

    table: str
    key: tuple[str, ...]
    shown: tuple[str, ...]
    sensitive: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Columns whose value at commit nobody can know at preview: generated, or computed by the clock."""
    before: Text | None = None
    """The rows it would change, locked; None for an insert."""
    record: Text
    """One row by its key; the parameters are the key's columns."""
    guard: str | None = None
    """The column that is the version of a row; without one the whole row is."""
    reference: str | None = None
    """The unique column in which an insert leaves the hub's key."""
    found: Text | None = None
    """The row with that key."""
    receipts: str | None = None
    """The table in which each write of the hub leaves a receipt, in its own transaction."""
    triggers: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class Binding(_Value):
    """One operation, ready for the broker."""

    engine: Engine
    schema_name: str = "public"
    kind: Kind
    statement: Text
    tables: tuple[str, ...]
    """Every table that the statement names."""
    functions: tuple[str, ...] = ()
    """Functions that the manifest allows beside the usual ones."""
    is_single: bool = False
    """Whether a read answers one row instead of a list."""
    read_role: str | None = None
    limits: Limits = Limits()
    written: Written | None = None
