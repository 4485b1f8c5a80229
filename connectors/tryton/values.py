"""Tryton's spelling of values that JSON lacks, and money in minor units."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

Json = Any
"""Any JSON value."""


def decoded(value: Json) -> Json:
    """Return what Tryton answered, with decimals and dates in place of the objects that stand for them."""
    if isinstance(value, list):
        return [decoded(item) for item in cast("list[Json]", value)]
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Json]", value)
    read = _READERS.get(members.get("__class__", ""))
    return {name: decoded(item) for name, item in members.items()} if read is None else read(members)


def encoded(amount: Decimal) -> Json:
    """Return `amount` as Tryton wants it in a call."""
    return {"__class__": "Decimal", "decimal": format(amount, "f")}


def encoded_day(day: date) -> Json:
    """Return `day` as Tryton wants it in a call."""
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def minor_units(amount: Decimal, digits: int) -> int:
    """Return `amount` in minor units of a currency with `digits` decimal places.

    Raises:
        ValueError: there is a fraction of a minor unit.
    """
    scaled = amount.scaleb(digits)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} has more than {digits} decimal places")
    return int(scaled)


def _date(members: Mapping[str, Json]) -> date:
    return date(members["year"], members["month"], members["day"])


def _moment(members: Mapping[str, Json]) -> str:
    # Tryton's moments carry no time zone; the connector shows them as they stand.
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return datetime(*(members[name] for name in names)).isoformat()  # noqa: DTZ001  # see above


def _decimal(members: Mapping[str, Json]) -> Decimal:
    return Decimal(members["decimal"])


_READERS: Mapping[str, Callable[[Mapping[str, Json]], Json]] = {
    "Decimal": _decimal,
    "date": _date,
    "datetime": _moment,
}
