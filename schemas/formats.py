"""What the formats of JSON Schema mean here: checked with the standard library alone, and strictly."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from jsonschema_rs import Draft202012Validator

from schemas.bounds import count_steps

_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_TIME: Final = re.compile(r"\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DURATION: Final = re.compile(r"P(?!$)(\d+W|(\d+Y)?(\d+M)?(\d+D)?(T(?!$)(\d+H)?(\d+M)?(\d+S)?)?)", re.ASCII)
_MAIL: Final = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\s@.]+(\.[^\s@.]+)*", re.ASCII)
_HOST: Final = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_POINTER: Final = re.compile(r"(/([^~/]|~[01])*)*")


def is_date_time(text: str) -> bool:
    """Return whether `text` is an RFC 3339 moment, with its offset. A leap second is one of them."""
    if not _MOMENT.fullmatch(text):
        return False
    plain = re.sub(r"\.\d+", "", text.upper().replace("Z", "+00:00"))
    return _reads(datetime.fromisoformat, plain.replace(":60+", ":59+").replace(":60-", ":59-"))


def is_time(text: str) -> bool:
    """Return whether `text` is an RFC 3339 time of day, with its offset."""
    return bool(_TIME.fullmatch(text)) and is_date_time(f"2000-01-01T{text}")


def is_date(text: str) -> bool:
    """Return whether `text` is a day that exists."""
    return bool(_DAY.fullmatch(text)) and _reads(date.fromisoformat, text)


def is_uri(text: str) -> bool:
    """Return whether `text` is an absolute URI."""
    if not text.isascii() or not text.isprintable() or any(each in text for each in ' "<>\\^`{|}'):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path)


def _reads(reader: Callable[[str], object], text: str) -> bool:
    try:
        reader(text)
    except (ValueError, AddressValueError):
        return False
    return True


def _checked(keeps: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return `keeps`, where a text that a reader fails at, however it does, does not have the format."""

    def check(text: str) -> bool:
        count_steps(1 + len(text) // _READ_IN_A_STEP)
        try:
            return keeps(text)
        except Exception:  # noqa: BLE001  # readers of the standard library fail at strange texts in ways of their own
            return False

    return check


_READ_IN_A_STEP: Final = 64
_PATTERN: Final = Draft202012Validator({"format": "regex"}, validate_formats=True)
_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date": is_date,
    "date-time": is_date_time,
    "time": is_time,
    "duration": lambda text: bool(_DURATION.fullmatch(text)),
    "email": lambda text: bool(_MAIL.fullmatch(text)),
    "hostname": lambda text: bool(_HOST.fullmatch(text)),
    "ipv4": lambda text: _reads(IPv4Address, text),
    "ipv6": lambda text: "%" not in text and _reads(IPv6Address, text),
    "json-pointer": lambda text: bool(_POINTER.fullmatch(text)),
    "regex": _PATTERN.is_valid,
    "uri": is_uri,
    "uuid": lambda text: bool(_UUID.fullmatch(text)) and _reads(UUID, text),
}
FORMATS: Final = {name: _checked(keeps) for name, keeps in _FORMATS.items()}
"""The formats that are checked. A schema may name others; they promise nothing."""
