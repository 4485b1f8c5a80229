"""Values on their way between JSON and a database."""

import base64
import binascii
import datetime as dt
import decimal
import hashlib
import ipaddress
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import rfc8785

from connectors.sdk.errors import Refused

Json = Any
"""Any JSON value."""

_LARGEST: Final = 2**53 - 1


def to_json(value: object) -> Json:
    """Return `value`, as a driver hands it over, as JSON that every reader reads alike."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return value if abs(value) <= _LARGEST else str(value)  # neither NaN nor infinity is less than anything
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [to_json(one) for one in cast("list[object]", value)]
    return str(value)


def token(row: Mapping[str, Json], guard: str | None) -> str:
    """Return the version of `row`: its guard column, or a digest of all there is."""
    if guard is not None:
        return str(row[guard])
    return hashlib.sha256(rfc8785.dumps(dict(row))).hexdigest()


def from_json(value: Json, type_name: str) -> object:
    """Return the argument `value` as PostgreSQL's driver wants the type `type_name`.

    Raises:
        Refused: it is no such value.
    """
    if value is None:
        return None
    try:
        return _FROM_JSON.get(type_name, _plain)(value)
    except (ValueError, TypeError, ArithmeticError, binascii.Error) as error:
        raise Refused(f"{str(value)[:100]!r} is no value of the type {type_name}. Nothing was changed.") from error


def _plain(value: Json) -> object:
    return value


def _timestamp(value: Json) -> dt.datetime:
    found = dt.datetime.fromisoformat(str(value))
    return found.astimezone(dt.UTC).replace(tzinfo=None) if found.tzinfo else found


def _timestamptz(value: Json) -> dt.datetime:
    found = dt.datetime.fromisoformat(str(value))
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found


def _integer(value: Json) -> int:
    number = int(value)
    if number != float(value):
        raise ValueError("a fraction")
    return number


def _decimal(value: Json) -> decimal.Decimal:
    return decimal.Decimal(str(value))


_FROM_JSON: Final[Mapping[str, Callable[[Json], object]]] = {
    "int2": _integer,
    "int4": _integer,
    "int8": _integer,
    "float4": float,
    "float8": float,
    "numeric": _decimal,
    "text": str,
    "varchar": str,
    "bpchar": str,
    "name": str,
    "json": lambda value: str(value) if isinstance(value, str) else json.dumps(value),
    "jsonb": lambda value: str(value) if isinstance(value, str) else json.dumps(value),
    "date": lambda value: dt.date.fromisoformat(str(value)),
    "time": lambda value: dt.time.fromisoformat(str(value)),
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "uuid": lambda value: uuid.UUID(str(value)),
    "bytea": lambda value: base64.b64decode(str(value), validate=True),
    "inet": lambda value: ipaddress.ip_interface(str(value)),
}
