"""The types of OData: their JSON Schema, their literals in a URL, and their values in a body.

Source: OData ABNF Construction Rules 4.01 (primitiveLiteral); OData JSON Format 4.01, section 7.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from connectors.odata.metadata import Typed
from connectors.sdk.errors import Refused

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

DECIMAL: Final = {"type": "string", "format": "decimal", "pattern": "^-?[0-9]{1,34}([.][0-9]{1,34})?$"}
"""Numbers that not every JSON reader reads alike travel as texts, as IEEE754Compatible asks."""
_INT64: Final = {"type": "string", "pattern": "^-?[0-9]{1,19}$"}
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "Edm.Byte": (0, 2**8 - 1),
    "Edm.SByte": (-(2**7), 2**7 - 1),
    "Edm.Int16": (-(2**15), 2**15 - 1),
    "Edm.Int32": (-(2**31), 2**31 - 1),
    "Edm.Int64": (-(2**63), 2**63 - 1),
}
_PLAIN: Final[Mapping[str, Object]] = {
    "Edm.String": {"type": "string"},
    "Edm.Boolean": {"type": "boolean"},
    "Edm.Guid": {"type": "string", "format": "uuid"},
    "Edm.Date": {"type": "string", "format": "date"},
    "Edm.DateTimeOffset": {"type": "string", "format": "date-time"},
    "Edm.TimeOfDay": {"type": "string", "pattern": r"^[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,12})?)?$"},
    "Edm.Duration": {"type": "string", "format": "duration"},
    "Edm.Binary": {"type": "string", "pattern": "^[A-Za-z0-9_-]*$", "description": "In base64url, without padding."},
    "Edm.Int64": _INT64,
    "Edm.Decimal": DECIMAL,
    "Edm.Double": {"type": "number"},
    "Edm.Single": {"type": "number"},
}
_DATE: Final = r"-?[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,12})?)?"
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "Edm.Guid": re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    "Edm.Date": re.compile(_DATE),
    "Edm.TimeOfDay": re.compile(_TIME),
    "Edm.DateTimeOffset": re.compile(rf"{_DATE}T{_TIME}(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"),
    "Edm.Duration": re.compile(r"-?P(?:[0-9]+D)?(?:T(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+(?:\.[0-9]+)?S)?)?"),
    "Edm.Binary": re.compile(r"[A-Za-z0-9_-]*"),
    "Edm.Decimal": re.compile(r"-?[0-9]{1,34}(?:\.[0-9]{1,34})?"),
}
_IN_QUOTES: Final[Mapping[str, str]] = {"Edm.Duration": "duration", "Edm.Binary": "binary"}


def schema_of(typed: Typed, *, is_input: bool) -> Object | None:
    """Return the JSON Schema of a value of a primitive or enumeration type, None for what has none here.

    What goes in keeps its rules; what comes out is only described.
    """
    if typed.choices:
        shaped: Object = {"type": "string"} if typed.is_flags else {"type": "string", "enum": [*typed.choices]}
    elif typed.edm in _RANGES and typed.edm != "Edm.Int64":
        low, high = _RANGES[typed.edm]
        shaped = {"type": "integer", "minimum": low, "maximum": high} if is_input else {"type": "integer"}
    elif typed.edm in _PLAIN:
        shaped = dict(_PLAIN[typed.edm]) if is_input else _described(_PLAIN[typed.edm])
    else:
        return None
    if is_input and typed.edm == "Edm.String" and typed.max_length:
        shaped["maxLength"] = typed.max_length
    return shaped if is_input or "enum" not in shaped else {"type": "string"}


def _described(schema: Mapping[str, Json]) -> Object:
    return {name: schema[name] for name in ("type", "format") if name in schema and schema[name] != "decimal"}


def literal(edm: str, enumeration: str, value: Json) -> str:
    """Return `value` as it stands in a URL, not yet percent-encoded; `enumeration` is the enumeration's name, or empty.

    Raises:
        Refused: it is not of this type. Nothing that fits no literal of the type can leave, so none can break out.
    """
    if enumeration:
        return f"{enumeration}{_quoted(value)}"
    match edm:
        case "Edm.String":
            return _quoted(value)
        case "Edm.Boolean" if isinstance(value, bool):
            return "true" if value else "false"
        case _ if edm in _RANGES:
            return str(_integer(edm, value))
        case "Edm.Double" | "Edm.Single":
            return _number(value)
        case _ if edm in _FORMS:
            text = _in_form(edm, value)
            return f"{_IN_QUOTES[edm]}'{text}'" if edm in _IN_QUOTES else text
        case _:
            raise _unfit(edm, value)


def _quoted(value: Json) -> str:
    """Return a string literal. A quote within is doubled. Source: OData ABNF, SQUOTE-in-string."""
    if not isinstance(value, str):
        raise _unfit("Edm.String", value)
    return "'" + value.replace("'", "''") + "'"


def _integer(edm: str, value: Json) -> int:
    low, high = _RANGES[edm]
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,19}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _unfit(edm, value)
    return value


def _number(value: Json) -> str:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError as error:
            raise _unfit("a number", value) from error
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value or value in _INFINITE:  # noqa: PLR0124  # NaN alone differs from itself
        raise _unfit("a number", value)
    return json.dumps(value)


_INFINITE: Final = (float("inf"), float("-inf"))


def _in_form(edm: str, value: Json) -> str:
    if not isinstance(value, str) or not _FORMS[edm].fullmatch(value) or value.endswith(("P", "T")):
        raise _unfit(edm, value)
    return value


def _unfit(edm: str, value: Json) -> Refused:
    return Refused(f"{str(value)[:60]!r} is no {edm.removeprefix('Edm.')}. Nothing was sent.")


def in_body(edm: str, value: Json) -> Json:
    """Return `value` as a body holds it, with IEEE754Compatible=true: Int64 and Decimal are texts already.

    Raises:
        Refused: it is not of this type.
    """
    if edm == "Edm.Int64":
        return str(_integer(edm, value))
    if edm in {"Edm.Double", "Edm.Single"}:
        return json.loads(_number(value))
    return _in_form(edm, value) if edm in _FORMS and edm != "Edm.Guid" else value


def read(schema: Mapping[str, Json], value: Json) -> Json:
    """Return a plain value of an answer as `schema` has it, None where it does not fit."""
    match schema.get("type"):
        case "string" if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return str(value)
        case "string":
            return value if isinstance(value, str) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "integer" | "number":
            return _read_number(value, is_integer=schema["type"] == "integer")
        case _:
            return value


def _read_number(value: Json, *, is_integer: bool) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    if is_integer:
        return int(number) if number == number.to_integral_value() else None
    return float(number)
