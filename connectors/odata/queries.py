"""What `find` asks for: $filter, $select, $orderby, $expand and $top, made of typed arguments and nothing else.

Source: OData URL Conventions 4.01, section 5.1.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from connectors.odata.edm import literal
from connectors.sdk.errors import Refused

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

_COMPARED: Final = {"is": "eq", "is_not": "ne", "above": "gt", "at_least": "ge", "below": "lt", "at_most": "le"}
_SEARCHED: Final = {"contains": "contains", "starts_with": "startswith", "ends_with": "endswith"}
_EMPTY: Final = {"is_empty": "eq", "is_not_empty": "ne"}
MOST: Final = 1000
_USUAL: Final = 50


def arguments_of(filterable: Sequence[str], sortable: Sequence[str], selectable: Sequence[str]) -> Object:
    """Return the properties of the input schema of a `find` over these fields."""
    properties: Object = {}
    if filterable:
        operators = [*_COMPARED, *_SEARCHED, *_EMPTY]
        properties["where"] = {
            "type": "array",
            "maxItems": 20,
            "description": "All of these hold. A value is a text, also that of a number or a date.",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "enum": [*filterable]},
                    "is": {"type": "string", "enum": operators},
                    "value": {"type": "string", "maxLength": 1000},
                },
                "required": ["field", "is"],
                "additionalProperties": False,
            },
        }
    if sortable:
        properties["order_by"] = {
            "type": "array",
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string", "enum": [*sortable]}, "descending": {"type": "boolean"}},
                "required": ["field"],
                "additionalProperties": False,
            },
        }
    properties["fields"] = {
        "type": "array",
        "maxItems": len(selectable),
        "items": {"type": "string", "enum": [*selectable]},
        "description": "Only these; all without it.",
    }
    properties["limit"] = {"type": "integer", "minimum": 1, "maximum": MOST, "default": _USUAL}
    return properties


def limit_of(arguments: Mapping[str, Json]) -> int:
    """Return how many records are wanted."""
    return int(arguments.get("limit", _USUAL))


def query_of(binding: Mapping[str, Json], arguments: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return the query of a `find`, in its order, not yet encoded.

    Raises:
        Refused: a value is not of its field's type, or a field cannot be compared in this way.
    """
    said = [_condition(binding["fields"], one) for one in cast("list[Object]", arguments.get("where", []))]
    if binding["target"].get("draft"):
        said.insert(0, "IsActiveEntity eq true")
    query = [("$filter", " and ".join(said))] if said else []
    if order := cast("list[Object]", arguments.get("order_by", [])):
        query.append(
            ("$orderby", ",".join(f"{one['field']}{' desc' if one.get('descending') else ''}" for one in order))
        )
    query += reading(binding, arguments)
    if binding["has_top"]:
        query.append(("$top", str(limit_of(arguments) + 1)))
    return query


def reading(binding: Mapping[str, Json], arguments: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return what of a record is to be answered: $select and $expand."""
    query = list[tuple[str, str]]()
    if fields := cast("list[str]", arguments.get("fields", [])):
        query.append(("$select", ",".join(dict.fromkeys([*binding["target"]["key"], *fields]))))
    if expanded := cast("list[str]", arguments.get("expand", [])):
        query.append(("$expand", ",".join(dict.fromkeys(expanded))))
    return query


def _condition(fields: Mapping[str, Json], said: Mapping[str, Json]) -> str:
    name, operator, value = str(said["field"]), str(said["is"]), said.get("value")
    edm, enumeration = fields[name]
    if operator in _EMPTY:
        return f"{name} {_EMPTY[operator]} null"
    if value is None:
        raise Refused(f"Say the value that {name} is compared with. Nothing was sent.")
    if operator in _SEARCHED:
        if edm != "Edm.String":
            raise Refused(f"{name} is no text, so it cannot be searched with {operator}. Nothing was sent.")
        return f"{_SEARCHED[operator]}({name},{literal(edm, enumeration, value)})"
    if edm == "Edm.Boolean":
        value = {"true": True, "false": False}.get(str(value), value)
    return f"{name} {_COMPARED[operator]} {literal(edm, enumeration, value)}"
