"""Tables as they were found in a live database: what a manifest is compiled against."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Json = Any
"""Any JSON value."""

Shape = Literal["integer", "number", "boolean", "text", "date", "timestamp", "time", "uuid", "json", "bytes", "decimal"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Value):
    """One column. `fills` says what stands in it if nobody gives a value: nothing, always the same, or who knows."""

    name: str
    shape: Shape
    nullable: bool
    fills: Literal["nothing", "constant", "computed"] = "nothing"
    constant: Json = None
    generated: bool = False
    """Whether only the database may write it."""


class Table(_Value):
    """One table: its columns in their order, its primary key, and the sets of columns that are unique."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    unique: tuple[frozenset[str], ...] = ()

    def column(self, name: str) -> Column:
        """Return the column called `name`.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> frozenset[str]:
        """Return the names of its columns."""
        return frozenset(column.name for column in self.columns)
