"""Values as people read them: money with its currency, dates and times, yes and no; everything else as it is."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from hub.core.money import minor_digits, money

Json = Any
"""Any JSON value."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def readable(name: str, value: Json, currency: str | None) -> str:
    """Return `value` of the field `name` in words; `currency` is the one that its record names."""
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return moment(value) or value
    if isinstance(value, int) and name.endswith("_minor") and currency and minor_digits(currency) is not None:
        return money(value, currency)
    return str(value)


def moment(text: str) -> str | None:
    """Return a date or a time in words, with all that it says; None if `text` is neither."""
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return f"{day.day} {day:%b} {day.year}"
        if _TIME.fullmatch(text):
            return _time(datetime.fromisoformat(text))
    except ValueError:
        return None
    return None


def _time(at: datetime) -> str:
    clock = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    zone = "" if at.tzinfo is None else " UTC" if at.utcoffset() == UTC.utcoffset(None) else f" {at:%z}"
    return f"{at.day} {at:%b} {at.year}, {clock}{zone}"
